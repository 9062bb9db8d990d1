//! A body made ready for the screen: JSON is laid out, anything else is shown line by line.
//!
//! Invariant: nothing is lost or changed. Numbers, escapes and duplicate names stay as they were
//! written, what could steer a terminal is shown as a picture, and what is cut is named.

use std::ops::Range;

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use serde::de::IgnoredAny;
use unicode_width::UnicodeWidthChar as _;

use super::format::visible;
use super::message::Tone;
use super::theme::Theme;

/// Bytes of a body that are laid out; the rest is named, not shown.
pub const BYTES_MAX: usize = 256 * 1024;
/// Lines of a body that are laid out.
pub const LINES_MAX: usize = 10_000;
/// Characters of one line; a longer text goes on in the next one, so that all of it can be reached.
const LINE_CHARACTERS_MAX: usize = 240;
/// Columns that a list or object of plain values may take and still stand on one line.
const INLINE_COLUMNS_MAX: usize = 56;
/// Columns of one level of nesting.
const INDENT: usize = 2;
/// Deepest level that is still indented; deeper ones stand below each other.
const INDENTED_LEVELS_MAX: usize = 24;
/// Columns before the text: the mark and a space.
const MARGIN: usize = 2;

/// A text that was laid out once and is drawn many times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    lines: Vec<DocumentLine>,
    is_json: bool,
    marked: Option<usize>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct DocumentLine {
    indent: usize,
    is_marked: bool,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    kind: PieceKind,
    text: String,
}

/// What a piece of a line is; decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PieceKind {
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
    /// What is said of the text and does not belong to it.
    Remark,
}

impl Document {
    /// Lays a text out. `marked` is the JSON pointer (RFC 6901) of the place that gets a mark; if
    /// there is nothing at that place, a line says so in the nearest object that is there.
    #[must_use]
    pub fn new(text: &str, marked: Option<&str>) -> Self {
        let shown = prefix(text, BYTES_MAX);
        let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
        let (mut lines, used) =
            if is_json { Printer::print(shown, marked) } else { plain_lines(shown) };
        let hidden = text.len().saturating_sub(used);
        if hidden > 0 {
            lines.push(remark(&format!(
                "… {} more, not shown here (y copies all)",
                size(hidden)
            )));
        }
        let marked = lines.iter().position(|line| line.is_marked);
        Self { lines, is_json, marked }
    }

    /// Number of lines; [`Document::lines`] may wrap one into several rows.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is nothing to show.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether the text is JSON.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        self.is_json
    }

    /// The first line with a mark.
    #[must_use]
    pub const fn marked_line(&self) -> Option<usize> {
        self.marked
    }

    /// The rows from line `offset` on: at most `height` of them, at most `width` columns wide.
    /// Costs no more than what is returned.
    #[must_use]
    pub fn lines(
        &self,
        theme: Theme,
        offset: usize,
        height: usize,
        width: usize,
    ) -> Vec<Line<'static>> {
        let mut rows = Vec::new();
        for line in self.lines.iter().skip(offset) {
            if rows.len() >= height {
                break;
            }
            wrap(line, theme, width, &mut rows);
        }
        rows.truncate(height);
        rows
    }
}

/// Draws one line into as many rows as it needs.
fn wrap(line: &DocumentLine, theme: Theme, width: usize, rows: &mut Vec<Line<'static>>) {
    let indent = line.indent.min(width.saturating_sub(MARGIN) / 2);
    let room = width.saturating_sub(MARGIN + indent).max(1);
    let mark = if line.is_marked {
        Span::styled("▸ ", theme.tone(Tone::Bad))
    } else {
        Span::raw("  ")
    };
    let mut spans = vec![mark, Span::raw(" ".repeat(indent))];
    let mut used = 0;
    for piece in &line.pieces {
        let style = piece.kind.style(theme, line.is_marked);
        let mut text = String::new();
        for character in piece.text.chars() {
            let columns = character.width().unwrap_or(0);
            if used + columns > room && used > 0 {
                spans.push(Span::styled(std::mem::take(&mut text), style));
                rows.push(Line::from(std::mem::take(&mut spans)));
                spans.push(Span::raw(" ".repeat(MARGIN + indent)));
                used = 0;
            }
            used += columns;
            text.push(character);
        }
        spans.push(Span::styled(text, style));
    }
    rows.push(Line::from(spans));
}

