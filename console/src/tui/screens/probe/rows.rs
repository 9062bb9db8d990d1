//! Lines of the percentiles and of the failures. Pure; invariant: what was not seen is `–`, never zero.

use std::time::Duration;

use pipeline::probe::{Measure, MeasureSummary, Probe, ProbeFailure};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::format::{UNKNOWN, clock, count, latency, visible};
use crate::tui::lines::{left, right, whole_words};
use crate::tui::theme::{Theme, Tone, sign};

/// `published`
const NAME: usize = 10;
/// `999 ms`, and how many were seen.
const NUMBER: usize = 8;
/// `published`, and `dead-letter`.
const HOP: usize = 10;
const REASON: usize = 12;

/// What stands above the percentiles.
pub(super) fn table_head(theme: Theme, width: usize) -> Line<'static> {
    let names = ["seen", "p50", "p99", "max"].map(|name| right(name, NUMBER));
    let text = format!("  {} {}", left("hop", NAME), names.concat());
    Line::styled(whole_words(&text, width), theme.muted())
}

/// `▸ stored        38  312 ms   1.2 s   2.0 s`
pub(super) fn table_row(
    summary: &MeasureSummary,
    is_shown: bool,
    theme: Theme,
    width: usize,
) -> Line<'static> {
    let marker = if is_shown { "▸ " } else { "  " };
    let took = |value: Option<Duration>| value.map_or_else(|| UNKNOWN.to_owned(), latency);
    let numbers = [
        count(summary.count as u64),
        took(summary.p50),
        took(summary.p99),
        took(summary.max),
    ];
    let numbers = numbers.map(|number| right(&number, NUMBER)).concat();
    let text = format!("{marker}{} {numbers}", left(summary.measure.as_str(), NAME));
    let style = if is_shown {
        theme.strong()
    } else {
        Style::new()
    };
    Line::styled(whole_words(&text, width), style)
}

/// What the numbers of a measure are of, beside the table.
pub(super) const fn meaning(measure: Measure) -> &'static str {
    match measure {
        Measure::Published => "until SNS answered",
        Measure::Ingested => {
            "from the answer of SNS to the insert, by the database's clock less the difference; not below zero"
        }
        Measure::Stored => {
            "from the answer of SNS until a look-up found it; look-ups are 0.1 s to 1 s apart"
        }
        Measure::Readable => "from then until the API answered with its record",
        Measure::Total => "from the request until the last hop",
    }
}

/// `▸ ✖ 11:06:40  stored    time-over   not in the ledger within 30 s`
pub(super) fn failure_row(
    probe: &Probe,
    failure: &ProbeFailure,
    is_selected: bool,
    theme: Theme,
    width: usize,
) -> Line<'static> {
    let marker = if is_selected { "▸ " } else { "  " };
    let head = format!(
        "{}  {} {} ",
        clock(probe.started_at),
        left(failure.hop.as_str(), HOP),
        left(failure.reason.as_str(), REASON)
    );
    let room = width.saturating_sub(4 + head.len());
    let line = Line::from(vec![
        Span::raw(marker),
        Span::styled(format!("{} ", sign(Tone::Bad)), theme.tone(Tone::Bad)),
        Span::raw(head),
        Span::styled(
            left(&whole_words(&visible(&failure.detail), room), room),
            theme.muted(),
        ),
    ]);
    if is_selected {
        theme.selected_row(line, true)
    } else {
        line
    }
}
