//! Erases records, and what the database keeps of them on disk.
//!
//! Invariant: the identity of an erased record stays in the ledger, as a digest, so that a redelivery is a
//! duplicate. Each step is a short transaction with limits, in which the trigger of `records` corrects the
//! rollup.
//!
//! A deleted row is only marked. `vacuum` frees its place, but its bytes stay in the free part of the page, in
//! the heap and in each index, until something is written there (PostgreSQL does not overwrite free space).
//! Only a rewrite, `vacuum full`, leaves a partition without them. The planner's statistics contain values of
//! the columns too.

use std::time::Duration;

use chrono::{DateTime, Utc};
use event::RecordId;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::time::sleep;

use crate::error::{Context as _, StoreError};
use crate::layout::{Layout, Span};
use crate::lease::{PooledConnection, one_row, rows};
use crate::partition_step::read_partitions;
use crate::span_condition::in_span;

const CHECK: &str = "check what may be erased";
const ERASE: &str = "erase records";
const VACUUM: &str = "vacuum a partition after an erasure";
const REWRITE: &str = "rewrite a partition after an erasure";
const STATISTICS: &str = "rewrite the planner's statistics after an erasure";

/// Most records of one step.
pub const ERASED_MAX: usize = 500;
/// Attempts of a step that meets another transaction, with a growing wait in between.
const ATTEMPTS_MAX: u32 = 5;
const RETRY_WAIT: Duration = Duration::from_millis(200);
/// Attempts to vacuum while an older transaction still sees the erased rows, one each second.
const VACUUMS_MAX: u32 = 5;
const VACUUM_WAIT: Duration = Duration::from_secs(1);
/// Time limit of one vacuum. A rewrite copies a whole partition.
pub const VACUUM_LIMIT: Duration = Duration::from_secs(30 * 60);

/// The limits of a step. The planner shall find each record by the primary key, whatever it expects.
const STEP_SETTINGS: &str = "
select set_config('lock_timeout', '2s', true), set_config('statement_timeout', '5s', true),
    set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true)";

/// Partitions by their names, with their bytes and whether the user has their owner's rights.
const PARTITIONS: &str = "
select child.oid::regclass::text, pg_total_relation_size(child.oid),
    pg_has_role(child.relowner, 'usage')
from pg_inherits
join pg_class as child on child.oid = pg_inherits.inhrelid
where pg_inherits.inhparent = 'records'::regclass and child.oid::regclass::text = any($1)
order by 1";

/// Others queue behind a rewrite that waits for its lock, so it waits only briefly.
const VACUUM_LOCK_TIMEOUT: &str = "set lock_timeout = '5s'";

const DEFAULT_PARTITION: &str = "records_default";
const STATISTICS_TABLE: &str = "pg_catalog.pg_statistic";

/// Place of a record in the order of all records.
pub type RecordPosition = (DateTime<Utc>, RecordId);

/// What the database user may do, and what an erasure cannot reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErasureRights {
    /// Whether it may delete records.
    pub may_delete: bool,
    /// Partitions that expired and are not dropped yet: their records are no longer in `records`.
    pub expired_partitions: i64,
    /// Whether the ledger of an earlier version, which has source and id as texts, still has rows.
    pub has_old_ledger: bool,
}

/// A partition that an erasure touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedPartition {
    /// Its name, as PostgreSQL quotes it.
    pub name: String,
    /// Bytes on disk, with indexes.
    pub bytes: i64,
    /// Whether the database user may vacuum it: that is for its owner.
    pub may_vacuum: bool,
}

/// How the vacuum of a partition ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vacuumed {
    /// It was rewritten: no file of it has an erased row.
    Rewritten,
    /// It was vacuumed, as was asked: bytes of erased rows stay in free space until that is used again.
    Freed,
    /// An older transaction still sees the erased rows, so they stay.
    StillSeen,
    /// The user may not vacuum it.
    NotPermitted,
    /// It is gone: expired meanwhile.
    Gone,
}

