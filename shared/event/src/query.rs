//! Queries of the records and of their statistics.
//!
//! Invariant: `validate` accepts only queries within the limits of this module.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::counts::StatsBucket;
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

impl Bucket {
    const fn width_secs(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
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

    /// Adds the buckets without records of each group that has any, with the count 0, to counts in the order
    /// of bucket and group.
    ///
    /// # Errors
    /// The number of rows, where that is more than `rows_max`.
    pub fn fill_gaps(
        &self,
        counts: Vec<StatsBucket>,
        rows_max: usize,
    ) -> Result<Vec<StatsBucket>, usize> {
        let groups: BTreeSet<(String, Option<String>)> = counts
            .iter()
            .map(|one| (one.group.clone(), one.source.clone()))
            .collect();
        let width = TimeDelta::seconds(self.bucket.width_secs());
        let first = self.from.duration_trunc(width).unwrap_or(self.from);
        let starts = std::iter::successors(Some(first), |start| Some(*start + width))
            .take_while(|start| *start < self.to);
        let rows = groups.len() * starts.clone().count();
        if rows > rows_max {
            return Err(rows);
        }
        let mut counts = counts.into_iter().peekable();
        let mut filled = Vec::with_capacity(rows);
        for bucket_start in starts {
            for (group, source) in &groups {
                let is_this = |one: &StatsBucket| {
                    one.bucket_start == bucket_start && one.group == *group && one.source == *source
                };
                filled.push(counts.next_if(is_this).unwrap_or_else(|| StatsBucket {
                    bucket_start,
                    group: group.clone(),
                    source: source.clone(),
                    count: 0,
                }));
            }
        }
        Ok(filled)
    }

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
        if (self.to - self.from).num_seconds() / self.bucket.width_secs() > Self::BUCKETS_MAX {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn count(hour: i64, group: &str, source: &str, count: i64) -> StatsBucket {
        StatsBucket {
            bucket_start: at(hour * 60),
            group: group.to_owned(),
            source: Some(source.to_owned()),
            count,
        }
    }

    #[test]
    fn gaps_are_filled_for_each_group_from_the_first_bucket_to_the_last() {
        let query = StatsQuery {
            from: at(70),
            to: at(181),
            bucket: Bucket::Hour,
            group_by: GroupBy::Both,
        };
        let counts = vec![
            count(1, "b", "s", 4),
            count(3, "a", "s", 5),
            count(3, "b", "s", 6),
        ];
        let expected = vec![
            count(1, "a", "s", 0),
            count(1, "b", "s", 4),
            count(2, "a", "s", 0),
            count(2, "b", "s", 0),
            count(3, "a", "s", 5),
            count(3, "b", "s", 6),
        ];
        assert_eq!(query.fill_gaps(counts.clone(), 6), Ok(expected));
        assert_eq!(query.fill_gaps(counts, 5), Err(6));
        assert_eq!(query.fill_gaps(Vec::new(), 0), Ok(Vec::new()));
    }
}
