//! The loaded part of the list of records.
//!
//! Invariant: rows are in the order of the list, each record once, without a hole between the
//! first and the last; what is below the last is reached by `next_cursor`.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use event::{Cursor, Order, Page, Record, RecordId};
use unicode_width::UnicodeWidthStr as _;

use crate::tui::format::visible;

/// Rows that are kept at most.
pub(super) const ROWS_MAX: usize = 10_000;
/// Bytes of payload that are kept at most.
pub(super) const PAYLOAD_BYTES_MAX: usize = 32 * 1_024 * 1_024;

/// Widest value of each column so far, so that columns do not jump while scrolling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Widths {
    pub(super) event_type: usize,
    pub(super) source: usize,
    pub(super) id: usize,
    pub(super) subject: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    items: Vec<Record>,
    next_cursor: Option<Cursor>,
    order: Order,
    payload_bytes: usize,
    widths: Widths,
}

impl Rows {
    /// The first page of a list.
    pub(super) fn new(page: Page<Record>, order: Order) -> Self {
        let mut rows = Self {
            order,
            ..Self::default()
        };
        rows.append(page);
        rows
    }

    /// The page behind the last row.
    pub(super) fn append(&mut self, page: Page<Record>) {
        self.next_cursor = page.next_cursor;
        for record in &page.items {
            self.account(record);
        }
        self.items.extend(page.items);
    }

    /// Whether the newest page ends above the first row and is not all there is: then rows may
    /// lie between them that nobody has seen.
    pub(super) fn leaves_hole(&self, newest: &Page<Record>) -> bool {
        match (self.items.first(), newest.items.last()) {
            (Some(first), Some(last)) => {
                newest.next_cursor.is_some() && compare(self.order, last, first) == Ordering::Less
            }
            (None, _) | (_, None) => false,
        }
    }

    /// Takes the newest page, which leaves no hole; rows that are there stay as they are. What
    /// would be below the last row is left for its own page. Returns how many rows are new.
    pub(super) fn merge(&mut self, page: Page<Record>) -> usize {
        let order = self.order;
        if self.items.is_empty() {
            self.next_cursor = page.next_cursor;
        }
        let bottom = self.next_cursor;
        let fresh: Vec<Record> = page
            .items
            .into_iter()
            .filter(|record| self.position(record).is_err())
            .filter(|record| bottom.is_none_or(|cursor| is_above(order, record, &cursor)))
            .collect();
        let added = fresh.len();
        if added > 0 {
            for record in &fresh {
                self.account(record);
            }
            self.items.splice(0..0, fresh);
            self.items.sort_by(|one, other| compare(order, one, other));
        }
        added
    }

    /// Lets go of the last rows beyond the limits, but keeps the first `kept`. Whether any went.
    pub(super) fn trim(&mut self, kept: usize) -> bool {
        let length = self.items.len();
        while self.is_full() && self.items.len() > kept.max(1) {
            let Some(gone) = self.items.pop() else { break };
            self.payload_bytes -= gone.payload.get().len();
            self.next_cursor = self.items.last().map(|record| Cursor {
                order: self.order,
                occurred_at: record.occurred_at,
                record_id: record.record_id,
            });
        }
        self.items.len() < length
    }

    /// Lets go of the last rows that occurred before a time at which the list ends, so that there is no page below.
    /// Whether any went.
    pub(super) fn end_at(&mut self, from: DateTime<Utc>) -> bool {
        let length = self.items.len();
        while let Some(gone) = self.items.pop_if(|last| last.occurred_at < from) {
            self.payload_bytes -= gone.payload.get().len();
            self.next_cursor = None;
        }
        self.items.len() < length
    }

    /// The rows.
    pub(super) fn items(&self) -> &[Record] {
        &self.items
    }

    /// One row.
    pub(super) fn get(&self, row: usize) -> Option<&Record> {
        self.items.get(row)
    }

    /// Number of loaded rows.
    pub(super) const fn len(&self) -> usize {
        self.items.len()
    }

    /// Where the next page starts, if there is one.
    pub(super) const fn next_cursor(&self) -> Option<Cursor> {
        self.next_cursor
    }