/// Reads what the user of this pool may erase.
///
/// # Errors
/// See [`StoreError`].
pub async fn erasure_rights(pool: &PgPool) -> Result<ErasureRights, StoreError> {
    let question = sqlx::query_as(
        "select has_table_privilege('records', 'delete'),
             (select count(*) from pg_class
                 where relkind = 'r' and relnamespace = 'public'::regnamespace
                     and starts_with(relname, 'expired_records_')),
             to_regclass('event_keys') is not null",
    );
    let (may_delete, expired_partitions, has_old_ledger) =
        one_row(pool.into(), CHECK, question).await?;
    Ok(ErasureRights {
        may_delete,
        expired_partitions,
        has_old_ledger,
    })
}

/// The partitions that have these times, with what the user of this pool may do there, by name.
///
/// # Errors
/// See [`StoreError`].
pub async fn partitions_of(
    pool: &PgPool,
    times: &[DateTime<Utc>],
) -> Result<Vec<ErasedPartition>, StoreError> {
    let mut connection = PooledConnection::read(pool.into(), CHECK).await?;
    let answer = read_partitions(connection.get()).await;
    let partitions = connection.end(answer)?;
    let is_touched =
        |from: DateTime<Utc>, to: DateTime<Utc>| times.iter().any(|time| (from..to).contains(time));
    let mut names: Vec<&str> = partitions
        .iter()
        .filter(|partition| is_touched(partition.range.from, partition.range.to))
        .map(|partition| partition.name.as_str())
        .collect();
    let is_elsewhere = |time: &DateTime<Utc>| {
        let mut ranges = partitions.iter().map(|partition| &partition.range);
        !ranges.any(|range| (range.from..range.to).contains(time))
    };
    if times.iter().any(is_elsewhere) {
        names.push(DEFAULT_PARTITION);
    }
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    partitions_named(pool, &names).await
}

/// The partitions with these names, as far as they exist, with what the user of this pool may do there, by name.
///
/// # Errors
/// See [`StoreError`].
pub async fn partitions_named(
    pool: &PgPool,
    names: &[String],
) -> Result<Vec<ErasedPartition>, StoreError> {
    let question = sqlx::query_as(PARTITIONS).bind(names);
    let found: Vec<(String, i64, bool)> = rows(pool.into(), CHECK, question).await?;
    Ok(found
        .into_iter()
        .map(|(name, bytes, may_vacuum)| ErasedPartition {
            name,
            bytes,
            may_vacuum,
        })
        .collect())
}

/// Deletes records, at most [`ERASED_MAX`], and returns those that there were. All of them are gone, or none.
///
/// # Errors
/// See [`StoreError`]; a conflict with another transaction is tried again a few times before.
pub async fn erase_records(
    pool: &PgPool,
    positions: &[RecordPosition],
) -> Result<Vec<RecordPosition>, StoreError> {
    let mut attempt = 1;
    loop {
        match erase_once(pool, positions).await {
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS_MAX => {
                sleep(RETRY_WAIT * attempt).await;
                attempt += 1;
            }
            answer => return answer,
        }
    }
}

async fn erase_once(
    pool: &PgPool,
    positions: &[RecordPosition],
) -> Result<Vec<RecordPosition>, StoreError> {
    let mut connection = PooledConnection::acquire(pool).await.context(ERASE)?;
    let answer = erase_with(pool, connection.get(), positions).await;
    connection.end(answer)
}

