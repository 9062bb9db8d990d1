//! Collects the lines of a document and breaks those that grow too long.

use super::line::{DocumentLine, LINES_MAX, Piece, PieceKind};
use crate::tui::format::visible;

/// Characters of one line; a longer text continues in the next one, so that all of it can be reached.
const LINE_CHARACTERS_MAX: usize = 240;

#[derive(Default)]
pub(super) struct Writer {
    pub(super) lines: Vec<DocumentLine>,
    pub(super) line: DocumentLine,
    characters: usize,
}

impl Writer {
    pub(super) fn is_full(&self) -> bool {
        self.lines.len() >= LINES_MAX
    }

    pub(super) fn push(&mut self, kind: PieceKind, text: &str) {
        let text = visible(text);
        let characters = text.chars().count();
        if self.characters + characters <= LINE_CHARACTERS_MAX {
            self.characters += characters;
            self.line.pieces.push(Piece { kind, text });
            return;
        }
        let mut rest = text.chars();
        loop {
            let room = LINE_CHARACTERS_MAX.saturating_sub(self.characters);
            let chunk: String = rest.by_ref().take(room).collect();
            self.characters += chunk.chars().count();
            if !chunk.is_empty() {
                self.line.pieces.push(Piece { kind, text: chunk });
            }
            if rest.as_str().is_empty() {
                break;
            }
            let indent = self.line.indent;
            self.end_line();
            self.line.indent = indent;
            self.line.goes_on = true;
        }
    }

    pub(super) fn end_line(&mut self) {
        self.lines.push(std::mem::take(&mut self.line));
        self.characters = 0;
    }
}
