//! Counts of records over time, from the rollup `event_counts`.
//!
//! Invariant: every result is that of a count of the records themselves, and its cost is limited before the
//! work: the rollup knows how many records a part of it would have to read.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use event::{Bucket, GroupBy, StatsBucket, StatsQuery};
use sqlx::PgPool;

use crate::error::{Context as _, StoreError};
use crate::lease::{Source, one_row, rows};
use crate::partition_step::begin_step;

const STATS: &str = "count records per bucket";
const FOLD: &str = "fold the counts of past hours";

/// Most rows of a result of [`stats`].
pub const STATS_ROWS_MAX: usize = 20_000;
/// Most records that one call of [`stats`] reads: those of buckets narrower than an hour, and those of the
/// hours of which the range has only a part. About half a second.
pub const STATS_RAW_MAX: i64 = 500_000;
/// Most rows of the rollup that one call reads.
const ROLLUP_ROWS_MAX: i64 = 2_000_000;
/// Most hours that one run folds, so that it ends within the function's timeout; the next continues.
const FOLDED_HOURS_MAX: i64 = 10_000;

/// Hours with unfolded counts.
const UNFOLDED: &str = "
select distinct hour from event_counts where slot <> 0 and hour < $1 order by hour limit $2";

/// Rows that a write has locked are left for the next run, so that neither waits for the other in a circle.
/// Slot 0 is only used under the lock of a step, and by deletions.
const FOLD_HOUR: &str = "
with chosen as (
    select type, source, slot from event_counts
    where hour = $1 and slot <> 0 for update skip locked
), unfolded as (
    delete from event_counts as c using chosen
    where c.hour = $1 and c.type = chosen.type and c.source = chosen.source and c.slot = chosen.slot
    returning c.type, c.source, c.events
)
insert into event_counts as c (hour, type, source, slot, events)
select $1, type, source, 0, sum(events) from unfolded group by 2, 3 order by 2, 3
on conflict (hour, type, source, slot) do update set events = c.events + excluded.events";

/// Pairs that have no record left.
const DELETE_EMPTY: &str = "delete from event_counts where hour = $1 and slot = 0 and events = 0";

/// Counts records per time bucket and group, in the order of both. Buckets start at UTC midnight, the full
/// hour or the full minute; one without records is left out. The query must have passed `validate`.
///
/// Whole hours are read from the rollup; minutes, and the hours of which the range has only a part, from the
/// records.
///
/// # Errors
/// [`StoreError::TooBroad`], before the work, where it would read too much; [`StoreError::TooManyRows`] beyond
/// [`STATS_ROWS_MAX`].
/// [`StoreError::Unavailable`] while the records of the past are being counted after an upgrade.
pub async fn stats(
    source: impl Into<Source<'_>>,
    query: &StatsQuery,
) -> Result<Vec<StatsBucket>, StoreError> {
    let reader = source.into();
    let parts = Parts::of(query);
    check_cost(reader, query, &parts).await?;
    let mut counts: BTreeMap<(DateTime<Utc>, String, Option<String>), i64> = BTreeMap::new();
    let whole = parts.whole.map(|range| (rollup_statement(query), range));
    let raw = parts
        .raw
        .into_iter()
        .map(|range| (raw_statement(query), range));
    for (statement, (from, to)) in whole.into_iter().chain(raw) {
        let question = sqlx::query_as(&statement)
            .bind(from)
            .bind(to)
            .bind(i64::try_from(STATS_ROWS_MAX).unwrap_or(i64::MAX) + 1);
        let found: Vec<(DateTime<Utc>, String, Option<String>, i64)> =
            rows(reader, STATS, question).await?;
        for (bucket_start, group, source, count) in found {
            *counts.entry((bucket_start, group, source)).or_default() += count;
        }
        if counts.len() > STATS_ROWS_MAX {
            return Err(StoreError::TooManyRows {
                operation: STATS,
                rows_max: STATS_ROWS_MAX,
            });
        }
    }
    Ok(counts
        .into_iter()
        .map(|((bucket_start, group, source), count)| StatsBucket {
            bucket_start,
            group,
            source,
            count,
        })
        .collect())
}

/// Moves the counts of hours that are over into one row for each type and source, so that a read needs fewer
/// rows, and returns the number of hours. Each hour is a transaction of its own.
///
/// # Errors
/// See [`StoreError`]; hours before the failed one stay folded.
pub async fn fold_counts(pool: &PgPool, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let hours: Vec<DateTime<Utc>> = sqlx::query_scalar(UNFOLDED)
        .bind(hour_of(now))
        .bind(FOLDED_HOURS_MAX)
        .fetch_all(pool)
        .await
        .context(FOLD)?;
    let mut folded = 0;
    for hour in hours {
        let mut transaction = begin_step(pool).await?;
        for statement in [FOLD_HOUR, DELETE_EMPTY] {
            sqlx::query(statement)
                .bind(hour)
                .execute(&mut *transaction)
                .await
                .context(FOLD)?;
        }
        transaction.commit().await.context(FOLD)?;
        folded += 1;
    }
    Ok(folded)
}

type TimeRange = (DateTime<Utc>, DateTime<Utc>);

/// How the range of a query is read.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    /// Whole hours, from the rollup.
    whole: Option<TimeRange>,
    /// From the records.
    raw: Vec<TimeRange>,
}

