//! Lays JSON out and finds the marked place. Invariant: every token is written, in order.

use super::line::{DocumentLine, Piece, PieceKind};
use super::tokens::{Token, TokenKind, tokens};
use super::writer::Writer;

use crate::tui::format::visible;

/// Columns that a list or object of plain values may take and still stand on one line.
const INLINE_COLUMNS_MAX: usize = 56;
/// Columns of one level of nesting.
const INDENT: usize = 2;
/// Deepest level that is still indented; deeper ones stand below each other.
const INDENTED_LEVELS_MAX: usize = 24;

/// One object or array that is open.
struct Level {
    is_object: bool,
    /// How many segments of the marked pointer lead here; `None` off its path.
    depth: Option<usize>,
    /// Whether the next segment was seen.
    was_found: bool,
    /// Number of the next item of an array.
    item: usize,
    /// Line on which it opens.
    opens_at: usize,
}

/// Lays JSON out.
pub(super) struct Printer<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    segments: Option<Vec<String>>,
    levels: Vec<Level>,
    writer: Writer,
    position: usize,
    /// Whether the next string is a name.
    awaits_name: bool,
    /// How far the value that comes next lies on the marked path.
    next_depth: Option<usize>,
}

impl<'a> Printer<'a> {
    /// Lines of `text`, and how many bytes of it they show.
    pub(super) fn print(text: &'a str, pointer: Option<&str>) -> (Vec<DocumentLine>, usize) {
        let segments = pointer.map(segments_of);
        let next_depth = segments.as_ref().map(|_| 0);
        let mut printer = Self {
            text,
            tokens: tokens(text),
            segments,
            levels: Vec::new(),
            writer: Writer::default(),
            position: 0,
            awaits_name: false,
            next_depth,
        };
        let mut used = 0;
        while let Some(token) = printer.tokens.get(printer.position).cloned() {
            if printer.writer.is_full() {
                break;
            }
            printer.token(&token);
            used = printer
                .tokens
                .get(printer.position.saturating_sub(1))
                .map_or(used, |token| token.range.end);
        }
        if !printer.writer.line.pieces.is_empty() {
            printer.writer.end_line();
        }
        // White space at the end of a text that was shown whole is nothing that is hidden.
        if printer.position >= printer.tokens.len() {
            used = text.len();
        }
        (printer.writer.lines, used)
    }

    fn token(&mut self, token: &Token) {
        match token.kind {
            TokenKind::Open => self.open(token),
            TokenKind::Close => self.close(token),
            TokenKind::Comma => {
                self.push(PieceKind::Punctuation, token);
                self.writer.end_line();
                self.begin_item();
            }
            TokenKind::Colon => {
                self.push(PieceKind::Punctuation, token);
                self.writer.push(PieceKind::Punctuation, " ");
                self.awaits_name = false;
            }
            TokenKind::Text if self.awaits_name => {
                self.name(token);
                self.push(PieceKind::Name, token);
            }
            TokenKind::Text => self.scalar(PieceKind::Text, token),
            TokenKind::Literal => self.scalar(PieceKind::Literal, token),
        }
        self.position += 1;
    }

