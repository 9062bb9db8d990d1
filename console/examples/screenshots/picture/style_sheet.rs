//! The classes of a picture: one for each look of a text and each colour of a background.

use std::fmt::Write as _;

use super::cells::{Ink, Style};
use super::palette::{Palette, hex};

/// The looks in the order in which they were met, so that the same picture has the same names.
#[derive(Debug, Default)]
pub(crate) struct StyleSheet {
    looks: Vec<Look>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Text(Style),
    Fill(Ink, bool),
}

impl StyleSheet {
    /// The class of a text. Its background is drawn by [`Self::fill`].
    pub(crate) fn text(&mut self, style: Style) -> String {
        self.class(Look::Text(Style {
            fill: Ink::Paper,
            ..style
        }))
    }

    /// The class of a shape in the colour of an ink.
    pub(crate) fn fill(&mut self, ink: Ink, is_dim: bool) -> String {
        self.class(Look::Fill(ink, is_dim))
    }

    fn class(&mut self, look: Look) -> String {
        let known = self.looks.iter().position(|known| *known == look);
        let place = known.unwrap_or_else(|| {
            self.looks.push(look);
            self.looks.len() - 1
        });
        format!("c{place}")
    }

    /// The rules.
    pub(crate) fn rules(&self, palette: &Palette) -> String {
        let mut rules = String::new();
        for (place, look) in self.looks.iter().enumerate() {
            let (ink, is_dim) = match look {
                Look::Text(style) => (style.ink, style.is_dim),
                Look::Fill(ink, is_dim) => (*ink, *is_dim),
            };
            let colour = hex(palette.colour(ink, is_dim));
            let more = match look {
                Look::Text(style) => decoration(*style),
                Look::Fill(..) => "",
            };
            // A String takes everything.
            let _ = write!(rules, ".c{place}{{fill:{colour}{more}}}");
        }
        rules
    }
}

const fn decoration(style: Style) -> &'static str {
    match (style.is_bold, style.is_underlined, style.is_italic) {
        (false, false, false) => "",
        (true, false, false) => ";font-weight:bold",
        (false, true, false) => ";text-decoration:underline",
        (true, true, false) => ";font-weight:bold;text-decoration:underline",
        (false, false, true) => ";font-style:italic",
        (true, false, true) => ";font-weight:bold;font-style:italic",
        (false, true, true) => ";text-decoration:underline;font-style:italic",
        (true, true, true) => ";font-weight:bold;text-decoration:underline;font-style:italic",
    }
}
