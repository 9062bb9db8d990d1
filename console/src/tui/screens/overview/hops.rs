//! The hops of the pipeline, from the publisher to the third parties.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr as _;

use crate::tui::format::{
    UNKNOWN, age_secs, count, fit, latency, rate, rate_or_unknown, short_span_secs, span_secs,
};
use crate::tui::message::Tone;
use crate::tui::model::Model;
use crate::tui::pipeline::STALE_AFTER;
use crate::tui::remote::Remote;
use crate::tui::screens::is_wide;
use crate::tui::theme::{Theme, sign};
use crate::world::observed::QueueSnapshot;

/// Rows of the hops side by side.
pub(super) const WIDE_ROWS: u16 = 8;
/// Rows of the hops below each other.
pub(super) const NARROW_ROWS: u16 = 7;

/// A queue whose oldest message is younger than this is not waiting for anything.
const PASSING_SECS: u64 = 5;

struct Hop {
    title: &'static str,
    tone: Tone,
    /// The number that matters.
    main: String,
    /// The rest, most important first.
    rest: Vec<String>,
}

/// All hops, and the dead-letter queue that hangs below the source queue.
pub(super) struct Hops {
    path: [Hop; 5],
    dead_letters: Hop,
}

impl Hops {
    pub(super) fn of(model: &Model) -> Self {
        Self {
            path: [
                topic(model),
                queue(model),
                ingest(model),
                database(model),
                api(model),
            ],
            dead_letters: dead_letters(model),
        }
    }

    pub(super) fn draw(&self, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
        if is_wide(area) {
            self.draw_wide(theme, canvas, area);
        } else {
            self.draw_narrow(theme, canvas, area);
        }
    }

    /// Columns with arrows between their main numbers; the dead-letter queue under its queue.
    fn draw_wide(&self, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
        let column = usize::from(area.width) / self.path.len();
        let mut lines = vec![Line::default(); usize::from(WIDE_ROWS)];
        for (place, hop) in self.path.iter().enumerate() {
            let is_last = place + 1 == self.path.len();
            let mut cells = vec![
                vec![Span::styled(
                    padded(&format!("  {}", hop.title), column),
                    theme.strong(),
                )],
                main_cell(theme, hop, column, is_last),
            ];
            cells.extend((0..3).map(|row| {
                let text = hop.rest.get(row).map_or("", String::as_str);
                vec![Span::styled(
                    padded(&format!("  {text}"), column),
                    theme.muted(),
                )]
            }));
            for (line, cell) in lines.iter_mut().zip(cells) {
                line.spans.extend(cell);
            }
        }
        let under_queue = " ".repeat(column);
        let below = lines.get_mut(5..).into_iter().flatten();
        let texts = [
            vec![Span::styled(format!("{under_queue}  │ ▲"), theme.muted())],
            vec![
                Span::styled(format!("{under_queue}  ▼ │ redrive   "), theme.muted()),
                Span::styled("DLQ ", theme.strong()),
                Span::styled(
                    format!(
                        "{} {}",
                        sign(self.dead_letters.tone),
                        self.dead_letters.main
                    ),
                    theme.tone(self.dead_letters.tone),
                ),
                Span::styled(
                    format!("   {}", self.dead_letters.rest.join("   ")),
                    theme.muted(),
                ),
            ],
        ];
        for (line, spans) in below.zip(texts) {
            line.spans = spans;
        }
        canvas.render_widget(Paragraph::new(lines), area);
    }

    /// One line for each hop.
    fn draw_narrow(&self, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
        let mut lines = vec![super::super::title(
            theme,
            "Pipeline",
            usize::from(area.width),
        )];
        for (place, hop) in self.path.iter().enumerate() {
            let arrow = if place == 0 { " " } else { "▼" };
            lines.push(narrow_line(theme, arrow, hop, area.width));
            if place == 1 {
                lines.push(narrow_line(theme, "└", &self.dead_letters, area.width));
            }
        }
        canvas.render_widget(Paragraph::new(lines), area);
    }
}

