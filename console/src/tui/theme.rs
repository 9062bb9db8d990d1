//! What colours and signs mean. Invariant: every tone has a sign of its own, so that nothing is
//! lost without colour; only the 16 colours that every terminal lets its user choose are used.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

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
    /// Whether colours may be used.
    pub(crate) has_colour: bool,
}

impl Theme {
    /// Decides by `NO_COLOR` (<https://no-color.org>: present and not empty).
    pub(crate) fn choose(no_color: Option<&str>) -> Self {
        Self {
            has_colour: no_color.is_none_or(str::is_empty),
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

    /// Context that may be overlooked. Dim and not dark grey, which is the background of some palettes
    /// (Solarized).
    pub(crate) fn muted(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// A row in the one style of [`Theme::selected`]: colours of its parts would be reversed into patches
    /// of another colour.
    pub(crate) fn selected_row(self, mut row: Line<'_>, has_focus: bool) -> Line<'_> {
        for span in &mut row.spans {
            span.style = Style::new();
        }
        row.style(self.selected(has_focus))
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
    fn selected_row_has_one_style() {
        let theme = Theme { has_colour: true };
        let parts = [Tone::Good, Tone::Bad, Tone::Muted].map(|tone| toned(theme, tone, "part"));
        for has_focus in [true, false] {
            let row = theme.selected_row(Line::from(parts.to_vec()), has_focus);
            let mut styles = row.spans.iter().map(|span| row.style.patch(span.style));
            assert!(styles.all(|style| style == theme.selected(has_focus)));
        }
    }

    #[test]
    fn no_text_has_the_colour_of_a_background() {
        for has_colour in [true, false] {
            let theme = Theme { has_colour };
            let tones = [Tone::Muted, Tone::Good, Tone::Warning, Tone::Bad];
            let styles = tones.map(|tone| theme.tone(tone)).into_iter();
            for style in styles.chain([theme.muted(), theme.frame(false, false)]) {
                let hidden = [Color::Black, Color::DarkGray, Color::White];
                assert!(style.fg.is_none_or(|fg| !hidden.contains(&fg)), "{style:?}");
            }
        }
    }

    #[test]
    fn selection_is_seen_without_colour() {
        assert!(Theme::choose(None).has_colour);
        assert!(Theme::choose(Some("")).has_colour);
        assert!(!Theme::choose(Some("1")).has_colour);
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
