//! Totals and types of records; counts over time are in [`crate::rollup`].
//!
//! Invariant: every result has a limit, and an estimate is marked as one.

use chrono::{DateTime, Utc};
use event::TypeCount;
use serde::Serialize;
use sqlx::Row as _;

use crate::error::{Context as _, StoreError};
use crate::layout::Span;
use crate::lease::{PooledConnection, Source, one_row, rows};
use crate::position::Position;
use crate::span_condition::{at_positions, read_at};

const SUMMARY: &str = "summarize records";
const TYPES: &str = "count records per type";

/// Above this many records the total is the planner's estimate: counting a million takes a tenth of a
/// second, and the console polls it.
pub const EXACT_COUNT_MAX: i64 = 1_000_000;
/// Most types of a result of [`types`]: the first by name.
pub const TYPES_MAX: i64 = 1_000;
/// Most records that [`types`] counts of each type.
pub const TYPE_COUNT_MAX: i64 = 10_000;

/// Skips through the index `records_type` from each type to the next, and counts each type from its
/// newest record backwards, so that the rows read depend on the number of types and not of records.
/// Because of the `order by` within a type the planner scans the index; without it the planner would
/// scan the whole table for a frequent type.
const TYPES_STATEMENT: &str = "
with recursive found (type, number) as (
    (select type, 1::bigint from records order by type limit 1)
    union all
    select (select r.type from records r where r.type > found.type order by r.type limit 1),
        found.number + 1
    from found where found.type is not null and found.number < $1
)
select found.type, counted.count, counted.last_occurred_at
from found
cross join lateral (
    select count(*) as count, max(newest.occurred_at) as last_occurred_at
    from (
        select r.occurred_at from records r where r.type = found.type
        order by r.occurred_at desc, r.record_id desc limit $2
    ) as newest
) as counted
where found.type is not null and counted.count > 0
order by 2 desc, 1";

/// Totals of the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Number of records.
    pub total: i64,
    /// Whether `total` is an estimate (see [`EXACT_COUNT_MAX`]).
    pub total_is_estimate: bool,
    /// Time of the newest insert; `None` when there is no record.
    pub last_ingested_at: Option<DateTime<Utc>>,
    /// The database's clock: the age of the newest record is the difference.
    pub database_now: DateTime<Utc>,
}

/// Reads the totals of the records.
///
/// # Errors
/// See [`StoreError`].
pub async fn summary(source: impl Into<Source<'_>>) -> Result<Summary, StoreError> {
    let source = source.into();
    let question = sqlx::query_as(
        "select coalesce(sum(greatest(leaf.reltuples, 0)), 0)::bigint, clock_timestamp()
         from pg_partition_tree('records') as tree
         join pg_class as leaf on leaf.oid = tree.relid
         where tree.isleaf",
    );
    let (estimate, database_now): (i64, DateTime<Utc>) = one_row(source, SUMMARY, question).await?;
    let last_ingested_at = last_ingested_at(source).await?;
    let (total, total_is_estimate) = if estimate > EXACT_COUNT_MAX {
        (estimate, true)
    } else {
        let question =
            sqlx::query_as("select count(*) from (select 1 from records limit $1) as some_records")
                .bind(EXACT_COUNT_MAX + 1);
        let (counted,): (i64,) = one_row(source, SUMMARY, question).await?;
        (counted, counted > EXACT_COUNT_MAX)
    };
    Ok(Summary {
        total,
        total_is_estimate,
        last_ingested_at,
        database_now,
    })
}

