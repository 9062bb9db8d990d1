//! The bodies of the selected message and of the difference that is shown, where they are on disk.
//!
//! Invariant: a disk is read by a task, never while keys are handled or a frame is drawn.

use super::detail::{Detail, Texts};
use super::state::{DeadLetters, Open};
use crate::tui::context::UpdateContext;
use crate::tui::format::visible;
use crate::tui::keymap::Action;
use crate::tui::request::{Answer, Reply, Request, RequestId};
use crate::tui::theme::Tone;
use pipeline::model::DeadLetter;

/// Said while it is not here yet.
const LOADING: &str = "loading the body";

impl DeadLetters {
    /// Requests the bodies that are shown unless they are here or requested.
    pub(crate) fn read_bodies(&mut self, context: &mut UpdateContext<'_>) {
        if let Open::Preview(preview) = &mut self.open
            && let Some(bodies) = preview.unread()
        {
            let request = |to| Request::ReadBodies(bodies, to);
            preview.reading = Some(context.outbox.request(Reply::Difference, request));
        }
        let Some(message) = self.selected_message().filter(|_| self.is_shown) else {
            return;
        };
        let edit = self.edit_of(message);
        let is_here = self.body_at_hand(message).is_some()
            && (edit.is_none() || self.edit_at_hand(message).is_some());
        let is_asked = |(_, id): &(_, String)| *id == message.message_id;
        if is_here || self.reading.as_ref().is_some_and(is_asked) {
            return;
        }
        let id = message.message_id.clone();
        let own = std::iter::once(message.body.clone());
        let bodies = own.chain(edit.map(|edit| edit.new_body.clone())).collect();
        let request = context
            .outbox
            .request(Reply::Bodies, |to| Request::ReadBodies(bodies, to));
        self.reading = Some((request, id));
    }

    pub(crate) fn bodies_were_read(
        &mut self,
        answer: Answer<Vec<String>>,
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
            Ok(texts) => {
                let mut texts = texts.into_iter();
                let texts = Texts {
                    own: texts.next(),
                    edited: texts.next(),
                };
                self.detail = Some(Detail::of(message, texts, self.edit_of(message)));
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

    /// The bodies of the difference in the preview came.
    pub(crate) fn difference_was_read(
        &mut self,
        answer: Answer<Vec<String>>,
        context: &mut UpdateContext<'_>,
    ) {
        let Open::Preview(preview) = &mut self.open else {
            return;
        };
        if !preview.reading.is_some_and(|request| answer.is_to(request)) {
            return;
        }
        match answer.into_result() {
            Ok(texts) => preview.show_difference(&texts),
            Err(fault) => context.notify(Tone::Bad, visible(&fault.message)),
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
        let read = self
            .texts_of(message)
            .and_then(|texts| texts.own.as_deref());
        message.body.at_hand().or(read)
    }

    /// What is sent instead of an edited message's body, where it is at hand.
    pub(super) fn edit_at_hand<'a>(&'a self, message: &'a DeadLetter) -> Option<&'a str> {
        let read = || self.texts_of(message)?.edited.as_deref();
        self.edit_of(message)?.new_body.at_hand().or_else(read)
    }

    fn texts_of(&self, message: &DeadLetter) -> Option<&Texts> {
        let detail = self.detail.as_ref().filter(|detail| detail.is_of(message));
        detail.map(Detail::texts)
    }
}