fn main_cell(theme: Theme, hop: &Hop, column: usize, is_last: bool) -> Vec<Span<'static>> {
    let text = fit(
        &format!("{} {}", sign(hop.tone), hop.main),
        column.saturating_sub(4),
    );
    let used = text.width() + 2;
    let mut cell = vec![Span::raw("  "), Span::styled(text, theme.tone(hop.tone))];
    let room = column.saturating_sub(used);
    if is_last || room < 4 {
        cell.push(Span::raw(" ".repeat(room)));
    } else {
        cell.push(Span::styled(
            format!(" {}▶", "─".repeat(room - 2)),
            theme.muted(),
        ));
    }
    cell
}

fn narrow_line(theme: Theme, arrow: &str, hop: &Hop, width: u16) -> Line<'static> {
    let head = format!(" {arrow} {:<10}", hop.title);
    let main = format!("{} {:<16}", sign(hop.tone), hop.main);
    let room = usize::from(width).saturating_sub(head.width() + main.width() + 1);
    let mut rest = String::new();
    for part in &hop.rest {
        let gap = if rest.is_empty() { "" } else { "  " };
        if rest.width() + gap.len() + part.width() > room {
            break;
        }
        rest.push_str(gap);
        rest.push_str(part);
    }
    Line::from(vec![
        Span::styled(head, theme.strong()),
        Span::styled(main, theme.tone(hop.tone)),
        Span::styled(format!(" {rest}"), theme.muted()),
    ])
}

fn padded(text: &str, columns: usize) -> String {
    let text = fit(text, columns.saturating_sub(1));
    let gap = columns.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(gap))
}

/// Tone of a hop that flows, unless it was not seen or not lately.
fn seen<T>(remote: &Remote<T>, model: &Model) -> Tone {
    if remote.error().is_some() {
        return Tone::Bad;
    }
    match remote.fetched() {
        None => Tone::Muted,
        Some(fetched) if model.now - fetched.fetched_at > STALE_AFTER => Tone::Warning,
        Some(_) => Tone::Good,
    }
}

/// Says how old a number is, where it is not fresh.
fn staleness<T>(remote: &Remote<T>, model: &Model) -> Option<String> {
    let fetched = remote.fetched()?;
    (remote.error().is_some() || model.now - fetched.fetched_at > STALE_AFTER).then(|| {
        format!(
            "as of {} ago",
            short_span_secs(age_secs(fetched.fetched_at, model.now))
        )
    })
}

fn topic(model: &Model) -> Hop {
    let rate = model.pipeline.sent_per_sec();
    let name = model
        .environment
        .topic_arn
        .rsplit(':')
        .next()
        .unwrap_or_default();
    Hop {
        title: "SNS topic",
        tone: if rate.is_some() {
            Tone::Good
        } else {
            Tone::Muted
        },
        main: format!("{} in", rate_or_unknown(rate)),
        rest: vec![crate::tui::format::visible(name)],
    }
}

fn queue(model: &Model) -> Hop {
    let remote = &model.pipeline.source_queue;
    let Some(queue) = remote.value() else {
        return unknown("SQS queue", seen(remote, model), "depth");
    };
    let age = queue.oldest_age_secs;
    let tone = match (seen(remote, model), age) {
        (Tone::Good, Some(age)) if age > 300 => Tone::Bad,
        (Tone::Good, Some(age)) if age > 60 => Tone::Warning,
        (tone, _) => tone,
    };
    let mut rest = vec![
        format!("in flight {}", count(queue.depth.in_flight)),
        format!(
            "oldest {}",
            age.map_or_else(|| UNKNOWN.to_owned(), span_secs)
        ),
    ];
    rest.extend(drain(model, queue));
    with_staleness(
        Hop {
            title: "SQS queue",
            tone,
            main: format!("depth {}", count(queue.depth.visible)),
            rest,
        },
        staleness(remote, model),
    )
}

