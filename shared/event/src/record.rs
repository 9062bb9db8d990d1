//! Stored events, and the pages and counts in which they are returned.
//!
//! Invariant: the JSON form of these types is the JSON of the HTTP API.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::cursor::{Cursor, CursorError};
use crate::query::RecordQuery;
use crate::record_id::RecordId;

/// A stored event. In an answer of the API it has all fields, unless `fields` chose some.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Record {
    /// Identity in the database.
    #[schema(required = false)]
    pub record_id: RecordId,
    /// CloudEvents `source`.
    #[schema(required = false)]
    pub source: String,
    /// CloudEvents `id`.
    #[schema(required = false)]
    pub id: String,
    /// CloudEvents `type`.
    #[serde(rename = "type")]
    #[schema(required = false)]
    pub event_type: String,
    /// CloudEvents `subject`.
    pub subject: Option<String>,
    /// CloudEvents `time`, to the microsecond.
    #[schema(required = false)]
    pub occurred_at: DateTime<Utc>,
    /// Time of the insert by the database's clock, to the microsecond.
    #[schema(required = false)]
    pub ingested_at: DateTime<Utc>,
    /// The whole event. Kept as text, because `numeric` stores numbers that no Rust type can.
    #[schema(value_type = Object, required = false)]
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
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows, in the requested order.
    pub items: Vec<T>,
    /// Where the next page starts; `None` on the last page.
    pub next_cursor: Option<Cursor>,
}

/// One page of records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordPage {
    /// The records, in the requested order.
    pub items: Vec<Record>,
    /// Pass it as `cursor` to read the next page; `null` on the last page.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl RecordPage {
    /// The page as the answer to `query`, to whose filters its cursor belongs.
    #[must_use]
    pub fn new(page: Page<Record>, query: &RecordQuery) -> Self {
        Self {
            items: page.items,
            next_cursor: page.next_cursor.map(|cursor| cursor.encode(query)),
        }
    }

    /// The page of an answer to `query`.
    ///
    /// # Errors
    /// When the cursor does not belong to the query.
    pub fn read(self, query: &RecordQuery) -> Result<Page<Record>, CursorError> {
        Ok(Page {
            items: self.items,
            next_cursor: self
                .next_cursor
                .map(|text| Cursor::decode(&text, query))
                .transpose()?,
        })
    }
}

/// Records in order of arrival.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordFeed {
    /// The records, in the order of `record_id`.
    pub items: Vec<Record>,
    /// Pass it as `after`, now or later.
    pub next_after: RecordId,
    /// Whether more can be read at once; otherwise the reader is up to date.
    pub has_more: bool,
}

/// An event that is in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoredEvent {
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// Identity of its record.
    pub record_id: RecordId,
    /// CloudEvents `time`, to the microsecond.
    pub occurred_at: DateTime<Utc>,
    /// Since when it is stored; `null` when its record was dropped with its partition, or erased.
    #[schema(required)]
    pub ingested_at: Option<DateTime<Utc>>,
    /// SHA-256 of the text of its payload in the database, where that was asked for and there is a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub payload_sha256: Option<String>,
}

/// Size of one partition of the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartitionSize {
    /// Name of the table.
    pub name: String,
    /// Range of `occurred_at`, as PostgreSQL writes it.
    pub bounds: String,
    /// The planner's estimate of its records; 0 before the first analysis.
    pub records_estimate: i64,
    /// Bytes on disk, indexes included.
    pub bytes: i64,
}

/// Totals of the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordSummary {
    /// Number of records.
    pub total: i64,
    /// Whether `total` is an estimate: only while an upgrade counts the records of the past.
    pub total_is_estimate: bool,
    /// Time of the newest insert; `null` when there is no record.
    #[schema(required)]
    pub last_ingested_at: Option<DateTime<Utc>>,
    /// The database's clock: the age of the newest record is the difference.
    pub database_now: DateTime<Utc>,
    /// When the schema of the database was created, which tells two databases apart; a copy and a restore have
    /// the same. An API of an earlier version does not say it.
    #[serde(default)]
    #[schema(required, nullable = false, value_type = DateTime<Utc>)]
    pub database_created_at: Option<DateTime<Utc>>,
    /// The newest migration of the schema; programs of another release may not fit it. An API of an earlier version
    /// does not say it.
    #[serde(default)]
    #[schema(required, nullable = false, value_type = i64)]
    pub schema_version: Option<i64>,
    /// Number of partitions.
    pub partitions_total: i64,
    /// The partitions, the newest first, up to a limit.
    pub partitions: Vec<PartitionSize>,
}
