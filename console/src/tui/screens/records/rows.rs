//! The part of the list of records that is kept: a window that moves with the operator.
//!
//! Invariant: rows are in the order of the list, each record once, without a hole between the first and the last. What
//! is above the first is reached by `previous_cursor`, what is below the last by `next_cursor`; each is `None` where
//! nothing was there when it was read. What is kept is bounded, whatever is paged through.

use std::cmp::Ordering;
use std::ops::Range;

use chrono::{DateTime, Utc};
use event::{Cursor, Order, Page, Record, RecordId};
use unicode_width::UnicodeWidthStr as _;

use crate::pointer::{Cell, Pointer};
use crate::tui::format::visible;

/// Rows that are kept at most.
pub(super) const ROWS_MAX: usize = 10_000;
/// Bytes of payload that are kept at most.
pub(super) const PAYLOAD_BYTES_MAX: usize = 32 * 1_024 * 1_024;

/// Widest value of each column so far, so that columns do not jump while scrolling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Widths {
    pub(super) event_type: usize,
    pub(super) source: usize,
    pub(super) id: usize,
    pub(super) subject: usize,
    /// Of the columns that pointers add.
    pub(super) pointers: Vec<usize>,
}

/// A record, and what the pointers point at in it once it was made ready.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) record: Record,
    pub(super) cells: Option<Vec<Cell>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    items: Vec<Row>,
    next_cursor: Option<Cursor>,
    previous_cursor: Option<Cursor>,
    /// Rows above the first that were read and let go; `None` where their number is not known.
    above: Option<usize>,
    order: Order,
    payload_bytes: usize,
    widths: Widths,
}

impl Rows {
    /// The first page of a list.
    pub(super) fn new(page: Page<Record>, order: Order) -> Self {
        let mut rows = Self {
            order,
            above: Some(0),
            ..Self::default()
        };
        rows.append(page);
        rows
    }

    /// The last page of a list, which was read from its end: its rows are in the other order.
    pub(super) fn from_the_end(page: Page<Record>, order: Order) -> Self {
        let mut rows = Self {
            order,
            ..Self::default()
        };
        rows.prepend(page);
        rows
    }

    /// The page behind the last row.
    pub(super) fn append(&mut self, page: Page<Record>) {
        self.next_cursor = page.next_cursor;
        for record in &page.items {
            self.account(record);
        }
        self.items.extend(page.items.into_iter().map(unready));
    }

    /// The page before the first row, which was read upwards: its rows are in the other order. Returns how many they are.
    pub(super) fn prepend(&mut self, page: Page<Record>) -> usize {
        let added = page.items.len();
        self.previous_cursor = page.next_cursor;
        self.above = match self.previous_cursor {
            None => Some(0),
            Some(_) => self.above.map(|above| above.saturating_sub(added)),
        };
        for record in &page.items {
            self.account(record);
        }
        let upwards = page.items.into_iter().rev().map(unready);
        self.items.splice(0..0, upwards);
        added
    }