/// How long the queue needs to be empty, where it holds more than what is just passing through.
fn drain(model: &Model, queue: &QueueSnapshot) -> Option<String> {
    if queue.depth.visible == 0 || queue.oldest_age_secs.is_some_and(|age| age < PASSING_SECS) {
        return None;
    }
    Some(match model.pipeline.drain_secs() {
        Some(secs) => format!("empty in {}", span_secs(secs)),
        None => "not draining".to_owned(),
    })
}

fn ingest(model: &Model) -> Hop {
    let rate = model.pipeline.deleted_per_sec();
    let name = model
        .environment
        .ingest_function
        .clone()
        .unwrap_or_default();
    Hop {
        title: "ingest ƒ",
        tone: if rate.is_some() {
            Tone::Good
        } else {
            Tone::Muted
        },
        main: format!("{} out", rate_or_unknown(rate)),
        rest: vec![crate::tui::format::visible(&name)],
    }
}

fn database(model: &Model) -> Hop {
    let remote = &model.pipeline.totals;
    let Some(totals) = remote.value() else {
        return unknown("database", seen(remote, model), "rows");
    };
    let rate = model.pipeline.stored_per_sec().map_or_else(
        || format!("{UNKNOWN} rows/s"),
        |per_sec| format!("+{}", rate_of_rows(per_sec)),
    );
    let about = if totals.total_is_estimate {
        "about "
    } else {
        ""
    };
    let newest = totals.last_ingested_at.map_or_else(
        || "none stored yet".to_owned(),
        |at| {
            format!(
                "newest {} ago",
                span_secs(age_secs(at, totals.database_now))
            )
        },
    );
    with_staleness(
        Hop {
            title: "database",
            tone: seen(remote, model),
            main: rate,
            rest: vec![format!("{about}{} rows", count(totals.total)), newest],
        },
        staleness(remote, model),
    )
}

fn rate_of_rows(per_sec: f64) -> String {
    rate(per_sec).replace("/s", " rows/s")
}

fn api(model: &Model) -> Hop {
    let remote = &model.pipeline.api;
    let Some(health) = remote.value() else {
        return unknown("api ƒ", seen(remote, model), "health");
    };
    let tone = match seen(remote, model) {
        Tone::Good if health.status != 200 => Tone::Bad,
        tone @ (Tone::Muted | Tone::Good | Tone::Warning | Tone::Bad) => tone,
    };
    with_staleness(
        Hop {
            title: "api ƒ",
            tone,
            main: format!("{} in {}", health.status, latency(health.latency)),
            rest: vec!["GET /health".to_owned()],
        },
        staleness(remote, model),
    )
}

fn dead_letters(model: &Model) -> Hop {
    let remote = &model.pipeline.dead_letter_queue;
    let Some(queue) = remote.value() else {
        return unknown("DLQ", seen(remote, model), "letters");
    };
    let number = queue.depth.visible + queue.depth.in_flight + queue.depth.delayed;
    let tone = match seen(remote, model) {
        Tone::Good if number > 0 => Tone::Warning,
        tone @ (Tone::Muted | Tone::Good | Tone::Warning | Tone::Bad) => tone,
    };
    let mut rest = vec![format!("held {}", count(queue.depth.in_flight))];
    if let Some(age) = queue.oldest_age_secs.filter(|_| number > 0) {
        rest.push(format!("oldest {}", span_secs(age)));
        let left = queue.settings.retention_secs.saturating_sub(age);
        rest.push(format!("first expires in {}", span_secs(left)));
    }
    with_staleness(
        Hop {
            title: "DLQ",
            tone,
            main: count(number),
            rest,
        },
        staleness(remote, model),
    )
}

fn unknown(title: &'static str, tone: Tone, what: &str) -> Hop {
    let rest = if tone == Tone::Bad {
        "never seen"
    } else {
        "not seen yet"
    };
    Hop {
        title,
        tone,
        main: format!("{what} {UNKNOWN}"),
        rest: vec![rest.to_owned()],
    }
}

fn with_staleness(mut hop: Hop, staleness: Option<String>) -> Hop {
    if let Some(staleness) = staleness {
        hop.rest.insert(0, staleness);
    }
    hop
}
