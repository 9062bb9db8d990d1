//! What a run did, for people and for other programs.
//!
//! Invariant: every number comes from the journal. The JSON fields are published: they keep their
//! names and their meaning.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use uuid::Uuid;

use crate::cli::redrive::draft::Draft;
use crate::cli::selection::by_verdict;
use crate::cli::walk::NOT_FOUND;
use crate::cli::{CommandError, Exit, Session};
use crate::text::{in_words, messages_in_words};
use pipeline::printable;
use redrive::fact::Proof;
use redrive::operations::history::Status;
use redrive::{Kind, MessageOutcome, MessageReport, RedriveError, Replacement, Report, Skipped};

/// What a run did.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    id: Option<Uuid>,
    journal: Option<PathBuf>,
    state: &'static str,
    selected: usize,
    moved: usize,
    sent_not_deleted: usize,
    unknown: usize,
    not_sent: usize,
    skipped: usize,
    /// Of these, messages whose events would be lost if they were sent; `None` where it was not recorded.
    would_be_lost: Option<usize>,
    waiting: usize,
    stored: Option<usize>,
    /// Of these, messages without a record of their own.
    duplicates: Option<usize>,
    dead_again: Option<usize>,
    unproved: Option<usize>,
    truncated: bool,
    errors: Vec<MessageError>,
    /// Messages of which the plan expected that they are duplicates; only in a replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_duplicates: Option<usize>,
    /// What was planned for stored records; only in a replay that replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    replacement: Option<Replacement>,
    /// Records that were proved to be replaced; only where messages replace records.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<usize>,
    #[serde(skip)]
    kind: Kind,
    /// Messages that a resume would work on.
    #[serde(skip)]
    left: usize,
    /// Messages that it could not send either.
    #[serde(skip)]
    unsendable: usize,
    #[serde(skip)]
    skipped_in_words: String,
    #[serde(skip)]
    moved_ids: HashSet<String>,
    #[serde(skip)]
    pub(crate) is_interrupted: bool,
    /// Why it stopped before its end.
    #[serde(skip)]
    pub(crate) failure: Option<RedriveError>,
}

#[derive(Debug, Serialize)]
struct MessageError {
    message_id: String,
    error: String,
}

impl Outcome {
    /// Of a report; `proves` where the ledger was to be asked.
    pub(crate) fn of(report: &Report, journal: &Path, proves: bool) -> Self {
        let counts = report.counts;
        let is_sent = |message: &MessageReport| {
            matches!(
                message.outcome,
                MessageOutcome::Moved | MessageOutcome::SentNotDeleted | MessageOutcome::Published
            )
        };
        let unproved = report
            .messages
            .iter()
            .filter(|message| is_sent(message) && message.proof.is_none())
            .count();
        let moved = report
            .messages
            .iter()
            .filter(|message| message.outcome == MessageOutcome::Moved);
        let mut replacing = report
            .messages
            .iter()
            .filter(|message| message.replaces.is_some())
            .peekable();
        let replaces = replacing.peek().is_some() && proves;
        let replaced =
            replacing.filter(|message| matches!(message.proof, Some(Proof::Stored { .. })));
        let replaced = replaces.then(|| replaced.count());
        Self {
            id: Some(report.id),
            kind: report.kind,
            journal: Some(journal.to_owned()),
            state: Status::of_ending(report.ending, counts.left()).as_str(),
            selected: report.planned,
            would_be_lost: Some(0),
            moved: counts.moved,
            sent_not_deleted: counts.sent_not_deleted,
            unknown: counts.unknown + counts.intended,
            not_sent: counts.not_sent,
            waiting: counts.waiting,
            stored: counts.stored(),
            duplicates: counts.stored().map(|_| counts.duplicates),
            dead_again: counts.dead_again(),
            left: counts.left(),
            unsendable: counts.unsendable,
            unproved: proves.then_some(unproved),
            replaced,
            moved_ids: moved.map(|message| message.message_id.clone()).collect(),
            errors: report
                .messages
                .iter()
                .filter_map(|message| MessageError::of(message, report.kind))
                .collect(),
            ..Self::default()
        }
    }

    /// Nothing was planned, so nothing was run.
    pub(crate) fn nothing() -> Self {
        Self {
            state: Status::Finished.as_str(),
            would_be_lost: Some(0),
            ..Self::default()
        }
    }

    /// Adds the messages that were selected and not planned.
    pub(crate) fn with_draft(mut self, draft: &Draft) -> Self {
        self = self.with_skipped(&draft.plan.skipped);
        self.selected = draft.selected;
        self.would_be_lost = Some(draft.would_be_lost);
        self.expected_duplicates = draft.plan.expected_duplicates();
        self.replacement = draft.plan.replacement();
        self.truncated = draft.is_truncated;
        self.errors
            .extend(draft.missing.iter().map(|message_id| MessageError {
                message_id: message_id.clone(),
                error: NOT_FOUND.to_owned(),
            }));
        self
    }

    /// Adds the messages that the plan left out. A plan does not record why in a form that can be counted.
    pub(crate) fn with_skipped(mut self, skipped: &[Skipped]) -> Self {
        self.selected += skipped.len();
        self.skipped = skipped.len();
        self.skipped_in_words = by_verdict(skipped.iter().map(|message| message.verdict));
        self.would_be_lost = skipped.is_empty().then_some(0);
        self
    }

    /// Messages that are out of the dead-letter queue.
    pub(crate) fn moved_ids(&self) -> impl Iterator<Item = &str> {
        self.moved_ids.iter().map(String::as_str)
    }