/// The newest entries of the ledger lead to the newest record. Several are read, because the record of a late
/// event may have been dropped with its partition.
async fn last_ingested_at(source: Source<'_>) -> Result<Option<DateTime<Utc>>, StoreError> {
    let question = sqlx::query_as(
        "select record_id, occurred_at from event_identities order by record_id desc limit 100",
    );
    let newest: Vec<(i64, DateTime<Utc>)> = rows(source, SUMMARY, question).await?;
    let positions: Vec<Position> = newest
        .into_iter()
        .map(|(record_id, occurred_at)| Position {
            occurred_at,
            record_id,
        })
        .collect();
    if positions.is_empty() {
        return Ok(None);
    }
    let mut connection = PooledConnection::read(source, SUMMARY).await?;
    let answer = read_at(
        source.pool(),
        connection.get(),
        SUMMARY,
        &positions,
        newest_statement,
    )
    .await;
    let found = connection.end(answer)?;
    found
        .first()
        .map(|row| row.try_get(0))
        .transpose()
        .context(SUMMARY)
}

pub(crate) fn newest_statement(spans: &[Span]) -> String {
    format!(
        "select ingested_at from ({}) as found order by record_id desc limit 1",
        at_positions("select r.record_id, r.ingested_at", spans)
    )
}

/// Counts records per type, the most frequent first: at most [`TYPES_MAX`] types, and of each at most
/// [`TYPE_COUNT_MAX`] records.
///
/// # Errors
/// See [`StoreError`].
pub async fn types(source: impl Into<Source<'_>>) -> Result<Vec<TypeCount>, StoreError> {
    let question = sqlx::query_as(TYPES_STATEMENT)
        .bind(TYPES_MAX)
        .bind(TYPE_COUNT_MAX + 1);
    let found: Vec<(String, i64, DateTime<Utc>)> = rows(source.into(), TYPES, question).await?;
    Ok(found
        .into_iter()
        .map(|(event_type, count, last_occurred_at)| TypeCount {
            event_type,
            count: count.min(TYPE_COUNT_MAX),
            count_is_minimum: count > TYPE_COUNT_MAX,
            last_occurred_at,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use devstack::TestDatabase;

    use super::*;
    use crate::{PartitionPlan, PartitionWidth, keep_partitions, migrate};

    /// Two frequent types and two rare ones, in the default partition and in two others.
    const FILL: &str = "
insert into records (record_id, source, id, type, occurred_at, payload)
select n, 's', n::text,
    case when n = 7 then 'a rare' when n = 41000 then 'z rare' when n % 3 = 0 then 'c' else 'b' end,
    timestamptz '2026-11-24 00:00:00+00' + n * interval '6 seconds', '{}'
from generate_series(1, 45000) as n";

    #[tokio::test]
    async fn types_are_found_and_counted_through_the_index_alone() {
        let database = TestDatabase::create().await.unwrap();
        let pool = database.pool();
        migrate(pool).await.unwrap();
        let plan = PartitionPlan {
            width: PartitionWidth::Day,
            ahead: 1,
            keep: None,
        };
        let now: DateTime<Utc> = "2026-11-24T12:00:00Z".parse().unwrap();
        keep_partitions(pool, &plan, now).await.unwrap();
        sqlx::query(FILL).execute(pool).await.unwrap();
        sqlx::query("analyze records").execute(pool).await.unwrap();

        let explain = format!("explain (analyze, costs off, timing off) {TYPES_STATEMENT}");
        let lines: Vec<String> = sqlx::query_scalar(&explain)
            .bind(TYPES_MAX)
            .bind(TYPE_COUNT_MAX + 1)
            .fetch_all(pool)
            .await
            .unwrap();
        let text = lines.join("\n");
        assert!(!text.contains("Seq Scan on records"), "{text}");
        assert!(!text.contains("Bitmap"), "{text}");
        assert!(text.contains("Index Only Scan"), "{text}");

        let found: Vec<(String, i64, bool)> = types(pool)
            .await
            .unwrap()
            .into_iter()
            .map(|one| (one.event_type, one.count, one.count_is_minimum))
            .collect();
        let count = |name: &str, count, is_minimum| (name.to_owned(), count, is_minimum);
        assert_eq!(
            found,
            [
                count("b", 10_000, true),
                count("c", 10_000, true),
                count("a rare", 1, false),
                count("z rare", 1, false),
            ]
        );
    }
}
