//! Counts of the records. Invariant: every answer has a limit, and says so when it is an estimate.

use chrono::{DateTime, Utc};
use event::{Bucket, GroupBy, StatsBucket, StatsQuery, TypeCount};
use serde::Serialize;
use sqlx::PgPool;

use crate::error::{Context as _, StoreError};

const SUMMARY: &str = "summarize records";
const STATS: &str = "count records per bucket";
const TYPES: &str = "count records per type";

/// Beyond this many records the total is the planner's estimate: counting a million takes a tenth
/// of a second, and the console asks often.
pub const EXACT_COUNT_MAX: i64 = 1_000_000;
/// Rows of an answer of [`stats`] at most.
pub const STATS_ROWS_MAX: usize = 20_000;
/// Rows of an answer of [`types`] at most, the most frequent first.
pub const TYPES_MAX: i64 = 1_000;

/// The state of the records in a few numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Records that are stored.
    pub total: i64,
    /// Whether `total` is an estimate (see [`EXACT_COUNT_MAX`]).
    pub total_is_estimate: bool,
    /// When the newest record was written.
    pub last_ingested_at: Option<DateTime<Utc>>,
    /// The database's clock, by which the age of the newest record is told.
    pub database_now: DateTime<Utc>,
}

/// Summarizes the records.
///
/// # Errors
/// See [`StoreError`].
pub async fn summary(pool: &PgPool) -> Result<Summary, StoreError> {
    // The newest keys lead to the newest record; a few of them, because a late event's record may
    // have been dropped with its partition already.
    let (estimate, last_ingested_at, database_now): (i64, Option<DateTime<Utc>>, DateTime<Utc>) =
        sqlx::query_as(
            "select
                (select coalesce(sum(greatest(leaf.reltuples, 0)), 0)::bigint
                 from pg_partition_tree('records') as tree
                 join pg_class as leaf on leaf.oid = tree.relid
                 where tree.isleaf),
                (select r.ingested_at
                 from (select record_id, occurred_at from event_keys
                       order by record_id desc limit 100) as k
                 join records r on r.occurred_at = k.occurred_at and r.record_id = k.record_id
                 order by k.record_id desc limit 1),
                clock_timestamp()",
        )
        .fetch_one(pool)
        .await
        .context(SUMMARY)?;
    let (total, total_is_estimate) = if estimate > EXACT_COUNT_MAX {
        (estimate, true)
    } else {
        let counted: i64 = sqlx::query_scalar(
            "select count(*) from (select 1 from records limit $1) as some_records",
        )
        .bind(EXACT_COUNT_MAX + 1)
        .fetch_one(pool)
        .await
        .context(SUMMARY)?;
        (counted, counted > EXACT_COUNT_MAX)
    };
    Ok(Summary {
        total,
        total_is_estimate,
        last_ingested_at,
        database_now,
    })
}

/// Counts records per time bucket and group, in the order of both. Buckets start at UTC midnight,
/// the full hour or the full minute. The caller has validated the query.
///
/// # Errors
/// [`StoreError::TooManyRows`] beyond [`STATS_ROWS_MAX`], otherwise see [`StoreError`].
pub async fn stats(pool: &PgPool, query: &StatsQuery) -> Result<Vec<StatsBucket>, StoreError> {
    let statement = match query.group_by {
        GroupBy::Type => {
            "select date_bin($1::interval, occurred_at, timestamptz '2000-01-01 00:00:00+00'),
                 type, count(*)
             from records where occurred_at >= $2 and occurred_at < $3
             group by 1, 2 order by 1, 2 limit $4"
        }
        GroupBy::Source => {
            "select date_bin($1::interval, occurred_at, timestamptz '2000-01-01 00:00:00+00'),
                 source, count(*)
             from records where occurred_at >= $2 and occurred_at < $3
             group by 1, 2 order by 1, 2 limit $4"
        }
    };
    let width = match query.bucket {
        Bucket::Minute => chrono::TimeDelta::minutes(1),
        Bucket::Hour => chrono::TimeDelta::hours(1),
        Bucket::Day => chrono::TimeDelta::days(1),
    };
    let rows: Vec<(DateTime<Utc>, String, i64)> = sqlx::query_as(statement)
        .bind(width)
        .bind(query.from)
        .bind(query.to)
        .bind(
            i64::try_from(STATS_ROWS_MAX)
                .unwrap_or(i64::MAX)
                .saturating_add(1),
        )
        .fetch_all(pool)
        .await
        .context(STATS)?;
    if rows.len() > STATS_ROWS_MAX {
        return Err(StoreError::TooManyRows {
            operation: STATS,
            rows_max: STATS_ROWS_MAX,
        });
    }
    Ok(rows
        .into_iter()
        .map(|(bucket_start, group, count)| StatsBucket {
            bucket_start,
            group,
            count,
        })
        .collect())
}

/// Counts records per type, the most frequent first, at most [`TYPES_MAX`].
///
/// # Errors
/// See [`StoreError`].
pub async fn types(pool: &PgPool) -> Result<Vec<TypeCount>, StoreError> {
    let rows: Vec<(String, i64, DateTime<Utc>)> = sqlx::query_as(
        "select type, count(*), max(occurred_at)
         from records group by type order by 2 desc, 1 limit $1",
    )
    .bind(TYPES_MAX)
    .fetch_all(pool)
    .await
    .context(TYPES)?;
    Ok(rows
        .into_iter()
        .map(|(event_type, count, last_occurred_at)| TypeCount {
            event_type,
            count,
            last_occurred_at,
        })
        .collect())
}
