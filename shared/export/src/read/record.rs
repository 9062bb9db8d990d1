//! A record that was read.

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
    pub(super) fn of_row(name: String, record: &Record) -> Self {
        Self {
            name,
            body: compact(record.payload.get()),
        }
    }
}
