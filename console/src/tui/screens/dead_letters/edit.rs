//! Edits one message, here or in the operator's own editor.
//!
//! Invariant: what is kept is what is shown; closing the editor without keeping changes nothing.

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;

use super::editing::{Editing, room};
use super::state::{DeadLetters, Open};
use crate::tui::context::UpdateContext;
use crate::tui::effect::Effect;
use crate::tui::event_editor::editor::TEXT_BYTES_MAX;
use crate::tui::format::visible;
use crate::tui::keymap::Action;
use crate::tui::patch::{Patched, warnings};
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::theme::Tone;

impl DeadLetters {
    /// Opens the editor, or with [`Action::EditExternally`] the operator's own.
    pub(super) fn begin_editing(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        let Some(message) = self.selected_message() else {
            context.notify(Tone::Muted, "no message is selected");
            return;
        };
        let refusal = if context.environment.read_only {
            let name = visible(&context.environment.name);
            Some(format!("{name} is read-only: no edits"))
        } else if self.has_operation(&message.message_id) {
            Some("this message is being redriven or deleted".to_owned())
        } else if message.body.bytes() > TEXT_BYTES_MAX {
            Some("this message is too large to edit".to_owned())
        } else {
            None
        };
        let text = match self.edit_of(message) {
            Some(_) => self.edit_at_hand(message),
            None => self.body_at_hand(message),
        };
        match (refusal, text) {
            (Some(text), _) => context.notify(Tone::Warning, text),
            (None, None) => self.defer(action, context),
            (None, Some(body)) => {
                let editing = Editing::new(self.patch_input(message), body);
                if action == Action::EditExternally {
                    let text = editing.editor.text();
                    context.outbox.effects.push(Effect::OpenEditor(text));
                }
                self.open = Open::Editor(Box::new(editing));
            }
        }
    }

    /// The operator's own editor has ended. A valid event is kept; any other text stays in the
    /// editor here, with what is wrong with it.
    pub(crate) fn editor_ended(
        &mut self,
        result: Result<String, String>,
        context: &mut UpdateContext<'_>,
    ) {
        let Open::Editor(editing) = &mut self.open else {
            return;
        };
        let (width, height) = room(context.body);
        match result {
            Err(why) => context.notify(Tone::Warning, visible(&why)),
            Ok(text) => {
                editing.editor.clear();
                if !editing.editor.paste(&text, width, height) {
                    context.notify(Tone::Warning, "not loaded: too large for one message");
                }
                editing.editor.move_to_start();
                editing.judge();
                if editing.check.result.is_ok() {
                    self.act_in_editor(Action::Send, context);
                }
            }
        }
    }

    pub(super) fn write(&mut self, key: KeyEvent, body: Rect) {
        if let Open::Editor(editing) = &mut self.open {
            let (width, height) = room(body);
            if editing.editor.key(key, width, height) {
                editing.judge();
            }
        }
    }

    pub(super) fn paste_into_editor(&mut self, text: &str, context: &mut UpdateContext<'_>) {
        if let Open::Editor(editing) = &mut self.open {
            let (width, height) = room(context.body);
            if editing.editor.paste(text, width, height) {
                editing.judge();
            } else {
                context.notify(Tone::Warning, "not pasted: too large for one message");
            }
        }
    }

    pub(super) fn act_in_editor(&mut self, action: Action, context: &mut UpdateContext<'_>) {
        let Open::Editor(editing) = &mut self.open else {
            return;
        };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other keys write")]
        match action {
            Action::Send => {
                if !editing.editor.is_edited() {
                    self.open = Open::Nothing;
                    context.notify(Tone::Muted, "no changes");
                    return;
                }
                let (message, new_body) = (editing.message.clone(), editing.editor.text());
                let request = context
                    .outbox
                    .request(Reply::Judged, |to| Request::Judge(message, new_body, to));
                editing.judging = Some(request);
            }
            Action::Back => {
                let was_edited = editing.editor.is_edited();
                self.open = Open::Nothing;
                if was_edited {
                    context.notify(Tone::Warning, "closed without saving");
                }
            }
            _ => {}
        }
    }

    /// The verdict of the text that is to be kept.
    pub(crate) fn judged(&mut self, answer: Answer<Patched>, context: &mut UpdateContext<'_>) {
        let Open::Editor(editing) = &mut self.open else {
            return;
        };
        if editing.judging.take_if(|id| answer.is_to(*id)).is_none() {
            return;
        }
        let edited = match answer.into_result() {
            Ok(patched) => patched.edited,
            Err(fault) => {
                context.notify(Tone::Bad, visible(&fault.message));
                return;
            }
        };
        let first = edited.first();
        let verdict = first.map(|edited| edited.verdict.to_string());
        let warning = first.and_then(|edited| warnings(edited).first().copied());
        self.open = Open::Nothing;
        self.apply_edits(edited, context.body);
        let (tone, more) = match warning {
            Some(warning) => (Tone::Warning, warning),
            None => (Tone::Good, "u undoes it"),
        };
        let verdict = verdict.unwrap_or_default();
        context.notify(tone, format!("edited: {verdict} · {more}"));
    }
}
