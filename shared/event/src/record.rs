//! Stored events, and the pages and counts in which they are returned.
//!
//! Invariant: the JSON form of these types is the JSON of the HTTP API.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::cursor::Cursor;
use crate::record_id::RecordId;

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
    /// Time of the insert by the database's clock, to the microsecond.
    pub ingested_at: DateTime<Utc>,
    /// The whole event. Kept as text, because `numeric` stores numbers that no Rust type can.
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
    /// The rows, in the requested order.
    pub items: Vec<T>,
    /// Where the next page starts; `None` on the last page.
    pub next_cursor: Option<Cursor>,
}

/// Number of records of one group in one time bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsBucket {
    /// Start of the bucket, UTC.
    pub bucket_start: DateTime<Utc>,
    /// The type or source of the group; the type where both are counted separately.
    pub group: String,
    /// The source of the group, only where both are counted separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Records in the bucket.
    pub count: i64,
}

/// Number of records of one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeCount {
    /// CloudEvents `type`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Records of that type, up to the limit of counting.
    pub count: i64,
    /// Whether counting stopped at its limit: there are at least `count` records.
    pub count_is_minimum: bool,
    /// The newest `occurred_at`.
    pub last_occurred_at: DateTime<Utc>,
}