impl Parts {
    fn of(query: &StatsQuery) -> Self {
        let all = (query.from, query.to);
        let (first, last) = (next_hour(query.from), hour_of(query.to));
        if query.bucket == Bucket::Minute || first >= last {
            return Self {
                whole: None,
                raw: vec![all],
            };
        }
        let ends = [(query.from, first), (last, query.to)];
        Self {
            whole: Some((first, last)),
            raw: ends.into_iter().filter(|(from, to)| from < to).collect(),
        }
    }
}

fn hour_of(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::hours(1)).unwrap_or(time)
}

/// The first full hour at or after the time.
fn next_hour(time: DateTime<Utc>) -> DateTime<Utc> {
    let hour = hour_of(time);
    if hour == time {
        time
    } else {
        hour + TimeDelta::hours(1)
    }
}

/// Refuses what would read too much.
async fn check_cost(
    source: Source<'_>,
    query: &StatsQuery,
    parts: &Parts,
) -> Result<(), StoreError> {
    let question = sqlx::query_as(
        "select to_regclass('event_counts_backfill') is not null,
             (select count(*) from (
                 select from event_counts where hour >= $1 and hour < $2 limit $3
             ) as some_rows)",
    )
    .bind(hour_of(query.from))
    .bind(next_hour(query.to))
    .bind(ROLLUP_ROWS_MAX + 1);
    let (is_filling, rollup_rows): (bool, i64) = one_row(source, STATS, question).await?;
    if is_filling {
        return Err(StoreError::Unavailable {
            operation: STATS,
            detail: "the records of the past are being counted".to_owned(),
        });
    }
    if rollup_rows > ROLLUP_ROWS_MAX {
        return Err(too_broad(
            "from",
            "the range has more than 2,000,000 counts of an hour, type and source; choose a shorter one",
        ));
    }
    let mut raw = 0;
    for (from, to) in &parts.raw {
        let question = sqlx::query_as(
            "select coalesce(sum(events), 0)::bigint from event_counts where hour >= $1 and hour < $2",
        )
        .bind(hour_of(*from))
        .bind(next_hour(*to));
        let (events,): (i64,) = one_row(source, STATS, question).await?;
        raw += events;
    }
    if raw <= STATS_RAW_MAX {
        return Ok(());
    }
    Err(match query.bucket {
        Bucket::Minute => too_broad(
            "bucket",
            "the hours of the range have more than 500,000 records; count per hour, or choose a shorter range",
        ),
        Bucket::Hour | Bucket::Day => too_broad(
            "from",
            "the hours of which the range has only a part have more than 500,000 records; begin and end at \
             a full hour",
        ),
    })
}

const fn too_broad(parameter: &'static str, advice: &'static str) -> StoreError {
    StoreError::TooBroad {
        operation: STATS,
        parameter,
        advice,
    }
}

/// The columns of the groups: the group, and the source where both are counted separately.
const fn columns(group_by: GroupBy) -> &'static str {
    match group_by {
        GroupBy::Type => "type, null::text",
        GroupBy::Source => "source, null::text",
        GroupBy::Both => "type, source",
    }
}

/// For hours the rows come in the order of the result, so that the limit ends the work.
fn rollup_statement(query: &StatsQuery) -> String {
    let bucket = match query.bucket {
        Bucket::Minute | Bucket::Hour => "hour",
        Bucket::Day => "date_trunc('day', hour, 'UTC')",
    };
    format!(
        "select {bucket}, {}, sum(events)::bigint
         from event_counts where hour >= $1 and hour < $2
         group by 1, 2, 3 having sum(events) <> 0 order by 1, 2, 3 limit $3",
        columns(query.group_by)
    )
}

fn raw_statement(query: &StatsQuery) -> String {
    format!(
        "select date_trunc('{}', occurred_at, 'UTC'), {}, count(*)
         from records where occurred_at >= $1 and occurred_at < $2
         group by 1, 2, 3 order by 1, 2, 3 limit $3",
        query.bucket,
        columns(query.group_by)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_hours_are_those_within_the_range() {
        let at = |text: &str| -> DateTime<Utc> { format!("2026-11-24T{text}Z").parse().unwrap() };
        let parts = |from, to, bucket| {
            Parts::of(&StatsQuery {
                from: at(from),
                to: at(to),
                bucket,
                group_by: GroupBy::Type,
            })
        };
        let expected = Parts {
            whole: Some((at("10:00:00"), at("12:00:00"))),
            raw: vec![
                (at("09:59:59"), at("10:00:00")),
                (at("12:00:00"), at("12:00:01")),
            ],
        };
        for bucket in [Bucket::Hour, Bucket::Day] {
            assert_eq!(parts("09:59:59", "12:00:01", bucket), expected);
        }
        let aligned = parts("10:00:00", "12:00:00", Bucket::Hour);
        assert_eq!((aligned.whole, aligned.raw), (expected.whole, vec![]));
        for (from, to, bucket) in [
            ("10:00:01", "10:59:59", Bucket::Hour),
            ("10:30:00", "11:30:00", Bucket::Day),
            ("10:00:00", "12:00:00", Bucket::Minute),
        ] {
            let raw = parts(from, to, bucket);
            assert_eq!((raw.whole, raw.raw), (None, vec![(at(from), at(to))]));
        }
    }
}
