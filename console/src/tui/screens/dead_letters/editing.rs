//! One message in the editor, judged while it is written.
//!
//! Invariant: what is kept is what is shown; closing the editor without keeping changes nothing.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::Clear;

use super::{DeadLetters, Open};
use crate::tui::format::visible;
use crate::tui::keymap::Action;
use crate::tui::message::{Answer, Effect, Reply, Request, RequestId, Tone};
use crate::tui::model::Model;
use crate::tui::patch::PatchInput;
use crate::tui::screens::lines::hanging;
use crate::tui::screens::publish::check::Check;
use crate::tui::screens::publish::editor::{Editor, MARGIN, TEXT_BYTES_MAX};
use crate::tui::screens::{area_rows, take_rows, title};
use crate::tui::update_context::UpdateContext;
use redrive::triage::pretty;

/// Rows above the text: the title and what the validator says.
const HEAD_ROWS: u16 = 3;

/// A message that is being written.
#[derive(Debug)]
pub(super) struct Editing {
    message: PatchInput,
    editor: Editor,
    check: Check,
    /// The question what would become of it, once it is to be kept.
    asked: Option<RequestId>,
}

impl Editing {
    fn new(message: PatchInput, body: &str) -> Self {
        let text = pretty(&event::unwrap_envelope(body)).unwrap_or_else(|| body.to_owned());
        let mut editor = Editor::default();
        editor.load(&text);
        Self {
            check: Check::of(&text),
            message,
            editor,
            asked: None,
        }
    }

    fn judge(&mut self) {
        self.asked = None;
        self.check = Check::of(&self.editor.text());
    }
}

/// Columns and rows of the text.
fn room(body: Rect) -> (usize, usize) {
    (
        usize::from(body.width.saturating_sub(MARGIN)),
        usize::from(body.height.saturating_sub(HEAD_ROWS)),
    )
}

impl DeadLetters {
    /// Opens the editor, or with [`Action::EditOutside`] the operator's own.
    pub(super) fn begin_editing(&mut self, action: Action, turn: &mut UpdateContext<'_>) {
        let Some(message) = self.selected_message() else {
            turn.say(Tone::Muted, "no message is selected");
            return;
        };
        let refusal = if self.is_read_only {
            Some(format!(
                "{} is read-only: nothing is mended",
                self.environment
            ))
        } else if self.moving.contains(&message.message_id) {
            Some("this message is being redriven".to_owned())
        } else if message.body.bytes() > TEXT_BYTES_MAX {
            Some("this message is too large to be edited".to_owned())
        } else {
            None
        };
        let edited = self.edit_of(message).map(|mended| mended.new_body.as_str());
        match (refusal, edited.or(self.body_at_hand(message))) {
            (Some(text), _) => turn.say(Tone::Warning, text),
            (None, None) => self.want(action, turn),
            (None, Some(body)) => {
                let editing = Editing::new(self.mending(message), body);
                if action == Action::EditOutside {
                    let text = editing.editor.text();
                    turn.effects.push(Effect::EditOutside(text));
                }
                self.open = Open::Editor(Box::new(editing));
            }
        }
    }

    /// The operator's own editor has ended. A valid event is kept; any other text stays in the
    /// editor here, with what is wrong with it.
    pub fn edited_outside(&mut self, result: Result<String, String>, turn: &mut UpdateContext<'_>) {
        let Open::Editor(editing) = &mut self.open else {
            return;
        };
        let (width, height) = room(turn.body);
        match result {
            Err(why) => turn.say(Tone::Warning, visible(&why)),
            Ok(text) => {
                editing.editor.clear();
                if !editing.editor.paste(&text, width, height) {
                    turn.say(Tone::Warning, "not taken: too large for one message");
                }
                editing.editor.move_to_start();
                editing.judge();
                if editing.check.result.is_ok() {
                    self.act_in_editor(Action::Send, turn);
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

    pub(super) fn paste_into_editor(&mut self, text: &str, turn: &mut UpdateContext<'_>) {
        if let Open::Editor(editing) = &mut self.open {
            let (width, height) = room(turn.body);
            if editing.editor.paste(text, width, height) {
                editing.judge();
            } else {
                turn.say(Tone::Warning, "not pasted: too large for one message");
            }
        }
    }

    pub(super) fn act_in_editor(&mut self, action: Action, turn: &mut UpdateContext<'_>) {
        let Open::Editor(editing) = &mut self.open else {
            return;
        };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other keys write")]
        match action {
            Action::Send => {
                if !editing.editor.is_edited() {
                    self.open = Open::Nothing;
                    turn.say(Tone::Muted, "nothing was changed");
                    return;
                }
                let request = Request::Judge {
                    message: editing.message.clone(),
                    new_body: editing.editor.text(),
                };
                editing.asked = Some(turn.ask(request));
            }
            Action::Back => {
                let was_edited = editing.editor.is_edited();
                self.open = Open::Nothing;
                if was_edited {
                    turn.say(Tone::Warning, "closed; what was written is not kept");
                }
            }
            _ => {}
        }
    }

    /// What would become of the text that is to be kept.
    pub(super) fn judged(&mut self, reply: Reply, turn: &mut UpdateContext<'_>) {
        let Open::Editor(editing) = &mut self.open else {
            return;
        };
        if editing.asked != Some(reply.id) {
            return;
        }
        editing.asked = None;
        match reply.result {
            Ok(Answer::Patched(patched)) => {
                let mended = patched.mended;
                let verdict = mended.first().map(|mended| mended.verdict);
                let warning = mended
                    .first()
                    .and_then(|mended| super::edits::warnings(mended).first().copied());
                self.open = Open::Nothing;
                self.accept(mended, turn.body);
                let verdict = verdict
                    .map(|verdict| verdict.to_string())
                    .unwrap_or_default();
                let (tone, more) = match warning {
                    Some(warning) => (Tone::Warning, warning),
                    None => (Tone::Good, "u takes it back"),
                };
                turn.say(tone, format!("edited: {verdict} · {more}"));
            }
            Ok(_) => turn.say(Tone::Bad, super::holding::unexpected().message),
            Err(fault) => turn.say(Tone::Bad, visible(&fault.message)),
        }
    }

    pub(super) fn draw_editor(
        &self,
        editing: &Editing,
        model: &Model,
        canvas: &mut Frame<'_>,
        area: Rect,
    ) {
        let theme = model.theme;
        let width = usize::from(area.width);
        canvas.render_widget(Clear, area);
        let mut rest = area;
        let name = format!(
            "Edit {} · ^s keeps, esc closes",
            visible(&editing.message.message_id)
        );
        canvas.render_widget(title(theme, &name, width), take_rows(&mut rest, 1));
        let (tone, text) = match &editing.check.result {
            Ok(key) => (Tone::Good, format!("valid: {} / {}", key.source, key.id)),
            Err(failure) => (
                Tone::Bad,
                format!("refused: {}: {}", failure.code, failure.detail),
            ),
        };
        let said = hanging(tone, &visible(&text), theme, width);
        let place = take_rows(&mut rest, HEAD_ROWS - 1);
        for (row, line) in area_rows(place).zip(said) {
            canvas.render_widget(line, row);
        }
        let size = (width, usize::from(rest.height));
        let lines = editing.editor.lines(theme, editing.check.line, true, size);
        for (row, line) in area_rows(rest).zip(lines) {
            canvas.render_widget(line, row);
        }
    }
}
