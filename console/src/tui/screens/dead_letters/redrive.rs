//! Back to the source queue: which messages are meant, which are on their way, what became of them.
//!
//! Invariant: a message leaves the list only when its redrive reports that it left the queue.

use std::collections::HashSet;
use std::fmt;

use super::note::{LastResult, Note};
use super::state::{DeadLetters, Pane};
use crate::tui::context::UpdateContext;
use crate::tui::format::{count, visible};
use crate::tui::handover::Handover;
use crate::tui::redrives::{Chosen, DraftMessage, Ended, Selection};
use crate::tui::theme::Tone;
use pipeline::model::DeadLetter;
use redrive::{MessageOutcome, Report};

/// Which messages a key means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Marked,
    Group(String),
    All,
    Selected,
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Marked => formatter.write_str("the marked messages"),
            Self::Group(title) => write!(formatter, "the group {title}"),
            Self::All => formatter.write_str("all listed messages"),
            Self::Selected => formatter.write_str("the selected message"),
        }
    }
}

impl Scope {
    /// `redrive this group (3)`
    pub(super) fn label(&self, verb: &str, messages: usize) -> String {
        let messages = count(messages as u64);
        match self {
            Self::Marked => format!("{verb} {messages} marked"),
            Self::Group(_) => format!("{verb} this group ({messages})"),
            Self::All => format!("{verb} all {messages}"),
            Self::Selected => format!("{verb} this one"),
        }
    }
}

impl DeadLetters {
    /// Puts the marked messages, else the group, else the selected message before the operator.
    pub(super) fn plan_redrive(&self, context: &mut UpdateContext<'_>) {
        if context.environment.read_only {
            let name = visible(&context.environment.name);
            let text = format!("{name} is read-only: no redrives");
            context.notify(Tone::Warning, text);
            return;
        }
        if self.deletion.is_some() {
            context.notify(Tone::Warning, "a deletion is in progress");
            return;
        }
        let (scope, messages) = self.meant();
        if messages.is_empty() {
            context.notify(Tone::Muted, "no messages to redrive");
            return;
        }
        let facts = self.received.value();
        let was_asked = facts.is_none_or(|facts| facts.ledger_error.is_none());
        let mut edits = messages.iter().filter_map(|message| self.edit_of(message));
        let selection = Selection {
            has_ledger: was_asked && edits.all(|edited| edited.is_ledger_checked),
            scope: scope.to_string(),
            messages: messages
                .into_iter()
                .map(|message| self.chosen(message))
                .collect(),
        };
        context.outbox.handovers.push(Handover::Review(selection));
    }

    /// The messages that a key means: the marked ones, else the group, else the selected one.
    pub(super) fn meant(&self) -> (Scope, Vec<&DeadLetter>) {
        let (scope, _) = self.scope();
        let messages = self.messages_of(&scope);
        (scope, messages)
    }

    /// The messages that a patch changes: the marked ones, else those that are listed.
    pub(super) fn patchable(&self) -> (Scope, Vec<&DeadLetter>) {
        let (scope, _) = self.patch_scope();
        let messages = self.messages_of(&scope);
        (scope, messages)
    }

    /// What [`Self::meant`] means, and how many they are.
    pub(super) fn scope(&self) -> (Scope, usize) {
        let is_group = self.focus == Pane::Groups && !self.is_detail_open;
        if is_group || !self.marks.is_empty() {
            self.patch_scope()
        } else {
            (Scope::Selected, 1)
        }
    }

    /// What [`Self::patchable`] means, and how many they are.
    pub(super) fn patch_scope(&self) -> (Scope, usize) {
        if !self.marks.is_empty() {
            return (Scope::Marked, self.marks.len());
        }
        let group = self.listed_group();
        let scope = group.map_or(Scope::All, |group| Scope::Group(group.key.title()));
        (scope, self.listed.len())
    }

    fn messages_of(&self, scope: &Scope) -> Vec<&DeadLetter> {
        match scope {
            Scope::Marked => {
                let is_marked = |message: &&DeadLetter| self.marks.contains(&message.message_id);
                self.messages.iter().filter(is_marked).collect()
            }
            Scope::Group(_) | Scope::All => {
                let message_at = |position: &usize| self.messages.get(*position);
                self.listed.iter().filter_map(message_at).collect()
            }
            Scope::Selected => self.selected_message().into_iter().collect(),
        }
    }

    fn chosen(&self, message: &DeadLetter) -> Chosen {
        Chosen {
            verdict: self.verdict_of(message),
            draft: DraftMessage {
                message: message.clone(),
                new_body: self.edit_of(message).map(|edited| edited.new_body.clone()),
            },
        }
    }

    /// These messages, by message id, are being redriven.
    pub(crate) fn redrive_began(&mut self, ids: HashSet<String>) {
        self.notes.retain(|id, _| !ids.contains(id));
        self.last_result = None;
        self.moving = ids;
    }

    pub(crate) fn redrive_ended(&mut self, ended: Ended, context: &mut UpdateContext<'_>) {
        let moving = std::mem::take(&mut self.moving);
        let was_resumed = moving.is_empty();
        let has_journal = ended.report.is_some();
        let moved = self.apply(&moving, ended.report.as_ref(), ended.failure.as_deref());
        self.last_result = Some(LastResult {
            at: context.now,
            tone: ended.tone,
            text: ended.text,
        });
        self.messages
            .retain(|message| !moved.contains(message.message_id.as_str()));
        self.edits.retain(|id, _| !moved.contains(id.as_str()));
        if has_journal {
            self.journal_edits(&moving);
        }
        // What was acted on is not acted on again by the next key.
        self.marks.retain(|id| !moving.contains(id));
        self.operation_ended(context);
        if was_resumed && self.is_shown {
            self.receive(context);
        }
    }

    /// What a redrive or a deletion left is with the other messages again.
    pub(super) fn operation_ended(&mut self, context: &mut UpdateContext<'_>) {
        if !self.is_shown {
            self.release_all(context);
            return;
        }
        if !self.messages.is_empty() {
            self.lease.messages_came_back();
        }
        self.regroup(context.body);
    }

    /// Notes the outcome of each message; returns those that left. Without a failure, messages that
    /// the report does not name get no note.
    fn apply<'a>(
        &mut self,
        moving: &HashSet<String>,
        report: Option<&'a Report>,
        failure: Option<&str>,
    ) -> HashSet<&'a str> {
        let mut moved = HashSet::new();
        let mut unreported: HashSet<&str> = moving.iter().map(String::as_str).collect();
        let why = failure.unwrap_or("the redrive ended without an outcome for it");
        for message in report.into_iter().flat_map(|report| &report.messages) {
            unreported.remove(message.message_id.as_str());
            let cause = message.cause.clone().unwrap_or_else(|| why.to_owned());
            let note = match message.outcome {
                MessageOutcome::Moved | MessageOutcome::Published => {
                    moved.insert(message.message_id.as_str());
                    continue;
                }
                MessageOutcome::SentNotDeleted => Note::SentNotDeleted(cause),
                MessageOutcome::NotSent | MessageOutcome::Waiting => Note::NotSent(cause),
                MessageOutcome::Unknown => Note::Unknown(cause),
            };
            self.notes.insert(message.message_id.clone(), note);
        }
        for id in unreported.into_iter().filter(|_| failure.is_some()) {
            self.notes
                .insert(id.to_owned(), Note::NotReported(why.to_owned()));
        }
        moved
    }
}
