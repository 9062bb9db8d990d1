//! One line of a laid out text.

use ratatui::style::{Modifier, Style};

use crate::tui::theme::{Theme, Tone};

/// Bytes of a body that are laid out; the rest is named, not shown.
pub(super) const BYTES_MAX: usize = 256 * 1024;
/// Lines of a body that are laid out.
pub(super) const LINES_MAX: usize = 10_000;
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DocumentLine {
    pub(super) indent: usize,
    /// Whether it continues the line before.
    pub(super) goes_on: bool,
    pub(super) is_marked: bool,
    pub(super) pieces: Vec<Piece>,
}

impl DocumentLine {
    pub(super) fn text(&self) -> String {
        let pieces = self.pieces.iter().map(|piece| piece.text.as_str());
        std::iter::once(" ".repeat(self.indent).as_str())
            .chain(pieces)
            .collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kind: PieceKind,
    pub(super) text: String,
}

/// What a piece of a line is; decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// Name of a member.
    Name,
    /// A JSON string.
    Text,
    /// A number, `true`, `false`, `null`.
    Literal,
    /// Braces, commas, colons and the space between.
    Punctuation,
    /// Text that is no JSON.
    Plain,
    /// A remark about the text that is not part of it.
    Remark,
}

impl PieceKind {
    pub(super) fn style(self, theme: Theme, is_marked: bool) -> Style {
        let style = match self {
            Self::Name => theme.json_name(),
            Self::Text => theme.json_text(),
            Self::Literal => theme.json_literal(),
            Self::Punctuation | Self::Plain => Style::new(),
            Self::Remark if is_marked => theme.tone(Tone::Bad),
            Self::Remark => theme.muted(),
        };
        if is_marked {
            style.add_modifier(Modifier::BOLD)
        } else {
            style
        }
    }
}

pub(super) fn remark(text: &str) -> DocumentLine {
    let piece = Piece {
        kind: PieceKind::Remark,
        text: text.to_owned(),
    };
    DocumentLine {
        pieces: vec![piece],
        ..DocumentLine::default()
    }
}
