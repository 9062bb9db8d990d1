//! One key.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// One key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyPress {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl KeyPress {
    pub(super) const fn plain(code: KeyCode) -> Self {
        Self {
            code,
            modifiers: KeyModifiers::NONE,
        }
    }

    pub(super) const fn char(character: char) -> Self {
        Self::plain(KeyCode::Char(character))
    }

    pub(super) const fn ctrl(character: char) -> Self {
        Self {
            code: KeyCode::Char(character),
            modifiers: KeyModifiers::CONTROL,
        }
    }

    pub(super) fn matches(self, key: KeyEvent) -> bool {
        // Capitals and symbols arrive with SHIFT from some terminals and without it from others.
        let ignored = if matches!(self.code, KeyCode::Char(_) | KeyCode::BackTab) {
            KeyModifiers::SHIFT
        } else {
            KeyModifiers::NONE
        };
        key.code == self.code && key.modifiers.difference(ignored) == self.modifiers
    }

    /// The key as people write it.
    pub(crate) fn label(self) -> String {
        #[expect(clippy::wildcard_enum_match_arm, reason = "keys that no binding uses")]
        let name = match self.code {
            KeyCode::Char(' ') => "space".to_owned(),
            KeyCode::Char(character) => character.to_string(),
            KeyCode::Enter => "⏎".to_owned(),
            KeyCode::Esc => "esc".to_owned(),
            KeyCode::Tab => "tab".to_owned(),
            KeyCode::BackTab => "⇧tab".to_owned(),
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::Left => "←".to_owned(),
            KeyCode::Right => "→".to_owned(),
            KeyCode::PageUp => "pgup".to_owned(),
            KeyCode::PageDown => "pgdn".to_owned(),
            KeyCode::Home => "home".to_owned(),
            KeyCode::End => "end".to_owned(),
            KeyCode::F(number) => format!("F{number}"),
            other => format!("{other:?}"),
        };
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            format!("^{name}")
        } else {
            name
        }
    }
}