impl PieceKind {
    fn style(self, theme: Theme, is_marked: bool) -> Style {
        let style = match self {
            Self::Name => theme.json_name(),
            Self::Text => theme.json_text(),
            Self::Literal => theme.json_literal(),
            Self::Punctuation | Self::Plain => Style::new(),
            Self::Remark if is_marked => theme.tone(Tone::Bad),
            Self::Remark => theme.muted(),
        };
        if is_marked { style.add_modifier(Modifier::BOLD) } else { style }
    }
}

fn remark(text: &str) -> DocumentLine {
    let piece = Piece { kind: PieceKind::Remark, text: text.to_owned() };
    DocumentLine { pieces: vec![piece], ..DocumentLine::default() }
}

/// Bytes in words.
#[must_use]
pub fn size(bytes: usize) -> String {
    const KIB: usize = 1_024;
    match bytes {
        0..KIB => format!("{bytes} bytes"),
        KIB.. => format!("{} KiB", super::format::count((bytes / KIB) as u64)),
    }
}

/// The longest prefix of at most `bytes_max` bytes.
fn prefix(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// Lines of a text that is no JSON, and how many bytes of it they show.
fn plain_lines(text: &str) -> (Vec<DocumentLine>, usize) {
    let mut writer = Writer::default();
    let mut used = 0;
    for line in text.split_inclusive('\n') {
        if writer.is_full() {
            break;
        }
        used += line.len();
        writer.push(PieceKind::Plain, line.strip_suffix('\n').unwrap_or(line));
        writer.end_line();
    }
    (writer.lines, used)
}

/// Collects lines and breaks those that grow too long.
#[derive(Default)]
struct Writer {
    lines: Vec<DocumentLine>,
    line: DocumentLine,
    characters: usize,
}

impl Writer {
    fn is_full(&self) -> bool {
        self.lines.len() >= LINES_MAX
    }

    fn push(&mut self, kind: PieceKind, text: &str) {
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
        }
    }

    fn end_line(&mut self) {
        self.lines.push(std::mem::take(&mut self.line));
        self.characters = 0;
    }
}

/// A token of JSON text: bytes that stay as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenKind {
    Open,
    Close,
    Comma,
    Colon,
    Text,
    Literal,
}

#[derive(Clone, Debug)]
struct Token {
    kind: TokenKind,
    range: Range<usize>,
}

/// Cuts JSON text (or a prefix of it) into tokens. What is no JSON becomes literals.
fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(byte) = bytes.get(start) {
        let (kind, length) = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {
                start += 1;
                continue;
            }
            b'{' | b'[' => (TokenKind::Open, 1),
            b'}' | b']' => (TokenKind::Close, 1),
            b',' => (TokenKind::Comma, 1),
            b':' => (TokenKind::Colon, 1),
            b'"' => (TokenKind::Text, string_length(bytes.get(start..).unwrap_or_default())),
            _ => (TokenKind::Literal, literal_length(bytes.get(start..).unwrap_or_default())),
        };
        tokens.push(Token { kind, range: start..start + length });
        start += length;
    }
    tokens
}

/// Bytes of the string that starts here, with its quotes; all there is where it does not end.
fn string_length(bytes: &[u8]) -> usize {
    let mut is_escaped = false;
    bytes
        .iter()
        .skip(1)
        .position(|byte| {
            let ends = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            ends
        })
        .map_or(bytes.len(), |position| position + 2)
}

fn literal_length(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| b" \t\n\r{}[],:\"".contains(byte))
        .map_or(bytes.len(), |length| length.max(1))
}

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
struct Printer<'a> {
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
    fn print(text: &'a str, pointer: Option<&str>) -> (Vec<DocumentLine>, usize) {
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
        let Some(level) = self.levels.last_mut() else { return };
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
        if segments.get(depth).is_some_and(|segment| *segment == comparable(name)) {
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

    /// The line that stands for a member which is marked and not there.
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
            is_marked: true,
            pieces: vec![
                Piece { kind, text: name },
                Piece { kind: PieceKind::Punctuation, text: ": ".to_owned() },
                Piece { kind: PieceKind::Remark, text: "absent".to_owned() },
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
        let inside = self.tokens.get(self.position..=end).unwrap_or_default().to_vec();
        let is_object = inside.first().is_some_and(|token| self.raw(token) == "{");
        let padding = if is_object && inside.len() > 2 { " " } else { "" };
        for (number, token) in inside.iter().enumerate() {
            let names_member =
                inside.get(number + 1).is_some_and(|next| next.kind == TokenKind::Colon);
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
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
