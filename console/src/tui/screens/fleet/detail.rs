//! One environment in full.

use ratatui::text::{Line, Span};

use super::rows::tone;
use crate::fleet_words::{ago, last_stored, place, schema};
use crate::text::{UNKNOWN, clock, visible};
use crate::tui::lines::{hanging, wrapped};
use crate::tui::theme::{Theme, Tone};
use pipeline::fleet::FleetRow;
use pipeline::rules::Severity;

/// Columns before a text.
const INDENT: usize = 3;

/// All lines, each of them at most `width` wide.
pub(super) fn lines(row: &FleetRow, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let room = width.saturating_sub(INDENT + 1).max(1);
    let mut part = |sign: Tone, text: &str, advice: Option<&str>| {
        lines.extend(hanging(sign, &visible(text), theme, width));
        for advice in advice.map_or_else(Vec::new, |advice| wrapped(&visible(advice), room)) {
            let advice = Span::styled(advice, theme.muted());
            lines.push(Line::from(vec![Span::raw(" ".repeat(INDENT)), advice]));
        }
    };
    match &row.reason {
        Some(reason) if row.findings.is_empty() && row.errors.is_empty() => {
            part(tone(row), reason, row.next_step.as_deref());
        }
        Some(_) => {}
        None => part(
            Tone::Good,
            "everything that was read is as it should be",
            None,
        ),
    }
    for finding in &row.findings {
        let tone = match finding.severity {
            Severity::Bad => Tone::Bad,
            Severity::Warning => Tone::Warning,
        };
        part(tone, &finding.text, Some(&finding.advice));
    }
    for error in &row.errors {
        part(Tone::Bad, &error.error, Some(&error.hint));
    }
    if row.database_may_sleep {
        let text = "its database pauses, so it was not asked what only the database knows";
        part(Tone::Muted, text, None);
    }
    let read_at = row.read_at.map_or_else(
        || UNKNOWN.to_owned(),
        |read_at| format!("{} UTC", clock(read_at)),
    );
    let facts = format!(
        "at {} · last stored {} · schema {} · metrics of {} · read at {read_at}",
        place(row),
        last_stored(row),
        schema(row.schema_version),
        ago(row.metrics_age_secs),
    );
    part(Tone::Muted, &facts, None);
    lines
}
