//! The body of the selected message, where it was put aside.
//!
//! Invariant: a disk is read by a task, never while keys are taken or a frame is drawn.

use super::DeadLetters;
use super::detail::Detail;
use crate::tui::format::visible;
use crate::tui::keymap::Action;
use crate::tui::message::{Answer, Reply, Request, Tone};
use crate::tui::update_context::UpdateContext;
use pipeline::model::DeadLetter;

/// Said while it is not here yet.
const BEING_READ: &str = "its body is being read";

impl DeadLetters {
    /// Asks for the body of the selected message unless it is here or asked for.
    pub fn read_body(&mut self, turn: &mut UpdateContext<'_>) {
        let Some(message) = self.selected_message().filter(|_| self.is_shown) else {
            return;
        };
        let is_asked = |(_, id): &(_, String)| *id == message.message_id;
        if self.body_at_hand(message).is_some() || self.reading.as_ref().is_some_and(is_asked) {
            return;
        }
        let id = message.message_id.clone();
        let request = turn.ask(Request::ReadBody(message.body.clone()));
        self.reading = Some((request, id));
    }

    pub(super) fn body_was_read(&mut self, reply: Reply, turn: &mut UpdateContext<'_>) {
        let Some((_, id)) = self.reading.take_if(|(request, _)| *request == reply.id) else {
            return;
        };
        let Some(message) = self
            .selected_message()
            .filter(|message| message.message_id == id)
        else {
            return;
        };
        let fault = match reply.result {
            Ok(Answer::Body(text)) => {
                self.detail = Some(Detail::of(message, Some(text), self.edit_of(message)));
                if let Some((_, action)) = self.wanted.take_if(|(wanted, _)| *wanted == id) {
                    self.act(action, turn);
                }
                return;
            }
            Ok(_) => super::holding::unexpected(),
            Err(fault) => fault,
        };
        turn.say(Tone::Bad, visible(&fault.message));
        // Asked again when the message is selected again.
        self.reading = Some((reply.id, id));
    }

    /// Does what needs the selected message's body when it is here.
    pub(super) fn want(&mut self, action: Action, turn: &mut UpdateContext<'_>) {
        let id = self.selected.clone();
        self.wanted = id.map(|id| (id, action));
        turn.say(Tone::Muted, BEING_READ);
    }

    /// A message's own body, where it is at hand.
    pub(super) fn body_at_hand<'a>(&'a self, message: &'a DeadLetter) -> Option<&'a str> {
        let detail = self.detail.as_ref().filter(|detail| detail.is_of(message));
        let read = detail.and_then(Detail::body);
        message.body.at_hand().or(read)
    }
}
