//! One line while it is typed: a value of the form, or how often a call is repeated. Invariant: it is judged at each key.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pipeline::api_call::CALLS_MAX;
use pipeline::api_document::ApiParameter;
use ratatui::style::Style;
use ratatui_textarea::{CursorMove, TextArea};

/// Longest line, in characters; more than a value can have.
const CHARS_MAX: usize = 4_000;
/// How often a call is repeated unless another number is typed.
const CALLS_FIRST: &str = "10";

/// What is typed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Purpose {
    Value(Box<ApiParameter>),
    Repeat,
}

#[derive(Debug)]
pub(super) struct Typing {
    pub(super) purpose: Purpose,
    pub(super) input: TextArea<'static>,
    pub(super) error: Option<String>,
}

impl Typing {
    pub(super) fn value(parameter: &ApiParameter, text: &str) -> Self {
        Self::new(Purpose::Value(Box::new(parameter.clone())), text)
    }

    pub(super) fn repeat() -> Self {
        Self::new(Purpose::Repeat, CALLS_FIRST)
    }

    fn new(purpose: Purpose, text: &str) -> Self {
        let mut input = TextArea::new(vec![text.to_owned()]);
        input.set_cursor_line_style(Style::new());
        input.move_cursor(CursorMove::End);
        let mut typing = Self {
            purpose,
            input,
            error: None,
        };
        typing.judge();
        typing
    }

    pub(super) fn text(&self) -> String {
        self.input.lines().join(" ")
    }

    /// How often the call is to be sent, where that is typed.
    pub(super) fn calls(&self) -> Option<u32> {
        let calls = self.text().trim().parse().ok();
        calls.filter(|calls| (1..=CALLS_MAX).contains(calls))
    }

    pub(super) fn key(&mut self, key: KeyEvent) {
        let is_text = !matches!(key.code, KeyCode::Tab | KeyCode::BackTab | KeyCode::Enter);
        let is_full = self.text().chars().count() >= CHARS_MAX;
        if (key.code, key.modifiers) == (KeyCode::Char('u'), KeyModifiers::CONTROL) {
            // As in a shell; the widget would undo.
            self.input.delete_line_by_head();
        } else if is_text && !(is_full && matches!(key.code, KeyCode::Char(_))) {
            self.input.input(key);
        }
        self.judge();
    }

    pub(super) fn paste(&mut self, text: &str) {
        let room = CHARS_MAX.saturating_sub(self.text().chars().count());
        let text: String = text.chars().take(room).collect();
        self.input.insert_str(text.replace(['\r', '\n'], " "));
        self.judge();
    }

    fn judge(&mut self) {
        self.error = match &self.purpose {
            Purpose::Value(parameter) => parameter.check(&self.text()).err(),
            Purpose::Repeat if self.calls().is_some() => None,
            Purpose::Repeat => Some(format!("is no number from 1 to {CALLS_MAX}")),
        };
    }
}
