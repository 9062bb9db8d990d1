//! Texts that the list, the run and the review share.

use ratatui::text::{Line, Span};

use crate::tui::format::{count, rate};
use crate::tui::theme::{Theme, Tone, sign};
use redrive::Counts;

/// Messages by their state; states without messages are left out.
/// What runs is on its way, and no cause for worry.
pub(super) fn count_lines(
    (counts, is_running): (&Counts, bool),
    planned: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let (being_sent, unknown, twice) = if is_running {
        (counts.intended, counts.unknown, Tone::Muted)
    } else {
        (0, counts.unknown + counts.intended, Tone::Warning)
    };
    let parts = [
        (counts.stored, Tone::Good, "stored"),
        (unproved(counts), Tone::Muted, "pending"),
        (counts.dead_again, Tone::Bad, "failed again"),
        (counts.not_sent, Tone::Warning, "not sent"),
        (unknown, Tone::Warning, "unknown"),
        (being_sent, Tone::Muted, "being sent"),
        (counts.sent_not_deleted, twice, "in both queues"),
        (counts.waiting, Tone::Muted, "waiting"),
    ];
    let mut spans = vec![Span::styled(
        format!(
            " {} of {} moved",
            count(counts.moved as u64),
            count(planned as u64)
        ),
        theme.strong(),
    )];
    for (number, tone, what) in parts {
        if number > 0 {
            let text = format!("   {} {} {what}", sign(tone), count(number as u64));
            spans.push(Span::styled(text, theme.tone(tone)));
        }
    }
    vec![Line::from(spans)]
}

/// `1 → 10 → all 37`
pub(super) fn canary_text(steps: &[usize], planned: usize) -> String {
    if steps.is_empty() {
        return "no canary: all at once".to_owned();
    }
    let steps: Vec<String> = steps.iter().map(|step| count(*step as u64)).collect();
    format!(
        "{} → all {}, each step confirmed first",
        steps.join(" → "),
        count(planned as u64)
    )
}

pub(super) fn rate_text(per_sec: Option<f64>) -> String {
    match per_sec {
        Some(per_sec) => format!("at most {}", rate(per_sec)),
        None => "as fast as SQS accepts them".to_owned(),
    }
}

/// Messages that were sent and whose event was seen nowhere yet.
pub(super) fn unproved(counts: &Counts) -> usize {
    (counts.moved + counts.sent_not_deleted).saturating_sub(counts.stored + counts.dead_again)
}
