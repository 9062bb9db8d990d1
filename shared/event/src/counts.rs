//! Counts of records.
//!
//! Invariant: the JSON form of these types is the JSON of the HTTP API.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Number of records of one group in one time bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatsBucket {
    /// Start of the bucket, UTC.
    pub bucket_start: DateTime<Utc>,
    /// The type or source of the group; the type where both are counted separately.
    pub group: String,
    /// The source of the group, only where both are counted separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub source: Option<String>,
    /// Records in the bucket.
    pub count: i64,
}

/// Number of records of one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TypeCount {
    /// CloudEvents `type`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Records of that type.
    pub count: i64,
    /// Whether there may be more than `count` records: never. An earlier version stopped counting at 10,000.
    pub count_is_minimum: bool,
    /// The newest `occurred_at`.
    pub last_occurred_at: DateTime<Utc>,
}
