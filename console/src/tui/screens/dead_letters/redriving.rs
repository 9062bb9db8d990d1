//! Back to the source queue: which messages are meant, which are on their way, what became of them.
//!
//! Invariant: a message leaves the list only when its redrive says that it left the queue.

use std::collections::HashSet;

use chrono::{DateTime, Duration, Utc};

use super::{DeadLetters, Pane};
use crate::tui::message::Tone;
use crate::tui::redrives::{Chosen, DraftMessage, Ended, Selection};
use crate::tui::update_context::UpdateContext;
use pipeline::model::DeadLetter;
use redrive::{MessageOutcome, Report};

/// Messages that a redrive leaves behind are extended within this.
const HOLD_LEFT_SECS: i64 = 5;

/// What a redrive did, counted.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) at: DateTime<Utc>,
    pub(super) tone: Tone,
    pub(super) text: String,
}

/// What happened to a message that did not simply leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// It stands in both queues.
    SentNotDeleted(String),
    /// It stays here.
    NotSent(String),
    /// No answer came to its send; it stays here too.
    Unknown(String),
    /// The redrive ended without a word on it.
    Untold(String),
}

impl Note {
    /// In words.
    pub(super) fn text(&self) -> String {
        match self {
            Self::SentNotDeleted(error) => format!(
                "sent, but the delete failed: it is in both queues; the ledger makes the second a \
                 duplicate · {error}"
            ),
            Self::NotSent(error) => format!("not sent: {error}"),
            Self::Unknown(error) => format!(
                "may have been sent, no answer came; it stays here too, and the ledger makes a \
                 second arrival a duplicate · {error}"
            ),
            Self::Untold(error) => format!("nobody knows whether it was sent: {error}"),
        }
    }
}

impl DeadLetters {
    /// Puts the marked messages, else the group, else the selected message before the operator.
    pub(super) fn plan_redrive(&self, turn: &mut UpdateContext<'_>) {
        if self.is_read_only {
            turn.say(
                Tone::Warning,
                format!("{} is read-only: nothing is redriven", self.environment),
            );
            return;
        }
        let (scope, messages) = self.meant();
        if messages.is_empty() {
            turn.say(Tone::Muted, "no message to redrive");
            return;
        }
        turn.review = Some(Selection {
            scope,
            messages: messages
                .into_iter()
                .map(|message| self.chosen(message))
                .collect(),
            has_ledger: self
                .hold
                .value()
                .is_none_or(|facts| facts.ledger_error.is_none()),
        });
    }

    /// The messages that a key means: the marked ones, else the group, else the selected one.
    pub(super) fn meant(&self) -> (String, Vec<&DeadLetter>) {
        if !self.marks.is_empty() {
            let is_marked = |message: &&DeadLetter| self.marks.contains(&message.message_id);
            let marked = self.messages.iter().filter(is_marked);
            ("the marked messages".to_owned(), marked.collect())
        } else if self.focus == Pane::Groups && !self.is_detail_open {
            let scope = self.listed_group().map_or_else(
                || "all messages that are held".to_owned(),
                |group| format!("the group {}", group.key.title()),
            );
            let message_at = |position: &usize| self.messages.get(*position);
            (scope, self.listed.iter().filter_map(message_at).collect())
        } else {
            (
                "the selected message".to_owned(),
                self.selected_message().into_iter().collect(),
            )
        }
    }

    fn chosen(&self, message: &DeadLetter) -> Chosen {
        Chosen {
            verdict: self.verdict_of(message),
            draft: DraftMessage {
                message: message.clone(),
                new_body: self.edit_of(message).map(|mended| mended.new_body.clone()),
            },
        }
    }

    /// These messages, by message id, are being redriven.
    pub fn redrive_began(&mut self, ids: HashSet<String>) {
        self.notes.retain(|id, _| !ids.contains(id));
        self.told = None;
        self.moving = ids;
    }

    /// A redrive ended.
    pub fn redrive_ended(&mut self, ended: Ended, turn: &mut UpdateContext<'_>) {
        let moving = std::mem::take(&mut self.moving);
        let moved = self.apply(&moving, ended.report.as_ref(), ended.failure.as_deref());
        self.told = Some(Told {
            at: turn.now,
            tone: ended.tone,
            text: ended.text,
        });
        self.messages
            .retain(|message| !moved.contains(message.message_id.as_str()));
        // Until now the redrive has kept their holds; how long they last only SQS knows.
        let soon = turn.now + Duration::seconds(HOLD_LEFT_SECS);
        for message in &mut self.messages {
            if moving.contains(&message.message_id) {
                message.hidden_until = message.hidden_until.max(soon);
            }
        }
        self.edits.retain(|id, _| !moved.contains(id.as_str()));
        // What was acted on is not acted on again by the next key.
        self.marks.retain(|id| !moving.contains(id));
        if self.is_shown {
            self.regroup(turn.body);
        } else {
            self.give_back(turn);
        }
    }

    /// Writes down what became of each message; gives those that left. Without a failure there is
    /// nothing to tell of messages that the report does not name.
    fn apply<'a>(
        &mut self,
        moving: &HashSet<String>,
        report: Option<&'a Report>,
        failure: Option<&str>,
    ) -> HashSet<&'a str> {
        let mut moved = HashSet::new();
        let mut untold: HashSet<&str> = moving.iter().map(String::as_str).collect();
        let why = failure.unwrap_or("the redrive ended without a word on it");
        for message in report.into_iter().flat_map(|report| &report.messages) {
            untold.remove(message.message_id.as_str());
            let cause = message.cause.clone().unwrap_or_else(|| why.to_owned());
            let note = match message.outcome {
                MessageOutcome::Moved => {
                    moved.insert(message.message_id.as_str());
                    continue;
                }
                MessageOutcome::SentNotDeleted => Note::SentNotDeleted(cause),
                MessageOutcome::NotSent | MessageOutcome::Waiting => Note::NotSent(cause),
                MessageOutcome::Unknown => Note::Unknown(cause),
            };
            self.notes.insert(message.message_id.clone(), note);
        }
        for id in untold.into_iter().filter(|_| failure.is_some()) {
            self.notes
                .insert(id.to_owned(), Note::Untold(why.to_owned()));
        }
        moved
    }
}
