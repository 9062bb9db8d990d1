//! Places in the order of all records, by time and id.
//!
//! Invariant: it is the order of the primary key, and of the pages of every list.

use chrono::{DateTime, TimeZone as _, Utc};
use event::{Cursor, Order, RecordId, RecordQuery};

/// A place in the order of all records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) record_id: i64,
}

impl Position {
    /// Before every record of that time.
    pub(crate) const fn start_of(occurred_at: DateTime<Utc>) -> Self {
        Self {
            occurred_at,
            record_id: i64::MIN,
        }
    }

    pub(crate) fn cursor(self, order: Order) -> Cursor {
        Cursor {
            order,
            occurred_at: self.occurred_at,
            record_id: RecordId(self.record_id),
        }
    }
}

/// The positions between which the records of a query lie, both exclusive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) after: Position,
    pub(crate) before: Position,
}

impl Bounds {
    /// Before every record.
    pub(crate) fn first() -> Position {
        start_of_year(-2_000)
    }

    /// After every record.
    pub(crate) fn last() -> Position {
        start_of_year(20_000)
    }

    pub(crate) fn of(query: &RecordQuery) -> Self {
        let mut after = query.from.map_or_else(Self::first, Position::start_of);
        let mut before = query.to.map_or_else(Self::last, Position::start_of);
        if let Some(cursor) = query.cursor {
            let position = Position {
                occurred_at: cursor.occurred_at,
                record_id: cursor.record_id.0,
            };
            match query.order {
                Order::Asc => after = after.max(position),
                Order::Desc => before = before.min(position),
            }
        }
        Self { after, before }
    }

    pub(crate) fn contain(&self, position: Position) -> bool {
        self.after < position && position < self.before
    }
}

/// The years that are used are beyond those of RFC 3339 and within those of PostgreSQL.
fn start_of_year(year: i32) -> Position {
    let start = Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).single();
    Position::start_of(start.unwrap_or(DateTime::UNIX_EPOCH))
}
