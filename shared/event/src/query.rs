//! Queries of the records and of their statistics.
//!
//! Invariant: `validate` accepts only queries within the limits of this module.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cursor::Cursor;
use crate::order::Order;

/// Default rows of a page.
pub const LIMIT_DEFAULT: u16 = 50;
/// Most rows of a page.
pub const LIMIT_MAX: u16 = 500;

/// Filters and position of one page of records. A filter that is `None` matches everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordQuery {
    /// Exact CloudEvents `source`.
    pub source: Option<String>,
    /// Exact CloudEvents `id`.
    pub id: Option<String>,
    /// Exact CloudEvents `type`.
    pub event_type: Option<String>,
    /// Exact CloudEvents `subject`.
    pub subject: Option<String>,
    /// Earliest `occurred_at`, inclusive.
    pub from: Option<DateTime<Utc>>,
    /// Latest `occurred_at`, exclusive.
    pub to: Option<DateTime<Utc>>,
    /// Order of the list.
    pub order: Order,
    /// Rows of the page, 1 to [`LIMIT_MAX`].
    pub limit: u16,
    /// Where the page starts; `None` for the first page.
    pub cursor: Option<Cursor>,
}

impl Default for RecordQuery {
    fn default() -> Self {
        Self {
            source: None,
            id: None,
            event_type: None,
            subject: None,
            from: None,
            to: None,
            order: Order::default(),
            limit: LIMIT_DEFAULT,
            cursor: None,
        }
    }
}

/// A parameter of a query that is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {detail}")]
pub struct QueryError {
    /// Name of the parameter, as the client wrote it.
    pub parameter: &'static str,
    /// What is wrong, and what is allowed.
    pub detail: String,
}

impl RecordQuery {
    /// Checks the limits and that the parameters are consistent.
    ///
    /// # Errors
    /// Names the first invalid parameter.
    pub fn validate(&self) -> Result<(), QueryError> {
        if self.limit == 0 || self.limit > LIMIT_MAX {
            return Err(QueryError {
                parameter: "limit",
                detail: format!("{} is not between 1 and {LIMIT_MAX}", self.limit),
            });
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(QueryError {
                parameter: "to",
                detail: format!("{to} is not after from ({from})"),
            });
        }
        if let Some(cursor) = self.cursor
            && cursor.order != self.order
        {
            return Err(QueryError {
                parameter: "cursor",
                detail: "was made for the other order; start again without it".to_owned(),
            });
        }
        Ok(())
    }
}

/// Width of a time bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bucket {
    /// One minute.
    Minute,
    /// One hour.
    #[default]
    Hour,
    /// One UTC day.
    Day,
}

/// What statistics are grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupBy {
    /// CloudEvents `type`.
    #[default]
    Type,
    /// CloudEvents `source`.
    Source,
    /// Both: each pair of a type and a source.
    Both,
}

macro_rules! keyword {
    ($kind:ty { $($variant:path => $text:literal),+ $(,)? } $choices:literal) => {
        impl $kind {
            /// The keyword in query parameters.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($variant => $text),+ }
            }
        }
        impl fmt::Display for $kind {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.as_str())
            }
        }
        impl FromStr for $kind {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok($variant),)+
                    other => Err(format!("{other:?} is not one of {}", $choices)),
                }
            }
        }
    };
}

keyword!(Order { Order::Asc => "asc", Order::Desc => "desc" } "asc, desc");
keyword!(Bucket {
    Bucket::Minute => "minute", Bucket::Hour => "hour", Bucket::Day => "day",
} "minute, hour, day");
keyword!(GroupBy {
    GroupBy::Type => "type", GroupBy::Source => "source", GroupBy::Both => "both",
} "type, source, both");

/// A request for counts of records per time bucket and group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsQuery {
    /// Earliest `occurred_at`, inclusive.
    pub from: DateTime<Utc>,
    /// Latest `occurred_at`, exclusive.
    pub to: DateTime<Utc>,
    /// Width of a bucket.
    pub bucket: Bucket,
    /// Attribute whose values are counted separately.
    pub group_by: GroupBy,
}

impl StatsQuery {
    /// Most buckets of one response.
    pub const BUCKETS_MAX: i64 = 10_000;

    /// Checks that the range is not empty and has at most [`Self::BUCKETS_MAX`] buckets.
    ///
    /// # Errors
    /// Names the invalid parameter.
    pub fn validate(&self) -> Result<(), QueryError> {
        if self.from >= self.to {
            return Err(QueryError {
                parameter: "to",
                detail: format!("{} is not after from ({})", self.to, self.from),
            });
        }
        let width_secs = match self.bucket {
            Bucket::Minute => 60,
            Bucket::Hour => 3_600,
            Bucket::Day => 86_400,
        };
        if (self.to - self.from).num_seconds() / width_secs > Self::BUCKETS_MAX {
            return Err(QueryError {
                parameter: "bucket",
                detail: format!(
                    "the range has more than {} {}s; choose a wider bucket or a shorter range",
                    Self::BUCKETS_MAX,
                    self.bucket
                ),
            });
        }
        Ok(())
    }
}
