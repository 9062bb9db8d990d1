//! One record with everything that is stored of it.
//!
//! Invariant: laid out once for each selection; drawing costs no more than what is visible.

use event::{Record, RecordId};
use ratatui::text::{Line, Span};

use super::columns::lag;
use crate::tui::document::Document;
use crate::tui::format::{UNKNOWN, counted, timestamp, visible};
use crate::tui::lines::wrapped;
use crate::tui::theme::Theme;

/// Columns of the names.
const NAME: usize = 10;

/// The record that is shown, made ready.
#[derive(Debug)]
pub(super) struct Detail {
    pub(super) record_id: RecordId,
    fields: Vec<(&'static str, String)>,
    document: Document,
    /// First visible line.
    pub(super) offset: usize,
}

impl Detail {
    /// Lays a record out.
    pub(super) fn new(record: &Record) -> Self {
        let payload = record.payload.get();
        let lag = match lag(record).as_str() {
            "ahead" => "event time is later: the producer's clock is ahead".to_owned(),
            lag => format!("{lag} after the event"),
        };
        let fields = vec![
            ("record_id", record.record_id.to_string()),
            ("type", visible(&record.event_type)),
            ("source", visible(&record.source)),
            ("id", visible(&record.id)),
            (
                "subject",
                record
                    .subject
                    .as_deref()
                    .map_or_else(|| UNKNOWN.to_owned(), visible),
            ),
            ("occurred", format!("{} UTC", timestamp(record.occurred_at))),
            (
                "stored",
                format!("{} UTC, {lag}", timestamp(record.ingested_at)),
            ),
            ("payload", counted(payload.len() as u64, "byte")),
        ];
        Self {
            record_id: record.record_id,
            fields,
            document: Document::new(payload, None),
            offset: 0,
        }
    }

    /// Number of lines that can be scrolled over.
    fn len(&self) -> usize {
        self.fields.len() + 1 + self.document.len()
    }

    /// Scrolls, within what there is: not at all where everything is visible, else until the last
    /// line is at the top (a line may be wrapped into many rows).
    pub(super) fn scroll_by(&mut self, lines: isize, (width, height): (usize, usize)) {
        let plain = Theme { has_colour: false };
        let is_all_visible = self.lines_from(0, plain, height + 1, width).len() <= height;
        let most = if is_all_visible {
            0
        } else {
            self.len().saturating_sub(1)
        };
        self.offset = self.offset.saturating_add_signed(lines).min(most);
    }

    /// The visible rows.
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
        for (name, value) in self.fields.iter().skip(first) {
            if rows.len() >= height {
                break;
            }
            field(name, value, theme, width, &mut rows);
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

/// A name and a value; a long value continues below itself.
fn field(name: &str, value: &str, theme: Theme, width: usize, rows: &mut Vec<Line<'static>>) {
    let room = width.saturating_sub(NAME + 2).max(1);
    let mut label = format!(" {name:<NAME$} ");
    for part in wrapped(value, room) {
        let label = std::mem::replace(&mut label, " ".repeat(NAME + 2));
        rows.push(Line::from(vec![
            Span::styled(label, theme.muted()),
            Span::raw(part),
        ]));
    }
}
