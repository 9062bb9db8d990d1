//! Totals and types of records, from the sums of the rollup; counts over time are in [`crate::rollup`].
//!
//! Invariant: the work depends on the number of types and on the counts that upkeep has not folded yet, never on the
//! number of records or partitions. Every result has a limit, and an estimate is marked as one.

use chrono::{DateTime, Utc};
use event::TypeCount;
use serde::Serialize;
use sqlx::{Connection as _, PgConnection, PgPool, Row as _};

use crate::error::{Context as _, StoreError};
use crate::layout::{Layout, Span};
use crate::lease::{PooledConnection, Source, one_row, rows};
use crate::position::Position;
use crate::rollup::incomplete;
use crate::span_condition::{at_positions, in_spans, read_at, spans_of};

const SUMMARY: &str = "summarize records";
const TYPES: &str = "count records per type";

/// Most types of a result of [`types`]: the most frequent.
pub const TYPES_MAX: i64 = 1_000;

/// Most counts that are not folded which one call reads, about 50 ms. Upkeep leaves none but those of a day.
const UNFOLDED_MAX: i64 = 200_000;

macro_rules! unfolded {
    () => {
        "select count(*) from (select from event_counts where slot <> 0 limit $1 + 1) as unfolded"
    };
}

/// How many counts are not folded, up to one more than `$1`.
const UNFOLDED: &str = unfolded!();

/// Whether the records that are older than the rollup are being counted, how many counts are not folded, the clock, the
/// total, which is complete where these are no more than `$1`, and the version of the schema.
const TOTAL: &str = concat!(
    "select to_regclass('event_counts_backfill') is not null, (",
    unfolded!(),
    "), clock_timestamp(), (
    (select coalesce(sum(events), 0) from event_type_totals)
    + (
        select coalesce(sum(events), 0)
        from (select events from event_counts where slot <> 0 limit $1) as unfolded
    )
)::bigint, (select max(version) from _sqlx_migrations)"
);

const ESTIMATE: &str = "
select coalesce(sum(greatest(leaf.reltuples, 0)), 0)::bigint
from pg_inherits join pg_class as leaf on leaf.oid = pg_inherits.inhrelid
where pg_inherits.inhparent = 'records'::regclass";

/// Each type with its count and the last hour in which it has records. Where the records of an hour were deleted
/// and that is not folded, the hour is in `fresh` with the sum 0.
const TYPE_COUNTS: &str = "
with unfolded as materialized (
    select hour, type, sum(events) as events from event_counts where slot <> 0 group by 1, 2
), fresh as materialized (
    select u.hour, u.type, u.events + coalesce(c.events, 0) as events
    from unfolded as u left join event_type_counts as c on c.hour = u.hour and c.type = u.type
), totals as materialized (
    select type, sum(events)::bigint as events
    from (
        select type, events from event_type_totals
        union all
        select type, events from unfolded
    ) as parts
    group by 1 having sum(events) > 0
    order by 2 desc, 1 limit $1
), last_fresh as materialized (
    select type, max(hour) as hour from fresh where events > 0 group by 1
)
select totals.type, totals.events, greatest(last_folded.hour, last_fresh.hour)
from totals
left join last_fresh on last_fresh.type = totals.type
left join lateral (
    select c.hour from event_type_counts as c
    where c.type = totals.type and c.events > 0
        and (c.hour, c.type) not in (select hour, type from fresh where events <= 0)
    order by c.hour desc limit 1
) as last_folded on true
order by 2 desc, 1";

/// Totals of the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Number of records.
    pub total: i64,
    /// Whether `total` is the planner's estimate: only while the records that are older than the rollup are being
    /// counted, and while upkeep has left more than 200,000 counts unfolded.
    pub total_is_estimate: bool,
    /// Time of the newest insert; `None` when there is no record.
    pub last_ingested_at: Option<DateTime<Utc>>,
    /// The database's clock: the age of the newest record is the difference.
    pub database_now: DateTime<Utc>,
    /// The newest migration of the schema.
    pub schema_version: i64,
}

