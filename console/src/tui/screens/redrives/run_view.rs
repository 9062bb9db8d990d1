//! What is shown of a redrive while it runs.

use chrono::{DateTime, Utc};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::run::Run;
use super::texts::{count_line, rate_text, sent_text, wait_text};
use crate::tui::format::{age_secs, clock, count, rate, span_secs, visible};
use crate::tui::lines::hanging;
use crate::tui::theme::{Theme, Tone, sign};
use redrive::{Pause, RunCommand};

/// Cells of the bar at most.
const BAR_CELLS_MAX: usize = 40;

pub(super) fn run_lines(
    run: &Run,
    theme: Theme,
    now: DateTime<Utc>,
    width: usize,
) -> Vec<Line<'static>> {
    let counts = run.counts();
    let mut lines = vec![bar_line(run, theme, now, width)];
    lines.push(Line::from(pace_spans(run, theme, now)));
    lines.push(count_line((&counts, true), None, theme, width));
    lines.push(canary_line(run, theme));
    match run.command() {
        RunCommand::Run if run.progress.is_none() => {
            lines.extend(hanging(Tone::Muted, "starting", theme, width));
        }
        RunCommand::Run => {
            let wait = run.wait().map(|wait| wait_text(wait, now));
            lines.extend(
                wait.into_iter()
                    .flat_map(|text| hanging(Tone::Muted, &text, theme, width)),
            );
        }
        RunCommand::Cancel => {
            let text = "ending: started batches finish, the rest is not sent";
            lines.extend(hanging(Tone::Warning, text, theme, width));
        }
        RunCommand::Pause(why) => {
            let (tone, text) = match why {
                Pause::Operator => (Tone::Warning, "paused by you".to_owned()),
                Pause::OtherProcess => (Tone::Warning, why.to_string()),
                Pause::Redrive(why) => {
                    (Tone::Bad, format!("paused automatically: {}", visible(why)))
                }
            };
            lines.extend(hanging(tone, &text, theme, width));
            let rest = count(counts.unsent() as u64);
            if run.is_ending_by_itself() {
                // Continuing would send nothing.
                let wait = run.wait().map(|wait| wait_text(wait, now));
                let mut left = match counts.unsent() {
                    0 => String::new(),
                    _ => format!(" with {rest} not sent, which a resume tries again"),
                };
                if counts.in_doubt() > 0 {
                    let doubt = count(counts.in_doubt() as u64);
                    let joined = if left.is_empty() { " with" } else { ", and" };
                    left.push_str(&format!(
                        "{joined} {doubt} that may have been sent, which a resume looks up"
                    ));
                }
                let text = format!(
                    "nothing is left that it would send: it ends by itself{left}; {}",
                    wait.unwrap_or_default()
                );
                lines.extend(hanging(Tone::Muted, &text, theme, width));
                return lines;
            }
            lines.push(Line::from(vec![
                Span::styled("   space ", theme.key()),
                Span::raw(match run.own_pause() {
                    Some(_) => "continues anyway   ",
                    None => "continues   ",
                }),
                Span::styled("c ", theme.key()),
                // Not where they are: some may be gone from the queue.
                Span::raw(format!("ends it with {rest} not sent")),
            ]));
        }
    }
    lines
}

/// `██████░░░░  21 of 29 sent`
fn bar_line(run: &Run, theme: Theme, now: DateTime<Utc>, width: usize) -> Line<'static> {
    let sent = run.counts().sent();
    let mut text = format!("  {}", sent_text(&run.counts(), run.planned));
    if let Some(secs) = run.left_secs(now) {
        text.push_str(&format!("  about {} left", span_secs(secs)));
    }
    let cells = BAR_CELLS_MAX.min(width.saturating_sub(text.width() + 2));
    let full = (sent * cells)
        .checked_div(run.planned)
        .unwrap_or(0)
        .min(cells);
    let bar = format!(" {}{}", "█".repeat(full), "░".repeat(cells - full));
    Line::from(vec![
        Span::styled(bar, theme.tone(Tone::Good)),
        Span::styled(text, theme.strong()),
    ])
}

fn pace_spans(run: &Run, theme: Theme, now: DateTime<Utc>) -> Vec<Span<'static>> {
    let allowed = run.limit_per_sec();
    let limit = rate_text(allowed, run.kind);
    // What was sent in the first and in the last moment makes a few seconds appear faster.
    let most = allowed.unwrap_or(f64::INFINITY);
    let is_sending = !run.is_paused() && run.counts().waiting > 0;
    let measured = match (run.measured_per_sec(now), run.silent_since(now)) {
        // Also where it sends again what may have been sent: then nothing waits.
        (Some(per_sec), _) if !run.is_paused() => format!("{} now, ", rate(per_sec.min(most))),
        (None, Some(since)) if is_sending => {
            let silent = span_secs(age_secs(since, now));
            format!("nothing confirmed for {silent}, ")
        }
        (Some(_) | None, _) => String::new(),
    };
    vec![
        Span::styled(" rate ", theme.muted()),
        Span::styled("+ - ", theme.key()),
        Span::raw(format!("{measured}{limit}")),
        Span::styled(format!("   since {} UTC", clock(run.since)), theme.muted()),
    ]
}

/// `canary  1 ● → 10 … → all 37`
fn canary_line(run: &Run, theme: Theme) -> Line<'static> {
    let mut spans = vec![Span::styled(" canary ", theme.muted())];
    if run.canary_steps.is_empty() {
        spans.push(Span::raw("none"));
        return Line::from(spans);
    }
    let counts = run.counts();
    let done = counts.done();
    let mut is_open = false;
    for end in &run.canary_steps {
        let is_stored = counts.stored >= *end || done > *end;
        let (tone, mark) = if run.failed_steps.contains(end) {
            (Tone::Bad, sign(Tone::Bad))
        } else if is_stored {
            (Tone::Good, sign(Tone::Good))
        } else if is_open {
            (Tone::Muted, " ")
        } else {
            (Tone::Muted, "…")
        };
        is_open |= !is_stored;
        let text = format!("{} {mark}", count(*end as u64));
        spans.push(Span::styled(text, theme.tone(tone)));
        spans.push(Span::styled(" → ", theme.muted()));
    }
    spans.push(Span::raw(format!("all {}", count(run.planned as u64))));
    Line::from(spans)
}
