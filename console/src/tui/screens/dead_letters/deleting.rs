//! Messages out of the queue for good, once its name was typed.
//!
//! Invariant: a message leaves the list only when SQS confirmed its deletion.

use std::collections::HashSet;

use super::line::{LineInput, Purpose};
use super::redriving::Told;
use super::{DeadLetters, Open};
use crate::tui::format::{count, visible};
use crate::tui::message::{Answer, Reply, Request, Tone};
use crate::tui::update_context::UpdateContext;
use pipeline::model::DeadLetter;

impl DeadLetters {
    /// Asks for the queue's name before the marked messages, else the group, else the selected
    /// message are deleted.
    pub(super) fn begin_delete(&mut self, turn: &mut UpdateContext<'_>) {
        let refusal = if self.is_read_only {
            Some(format!(
                "{} is read-only: nothing is deleted",
                self.environment
            ))
        } else if !self.moving.is_empty() || self.deletion.is_some() {
            Some("messages are on their way out already".to_owned())
        } else {
            None
        };
        if let Some(text) = refusal {
            turn.say(Tone::Warning, text);
            return;
        }
        let (scope, messages) = self.meant();
        let message_ids: HashSet<String> = messages
            .iter()
            .map(|message| message.message_id.clone())
            .collect();
        if message_ids.is_empty() {
            turn.say(Tone::Muted, "no message to delete");
            return;
        }
        let purpose = Purpose::Delete { scope, message_ids };
        self.open = Open::Line(Box::new(LineInput::new(purpose, "")));
    }

    /// The name was typed.
    pub(super) fn delete(
        &mut self,
        name: &str,
        ids: &HashSet<String>,
        turn: &mut UpdateContext<'_>,
    ) {
        if name.trim() != self.queue {
            let queue = visible(&self.queue);
            let text = format!("nothing is deleted: the name of the queue is {queue}");
            turn.say(Tone::Warning, text);
            return;
        }
        self.open = Open::Nothing;
        let is_meant = |message: &&DeadLetter| ids.contains(&message.message_id);
        let messages: Vec<_> = self.messages.iter().filter(is_meant).cloned().collect();
        self.deletion = Some(turn.ask(Request::DeleteMessages(messages)));
    }

    pub(super) fn messages_were_deleted(&mut self, reply: Reply, turn: &mut UpdateContext<'_>) {
        if self.deletion.take_if(|id| *id == reply.id).is_none() {
            return;
        }
        let deleted = match reply.result {
            Ok(Answer::Deleted(deleted)) => deleted,
            Ok(_) => return,
            Err(fault) => {
                turn.say(Tone::Bad, visible(&fault.message));
                return;
            }
        };
        let gone: HashSet<String> = deleted.message_ids.into_iter().collect();
        self.messages
            .retain(|message| !gone.contains(&message.message_id));
        self.edits.retain(|id, _| !gone.contains(id));
        self.marks.clear();
        let mut text = format!(
            "{} deleted, with a copy in {}",
            Self::messages_in_words(gone.len()),
            deleted.file.display()
        );
        if let Some(cause) = deleted.cause {
            let failed = count(deleted.failed as u64);
            text.push_str(&format!(" · {failed} not deleted: {cause}"));
        }
        let tone = if deleted.failed == 0 {
            Tone::Good
        } else {
            Tone::Warning
        };
        // In the place of what was said before, e.g. of a wrong name.
        turn.say(
            tone,
            format!("{} deleted", Self::messages_in_words(gone.len())),
        );
        self.told = Some(Told {
            at: turn.now,
            tone,
            text,
        });
        self.regroup(turn.body);
    }
}
