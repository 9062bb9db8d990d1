//! A record that was read, and the columns of a row that it is made of.

use chrono::{DateTime, Utc};
use event::Record;

use super::compact::compact;

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRecord {
    /// Its name, unique within its source: `record 17`, or file and row.
    pub name: String,
    /// The whole event, without the blanks that PostgreSQL writes into JSON.
    pub body: String,
}

/// What of a row decides whether it is wanted.
pub(super) struct Columns {
    pub(super) source: String,
    pub(super) event_type: String,
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) payload: String,
}

impl From<Record> for ReadRecord {
    fn from(record: Record) -> Self {
        Self {
            name: format!("record {}", record.record_id),
            body: compact(record.payload.get()),
        }
    }
}

impl ReadRecord {
    /// Of a row of a file.
    pub(super) fn of_row(name: String, columns: &Columns) -> Self {
        Self {
            name,
            body: compact(&columns.payload),
        }
    }
}