async fn erase_with(
    pool: &PgPool,
    connection: &mut PgConnection,
    positions: &[RecordPosition],
) -> Result<Vec<RecordPosition>, StoreError> {
    let mut transaction = connection.begin().await.context(ERASE)?;
    sqlx::query(STEP_SETTINGS)
        .execute(&mut *transaction)
        .await
        .context(ERASE)?;
    let layout = Layout::of(pool, &mut transaction).await?;
    let mut erased: Vec<RecordPosition> = Vec::new();
    for (span, times, ids) in by_span(&layout, positions) {
        // The span is written out, so that the planner opens one partition.
        let statement = format!(
            "delete from records as r
             using unnest($1::timestamptz[], $2::bigint[]) as chosen (occurred_at, record_id)
             where {}r.occurred_at = chosen.occurred_at and r.record_id = chosen.record_id
             returning r.occurred_at, r.record_id",
            in_span(span)
        );
        let deleted: Vec<(DateTime<Utc>, i64)> = sqlx::query_as(&statement)
            .persistent(false)
            .bind(times)
            .bind(ids)
            .fetch_all(&mut *transaction)
            .await
            .context(ERASE)?;
        let deleted = deleted.into_iter();
        erased.extend(deleted.map(|(occurred_at, record_id)| (occurred_at, RecordId(record_id))));
    }
    transaction.commit().await.context(ERASE)?;
    Ok(erased)
}

/// The records of each partition, or of each gap between two.
fn by_span(
    layout: &Layout,
    positions: &[RecordPosition],
) -> Vec<(Span, Vec<DateTime<Utc>>, Vec<i64>)> {
    let mut sorted = positions.to_vec();
    sorted.sort_unstable_by_key(|(occurred_at, record_id)| (*occurred_at, record_id.0));
    let mut parts: Vec<(Span, Vec<DateTime<Utc>>, Vec<i64>)> = Vec::new();
    for (occurred_at, record_id) in sorted {
        let span = layout.segment_of(occurred_at);
        match parts.last_mut() {
            Some((last, times, ids)) if *last == span => {
                times.push(occurred_at);
                ids.push(record_id.0);
            }
            Some(_) | None => parts.push((span, vec![occurred_at], vec![record_id.0])),
        }
    }
    parts
}

/// Vacuums a partition of which records were erased, so that its files do not have them any more; with
/// `is_rewrite` it is rewritten, during which nobody else can use it.
///
/// # Errors
/// See [`StoreError`]; [`StoreError::Conflict`] when a rewrite did not get its lock.
pub async fn vacuum_erased(
    pool: &PgPool,
    partition: &str,
    is_rewrite: bool,
) -> Result<Vacuumed, StoreError> {
    let mut connection = PooledConnection::acquire(pool).await.context(VACUUM)?;
    // Dropped and so closed afterwards, because its limits differ from those of the pool.
    let connection = connection.get();
    set_limits(connection, VACUUM).await?;
    let found: Option<(String, i64, bool)> = sqlx::query_as(PARTITIONS)
        .bind([partition])
        .fetch_optional(&mut *connection)
        .await
        .context(VACUUM)?;
    let Some((name, _, may_vacuum)) = found else {
        return Ok(Vacuumed::Gone);
    };
    // PostgreSQL answers a vacuum that it does not permit with a warning alone.
    if !may_vacuum {
        return Ok(Vacuumed::NotPermitted);
    }
    analyze_if_empty(connection, &name).await?;
    if !free(connection, &name).await? {
        return Ok(Vacuumed::StillSeen);
    }
    if !is_rewrite {
        return Ok(Vacuumed::Freed);
    }
    run(
        connection,
        &format!("vacuum (full, analyze) {name}"),
        REWRITE,
    )
    .await?;
    Ok(Vacuumed::Rewritten)
}

