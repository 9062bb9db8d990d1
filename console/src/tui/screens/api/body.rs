//! The body in the editor, judged while it is written.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::Clear;

use pipeline::api_document::ApiBody;

use crate::tui::context::ScreenContext;
use crate::tui::event_editor::editor::{Editor, MARGIN};
use crate::tui::format::visible;
use crate::tui::layout::{area_rows, take_rows};
use crate::tui::lines::{hanging, title};
use crate::tui::theme::Tone;

/// Rows above the text: the title and the verdict.
const HEAD_ROWS: u16 = 3;

#[derive(Debug)]
pub(super) struct BodyEditing {
    pub(super) editor: Editor,
    form: ApiBody,
    fault: Option<(String, Option<usize>)>,
}

impl BodyEditing {
    pub(super) fn new(form: &ApiBody, text: &str) -> Self {
        let mut editor = Editor::default();
        editor.load(text);
        let mut editing = Self {
            editor,
            form: form.clone(),
            fault: None,
        };
        editing.judge();
        editing
    }

    pub(super) fn judge(&mut self) {
        self.fault = self.form.check(&self.editor.text()).err();
    }

    pub(super) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let (theme, area) = (context.theme, context.body);
        let width = usize::from(area.width);
        canvas.render_widget(Clear, area);
        let mut rest = area;
        let name = "Body · ^s sends, esc closes and keeps it";
        canvas.render_widget(title(theme, name, width), take_rows(&mut rest, 1));
        let (tone, text) = match &self.fault {
            None => (Tone::Good, "can be sent".to_owned()),
            Some((text, _)) => (Tone::Bad, format!("the body {}", visible(text))),
        };
        let place = take_rows(&mut rest, HEAD_ROWS - 1);
        for (row, line) in area_rows(place).zip(hanging(tone, &text, theme, width)) {
            canvas.render_widget(line, row);
        }
        let marked = self.fault.as_ref().and_then(|(_, line)| *line);
        let size = (width, usize::from(rest.height));
        let lines = self.editor.lines(theme, marked, true, size);
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
