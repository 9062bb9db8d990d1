//! The filter while it is typed. Invariant: it applies at each key; what does not parse leaves the last one applied.

use crossterm::event::{KeyCode, KeyEvent};
use pipeline::logs::LogFilter;
use ratatui::style::Style;
use ratatui_textarea::{CursorMove, TextArea};

use super::query::{QUERY_CHARS_MAX, parse};

#[derive(Debug)]
pub(super) struct Typing {
    pub(super) input: TextArea<'static>,
    /// The filter before, for whoever gives up.
    pub(super) before: String,
    pub(super) error: Option<String>,
}

impl Typing {
    /// Starts from a text, in the place of the applied filter.
    pub(super) fn new(text: &str, before: &str) -> Self {
        let mut input = TextArea::new(vec![text.to_owned()]);
        input.set_cursor_line_style(Style::new());
        input.move_cursor(CursorMove::End);
        Self {
            input,
            before: before.to_owned(),
            error: None,
        }
    }

    pub(super) fn text(&self) -> String {
        self.input.lines().join(" ")
    }

    /// A key; the filter that applies now, if it parses.
    pub(super) fn key(&mut self, key: KeyEvent) -> Option<LogFilter> {
        if !matches!(key.code, KeyCode::Tab | KeyCode::BackTab | KeyCode::Enter) {
            self.input.input(key);
        }
        self.check()
    }

    /// Pasted text; lines become words.
    pub(super) fn paste(&mut self, text: &str) -> Option<LogFilter> {
        let text: String = text.chars().take(QUERY_CHARS_MAX).collect();
        self.input.insert_str(text.replace(['\r', '\n'], " "));
        self.check()
    }

    pub(super) fn check(&mut self) -> Option<LogFilter> {
        let text = self.text();
        if self.input.lines().len() > 1 || text.chars().count() > QUERY_CHARS_MAX {
            let kept: String = text.chars().take(QUERY_CHARS_MAX).collect();
            let before = std::mem::take(&mut self.before);
            *self = Self::new(&kept, &before);
        }
        match parse(&self.text()) {
            Ok(filter) => {
                self.error = None;
                Some(filter)
            }
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }
}
