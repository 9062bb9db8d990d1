//! Messages that get another body when they are sent.
//!
//! Invariant: an edit stays until it is undone or its message is out of the queue, whatever the
//! screen does meanwhile; the body in the queue is never touched.

use std::collections::HashSet;

use event::{PartialIdentity, Verdict};
use ratatui::layout::Rect;

use super::state::DeadLetters;
use crate::tui::context::UpdateContext;
use crate::tui::format::counted;
use crate::tui::patch::{EditedMessage, PatchInput};
use crate::tui::theme::Tone;
use pipeline::model::DeadLetter;

impl DeadLetters {
    pub(super) fn edit_of(&self, message: &DeadLetter) -> Option<&EditedMessage> {
        self.edits.get(&message.message_id)
    }

    /// Verdict of what would be sent.
    pub(super) fn verdict_of(&self, message: &DeadLetter) -> Verdict {
        self.edit_of(message)
            .map_or(message.verdict, |edited| edited.verdict)
    }

    /// Identity of what would be sent.
    pub(super) fn identity_of<'a>(&'a self, message: &'a DeadLetter) -> &'a PartialIdentity {
        self.edit_of(message)
            .map_or(&message.identity, |edited| &edited.identity)
    }

    /// Messages that are received and edited.
    pub(super) fn edited(&self) -> usize {
        let is_edited = |message: &&DeadLetter| self.edits.contains_key(&message.message_id);
        self.messages.iter().filter(is_edited).count()
    }

    /// Edits that no plan and no journal has, so that they are lost with this screen.
    pub(crate) fn unplanned_edits(&self) -> usize {
        let is_kept = |(id, edited): &(&String, &EditedMessage)| {
            self.moving.contains(*id) || self.journaled.get(*id) == Some(&edited.new_body)
        };
        self.edits.iter().filter(|edit| !is_kept(edit)).count()
    }

    /// The redrive of these messages has a journal, which has their edits.
    pub(super) fn journal_edits(&mut self, ids: &HashSet<String>) {
        let edits = self.edits.iter().filter(|(id, _)| ids.contains(*id));
        let bodies = edits.map(|(id, edited)| (id.clone(), edited.new_body.clone()));
        self.journaled.extend(bodies);
        self.journaled.retain(|id, _| self.edits.contains_key(id));
    }

    /// A message as a program or the editor gets it.
    pub(super) fn patch_input(&self, message: &DeadLetter) -> PatchInput {
        PatchInput {
            message_id: message.message_id.clone(),
            old_body: message.body.clone(),
            new_body: self.edit_of(message).map(|edited| edited.new_body.clone()),
            named: pipeline::named_record(&message.attributes),
        }
    }

    /// Takes edits over. One that restores the old body is none.
    pub(super) fn apply_edits(&mut self, edited: Vec<EditedMessage>, body: Rect) {
        for edited in edited {
            if edited.new_body == edited.old_body {
                self.edits.remove(&edited.message_id);
            } else {
                self.edits.insert(edited.message_id.clone(), edited);
            }
        }
        self.edits_changed(body);
    }

    pub(super) fn undo_edit(&mut self, context: &mut UpdateContext<'_>) {
        let id = self.selected_message().map(|message| &message.message_id);
        match id.cloned().and_then(|id| self.edits.remove(&id)) {
            Some(_) => {
                context.notify(Tone::Good, "edit undone");
                self.edits_changed(context.body);
            }
            None => context.notify(Tone::Muted, "the selected message is not edited"),
        }
    }

    pub(super) fn undo_all_edits(&mut self, context: &mut UpdateContext<'_>) {
        let edits = self.edits.len();
        if edits == 0 {
            context.notify(Tone::Muted, "no message is edited");
            return;
        }
        self.edits.clear();
        let text = format!("{} undone", counted(edits as u64, "edit"));
        context.notify(Tone::Good, text);
        self.edits_changed(context.body);
    }

    fn edits_changed(&mut self, body: Rect) {
        self.detail = None;
        // What is being read may be the body before.
        self.reading = None;
        self.regroup(body);
        self.search_again();
    }
}