    /// Whether the newest page ends above the first row and is not all there is: then rows may
    /// lie between them that nobody has seen.
    pub(super) fn leaves_hole(&self, newest: &Page<Record>) -> bool {
        match (self.items.first(), newest.items.last()) {
            (Some(first), Some(last)) => {
                newest.next_cursor.is_some()
                    && compare(self.order, last, &first.record) == Ordering::Less
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
            self.items.splice(0..0, fresh.into_iter().map(unready));
            self.items
                .sort_by(|one, other| compare(order, &one.record, &other.record));
        }
        added
    }

    /// Lets go of the last rows beyond the limits, but keeps the first `kept`. Whether any went.
    pub(super) fn trim(&mut self, kept: usize) -> bool {
        let length = self.items.len();
        while self.is_full() && self.items.len() > kept.max(1) {
            let Some(gone) = self.items.pop() else { break };
            self.payload_bytes -= gone.record.payload.get().len();
            let last = self.items.last();
            self.next_cursor = last.map(|row| cursor_at(self.order, &row.record));
        }
        self.items.len() < length
    }

    /// Lets go of the first rows beyond the limits, `most` of them at most. Returns how many went.
    pub(super) fn trim_top(&mut self, most: usize) -> usize {
        let (mut rows, mut bytes) = (self.items.len(), self.payload_bytes);
        let mut gone = 0;
        for row in self.items.iter().take(most) {
            if rows < ROWS_MAX && bytes < PAYLOAD_BYTES_MAX {
                break;
            }
            rows -= 1;
            bytes -= row.record.payload.get().len();
            gone += 1;
        }
        self.payload_bytes = bytes;
        drop(self.items.drain(..gone));
        if gone > 0 {
            let first = self.items.first();
            self.previous_cursor = first.map(|row| cursor_at(other(self.order), &row.record));
            self.above = self.above.map(|above| above + gone);
        }
        gone
    }

    /// Lets go of the last rows that occurred before a time at which the list ends, so that there is no page below.
    /// Whether any went.
    pub(super) fn end_at(&mut self, from: DateTime<Utc>) -> bool {
        let length = self.items.len();
        while let Some(gone) = self.items.pop_if(|last| last.record.occurred_at < from) {
            self.payload_bytes -= gone.record.payload.get().len();
            self.next_cursor = None;
        }
        self.items.len() < length
    }

    /// Other pointers: what the earlier ones found is forgotten.
    pub(super) fn point_anew(&mut self) {
        self.widths.pointers.clear();
        for row in &mut self.items {
            row.cells = None;
        }
    }

    /// Reads what the pointers point at, in these rows alone.
    pub(super) fn make_ready(&mut self, rows: Range<usize>, pointers: &[Pointer]) {
        self.widths.pointers.resize(pointers.len(), 0);
        let rows = self.items.iter_mut().skip(rows.start).take(rows.len());
        for row in rows.filter(|row| row.cells.is_none()) {
            let payload = row.record.payload.get();
            let cells: Vec<Cell> = pointers.iter().map(|it| it.read(payload)).collect();
            for (widest, cell) in self.widths.pointers.iter_mut().zip(&cells) {
                *widest = (*widest).max(match cell {
                    Cell::Absent => 1,
                    Cell::Number(text) | Cell::Text(text) => text.width(),
                });
            }
            row.cells = Some(cells);
        }
    }

    /// The rows.
    pub(super) fn items(&self) -> &[Row] {
        &self.items
    }

    /// The records of the rows.
    pub(super) fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.items.iter().map(|row| &row.record)
    }

    /// One row.
    pub(super) fn get(&self, row: usize) -> Option<&Record> {
        self.items.get(row).map(|row| &row.record)
    }

    /// Number of rows that are kept.
    pub(super) const fn len(&self) -> usize {
        self.items.len()
    }

    /// Rows above the first that were read and let go, where their number is known.
    pub(super) const fn above(&self) -> Option<usize> {
        self.above
    }

    /// Where the next page starts, if there is one.
    pub(super) const fn next_cursor(&self) -> Option<Cursor> {
        self.next_cursor
    }

    /// Where the page above starts, read upwards, if there is one.
    pub(super) const fn previous_cursor(&self) -> Option<Cursor> {
        self.previous_cursor
    }

    /// Whether no more is kept.
    pub(super) const fn is_full(&self) -> bool {
        self.items.len() >= ROWS_MAX || self.payload_bytes >= PAYLOAD_BYTES_MAX
    }

    /// Widest values so far.
    pub(super) const fn widths(&self) -> &Widths {
        &self.widths
    }

    /// The row of a record, found by its id alone.
    pub(super) fn row_of(&self, record_id: RecordId) -> Option<usize> {
        self.records()
            .position(|record| record.record_id == record_id)
    }

