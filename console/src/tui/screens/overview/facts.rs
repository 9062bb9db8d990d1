//! What a page shows above its charts: what no line over time has.
//!
//! Invariant: a fact that is not known is shown as `–` or says why; an old one has its age.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::batches;
use super::freshness::Freshness;
use super::hops::{self, whole_line};
use super::page::Page;
use crate::tui::context::ScreenContext;
use crate::tui::format::{
    UNKNOWN, age_secs, clock, count, counted, short, short_span_secs, span_secs, visible,
};
use crate::tui::lines::whole_words;
use crate::tui::remote::Remote;
use crate::tui::theme::{Theme, Tone, sign};
use chrono::{DateTime, Utc};
use pipeline::long_history::LongHistory;
use pipeline::storage::Storage;

/// Columns of the name of a fact.
const NAME_COLUMNS: usize = 11;

/// What the pages have beside the pipeline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) storage: &'a Remote<Storage>,
    pub(super) deployed_at: Option<DateTime<Utc>>,
    pub(super) long: Option<&'a LongHistory>,
}

/// Rows of the facts of a page.
pub(super) const fn rows(page: Page) -> u16 {
    match page {
        Page::Functions | Page::Api | Page::Database => 2,
        Page::Pipeline | Page::Charts | Page::Alarms => 0,
    }
}

/// The lines of a page, each as wide as the screen at most.
pub(super) fn lines(
    page: Page,
    known: Known<'_>,
    context: &ScreenContext<'_>,
) -> Vec<Line<'static>> {
    let width = context.body.width;
    match page {
        Page::Functions => vec![function(known, context), batches_line(context, width)],
        Page::Api => vec![api(context), hop_line(context, &hops::api(context))],
        Page::Database => vec![
            hop_line(context, &hops::database(context)),
            storage(known, context),
        ],
        Page::Pipeline | Page::Charts | Page::Alarms => Vec::new(),
    }
}

fn fact(
    context: &ScreenContext<'_>,
    name: &str,
    (tone, main): (Tone, String),
    rest: &[String],
) -> Line<'static> {
    let theme = context.theme;
    let head = format!(" {name:<NAME_COLUMNS$}");
    let main = format!("{} {main}   ", sign(tone));
    let used = head.width() + main.width();
    let room = usize::from(context.body.width).saturating_sub(used);
    let rest = hops::whole_parts(rest, room);
    Line::from(vec![
        Span::styled(head, theme.strong()),
        Span::styled(
            whole_words(&main, usize::from(context.body.width)),
            style(theme, tone),
        ),
        Span::styled(rest, theme.muted()),
    ])
}

fn style(theme: Theme, tone: Tone) -> Style {
    theme.tone(tone)
}

fn hop_line(context: &ScreenContext<'_>, hop: &super::hop::Hop) -> Line<'static> {
    fact(context, hop.title, (hop.tone, hop.main.clone()), &hop.rest)
}

fn batches_line(context: &ScreenContext<'_>, width: u16) -> Line<'static> {
    let hop = batches::per_minute(context);
    Line::from(whole_line(
        context.theme,
        ("ingest, ", context.theme.strong()),
        &hop,
        width,
    ))
}

fn function(known: Known<'_>, context: &ScreenContext<'_>) -> Line<'static> {
    let environment = context.environment;
    let Some(name) = &environment.ingest_function else {
        let why = "ingest_function is not set for this environment".to_owned();
        return fact(
            context,
            "ingest ƒ",
            (Tone::Muted, UNKNOWN.to_owned()),
            &[why],
        );
    };
    let deployed = known.deployed_at.map(|at| {
        let age = short_span_secs(age_secs(at, context.now));
        format!("deployed {} UTC, {age} ago", at.format("%Y-%m-%d %H:%M"))
    });
    let timeout = environment.function_timeout_secs;
    let memory = environment.ingest_memory_mib;
    let rest: Vec<String> = [
        deployed,
        timeout.map(|secs| format!("timeout {}", span_secs(secs))),
        memory.map(|mib| format!("{} MiB", count(mib.into()))),
    ]
    .into_iter()
    .flatten()
    .collect();
    fact(context, "ingest ƒ", (Tone::Muted, visible(name)), &rest)
}

fn api(context: &ScreenContext<'_>) -> Line<'static> {
    let url = context.environment.api_url.as_deref();
    let main = url.map_or_else(|| UNKNOWN.to_owned(), visible);
    let why = url
        .is_none()
        .then(|| "api_url is not set for this environment".to_owned());
    let rest: Vec<String> = why.into_iter().collect();
    fact(context, "address", (Tone::Muted, main), &rest)
}

fn storage(known: Known<'_>, context: &ScreenContext<'_>) -> Line<'static> {
    let Some(fetched) = known.storage.fetched() else {
        let why = match known.storage {
            Remote::Loading { since, .. } => {
                let secs = span_secs(age_secs(*since, context.now));
                format!("the partitions are being read for {secs}")
            }
            Remote::Failed { error, .. } => format!("{}  ^r again", visible(&error.message)),
            Remote::Idle | Remote::Ready(_) if context.environment.database_pauses => {
                "^r reads the partitions, which wakes a paused database".to_owned()
            }
            Remote::Idle | Remote::Ready(_) => "not read yet".to_owned(),
        };
        return fact(
            context,
            "partitions",
            (Tone::Muted, UNKNOWN.to_owned()),
            &[why],
        );
    };
    let storage = &fetched.value;
    let interval = context.pipeline.polling.budgets;
    let freshness = Freshness::of(known.storage, interval, context);
    let ahead = match storage.covered_until {
        Some(until) if until > context.now => {
            format!("{} ahead", span_secs(age_secs(context.now, until)))
        }
        Some(_) | None => "none for now".to_owned(),
    };
    let tone = match (freshness.tone, storage.covered_until) {
        (Tone::Good, None) => Tone::Bad,
        (tone, _) => tone,
    };
    let least = if storage.is_partial { "at least " } else { "" };
    let mut rest = freshness.notes;
    rest.push(format!("{least}{} on disk", bytes(storage.bytes)));
    rest.push(match storage.oldest {
        Some(oldest) if !storage.is_partial => {
            let age = short_span_secs(age_secs(oldest, context.now));
            format!("oldest kept {}, {age}", oldest.format("%Y-%m-%d"))
        }
        Some(_) | None => format!("oldest kept {UNKNOWN}"),
    });
    rest.push(counted(storage.partitions, "partition"));
    rest.push(format!(
        "default partition about {}",
        count(storage.default_rows)
    ));
    if let Some(volume) = volume(known.long) {
        rest.push(format!("cluster volume {}", bytes(volume)));
    }
    rest.push(format!("read at {}", clock(fetched.fetched_at)));
    fact(context, "partitions", (tone, ahead), &rest)
}

fn volume(long: Option<&LongHistory>) -> Option<u64> {
    let newest = long?.database.volume_bytes.last()?;
    Some(crate::tui::format::whole(newest.value))
}

/// `7.3 GB`
fn bytes(number: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
    let value = number as f64;
    for (unit, name) in [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")] {
        if value >= unit {
            return format!("{} {name}", short(value / unit));
        }
    }
    format!("{number} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_their_unit() {
        let texts = [999, 1_000, 7_310_000_000, 12_000_000].map(bytes);
        assert_eq!(texts, ["999 B", "1 kB", "7.3 GB", "12 MB"]);
    }
}
