//! One message in the editor, judged while it is written.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::Clear;

use crate::tui::context::ScreenContext;
use crate::tui::event_editor::check::Check;
use crate::tui::event_editor::editor::{Editor, MARGIN};
use crate::tui::format::visible;
use crate::tui::layout::{area_rows, take_rows};
use crate::tui::lines::{hanging, title};
use crate::tui::patch::PatchInput;
use crate::tui::request::RequestId;
use crate::tui::theme::Tone;
use redrive::triage::pretty;

/// Rows above the text: the title and the verdict of the validator.
const HEAD_ROWS: u16 = 3;

/// A message that is being written.
#[derive(Debug)]
pub(super) struct Editing {
    pub(super) message: PatchInput,
    pub(super) editor: Editor,
    pub(super) check: Check,
    /// The question what would become of it, once it is to be kept.
    pub(super) judging: Option<RequestId>,
}

impl Editing {
    pub(super) fn new(message: PatchInput, body: &str) -> Self {
        let text = pretty(body).unwrap_or_else(|| body.to_owned());
        let mut editor = Editor::default();
        editor.load(&text);
        Self {
            check: Check::of(&text),
            message,
            editor,
            judging: None,
        }
    }

    pub(super) fn judge(&mut self) {
        self.judging = None;
        self.check = Check::of(&self.editor.text());
    }

    pub(super) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let (theme, area) = (context.theme, context.body);
        let width = usize::from(area.width);
        canvas.render_widget(Clear, area);
        let mut rest = area;
        let name = format!(
            "Edit {} · ^s saves, esc closes",
            visible(&self.message.message_id)
        );
        canvas.render_widget(title(theme, &name, width), take_rows(&mut rest, 1));
        let (tone, text) = match &self.check.result {
            Ok(key) => (Tone::Good, format!("valid: {} / {}", key.source, key.id)),
            Err(failure) => (
                Tone::Bad,
                format!("rejected: {}: {}", failure.code, failure.detail),
            ),
        };
        let verdict = hanging(tone, &visible(&text), theme, width);
        let place = take_rows(&mut rest, HEAD_ROWS - 1);
        for (row, line) in area_rows(place).zip(verdict) {
            canvas.render_widget(line, row);
        }
        let size = (width, usize::from(rest.height));
        let lines = self.editor.lines(theme, self.check.line, true, size);
        for (row, line) in area_rows(rest).zip(lines) {
            canvas.render_widget(line, row);
        }
    }
}

/// Columns and rows of the text.
pub(super) fn room(body: Rect) -> (usize, usize) {
    (
        usize::from(body.width.saturating_sub(MARGIN)),
        usize::from(body.height.saturating_sub(HEAD_ROWS)),
    )
}