/// Reads the totals of the records.
///
/// # Errors
/// See [`StoreError`].
pub async fn summary(source: impl Into<Source<'_>>) -> Result<Summary, StoreError> {
    let source = source.into();
    let question = sqlx::query_as(TOTAL).bind(UNFOLDED_MAX);
    let (is_filling, unfolded, database_now, counted, schema_version): (
        bool,
        i64,
        DateTime<Utc>,
        i64,
        i64,
    ) = one_row(source, SUMMARY, question).await?;
    let total_is_estimate = is_filling || unfolded > UNFOLDED_MAX;
    let total = if total_is_estimate {
        let (estimate,): (i64,) = one_row(source, SUMMARY, sqlx::query_as(ESTIMATE)).await?;
        estimate
    } else {
        counted
    };
    Ok(Summary {
        total,
        total_is_estimate,
        last_ingested_at: last_ingested_at(source).await?,
        database_now,
        schema_version,
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

/// Counts records per type, the most frequent first: at most [`TYPES_MAX`] types.
///
/// # Errors
/// [`StoreError::Unavailable`] while the records of the past are being counted after an upgrade, and while upkeep has
/// left more than 200,000 counts unfolded; otherwise see [`StoreError`].
pub async fn types(source: impl Into<Source<'_>>) -> Result<Vec<TypeCount>, StoreError> {
    let source = source.into();
    let mut connection = PooledConnection::read(source, TYPES).await?;
    let answer = read_types(source.pool(), connection.get()).await;
    connection.end(answer)
}

/// In one snapshot, so that a type that has a count has its newest record.
async fn read_types(
    pool: &PgPool,
    connection: &mut PgConnection,
) -> Result<Vec<TypeCount>, StoreError> {
    let mut snapshot = connection
        .begin_with("begin isolation level repeatable read read only")
        .await
        .read_context(TYPES)?;
    let is_filling: bool =
        sqlx::query_scalar("select to_regclass('event_counts_backfill') is not null")
            .fetch_one(&mut *snapshot)
            .await
            .read_context(TYPES)?;
    if is_filling {
        return Err(incomplete(TYPES));
    }
    let unfolded: i64 = sqlx::query_scalar(UNFOLDED)
        .bind(UNFOLDED_MAX)
        .fetch_one(&mut *snapshot)
        .await
        .read_context(TYPES)?;
    if unfolded > UNFOLDED_MAX {
        return Err(StoreError::Unavailable {
            operation: TYPES,
            detail: format!(
                "more than {UNFOLDED_MAX} counts are not folded; the function migrate folds them once a day"
            ),
        });
    }
    let counts: Vec<(String, i64, DateTime<Utc>)> = sqlx::query_as(TYPE_COUNTS)
        .bind(TYPES_MAX)
        .fetch_all(&mut *snapshot)
        .await
        .read_context(TYPES)?;
    let layout = Layout::of(pool, &mut snapshot).await?;
    let spans = spans_of(&layout, counts.iter().map(|(.., hour)| *hour));
    let (names, hours): (Vec<&str>, Vec<DateTime<Utc>>) = counts
        .iter()
        .map(|(name, _, hour)| (name.as_str(), *hour))
        .unzip();
    let newest: Vec<(i64, DateTime<Utc>)> = sqlx::query_as(&newest_of_types(&spans))
        .bind(names)
        .bind(hours)
        // As for positions (see `read_at`).
        .persistent(spans.len() == 1)
        .fetch_all(&mut *snapshot)
        .await
        .read_context(TYPES)?;
    snapshot.commit().await.read_context(TYPES)?;
    let mut newest = newest.into_iter().peekable();
    let mut types = Vec::with_capacity(counts.len());
    let mut without_record = 0;
    for (position, (event_type, count, _)) in (1..).zip(counts) {
        match newest.next_if(|(found, _)| *found == position) {
            Some((_, last_occurred_at)) => types.push(TypeCount {
                event_type,
                count,
                count_is_minimum: false,
                last_occurred_at,
            }),
            // Somebody has deleted from a partition itself, and not from `records`.
            None => without_record += 1,
        }
    }
    if without_record > 0 {
        tracing::warn!(
            types = without_record,
            "types have a count and no record in their last hour"
        );
    }
    Ok(types)
}

/// The statement that reads the time of the newest record of each type of `$1::text[]` in its hour of
/// `$2::timestamptz[]`, with the position of the type.
///
/// The order begins with the type, and the type is compared in rows, so that the planner walks the index that begins
/// with it. The hour is compared once more by itself, so that partitions without it are left out.
fn newest_of_types(spans: &[Span]) -> String {
    format!(
        "select k.position, found.occurred_at
         from unnest($1::text[], $2::timestamptz[]) with ordinality as k (type, hour, position)
         cross join lateral (
             select r.occurred_at from records r
             where {}(r.type, r.occurred_at, r.record_id) >= (k.type, k.hour, '{first}'::bigint)
                 and (r.type, r.occurred_at, r.record_id)
                     < (k.type, k.hour + interval '1 hour', '{first}'::bigint)
                 and r.occurred_at >= k.hour and r.occurred_at < k.hour + interval '1 hour'
             order by r.type desc, r.occurred_at desc, r.record_id desc limit 1
         ) as found
         order by k.position",
        in_spans(spans),
        first = i64::MIN,
    )
}

#[cfg(test)]
mod tests;
