//! Messages out of the queue for good, once its name was typed.
//!
//! Invariant: a message leaves the list only when SQS confirmed its deletion.

use std::collections::HashSet;

use super::line_input::{LineInput, Purpose};
use super::note::{Deletion, LastResult};
use super::state::{DeadLetters, Open};
use crate::tui::context::UpdateContext;
use crate::tui::format::{count, visible};
use crate::tui::lines::message_count;
use crate::tui::request::{Answer, Deleted, Reply, Request};
use crate::tui::theme::Tone;
use pipeline::model::DeadLetter;
use redrive::operations::Progress;

impl DeadLetters {
    /// Asks for the queue's name before the marked messages, else the group, else the selected
    /// message are deleted.
    pub(super) fn begin_delete(&mut self, context: &mut UpdateContext<'_>) {
        let change_refusal = context.change_refusal("no deletions");
        let refusal = if change_refusal.is_some() {
            change_refusal
        } else if !self.moving.is_empty() || context.is_resuming || self.deletion.is_some() {
            Some("a redrive or a deletion is in progress already".to_owned())
        } else {
            None
        };
        if let Some(text) = refusal {
            context.notify(Tone::Warning, text);
            return;
        }
        let (scope, messages) = self.meant();
        let message_ids: HashSet<String> = messages
            .iter()
            .map(|message| message.message_id.clone())
            .collect();
        if message_ids.is_empty() {
            context.notify(Tone::Muted, "no messages to delete");
            return;
        }
        let scope = scope.to_string();
        let purpose = Purpose::Delete { scope, message_ids };
        self.open = Open::Line(Box::new(LineInput::new(purpose, "")));
    }

    /// The name was typed.
    pub(super) fn delete(
        &mut self,
        name: &str,
        ids: &HashSet<String>,
        context: &mut UpdateContext<'_>,
    ) {
        if name.trim() != context.dead_letter_queue_name() {
            let queue = visible(context.dead_letter_queue_name());
            let text = format!("nothing was deleted: the name of the queue is {queue}");
            context.notify(Tone::Warning, text);
            return;
        }
        self.open = Open::Nothing;
        let is_meant = |message: &&DeadLetter| ids.contains(&message.message_id);
        let messages: Vec<_> = self.messages.iter().filter(is_meant).cloned().collect();
        let progress = Progress {
            done: 0,
            total: messages.len(),
        };
        let message_ids = messages.iter().map(|message| message.message_id.clone());
        let message_ids = message_ids.collect();
        let request = |to| Request::DeleteMessages(messages, to);
        self.deletion = Some(Deletion {
            request: context.outbox.request(Reply::Deleted, request),
            message_ids,
            progress,
        });
    }

    pub(crate) fn messages_were_deleted(
        &mut self,
        answer: Answer<Deleted>,
        context: &mut UpdateContext<'_>,
    ) {
        let is_it = |deletion: &mut Deletion| answer.is_to(deletion.request);
        if self.deletion.take_if(is_it).is_none() {
            return;
        }
        match answer.into_result() {
            Ok(deleted) => self.apply_deletion(deleted, context),
            Err(fault) => context.notify(Tone::Bad, visible(&fault.message)),
        }
        self.operation_ended(context);
    }

    fn apply_deletion(&mut self, deleted: Deleted, context: &mut UpdateContext<'_>) {
        let outcome = outcome(&deleted);
        let is_whole = deleted.failed + deleted.unconfirmed + deleted.left == 0;
        let gone: HashSet<String> = deleted.message_ids.into_iter().collect();
        self.messages
            .retain(|message| !gone.contains(&message.message_id));
        self.edits.retain(|id, _| !gone.contains(id));
        self.marks.clear();
        let mut text = format!("{outcome}, with a copy in {}", deleted.file.display());
        if let Some(cause) = deleted.cause {
            text.push_str(&format!(" · {cause}"));
        }
        let tone = if is_whole { Tone::Good } else { Tone::Warning };
        // Replaces an older notice, e.g. about a wrong name.
        context.notify(tone, outcome);
        self.last_result = Some(LastResult {
            at: context.now,
            tone,
            text,
        });
    }
}

/// What became of a deletion: what had no answer may be deleted, and what was not tried is not.
fn outcome(deleted: &Deleted) -> String {
    let mut text = format!("{} deleted", message_count(deleted.message_ids.len()));
    for (number, what) in [
        (deleted.failed, "not deleted"),
        (deleted.unconfirmed, "without an answer, may be deleted"),
        (deleted.left, "not tried"),
    ] {
        if number > 0 {
            text.push_str(&format!(" · {} {what}", count(number as u64)));
        }
    }
    text
}
