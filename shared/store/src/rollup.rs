//! Counts of records over time, from the rollup `event_counts`.
//!
//! Invariant: every result is that of a count of the records themselves, and its cost is limited before the
//! work: the rollup knows how many records a part of it would have to read.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use event::{Bucket, GroupBy, StatsBucket, StatsQuery};
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;

use crate::error::{Context as _, StoreError};
use crate::layout::{Layout, Span};
use crate::lease::{PooledConnection, Source, one_row, rows};
use crate::span_condition::in_span;

const STATS: &str = "count records per bucket";

/// Most rows of a result of [`stats`].
pub const STATS_ROWS_MAX: usize = 20_000;
/// Most records that one call of [`stats`] reads: those of buckets narrower than an hour, and those of the
/// hours of which the range has only a part. About half a second.
pub const STATS_RAW_MAX: i64 = 500_000;
/// Most rows of the rollup that one call reads.
const ROLLUP_ROWS_MAX: i64 = 2_000_000;

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
    let whole = parts.whole.map(|range| (range, true));
    let raw = parts.raw.into_iter().map(|range| (range, false));
    for (range, is_whole) in whole.into_iter().chain(raw) {
        let found = if is_whole {
            let statement = rollup_statement(query);
            rows(reader, STATS, question(&statement, range)).await?
        } else {
            count_records(reader, query, range).await?
        };
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

type TimeRange = (DateTime<Utc>, DateTime<Utc>);

/// Start of the bucket, group, source, count.
type Row = (DateTime<Utc>, String, Option<String>, i64);

fn question(statement: &str, (from, to): TimeRange) -> QueryAs<'_, Postgres, Row, PgArguments> {
    sqlx::query_as(statement)
        .bind(from)
        .bind(to)
        .bind(i64::try_from(STATS_ROWS_MAX).unwrap_or(i64::MAX) + 1)
}

/// Counts the records of a range, planned for its partitions alone.
async fn count_records(
    source: Source<'_>,
    query: &StatsQuery,
    range: TimeRange,
) -> Result<Vec<Row>, StoreError> {
    let mut connection = PooledConnection::read(source, STATS).await?;
    let answer = async {
        let layout = Layout::of(source.pool(), connection.get()).await?;
        let statement = raw_statement(query, span(&layout, range));
        question(&statement, range)
            .persistent(false)
            .fetch_all(connection.get())
            .await
            .read_context(STATS)
    };
    let answer = answer.await;
    connection.end(answer)
}

fn span(layout: &Layout, (from, to): TimeRange) -> Span {
    layout.span_of(from, to - TimeDelta::microseconds(1))
}

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

pub(crate) fn hour_of(time: DateTime<Utc>) -> DateTime<Utc> {
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
    let statement = cost_statement(query);
    let question = sqlx::query_as(&statement)
        .bind(hour_of(query.from))
        .bind(next_hour(query.to))
        .bind(ROLLUP_ROWS_MAX + 1);
    let (is_filling, rollup_rows): (bool, i64) = one_row(source, STATS, question).await?;
    if is_filling {
        return Err(incomplete(STATS));
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

/// The error while the records that are older than the rollup are being counted.
pub(crate) fn incomplete(operation: &'static str) -> StoreError {
    StoreError::Unavailable {
        operation,
        detail: "the records of the past are being counted".to_owned(),
    }
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

/// The counts of a range by type are the sums of what is folded and the rest; by source they are those of each pair.
const fn counts(group_by: GroupBy) -> &'static str {
    match group_by {
        GroupBy::Type => {
            "(
                select hour, type, events from event_type_counts where hour >= $1 and hour < $2
                union all
                select hour, type, events from event_counts
                where slot <> 0 and hour >= $1 and hour < $2
            ) as counts"
        }
        GroupBy::Source | GroupBy::Both => {
            "(
                select hour, type, source, events from event_counts where hour >= $1 and hour < $2
            ) as counts"
        }
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
         from {} group by 1, 2, 3 having sum(events) <> 0 order by 1, 2, 3 limit $3",
        columns(query.group_by),
        counts(query.group_by)
    )
}

