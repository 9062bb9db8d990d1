//! The filter while it is typed. Invariant: the line is checked after each change.

use chrono::{DateTime, Utc};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui_textarea::TextArea;

use crate::tui::filter::{self, FILTER_CHARS_MAX, FilterError};

/// The filter that is being typed.
#[derive(Debug)]
pub(super) struct Typing {
    pub(super) input: TextArea<'static>,
    error: Option<FilterError>,
    checked_at: DateTime<Utc>,
}

impl Typing {
    /// Starts from a text.
    pub(super) fn new(text: &str, now: DateTime<Utc>) -> Self {
        let mut input = TextArea::new(vec![text.to_owned()]);
        input.set_cursor_line_style(ratatui::style::Style::new());
        input.move_cursor(ratatui_textarea::CursorMove::End);
        let error = filter::parse(text, now).err();
        Self {
            input,
            error,
            checked_at: now,
        }
    }

    pub(super) fn text(&self) -> String {
        self.input.lines().join(" ")
    }

    /// Checks what is typed, and keeps it on one line within the limit.
    pub(super) fn check(&mut self, now: DateTime<Utc>) {
        let text = self.text();
        if self.input.lines().len() > 1 || text.chars().count() > FILTER_CHARS_MAX {
            let kept: String = text.chars().take(FILTER_CHARS_MAX).collect();
            *self = Self::new(&kept, now);
        } else {
            self.error = filter::parse(&text, now).err();
            self.checked_at = now;
        }
    }

    pub(super) fn key(&mut self, key: KeyEvent, now: DateTime<Utc>) {
        // It would be a blank, which nobody means by it.
        if !matches!(key.code, KeyCode::Tab | KeyCode::BackTab) {
            self.input.input(key);
            self.check(now);
        }
    }

    /// Pasted text; lines become words.
    pub(super) fn paste(&mut self, text: &str) {
        let text: String = text.chars().take(FILTER_CHARS_MAX).collect();
        self.input.insert_str(text.replace(['\r', '\n'], " "));
        self.check(self.checked_at);
    }

    /// What is wrong with it.
    pub(super) const fn error(&self) -> Option<&FilterError> {
        self.error.as_ref()
    }
}
