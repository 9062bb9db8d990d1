//! What colours and signs mean. Invariant: every tone has a sign of its own, so that nothing is
//! lost without colour; only the 16 colours that every terminal lets its user choose are used.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

/// Meaning of a text: decides its sign and its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Tone {
    /// Context.
    Muted,
    /// It flows.
    Good,
    /// It ages.
    Warning,
    /// Time or data is being lost.
    Bad,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Theme {
    /// Whether colours may be used (`NO_COLOR` unset, terminal not dumb).
    pub(crate) has_colour: bool,
}

impl Theme {
    /// Decides by `NO_COLOR` (<https://no-color.org>: present and not empty) and `TERM`.
    pub(crate) fn choose(no_color: Option<&str>, term: Option<&str>) -> Self {
        let refused = no_color.is_some_and(|value| !value.is_empty());
        let is_dumb = term.is_none_or(|term| term.is_empty() || term == "dumb");
        Self {
            has_colour: !refused && !is_dumb,
        }
    }

    fn coloured(self, colour: Color) -> Style {
        if self.has_colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    pub(crate) fn tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Muted => self.muted(),
            Tone::Good => self.coloured(Color::Green),
            Tone::Warning => self.coloured(Color::Yellow),
            Tone::Bad => self.coloured(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    /// Context that may be overlooked.
    pub(crate) fn muted(self) -> Style {
        if self.has_colour {
            Style::new().fg(Color::DarkGray)
        } else {
            Style::new().add_modifier(Modifier::DIM)
        }
    }

    /// The row that the next key acts on.
    pub(crate) fn selected(self, has_focus: bool) -> Style {
        if !has_focus {
            return self
                .coloured(Color::Cyan)
                .add_modifier(Modifier::UNDERLINED);
        }
        self.coloured(Color::Cyan).add_modifier(Modifier::REVERSED)
    }

    pub(crate) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(crate) fn key(self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// Frames of panes; `danger` is for production and for what cannot be undone.
    pub(crate) fn frame(self, has_focus: bool, is_danger: bool) -> Style {
        match (is_danger, has_focus) {
            (true, _) => self.coloured(Color::Red),
            (false, true) => self.coloured(Color::Cyan),
            (false, false) => self.muted(),
        }
    }

    pub(crate) fn json_name(self) -> Style {
        self.coloured(Color::Blue)
    }

    pub(crate) fn json_text(self) -> Style {
        self.coloured(Color::Green)
    }

    /// Numbers, booleans and null in JSON.
    pub(crate) fn json_literal(self) -> Style {
        self.coloured(Color::Magenta)
    }

    /// First line of a chart.
    pub(crate) fn series(self, number: usize) -> Style {
        match number {
            0 => self.coloured(Color::Cyan),
            1 => self.coloured(Color::Green),
            _ => self.coloured(Color::Yellow),
        }
    }
}

/// The sign and the text of a tone.
pub(crate) fn toned(theme: Theme, tone: Tone, text: &str) -> Span<'static> {
    Span::styled(format!("{} {text}", sign(tone)), theme.tone(tone))
}

pub(crate) const fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Muted => "○",
        Tone::Good => "●",
        Tone::Warning => "▲",
        Tone::Bad => "✖",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_and_dumb_terminals_get_no_colour() {
        assert!(Theme::choose(None, Some("xterm")).has_colour);
        assert!(Theme::choose(Some(""), Some("xterm")).has_colour);
        assert!(!Theme::choose(Some("1"), Some("xterm")).has_colour);
        assert!(!Theme::choose(None, Some("dumb")).has_colour);
        assert!(!Theme::choose(None, None).has_colour);
        let plain = Theme { has_colour: false };
        assert_eq!(plain.selected(true).fg, None);
        assert!(
            plain
                .selected(true)
                .add_modifier
                .contains(Modifier::REVERSED)
        );
    }
}
