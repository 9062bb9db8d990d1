//! What is stored, and the shapes in which it is given out.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::cursor::Cursor;

/// Identity of a record inside one database, in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(pub i64);

impl fmt::Display for RecordId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A stored event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Identity in the database.
    pub record_id: RecordId,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// CloudEvents `type`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// CloudEvents `subject`.
    pub subject: Option<String>,
    /// CloudEvents `time`, to the microsecond.
    pub occurred_at: DateTime<Utc>,
    /// When the database committed to it, to the microsecond.
    pub ingested_at: DateTime<Utc>,
    /// The whole event. Kept as text: `numeric` holds numbers that no Rust number does.
    pub payload: Box<RawValue>,
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.record_id == other.record_id
            && self.source == other.source
            && self.id == other.id
            && self.event_type == other.event_type
            && self.subject == other.subject
            && self.occurred_at == other.occurred_at
            && self.ingested_at == other.ingested_at
            && self.payload.get() == other.payload.get()
    }
}

/// One page of a keyset list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows, in the asked order.
    pub items: Vec<T>,
    /// Where the next page starts; absent on the last one.
    pub next_cursor: Option<Cursor>,
}

/// Count of one group in one time bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsBucket {
    /// Start of the bucket, UTC.
    pub bucket_start: DateTime<Utc>,
    /// The type or source that was counted.
    pub group: String,
    /// Records in the bucket.
    pub count: i64,
}

/// How often a type occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeCount {
    /// CloudEvents `type`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Records of that type, as far as they were counted.
    pub count: i64,
    /// Whether counting stopped at its limit: there are `count` records or more.
    pub count_is_minimum: bool,
    /// The newest `occurred_at`.
    pub last_occurred_at: DateTime<Utc>,
}
