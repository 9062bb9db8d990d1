//! The body of the selected message, where it is on disk.
//!
//! Invariant: a disk is read by a task, never while keys are handled or a frame is drawn.

use super::detail::Detail;
use super::state::DeadLetters;
use crate::tui::context::UpdateContext;
use crate::tui::format::visible;
use crate::tui::keymap::Action;
use crate::tui::request::{Answer, Reply, Request, RequestId};
use crate::tui::theme::Tone;
use pipeline::model::DeadLetter;

/// Said while it is not here yet.
const LOADING: &str = "loading the body";

impl DeadLetters {
    /// Requests the body of the selected message unless it is here or requested.
    pub(crate) fn read_body(&mut self, context: &mut UpdateContext<'_>) {
        let Some(message) = self.selected_message().filter(|_| self.is_shown) else {
            return;
        };
        let is_asked = |(_, id): &(_, String)| *id == message.message_id;
        if self.body_at_hand(message).is_some() || self.reading.as_ref().is_some_and(is_asked) {
            return;
        }
        let id = message.message_id.clone();
        let body = message.body.clone();
        let request = context
            .outbox
            .request(Reply::Body, |to| Request::ReadBody(body, to));
        self.reading = Some((request, id));
    }

    pub(crate) fn body_was_read(
        &mut self,
        answer: Answer<String>,
        context: &mut UpdateContext<'_>,
    ) {
        let is_it = |reading: &mut (RequestId, String)| answer.is_to(reading.0);
        let Some((request, id)) = self.reading.take_if(is_it) else {
            return;
        };
        let selected = self.selected_message();
        let Some(message) = selected.filter(|message| message.message_id == id) else {
            return;
        };
        match answer.into_result() {
            Ok(text) => {
                self.detail = Some(Detail::of(message, Some(text), self.edit_of(message)));
                if let Some((_, action)) = self.deferred.take_if(|(deferred, _)| *deferred == id) {
                    self.act(action, context);
                }
            }
            Err(fault) => {
                context.notify(Tone::Bad, visible(&fault.message));
                // Requested again when the message is selected again.
                self.reading = Some((request, id));
            }
        }
    }

    /// Does what needs the selected message's body when it is here.
    pub(super) fn defer(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        let id = self.selected.clone();
        self.deferred = id.map(|id| (id, action));
        context.notify(Tone::Muted, LOADING);
    }

    /// A message's own body, where it is at hand.
    pub(super) fn body_at_hand<'a>(&'a self, message: &'a DeadLetter) -> Option<&'a str> {
        let detail = self.detail.as_ref().filter(|detail| detail.is_of(message));
        let read = detail.and_then(Detail::body);
        message.body.at_hand().or(read)
    }
}