    /// Whether no more is kept.
    pub(super) const fn is_full(&self) -> bool {
        self.items.len() >= ROWS_MAX || self.payload_bytes >= PAYLOAD_BYTES_MAX
    }

    /// Widest values so far.
    pub(super) const fn widths(&self) -> Widths {
        self.widths
    }

    /// The row of a record, found by its id alone.
    pub(super) fn row_of(&self, record_id: RecordId) -> Option<usize> {
        self.items
            .iter()
            .position(|record| record.record_id == record_id)
    }

    fn position(&self, record: &Record) -> Result<usize, usize> {
        self.items
            .binary_search_by(|other| compare(self.order, other, record))
    }

    fn account(&mut self, record: &Record) {
        self.payload_bytes += record.payload.get().len();
        let widths = &mut self.widths;
        widths.event_type = widths.event_type.max(width(&record.event_type));
        widths.source = widths.source.max(width(&record.source));
        widths.id = widths.id.max(width(&record.id));
        widths.subject = widths
            .subject
            .max(record.subject.as_deref().map_or(0, width));
    }
}

fn width(text: &str) -> usize {
    visible(text).width()
}

fn directed(order: Order, ordering: Ordering) -> Ordering {
    match order {
        Order::Asc => ordering,
        Order::Desc => ordering.reverse(),
    }
}

fn compare(order: Order, one: &Record, other: &Record) -> Ordering {
    let keys = (one.occurred_at, one.record_id).cmp(&(other.occurred_at, other.record_id));
    directed(order, keys)
}

fn is_above(order: Order, record: &Record, cursor: &Cursor) -> bool {
    let keys = (record.occurred_at, record.record_id).cmp(&(cursor.occurred_at, cursor.record_id));
    directed(order, keys) == Ordering::Less
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn record(secs: i64, record_id: i64) -> Record {
        let at = DateTime::from_timestamp(secs, 0).unwrap();
        Record {
            record_id: RecordId(record_id),
            source: "/ops/flights".into(),
            id: format!("event-{record_id}"),
            event_type: "flight.departed".into(),
            subject: None,
            occurred_at: at,
            ingested_at: at,
            payload: RawValue::from_string("{}".into()).unwrap(),
        }
    }

    fn page(items: Vec<Record>, has_next: bool) -> Page<Record> {
        let next_cursor = items.last().filter(|_| has_next).map(|last| Cursor {
            order: Order::Desc,
            occurred_at: last.occurred_at,
            record_id: last.record_id,
        });
        Page { items, next_cursor }
    }

    fn ids(rows: &Rows) -> Vec<i64> {
        rows.items()
            .iter()
            .map(|record| record.record_id.0)
            .collect()
    }

    #[test]
    fn new_rows_come_on_top_and_late_events_at_their_place() {
        let first = vec![record(50, 5), record(40, 4), record(30, 3)];
        let mut rows = Rows::new(page(first, true), Order::Desc);
        let newest = vec![
            record(60, 6),
            record(50, 5),
            record(45, 7),
            record(40, 4),
            record(20, 8),
        ];
        assert_eq!(rows.merge(page(newest, true)), 2);
        assert_eq!(
            ids(&rows),
            [6, 5, 7, 4, 3],
            "what belongs below the last row comes by paging"
        );
    }

    #[test]
    fn page_without_common_row_is_a_hole() {
        let rows = Rows::new(page(vec![record(10, 1)], true), Order::Desc);
        let above = vec![record(30, 3), record(20, 2)];
        assert!(rows.leaves_hole(&page(above.clone(), true)));
        assert!(
            !rows.leaves_hole(&page(above, false)),
            "the last page of all hides nothing"
        );
        assert!(!rows.leaves_hole(&page(vec![record(30, 3), record(10, 1)], true)));
    }

    #[test]
    fn trimmed_rows_are_reached_by_the_cursor_again() {
        let items: Vec<_> = (0..12_000).rev().map(|n| record(n, n)).collect();
        let mut rows = Rows::new(page(items, false), Order::Desc);
        assert!(rows.trim(5));
        assert!(rows.len() < ROWS_MAX);
        let last = rows.items().last().unwrap().record_id;
        assert_eq!(
            rows.next_cursor().map(|cursor| cursor.record_id),
            Some(last)
        );
    }
}