    fn raw(&self, token: &Token) -> &'a str {
        self.text.get(token.range.clone()).unwrap_or_default()
    }

    fn push(&mut self, kind: PieceKind, token: &Token) {
        let raw = self.raw(token);
        self.writer.push(kind, raw);
    }

    /// A string or literal. Where the pointer leads through it, it is as near as one gets.
    fn scalar(&mut self, kind: PieceKind, token: &Token) {
        self.writer.line.is_marked |= self.next_depth.is_some();
        self.push(kind, token);
    }

    fn indent(&self) -> usize {
        self.levels.len().min(INDENTED_LEVELS_MAX) * INDENT
    }

    /// Starts the line of a member or item.
    fn begin_item(&mut self) {
        self.writer.line.indent = self.indent();
        self.next_depth = None;
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        self.awaits_name = level.is_object;
        if !level.is_object {
            let item = level.item.to_string();
            level.item += 1;
            self.meet(&item);
        }
    }

    /// A name of the innermost object is read.
    fn name(&mut self, token: &Token) {
        let raw = self.raw(token);
        let name = serde_json::from_str::<String>(raw)
            .unwrap_or_else(|_| raw.trim_matches('"').to_owned());
        self.meet(&name);
    }

    /// Compares a name or item number with the marked path.
    fn meet(&mut self, name: &str) {
        self.next_depth = None;
        let (Some(level), Some(segments)) = (self.levels.last_mut(), &self.segments) else {
            return;
        };
        let Some(depth) = level.depth else { return };
        if segments
            .get(depth)
            .is_some_and(|segment| *segment == comparable(name))
        {
            level.was_found = true;
            self.next_depth = Some(depth + 1);
        }
    }

    fn open(&mut self, token: &Token) {
        let depth = self.next_depth.take();
        let is_target = depth.is_some() && depth == self.segments.as_ref().map(Vec::len);
        self.writer.line.is_marked |= is_target;
        let depth = depth.filter(|_| !is_target);
        if depth.is_none()
            && !(self.levels.is_empty())
            && let Some(end) = self.inline_end()
        {
            self.inline(end);
            return;
        }
        self.push(PieceKind::Punctuation, token);
        self.levels.push(Level {
            is_object: self.raw(token) == "{",
            depth,
            was_found: false,
            item: 0,
            opens_at: self.writer.lines.len(),
        });
        let is_empty = self
            .tokens
            .get(self.position + 1)
            .is_some_and(|next| next.kind == TokenKind::Close);
        if !is_empty {
            self.writer.end_line();
            self.begin_item();
        }
    }

    fn close(&mut self, token: &Token) {
        let follows_open = self
            .position
            .checked_sub(1)
            .and_then(|before| self.tokens.get(before))
            .is_some_and(|before| before.kind == TokenKind::Open);
        let absent = self.absent_line();
        let opens_at = self.levels.last().map_or(0, |level| level.opens_at);
        self.levels.pop();
        if !follows_open || absent.is_some() {
            self.writer.end_line();
            self.writer.line.indent = self.indent();
        }
        if let Some(absent) = absent {
            // Right below the opening brace, where it is seen without scrolling.
            let at = (opens_at + 1).min(self.writer.lines.len());
            self.writer.lines.insert(at, absent);
        }
        self.push(PieceKind::Punctuation, token);
        self.awaits_name = false;
        self.next_depth = None;
    }

    /// The line for a marked member that is absent.
    fn absent_line(&self) -> Option<DocumentLine> {
        let level = self.levels.last()?;
        let segment = self.segments.as_ref()?.get(level.depth?)?;
        if level.was_found {
            return None;
        }
        let (kind, name) = if level.is_object {
            (PieceKind::Name, format!("\"{}\"", visible(segment)))
        } else {
            (PieceKind::Plain, format!("[{}]", visible(segment)))
        };
        Some(DocumentLine {
            indent: self.indent(),
            goes_on: false,
            is_marked: true,
            pieces: vec![
                Piece { kind, text: name },
                Piece {
                    kind: PieceKind::Punctuation,
                    text: ": ".to_owned(),
                },
                Piece {
                    kind: PieceKind::Remark,
                    text: "absent".to_owned(),
                },
            ],
        })
    }

    /// Position of the closing token, where all of what opens here is plain values that fit on one
    /// line.
    fn inline_end(&self) -> Option<usize> {
        let mut columns = 0;
        for (position, token) in self.tokens.iter().enumerate().skip(self.position + 1) {
            columns += token.range.len() + 1;
            if columns > INLINE_COLUMNS_MAX || token.kind == TokenKind::Open {
                return None;
            }
            if token.kind == TokenKind::Close {
                return Some(position);
            }
        }
        None
    }

    /// Writes everything up to and with token `end` on one line.
    fn inline(&mut self, end: usize) {
        let inside = self
            .tokens
            .get(self.position..=end)
            .unwrap_or_default()
            .to_vec();
        let is_object = inside.first().is_some_and(|token| self.raw(token) == "{");
        let padding = if is_object && inside.len() > 2 {
            " "
        } else {
            ""
        };
        for (number, token) in inside.iter().enumerate() {
            let names_member = inside
                .get(number + 1)
                .is_some_and(|next| next.kind == TokenKind::Colon);
            match token.kind {
                TokenKind::Open => {
                    self.push(PieceKind::Punctuation, token);
                    self.writer.push(PieceKind::Punctuation, padding);
                }
                TokenKind::Close => {
                    self.writer.push(PieceKind::Punctuation, padding);
                    self.push(PieceKind::Punctuation, token);
                }
                TokenKind::Comma | TokenKind::Colon => {
                    self.push(PieceKind::Punctuation, token);
                    self.writer.push(PieceKind::Punctuation, " ");
                }
                TokenKind::Text if names_member => self.push(PieceKind::Name, token),
                TokenKind::Text => self.push(PieceKind::Text, token),
                TokenKind::Literal => self.push(PieceKind::Literal, token),
            }
        }
        self.position = end;
        self.awaits_name = false;
    }
}

/// Segments of a JSON pointer, made comparable.
fn segments_of(pointer: &str) -> Vec<String> {
    pointer
        .split('/')
        .skip(1)
        .map(|segment| comparable(&segment.replace("~1", "/").replace("~0", "~")))
        .collect()
}

/// Failures replace control characters in their pointers; so the names are compared without them.
fn comparable(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