/// Counts the rows of the rollup that a query reads, up to one more than it may; not where all of the rollup has half
/// as many by the planner's statistics.
fn cost_statement(query: &StatsQuery) -> String {
    format!(
        "select to_regclass('event_counts_backfill') is not null,
             case when (
                 select reltuples between 1 and {} from pg_class where oid = 'event_counts'::regclass
             ) then 0 else (select count(*) from (select from {} limit $3) as some_rows) end",
        ROLLUP_ROWS_MAX / 2,
        counts(query.group_by)
    )
}

fn raw_statement(query: &StatsQuery, span: Span) -> String {
    format!(
        "select date_trunc('{}', r.occurred_at, 'UTC'), {}, count(*)
         from records r where {}r.occurred_at >= $1 and r.occurred_at < $2
         group by 1, 2, 3 order by 1, 2, 3 limit $3",
        query.bucket,
        columns(query.group_by),
        in_span(span)
    )
}

#[cfg(test)]
mod tests {
    use sqlx::PgConnection;

    use super::*;
    use crate::fold_counts;
    use crate::test_plans::{Work, filled, planned};

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

    const TYPES: &str = "timestamptz, timestamptz, bigint";

    fn query(from: &str, to: &str, bucket: Bucket, group_by: GroupBy) -> StatsQuery {
        StatsQuery {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            bucket,
            group_by,
        }
    }

    async fn planned_for(connection: &mut PgConnection, sql: &str, range: TimeRange) -> Work {
        let (from, to) = (range.0.to_rfc3339(), range.1.to_rfc3339());
        let arguments = format!("'{from}', '{to}', 100000");
        planned(connection, sql, TYPES, &arguments).await
    }

    #[tokio::test]
    async fn count_of_whole_hours_reads_the_rollup_and_by_type_its_sums() {
        let database = filled().await;
        fold_counts(database.pool(), "2026-11-01T00:00:00Z".parse().unwrap())
            .await
            .unwrap();
        let mut connection = database.pool().acquire().await.unwrap();
        sqlx::raw_sql("vacuum analyze")
            .execute(&mut *connection)
            .await
            .unwrap();
        for bucket in [Bucket::Hour, Bucket::Day] {
            let mut buffers = Vec::new();
            for group_by in [GroupBy::Type, GroupBy::Source, GroupBy::Both] {
                let query = query(
                    "2026-09-01T00:00:00Z",
                    "2026-10-01T00:00:00Z",
                    bucket,
                    group_by,
                );
                let mut sum = 0;
                for sql in [cost_statement(&query), rollup_statement(&query)] {
                    let work = planned_for(&mut connection, &sql, (query.from, query.to)).await;
                    // Of a pair, the planner may choose to read all of the rollup.
                    let is_scan = work.nodes.contains("Seq Scan");
                    assert!(group_by != GroupBy::Type || !is_scan, "{sql}: {work:?}");
                    // The statistics of the planner say how large the rollup is.
                    let is_other =
                        |name: &String| !name.starts_with("event_") && name != "pg_class";
                    assert!(!work.relations.iter().any(is_other), "{sql}: {work:?}");
                    sum += work.buffers;
                }
                buffers.push(sum);
            }
            assert!(
                buffers[0] * 2 < buffers[1].min(buffers[2]),
                "{bucket}: {buffers:?}"
            );
        }
    }

    #[tokio::test]
    async fn count_of_records_is_planned_for_the_partitions_of_its_range_alone() {
        let database = filled().await;
        let mut connection = database.pool().acquire().await.unwrap();
        let layout = Layout::of(database.pool(), &mut connection).await.unwrap();
        for (from, to, partitions) in [
            ("2026-09-10T10:20:00Z", "2026-09-10T11:00:00Z", 1),
            ("2026-09-10T10:20:00Z", "2026-09-11T00:00:00Z", 1),
            ("2026-09-10T10:20:00Z", "2026-09-12T00:01:00Z", 3),
            ("2020-01-01T00:00:00Z", "2020-01-01T00:30:00Z", 1),
        ] {
            let query = query(from, to, Bucket::Minute, GroupBy::Both);
            let range = (query.from, query.to);
            let sql = raw_statement(&query, span(&layout, range));
            let work = planned_for(&mut connection, &sql, range).await;
            let planned = (work.relations.len(), work.pruned);
            assert_eq!(planned, (partitions, 0), "{sql}: {work:?}");
        }
    }
}
