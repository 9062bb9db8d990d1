//! Texts that the list, the run and the review share.

use chrono::{DateTime, Utc};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::run::Run;
use crate::tui::format::{count, rate, span_secs};
use crate::tui::lines::message_count;
use crate::tui::theme::{Theme, Tone, sign};
use redrive::{Counts, Kind, RunCommand, Wait};

pub(super) const STORED: &str = "stored";
pub(super) const ALREADY_STORED: &str = "already stored";
pub(super) const FAILED_AGAIN: &str = "failed again";
pub(super) const WAITING_FOR_PROOF: &str = "waiting for proof";
pub(super) const NOT_PROVED: &str = "not proved";
pub(super) const NOT_LOOKED_UP: &str = "not looked up";
pub(super) const NOT_SENT: &str = "not sent";
pub(super) const NOT_SENT_YET: &str = "not sent yet";
pub(super) const UNKNOWN: &str = "may have been sent";
/// The copy was sent, and SQS did not confirm that the dead letter is deleted.
pub(super) const NOT_SEEN_DELETED: &str = "not seen deleted";
/// The same beside what became of the events of those sent, in whose numbers they are too.
const OF_THESE_NOT_SEEN_DELETED: &str = "of these not seen deleted";
/// Stands for parts without room.
pub(super) const LEFT_OUT: &str = " …";
/// Columns around a part of a line: ` ● 21 stored  `.
const AROUND: usize = 5;

/// `21 of 29 sent`
pub(super) fn sent_text(counts: &Counts, planned: usize) -> String {
    let (sent, planned) = (counts.sent() as u64, planned as u64);
    format!("{} of {} sent", count(sent), count(planned))
}

/// Messages by what became of them, each with its words, which are the same everywhere. What runs is
/// on its way, and no cause for worry. States without messages are left out.
pub(super) fn parts(counts: &Counts, is_running: bool) -> Vec<(usize, Tone, &'static str)> {
    let unproved = counts.unproved();
    let mut parts = vec![
        (counts.stored - counts.duplicates, Tone::Good, STORED),
        (counts.duplicates, Tone::Muted, ALREADY_STORED),
    ];
    if is_running {
        parts.extend([
            (unproved, Tone::Muted, WAITING_FOR_PROOF),
            (counts.dead_again, Tone::Bad, FAILED_AGAIN),
            (
                counts.sent_not_deleted,
                Tone::Muted,
                OF_THESE_NOT_SEEN_DELETED,
            ),
            (counts.not_sent, Tone::Warning, NOT_SENT),
            (counts.unknown, Tone::Warning, UNKNOWN),
            (counts.intended, Tone::Muted, "being sent"),
            (counts.waiting, Tone::Muted, NOT_SENT_YET),
        ]);
    } else {
        let unproved_words = match counts.stored() {
            Some(_) => NOT_PROVED,
            None => NOT_LOOKED_UP,
        };
        parts.extend([
            (unproved, Tone::Muted, unproved_words),
            (counts.dead_again, Tone::Bad, FAILED_AGAIN),
            (
                counts.sent_not_deleted,
                Tone::Warning,
                OF_THESE_NOT_SEEN_DELETED,
            ),
            (counts.not_sent + counts.waiting, Tone::Warning, NOT_SENT),
            (counts.unknown + counts.intended, Tone::Warning, UNKNOWN),
        ]);
    }
    parts.retain(|(number, ..)| *number > 0);
    parts
}

