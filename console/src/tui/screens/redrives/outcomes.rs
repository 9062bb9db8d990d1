//! The outcome of each message of a redrive: those that need attention first.
//!
//! Invariant: every message of the report is one row, and only the rows of the window are made.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::texts::{
    ALREADY_STORED, FAILED_AGAIN, NOT_LOOKED_UP, NOT_PROVED, NOT_SEEN_DELETED, NOT_SENT,
    NOT_SENT_YET, STORED, UNKNOWN, WAITING_FOR_PROOF,
};
use crate::text::NO_REASON;
use crate::tui::format::visible;
use crate::tui::lines::{left, whole_words};
use crate::tui::theme::{Theme, Tone, sign};
use redrive::fact::Proof;
use redrive::{MessageOutcome, MessageReport, Report};

/// `may have been sent`
const LABEL: usize = 18;
/// Enough of a message id to find its message.
const ID: usize = 13;

/// The state of a message, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Disposition {
    DeadAgain,
    Unknown,
    NotSent,
    NotSeenDeleted,
    BeingSent,
    WaitingForProof,
    NotProved,
    NotLookedUp,
    NotSentYet,
    AlreadyStored,
    Stored,
}

impl Disposition {
    fn of(message: &MessageReport, is_running: bool, is_looked_up: bool) -> Self {
        match (&message.proof, message.outcome) {
            (Some(Proof::DeadAgain { .. }), _) => Self::DeadAgain,
            (_, MessageOutcome::SentNotDeleted) => Self::NotSeenDeleted,
            (Some(Proof::Stored { .. }), _) => Self::Stored,
            (Some(Proof::AlreadyStored { .. }), _) => Self::AlreadyStored,
            (None, MessageOutcome::Unknown) if is_running && message.is_being_sent => {
                Self::BeingSent
            }
            (None, MessageOutcome::Unknown) => Self::Unknown,
            (None, MessageOutcome::NotSent) => Self::NotSent,
            (None, MessageOutcome::Moved | MessageOutcome::Published) if is_running => {
                Self::WaitingForProof
            }
            (None, MessageOutcome::Moved | MessageOutcome::Published) if is_looked_up => {
                Self::NotProved
            }
            (None, MessageOutcome::Moved | MessageOutcome::Published) => Self::NotLookedUp,
            (None, MessageOutcome::Waiting) if is_running => Self::NotSentYet,
            (None, MessageOutcome::Waiting) => Self::NotSent,
        }
    }

    const fn look(self) -> (Tone, &'static str) {
        match self {
            Self::DeadAgain => (Tone::Bad, FAILED_AGAIN),
            Self::Unknown => (Tone::Warning, UNKNOWN),
            Self::NotSent => (Tone::Warning, NOT_SENT),
            Self::NotSeenDeleted => (Tone::Warning, NOT_SEEN_DELETED),
            Self::BeingSent => (Tone::Muted, "being sent"),
            Self::WaitingForProof => (Tone::Muted, WAITING_FOR_PROOF),
            Self::NotProved => (Tone::Muted, NOT_PROVED),
            Self::NotLookedUp => (Tone::Muted, NOT_LOOKED_UP),
            Self::NotSentYet => (Tone::Muted, NOT_SENT_YET),
            Self::AlreadyStored => (Tone::Muted, ALREADY_STORED),
            Self::Stored => (Tone::Good, STORED),
        }
    }
}

/// The messages in the order of the rows, of a redrive that does not run.
pub(super) fn in_order(report: &Report) -> Vec<&MessageReport> {
    let sorted = sorted(report, false).into_iter();
    sorted.map(|(_, message)| message).collect()
}

fn sorted(report: &Report, is_running: bool) -> Vec<(Disposition, &MessageReport)> {
    let is_looked_up = report.counts.stored().is_some();
    let of = |message| (Disposition::of(message, is_running, is_looked_up), message);
    let mut messages: Vec<(Disposition, &MessageReport)> = report.messages.iter().map(of).collect();
    messages.sort_by_key(|(disposition, _)| *disposition);
    messages
}

/// The rows from `offset` on, `height` at most.
pub(super) fn rows(
    (report, is_running): (&Report, bool),
    theme: Theme,
    offset: usize,
    (width, height): (usize, usize),
) -> Vec<Line<'static>> {
    let messages = sorted(report, is_running);
    messages
        .into_iter()
        .skip(offset)
        .take(height)
        .map(|(disposition, message)| row(disposition, message, theme, width))
        .collect()
}

fn row(
    disposition: Disposition,
    message: &MessageReport,
    theme: Theme,
    width: usize,
) -> Line<'static> {
    let (tone, label) = disposition.look();
    let why = match (&message.proof, &message.cause) {
        (Some(Proof::DeadAgain { reason, .. }), _) => {
            reason.clone().unwrap_or_else(|| NO_REASON.to_owned())
        }
        (_, Some(_)) if disposition == Disposition::BeingSent => String::new(),
        (_, Some(cause)) => cause.clone(),
        (
            Some(Proof::AlreadyStored {
                record_id,
                duplicate_of: Some(other),
            }),
            None,
        ) => format!("by message {other}, as record {record_id}"),
        (Some(Proof::Stored { record_id } | Proof::AlreadyStored { record_id, .. }), None) => {
            format!("as record {record_id}")
        }
        (None, None) => match disposition {
            Disposition::WaitingForProof | Disposition::NotProved => {
                "sent; seen neither stored nor dead-lettered".to_owned()
            }
            Disposition::NotLookedUp => "sent; its event was not looked up".to_owned(),
            Disposition::DeadAgain
            | Disposition::Unknown
            | Disposition::NotSent
            | Disposition::NotSeenDeleted
            | Disposition::BeingSent
            | Disposition::NotSentYet
            | Disposition::AlreadyStored
            | Disposition::Stored => String::new(),
        },
    };
    let head = format!(" {} {} ", sign(tone), left(label, LABEL));
    let id = left(&visible(&message.message_id), ID);
    let room = width.saturating_sub(3 + LABEL + 1 + ID + 1);
    Line::from(vec![
        Span::styled(head, theme.tone(tone)),
        Span::styled(id, theme.muted()),
        Span::styled(
            format!(" {}", whole_words(&visible(&why), room)),
            Style::new(),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_without_an_answer_is_on_its_way_while_its_redrive_runs_and_unknown_after() {
        let message = |is_being_sent| MessageReport {
            message_id: "m".to_owned(),
            replaces: None,
            outcome: MessageOutcome::Unknown,
            cause: Some("the same text".to_owned()),
            sent_message_id: None,
            is_being_sent,
            event: None,
            proof: None,
        };
        let open = message(true);
        let of = |message: &MessageReport, is_running| Disposition::of(message, is_running, true);
        assert_eq!(of(&open, true), Disposition::BeingSent);
        assert_eq!(of(&open, false), Disposition::Unknown);
        assert_eq!(of(&message(false), true), Disposition::Unknown);
    }

    #[test]
    fn number_of_a_record_is_never_cut() {
        let stored = MessageReport {
            message_id: "m".to_owned(),
            replaces: None,
            outcome: MessageOutcome::Moved,
            cause: None,
            sent_message_id: None,
            is_being_sent: false,
            event: None,
            proof: Some(Proof::Stored {
                record_id: event::RecordId(1_204_554),
            }),
        };
        let theme = Theme { has_colour: false };
        for width in 36..=60 {
            let row = row(Disposition::Stored, &stored, theme, width).to_string();
            let is_whole = row.contains("1204554") || !row.contains(|c: char| c.is_ascii_digit());
            assert!(is_whole, "{width}: {row}");
        }
    }
}
