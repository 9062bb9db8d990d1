//! One line in full: what it says of itself, and its JSON folded out.

use pipeline::logs::{LineKind, LogLine};
use ratatui::text::{Line, Span};

use super::lines::Key;
use crate::tui::document::Document;
use crate::tui::format::{UNKNOWN, timestamp, visible};
use crate::tui::lines::wrapped;
use crate::tui::theme::Theme;

/// Columns of the names.
const NAME: usize = 8;

/// A line that is laid out once per selection.
#[derive(Debug)]
pub(super) struct Detail {
    pub(super) key: Key,
    fields: Vec<(&'static str, String)>,
    document: Document,
    /// First visible line.
    pub(super) offset: usize,
}

impl Detail {
    pub(super) fn new(line: &LogLine, key: Key) -> Self {
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
        let mut fields = vec![
            ("time", format!("{} UTC", timestamp(line.at))),
            ("function", line.function.to_string()),
            (
                "level",
                or_unknown(line.level.map(|level| level.as_str().to_owned())),
            ),
            ("request", or_unknown(line.request_id.clone())),
        ];
        if let Some(key) = &line.event {
            let text = format!("{} / {}", visible(&key.source), visible(&key.id));
            fields.push(("event", text));
        }
        if line.kind == LineKind::Platform {
            fields.push(("by", "Lambda itself".to_owned()));
        }
        if line.is_cut {
            let text = "the line is longer: 64 KiB of it are kept".to_owned();
            fields.push(("cut", text));
        }
        Self {
            key,
            fields,
            document: Document::new(&line.text, None),
            offset: 0,
        }
    }

    /// Scrolls until the last line is at the top; not at all where everything is visible.
    pub(super) fn scroll_by(&mut self, lines: isize, (width, height): (usize, usize)) {
        let plain = Theme { has_colour: false };
        let is_all_visible = self.lines_from(0, plain, height + 1, width).len() <= height;
        let length = self.fields.len() + 1 + self.document.len();
        let most = if is_all_visible {
            0
        } else {
            length.saturating_sub(1)
        };
        self.offset = self.offset.saturating_add_signed(lines).min(most);
    }

    pub(super) fn lines(&self, theme: Theme, height: usize, width: usize) -> Vec<Line<'static>> {
        self.lines_from(self.offset, theme, height, width)
    }

    fn lines_from(
        &self,
        first: usize,
        theme: Theme,
        height: usize,
        width: usize,
    ) -> Vec<Line<'static>> {
        let mut rows = Vec::new();
        let room = width.saturating_sub(NAME + 2).max(1);
        for (name, value) in self.fields.iter().skip(first) {
            let mut label = format!(" {name:<NAME$} ");
            for part in wrapped(value, room) {
                let label = std::mem::replace(&mut label, " ".repeat(NAME + 2));
                rows.push(Line::from(vec![
                    Span::styled(label, theme.muted()),
                    Span::raw(part),
                ]));
            }
        }
        if first <= self.fields.len() {
            rows.push(Line::default());
        }
        rows.truncate(height);
        let offset = first.saturating_sub(self.fields.len() + 1);
        let left = height.saturating_sub(rows.len());
        if left > 0 {
            rows.extend(self.document.lines(theme, offset, left, width));
        }
        rows
    }
}
