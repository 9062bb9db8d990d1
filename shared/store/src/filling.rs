//! A page in the making.
//!
//! Invariant: a page has at most the records and about the bytes that it may have, and its cursor is behind the
//! last record that it has.

use event::{Order, Page, RecordQuery};

use crate::position::Position;
use crate::record_row::{PAGE_BYTES_MAX, RecordRow};

/// The rows of a page, until it is full.
pub(crate) struct Filling {
    limit: usize,
    bytes: usize,
    items: Vec<RecordRow>,
    order: Order,
}

impl Filling {
    pub(crate) fn new(query: &RecordQuery) -> Self {
        Self {
            limit: usize::from(query.limit),
            bytes: 0,
            items: Vec::new(),
            order: query.order,
        }
    }

    /// Adds a record; `false` when the page is full without it.
    pub(crate) fn add(&mut self, record: RecordRow) -> bool {
        self.bytes += record.payload_bytes().unwrap_or_default();
        let is_full = self.items.len() >= self.limit
            || (self.bytes > PAGE_BYTES_MAX && !self.items.is_empty());
        if !is_full {
            self.items.push(record);
        }
        !is_full
    }

    /// Whether the server leaves out what follows.
    pub(crate) const fn is_large(&self) -> bool {
        self.bytes > PAGE_BYTES_MAX
    }

    /// The page, where more records may follow its last one.
    pub(crate) fn and_more(self) -> Page<RecordRow> {
        let last = self.items.last().map(|last| last.position);
        self.ending(last)
    }

    /// The page, continued behind a position; `None` at the end of the list.
    pub(crate) fn ending(self, position: Option<Position>) -> Page<RecordRow> {
        Page {
            next_cursor: position.map(|position| position.cursor(self.order)),
            items: self.items,
        }
    }
}