/// Rewrites the statistics of the planner, which have values of the columns. Call it after the partitions were
/// vacuumed. Returns whether that is done: it is for a superuser and the owner of the database, and not while an
/// older transaction sees them.
///
/// # Errors
/// See [`StoreError`].
pub async fn vacuum_statistics(pool: &PgPool) -> Result<bool, StoreError> {
    let mut connection = PooledConnection::acquire(pool).await.context(STATISTICS)?;
    let connection = connection.get();
    set_limits(connection, STATISTICS).await?;
    // Nobody but a person analyzes the partitioned table itself. It may be empty.
    let (is_parent_analyzed, may_rewrite): (bool, bool) = sqlx::query_as(
        "select exists (select from pg_stats
                 where schemaname = 'public' and tablename = 'records' and inherited),
             (select rolsuper from pg_roles where rolname = current_user)
                 or (select pg_has_role(datdba, 'usage') from pg_database
                     where datname = current_database())",
    )
    .fetch_one(&mut *connection)
    .await
    .context(STATISTICS)?;
    if is_parent_analyzed {
        analyze_with_a_row(connection, DEFAULT_PARTITION, "-infinity", "records").await?;
    }
    // A rewrite would copy what an older transaction still sees.
    if !may_rewrite || !free(connection, STATISTICS_TABLE).await? {
        return Ok(false);
    }
    let rewrite = format!("vacuum full {STATISTICS_TABLE}");
    run(connection, &rewrite, STATISTICS).await?;
    Ok(true)
}

/// An analyze of an empty table leaves its statistics as they are, with the values of the erased rows.
async fn analyze_if_empty(connection: &mut PgConnection, name: &str) -> Result<(), StoreError> {
    let is_empty: bool = sqlx::query_scalar(&format!("select not exists (select from {name})"))
        .fetch_one(&mut *connection)
        .await
        .context(STATISTICS)?;
    if !is_empty {
        return Ok(());
    }
    let partitions = read_partitions(connection).await?;
    let found = partitions.iter().find(|partition| partition.name == name);
    let time = found.map_or("-infinity".to_owned(), |partition| {
        partition
            .range
            .from
            .format("%Y-%m-%d %H:%M:%S%.6f+00")
            .to_string()
    });
    analyze_with_a_row(connection, name, &time, name).await
}

/// Analyzes a table while a partition has a row without a value of an event. Nobody else ever sees the row: it
/// goes in the same transaction. It is not counted, because the trigger is on `records`.
async fn analyze_with_a_row(
    connection: &mut PgConnection,
    partition: &str,
    time: &str,
    analyzed: &str,
) -> Result<(), StoreError> {
    let statements = format!(
        "begin;
         insert into {partition} (record_id, source, id, type, occurred_at, payload)
         values (-1, '', '', '', '{time}', '{{}}');
         analyze {analyzed};
         delete from {partition} where occurred_at = '{time}' and record_id = -1;
         commit"
    );
    run(connection, &statements, STATISTICS).await
}

/// Vacuums until no erased row is left that an older transaction sees. Returns whether that succeeded.
async fn free(connection: &mut PgConnection, name: &str) -> Result<bool, StoreError> {
    for attempt in 1..=VACUUMS_MAX {
        // The index is cleaned also where few rows are dead.
        let vacuum = format!("vacuum (analyze, index_cleanup on) {name}");
        run(connection, &vacuum, VACUUM).await?;
        let dead: i64 = sqlx::query_scalar("select pg_stat_get_dead_tuples($1::regclass)")
            .bind(name)
            .fetch_one(&mut *connection)
            .await
            .context(VACUUM)?;
        if dead == 0 {
            return Ok(true);
        }
        if attempt < VACUUMS_MAX {
            sleep(VACUUM_WAIT).await;
        }
    }
    Ok(false)
}

async fn set_limits(
    connection: &mut PgConnection,
    operation: &'static str,
) -> Result<(), StoreError> {
    let limit = format!("set statement_timeout = '{}s'", VACUUM_LIMIT.as_secs());
    run(connection, &limit, operation).await?;
    run(connection, VACUUM_LOCK_TIMEOUT, operation).await
}

async fn run(
    connection: &mut PgConnection,
    statement: &str,
    operation: &'static str,
) -> Result<(), StoreError> {
    sqlx::raw_sql(statement)
        .execute(connection)
        .await
        .map(|_| ())
        .context(operation)
}
