//! A body made ready for the screen: JSON is laid out, anything else is shown line by line.
//!
//! Invariant: nothing is lost or changed. Numbers, escapes and duplicate names stay as they were
//! written, what could control a terminal is shown as a picture, and what is cut is named.

mod line;
mod printer;
mod tokens;
mod writer;

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use serde::de::IgnoredAny;
use unicode_width::UnicodeWidthChar as _;

use self::line::{BYTES_MAX, DocumentLine, PieceKind, remark};
use self::printer::Printer;
use self::writer::Writer;
use super::theme::{Theme, Tone};

/// Columns before the text: the mark and a space.
const MARGIN: usize = 2;

/// A text that was laid out once and is drawn many times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    lines: Vec<DocumentLine>,
    is_json: bool,
    marked: Option<usize>,
}

impl Document {
    /// Lays a text out. `marked` is the JSON pointer (RFC 6901) of the place that gets a mark; if
    /// there is nothing at that place, a line says so in the nearest object that is there.
    pub(crate) fn new(text: &str, marked: Option<&str>) -> Self {
        let shown = prefix(text, BYTES_MAX);
        let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
        let (mut lines, used) = if is_json {
            Printer::print(shown, marked)
        } else {
            plain_lines(shown)
        };
        let hidden = text.len().saturating_sub(used);
        if hidden > 0 {
            lines.push(remark(&format!(
                "… {} more, not shown here (y copies all)",
                size(hidden)
            )));
        }
        let marked = lines.iter().position(|line| line.is_marked);
        Self {
            lines,
            is_json,
            marked,
        }
    }

    /// Number of lines; [`Document::lines`] may wrap one into several rows.
    pub(crate) const fn len(&self) -> usize {
        self.lines.len()
    }

    /// The lines as texts, to compare two documents.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.lines.iter().map(DocumentLine::text).collect()
    }

    /// Whether the text is JSON.
    pub(crate) const fn is_json(&self) -> bool {
        self.is_json
    }

    /// The first line with a mark.
    pub(crate) const fn marked_line(&self) -> Option<usize> {
        self.marked
    }

    /// The rows from line `offset` on: at most `height` of them, at most `width` columns wide.
    /// Costs no more than what is returned.
    pub(crate) fn lines(
        &self,
        theme: Theme,
        offset: usize,
        height: usize,
        width: usize,
    ) -> Vec<Line<'static>> {
        let mut rows = Rows::new(theme, width);
        for line in self.lines.iter().skip(offset) {
            // One more than is shown: the last one may continue.
            if rows.rows.len() > height {
                break;
            }
            rows.add(line);
        }
        rows.rows.truncate(height);
        rows.rows.into_iter().map(Line::from).collect()
    }
}

/// Breaks lines into rows. A line that continues the one before starts in its last row.
struct Rows {
    theme: Theme,
    width: usize,
    rows: Vec<Vec<Span<'static>>>,
    used: usize,
}

impl Rows {
    const fn new(theme: Theme, width: usize) -> Self {
        Self {
            theme,
            width,
            rows: Vec::new(),
            used: 0,
        }
    }

    fn add(&mut self, line: &DocumentLine) {
        let indent = line.indent.min(self.width.saturating_sub(MARGIN) / 2);
        let room = self.width.saturating_sub(MARGIN + indent).max(1);
        if !line.goes_on || self.rows.is_empty() {
            let mark = if line.is_marked {
                Span::styled("▸ ", self.theme.tone(Tone::Bad))
            } else {
                Span::raw("  ")
            };
            self.begin(vec![mark, Span::raw(" ".repeat(indent))]);
        }
        for piece in &line.pieces {
            let style = piece.kind.style(self.theme, line.is_marked);
            let mut text = String::new();
            for character in piece.text.chars() {
                let columns = character.width().unwrap_or(0);
                if self.used + columns > room && self.used > 0 {
                    self.push(std::mem::take(&mut text), style);
                    self.begin(vec![Span::raw(" ".repeat(MARGIN + indent))]);
                }
                self.used += columns;
                text.push(character);
            }
            self.push(text, style);
        }
    }

    fn begin(&mut self, margin: Vec<Span<'static>>) {
        self.rows.push(margin);
        self.used = 0;
    }

    fn push(&mut self, text: String, style: Style) {
        if let Some(row) = self.rows.last_mut() {
            row.push(Span::styled(text, style));
        }
    }
}

/// `12 KiB`
pub(crate) fn size(bytes: usize) -> String {
    const KIB: usize = 1_024;
    match bytes {
        0..KIB => super::format::counted(bytes as u64, "byte"),
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

#[cfg(test)]
mod tests;
