//! One message in full.
//!
//! Invariant: laid out once for each selection; drawing costs no more than what is visible.

use pipeline::queue_peek::{Peek, PeekedMessage, limit_sentence};
use ratatui::text::{Line, Span};

use super::rows::receives;
use crate::tui::document::{Document, size};
use crate::tui::format::{UNKNOWN, clock, timestamp, visible};
use crate::tui::lines::wrapped;
use crate::tui::theme::Theme;

/// Columns of the names.
const NAME: usize = 14;

/// The message that is shown, made ready.
#[derive(Debug)]
pub(super) struct Detail {
    fields: Vec<(&'static str, String)>,
    document: Document,
    /// First visible line.
    offset: usize,
}

impl Detail {
    /// Lays a message out; the place that is at fault gets a mark.
    pub(super) fn new(peek: &Peek, message: &PeekedMessage) -> Self {
        let limit = limit_sentence(message.receive_count, peek.max_receive_count);
        let known = |part: &Option<String>| {
            let part = part.as_deref();
            part.map_or_else(|| UNKNOWN.to_owned(), visible)
        };
        let first = message.first_received_at;
        let first = first.map_or_else(|| UNKNOWN.to_owned(), |at| format!("{} UTC", timestamp(at)));
        let released = match message.hidden_until {
            None => peek.released_at.map_or_else(
                || "yes, others of this peek are not".to_owned(),
                |at| format!("{} UTC", clock(at)),
            ),
            Some(until) => format!(
                "not confirmed: hidden from the ingest until {} UTC at the latest",
                clock(until)
            ),
        };
        let verdict = match message.failure.as_deref() {
            None => "valid; it may be stored already: the database is not asked".to_owned(),
            Some(failure) => {
                let place = failure.pointer.as_deref();
                let place = place.map_or_else(String::new, |pointer| format!(" (at {pointer})"));
                visible(&format!("{}: {}{place}", failure.code, failure.detail))
            }
        };
        let fields = vec![
            ("message id", visible(&message.message_id)),
            ("type", known(&message.identity.event_type)),
            ("source", known(&message.identity.source)),
            ("id", known(&message.identity.id)),
            ("verdict", verdict),
            ("receives", limit.unwrap_or_else(|| receives(peek, message))),
            ("first received", first),
            ("sent", format!("{} UTC", timestamp(message.sent_at))),
            ("released", released),
            ("size", size(message.body.bytes())),
        ];
        let text = message.body.at_hand().unwrap_or_default();
        let failure = message.failure.as_deref();
        let marked = failure.and_then(|failure| failure.pointer.as_deref());
        Self {
            fields,
            document: Document::new(text, marked),
            offset: 0,
        }
    }

    /// Scrolls, within what there is: not at all where everything is visible, else until the last line is at the top.
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
            rows.extend(field(name, value, theme, width));
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
fn field(name: &str, value: &str, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let room = width.saturating_sub(NAME + 2).max(1);
    let mut label = format!(" {name:<NAME$} ");
    let line = |part| {
        let label = std::mem::replace(&mut label, " ".repeat(NAME + 2));
        Line::from(vec![Span::styled(label, theme.muted()), Span::raw(part)])
    };
    wrapped(value, room).into_iter().map(line).collect()
}