/// The words of [`parts`] where there is little room.
fn short(words: &'static str) -> &'static str {
    match words {
        ALREADY_STORED => "known",
        FAILED_AGAIN => "failed",
        WAITING_FOR_PROOF | NOT_PROVED => "unproved",
        NOT_LOOKED_UP => "unseen",
        NOT_SENT => "unsent",
        NOT_SENT_YET => "waiting",
        UNKNOWN => "unknown",
        OF_THESE_NOT_SEEN_DELETED => "of these unconfirmed",
        other => other,
    }
}

/// [`parts`] in a room, each with so many columns around it: with all words, else with short ones, else the worst
/// ones alone. Then it is said that others are left out: numbers that do not add up would be wrong.
pub(super) fn fitting(
    (counts, is_running): (&Counts, bool),
    around: usize,
    room: usize,
) -> (Vec<(Tone, String)>, bool) {
    let all = parts(counts, is_running);
    let written = |words: fn(&'static str) -> &'static str| -> Vec<(Tone, String)> {
        let write = |(number, tone, what): &(usize, Tone, &'static str)| {
            (*tone, format!("{} {}", count(*number as u64), words(what)))
        };
        all.iter().map(write).collect()
    };
    let columns = |parts: &[(Tone, String)]| -> usize {
        parts.iter().map(|(_, text)| text.width() + around).sum()
    };
    let full = written(|words| words);
    if columns(&full) <= room {
        return (full, false);
    }
    let mut worst = written(short);
    if columns(&worst) <= room {
        return (worst, false);
    }
    worst.sort_by_key(|(tone, _)| std::cmp::Reverse(*tone));
    while !worst.is_empty() && columns(&worst) + LEFT_OUT.width() > room {
        worst.pop();
    }
    (worst, true)
}

/// [`parts`] as one line, after the number of those that were sent where nothing else shows it; see [`fitting`].
pub(super) fn count_line(
    (counts, is_running): (&Counts, bool),
    planned: Option<usize>,
    theme: Theme,
    width: usize,
) -> Line<'static> {
    let mut spans = Vec::new();
    if let Some(planned) = planned {
        let text = format!(" {}  ", sent_text(counts, planned));
        spans.push(Span::styled(text, theme.strong()));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    // The blanks after the last one may be cut.
    let room = (width + 2).saturating_sub(used);
    let (fitted, is_cut) = fitting((counts, is_running), AROUND, room);
    for (tone, text) in fitted {
        let text = format!(" {} {text}  ", sign(tone));
        spans.push(Span::styled(text, theme.tone(tone)));
    }
    if is_cut {
        spans.push(Span::styled(LEFT_OUT.trim_start(), theme.muted()));
    }
    Line::from(spans)
}

/// What a redrive under way is doing: `the redrive is stopped: 1 of 316 sent`.
pub(super) fn standing(run: &Run) -> (Tone, String) {
    let (tone, what) = match run.command() {
        RunCommand::Pause(_) if run.is_ending_by_itself() => {
            (Tone::Warning, "ends when what it sent is proved")
        }
        RunCommand::Pause(why) if why.own().is_some() => (Tone::Bad, "is stopped"),
        RunCommand::Pause(_) => (Tone::Warning, "is paused"),
        RunCommand::Cancel => (Tone::Warning, "is ending"),
        RunCommand::Run => match run.wait() {
            Some(Wait::Messages { .. }) => (Tone::Warning, "waits for messages"),
            Some(Wait::Proof { .. }) => (Tone::Good, "waits for proof"),
            None => (Tone::Good, "continues"),
        },
    };
    let sent = sent_text(&run.counts(), run.planned);
    (tone, format!("the {} {what}: {sent}", run.purpose().name()))
}

/// What it waits for, and how long at most.
pub(super) fn wait_text(wait: Wait, now: DateTime<Utc>) -> String {
    let left = (wait.until() - now).num_seconds().max(0);
    let left = span_secs(u64::try_from(left).unwrap_or(0));
    match wait {
        Wait::Messages { missing, .. } => format!(
            "waiting for {} that others may have received, {left} at most",
            message_count(missing)
        ),
        Wait::Proof { .. } => format!(
            "waiting for proof, {left} at most: sent events are looked up until they are stored or \
             fail again"
        ),
    }
}

/// `planned 1 → 10 → all 37`: whether each step was proved is not in the list, and an operator may have continued one that
/// was not.
pub(super) fn canary_text(steps: &[usize], planned: usize) -> String {
    if steps.is_empty() {
        return "no canary planned: all at once".to_owned();
    }
    let steps: Vec<String> = steps.iter().map(|step| count(*step as u64)).collect();
    format!(
        "planned {} → all {}, each step to be proved first",
        steps.join(" → "),
        count(planned as u64)
    )
}

/// `first 1, then up to 10, then all 37; each step is proved before the next`
pub(super) fn steps_text(steps: &[usize], planned: usize) -> String {
    let Some((first, later)) = steps.split_first() else {
        return "none: all at once".to_owned();
    };
    let mut text = format!("first {}", count(*first as u64));
    for step in later {
        text.push_str(&format!(", then up to {}", count(*step as u64)));
    }
    format!(
        "{text}, then all {}; each step is proved before the next",
        count(planned as u64)
    )
}

pub(super) fn rate_text(per_sec: Option<f64>, kind: Kind) -> String {
    match (per_sec, kind) {
        (Some(per_sec), _) => format!("at most {}", rate(per_sec)),
        (None, Kind::Redrive) => "as fast as SQS accepts them".to_owned(),
        (None, Kind::Replay) => "as fast as SNS accepts them".to_owned(),
    }
}