    /// Prints what was done. `exit` is how the command ends if everything was moved and proved.
    pub(crate) fn report(self, session: &Session, exit: Exit) -> Result<Exit, CommandError> {
        for error in &self.errors {
            let note = format!("{}: {}", error.message_id, error.error);
            session.output.note(&printable(&note));
        }
        if session.output.is_json() {
            session.output.json(&self)?;
        } else {
            session.output.text(&self.in_words())?;
        }
        if self.unsendable > 0 {
            session.output.note(&format!(
                "{} cannot be sent under this plan, and a resume would not change that",
                messages_in_words(self.unsendable as u64)
            ));
        }
        if let Some((id, unproved)) = self.id.zip(self.unproved).filter(|(_, count)| *count > 0) {
            session
                .output
                .note(&not_proved(id, unproved, self.dead_again));
        }
        if let Some(left) = self.what_is_left() {
            session.output.note(&left);
        }
        let is_as_asked =
            self.errors.is_empty() && self.waiting == 0 && self.unproved.is_none_or(|n| n == 0);
        if self.is_interrupted {
            return Ok(Exit::Interrupted);
        }
        if let Some(error) = self.failure {
            return Err(error.into());
        }
        Ok(if is_as_asked { exit } else { Exit::Failed })
    }

    /// What a resume would work on, if anything.
    fn what_is_left(&self) -> Option<String> {
        let id = self.id.filter(|_| self.left > 0)?;
        // What was not sent comes first: its resume deletes the others too.
        Some(if self.left > self.sent_not_deleted {
            format!("not everything was sent: `redrive resume {id}` continues it")
        } else {
            format!(
                "{} sent and not confirmed as deleted: `redrive resume {id}` looks for what is still in the queue",
                messages_in_words(self.left as u64)
            )
        })
    }

    fn in_words(&self) -> String {
        let sent = match self.kind {
            Kind::Redrive => format!(
                "moved {}, sent but not deleted {}",
                self.moved, self.sent_not_deleted
            ),
            Kind::Replay => format!("published {}", self.moved),
        };
        let mut text = format!(
            "selected {}, {sent}, may have been sent {}, not sent {}, skipped {}",
            self.selected,
            self.unknown,
            match self.waiting {
                0 => self.not_sent.to_string(),
                waiting => format!("{} ({waiting} of them not tried)", self.not_sent + waiting),
            },
            self.skipped
        );
        if self.skipped > 0 {
            text.push_str(&format!(" ({})", self.skipped_in_words));
        }
        let number = |known: Option<usize>| known.map_or("unknown".to_owned(), |n| n.to_string());
        match self.unproved {
            Some(unproved) => text.push_str(&format!(
                "; stored {}{}, failed again {}, not proved {unproved}",
                number(self.stored),
                as_duplicates(self.duplicates),
                number(self.dead_again)
            )),
            None if self.moved + self.sent_not_deleted > 0 => {
                text.push_str("; what became of the events was not looked up");
            }
            None => {}
        }
        if let Some(replaced) = self.replaced {
            text.push_str(&format!(", replaced {replaced}"));
        }
        text.push('\n');
        text
    }
}

/// What was not seen of events that were sent, and how to look again.
fn not_proved(id: Uuid, unproved: usize, dead_again: Option<usize>) -> String {
    let events = in_words(unproved as u64, "event");
    let where_not = match dead_again {
        Some(_) => "among the dead letters",
        None => "among those dead letters that could be looked at",
    };
    format!(
        "{events} sent and not proved: neither in the ledger nor {where_not}; `redrive resume {id}` looks again"
    )
}

/// How many of the stored events had been stored before, to stand behind their number.
pub(crate) fn as_duplicates(duplicates: Option<usize>) -> String {
    match duplicates {
        None | Some(0) => String::new(),
        Some(duplicates) => format!(" ({duplicates} of them as duplicates)"),
    }
}

impl MessageError {
    fn of(message: &MessageReport, kind: Kind) -> Option<Self> {
        let cause = message.cause.as_deref().unwrap_or("no cause is known");
        let error = match (&message.outcome, &message.proof) {
            (_, Some(Proof::DeadAgain { message_id, reason })) => format!(
                "failed again as {message_id}: {}",
                reason.as_deref().unwrap_or("without a reason")
            ),
            (MessageOutcome::NotSent, _) => format!("not sent: {cause}"),
            (MessageOutcome::Unknown, _) => match kind {
                Kind::Redrive => format!("may have been sent, and is here too: {cause}"),
                Kind::Replay => format!("may have been published: {cause}"),
            },
            (MessageOutcome::SentNotDeleted, _) => format!("sent, but not deleted: {cause}"),
            (MessageOutcome::Waiting | MessageOutcome::Moved | MessageOutcome::Published, _) => {
                return None;
            }
        };
        Some(Self {
            message_id: message.message_id.clone(),
            error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resume_is_offered_for_what_it_would_do() {
        let left = |left, sent_not_deleted| {
            let outcome = Outcome {
                id: Some(Uuid::nil()),
                left,
                sent_not_deleted,
                unsendable: 2,
                ..Outcome::default()
            };
            outcome.what_is_left()
        };
        assert_eq!(left(0, 0), None);
        assert!(left(4, 3).unwrap().starts_with("not everything was sent"));
        let deleted = left(3, 3).unwrap();
        assert!(
            deleted.starts_with("3 messages sent and not confirmed as deleted"),
            "{deleted}"
        );
    }

    #[test]
    fn events_that_were_not_proved_are_told_with_what_was_looked_at_and_how_to_look_again() {
        let all = not_proved(Uuid::nil(), 1, Some(0));
        assert!(all.starts_with("1 event sent and not proved"), "{all}");
        assert!(all.contains("nor among the dead letters;"), "{all}");
        let some = not_proved(Uuid::nil(), 3, None);
        assert!(some.contains("that could be looked at"), "{some}");
        assert!(some.contains("`redrive resume 00000000-"), "{some}");
    }
}