    fn position(&self, record: &Record) -> Result<usize, usize> {
        self.items
            .binary_search_by(|other| compare(self.order, &other.record, record))
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

const fn unready(record: Record) -> Row {
    Row {
        record,
        cells: None,
    }
}

fn width(text: &str) -> usize {
    visible(text).width()
}

/// The order in which a page is read upwards.
pub(super) const fn other(order: Order) -> Order {
    match order {
        Order::Asc => Order::Desc,
        Order::Desc => Order::Asc,
    }
}

const fn cursor_at(order: Order, record: &Record) -> Cursor {
    Cursor {
        order,
        occurred_at: record.occurred_at,
        record_id: record.record_id,
    }
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
    use proptest::prelude::*;
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
        rows.records().map(|record| record.record_id.0).collect()
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
        let mut rows = Rows::new(page(items.clone(), false), Order::Desc);
        assert!(rows.trim(5));
        assert!(rows.len() < ROWS_MAX);
        let last = rows.records().next_back().unwrap().record_id;
        assert_eq!(
            rows.next_cursor().map(|cursor| cursor.record_id),
            Some(last)
        );

        let mut rows = Rows::new(page(items, false), Order::Desc);
        assert_eq!(rows.trim_top(100), 100, "no more than may go");
        assert_eq!(rows.trim_top(11_000), 1_901);
        assert_eq!((rows.len(), rows.above()), (ROWS_MAX - 1, Some(2_001)));
        let first = rows.get(0).unwrap().record_id;
        let above = rows.previous_cursor().unwrap();
        assert_eq!((above.record_id, above.order), (first, Order::Asc));
        assert_eq!(rows.trim_top(11_000), 0);
    }

    /// What the database answers to a cursor: records 1 to `total`, one a second, 500 a page.
    fn answer(total: i64, order: Order, cursor: Option<Cursor>) -> Page<Record> {
        let after = cursor.map(|cursor| cursor.record_id.0);
        let (ids, left): (Vec<i64>, i64) = match order {
            Order::Desc => {
                let left = after.unwrap_or(total + 1) - 1;
                ((1..=left).rev().take(500).collect(), left)
            }
            Order::Asc => {
                let before = after.unwrap_or(0);
                ((before + 1..=total).take(500).collect(), total - before)
            }
        };
        let items: Vec<_> = ids.iter().map(|n| record(*n, *n)).collect();
        let last = items.last().filter(|_| left > 500);
        let next_cursor = last.map(|last| cursor_at(order, last));
        Page { items, next_cursor }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Up and down, through more than is kept: never a hole, never a record twice, and both ends are found.
        #[test]
        fn window_has_no_hole_however_one_pages(
            total in 1i64..40_000, steps in proptest::collection::vec((any::<bool>(), 1usize..30), 1..12),
            from_the_end in any::<bool>(), order in prop_oneof![Just(Order::Asc), Just(Order::Desc)]
        ) {
            let mut rows = if from_the_end {
                Rows::from_the_end(answer(total, other(order), None), order)
            } else {
                Rows::new(answer(total, order, None), order)
            };
            for (is_down, pages) in steps {
                for _ in 0..pages {
                    if is_down {
                        let Some(cursor) = rows.next_cursor() else { break };
                        rows.append(answer(total, order, Some(cursor)));
                        rows.trim_top(rows.len().saturating_sub(100));
                    } else {
                        let Some(cursor) = rows.previous_cursor() else { break };
                        rows.prepend(answer(total, other(order), Some(cursor)));
                        rows.trim(100);
                    }
                    prop_assert!(rows.len() < ROWS_MAX);
                }
                let ids = ids(&rows);
                let step = if order == Order::Asc { 1 } else { -1 };
                prop_assert!(ids.windows(2).all(|pair| pair[1] - pair[0] == step), "{:?}", ids);
                let (newest, oldest) = (total, 1);
                let (top, bottom) = if order == Order::Asc { (oldest, newest) } else { (newest, oldest) };
                prop_assert_eq!(rows.previous_cursor().is_none(), ids.first() == Some(&top));
                prop_assert_eq!(rows.next_cursor().is_none(), ids.last() == Some(&bottom));
                let above = (ids[0] - top).unsigned_abs();
                prop_assert!(rows.above().is_none_or(|known| known as u64 == above));
            }
        }
    }
}
