//! Removes what has expired: whole partitions, records of the default partition, and their identities.
//!
//! Invariant: the horizon moves first, in a transaction of its own. From then on no event before it is stored,
//! so an event whose identity is forgotten is not stored again with its old time. Only expired partitions are
//! dropped and only expired records of the default partition are deleted, also when two callers run at once;
//! the default partition is never dropped.
//!
//! The identities of a partition are found through its records, so neither an index nor a scan of the ledger
//! is needed for it: the partition is detached, its identities are deleted in steps, then it is dropped. An
//! entry of the ledger whose record was erased is not found in this way and stays.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::error::{Context as _, StoreError};
use crate::folding::forget_hours;
use crate::lease::{Source, one_row};
use crate::partition_plan::{Partition, PartitionPlan};
use crate::partition_step::{begin_step, existing_partitions, read_partitions};
use crate::share::{Share, Shares};

const READ_HORIZON: &str = "read the retention horizon";
const MOVE_HORIZON: &str = "move the retention horizon";
const DETACH: &str = "detach an expired partition";
const FORGET: &str = "delete the identities of an expired partition";
const DROP: &str = "drop a partition";
const DELETE: &str = "delete expired records of the default partition";

/// Most records of one deletion: writers and other steps wait at most for one deletion.
const DELETION_RECORDS_MAX: i64 = 10_000;
/// Name of a detached partition: this, and the name that a partition of its range gets.
const EXPIRED_PREFIX: &str = "expired_";

/// The retention horizon: an event that occurred before it is not stored. `None` while everything is kept.
///
/// # Errors
/// See [`StoreError`].
pub async fn retention_horizon(
    source: impl Into<Source<'_>>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let question = sqlx::query_as("select nullif(horizon, '-infinity') from retention");
    let (horizon,): (Option<DateTime<Utc>>,) =
        one_row(source.into(), READ_HORIZON, question).await?;
    Ok(horizon)
}

/// Drops the partitions that have expired at `now`, in steps like [`crate::create_partitions`], and returns
/// their names. Their records disappear at once; their identities are deleted before the table is dropped,
/// a limited number in one run.
///
/// # Errors
/// See [`StoreError`]; steps before the failed one stay committed.
pub async fn drop_partitions(
    pool: &PgPool,
    plan: &PartitionPlan,
    now: DateTime<Utc>,
) -> Result<Vec<String>, StoreError> {
    let mut share = Shares::DAILY.expired_partitions;
    drop_partitions_within(pool, plan, now, &mut share).await
}

pub(crate) async fn drop_partitions_within(
    pool: &PgPool,
    plan: &PartitionPlan,
    now: DateTime<Utc>,
    share: &mut Share,
) -> Result<Vec<String>, StoreError> {
    move_horizon(pool, plan, now).await?;
    for partition in plan.expired(&existing_partitions(pool).await?, now) {
        if !share.take() {
            break;
        }
        detach(pool, partition).await?;
    }
    let mut dropped = Vec::new();
    while let Some((name, partition_name)) = next_expired(pool).await? {
        if !forget_identities(pool, &name, share).await? {
            break;
        }
        if drop_table(pool, &name).await? {
            dropped.push(partition_name);
        }
    }
    Ok(dropped)
}

/// Deletes the records of the default partition that have expired at `now`, with their identities, the oldest
/// first, in steps like [`crate::create_partitions`], and returns their number. Late events that are older than
/// every partition are in the default one, which is never dropped. One run deletes a limited number; the next
/// continues.
///
/// # Errors
/// See [`StoreError`]; steps before the failed one stay committed.
pub async fn delete_expired_records(
    pool: &PgPool,
    plan: &PartitionPlan,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let mut share = Shares::DAILY.default_partition;
    delete_records_within(pool, plan, now, &mut share).await
}

pub(crate) async fn delete_records_within(
    pool: &PgPool,
    plan: &PartitionPlan,
    now: DateTime<Utc>,
    share: &mut Share,
) -> Result<u64, StoreError> {
    let Some(horizon) = plan.horizon(now) else {
        return Ok(0);
    };
    move_horizon(pool, plan, now).await?;
    let mut total = 0;
    while share.take() {
        let mut transaction = begin_step(pool).await?;
        // Deleted from the partition alone, because the planner could choose to join with all of them; so the
        // trigger of `records` does not count here.
        let deleted: i64 = sqlx::query_scalar(
            "with expired as (
                 select occurred_at, record_id from records_default where occurred_at < $1
                 order by occurred_at, record_id limit $2
             ), deleted as (
                 delete from records_default as r using expired as e
                 where r.occurred_at = e.occurred_at and r.record_id = e.record_id
                 returning r.record_id, r.occurred_at, r.type, r.source
             ), uncounted as (
                 insert into event_counts as c (hour, type, source, slot, events)
                 select date_trunc('hour', occurred_at, 'UTC'), type, source, -1, -count(*)
                 from deleted group by 1, 2, 3 order by 1, 2, 3
                 on conflict (hour, type, source, slot) do update
                 set events = c.events + excluded.events
             ), forgotten as (
                 delete from event_identities as k using deleted as d
                 where k.record_id = d.record_id and k.occurred_at = d.occurred_at
             )
             select count(*) from deleted",
        )
        .bind(horizon)
        .bind(DELETION_RECORDS_MAX)
        .fetch_one(&mut *transaction)
        .await
        .context(DELETE)?;
        transaction.commit().await.context(DELETE)?;
        total += deleted.unsigned_abs();
        if deleted < DELETION_RECORDS_MAX {
            break;
        }
    }
    Ok(total)
}

/// Moves the horizon forward to that of the plan, never back: what is behind it is forgotten.
async fn move_horizon(
    pool: &PgPool,
    plan: &PartitionPlan,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Some(horizon) = plan.horizon(now) else {
        return Ok(());
    };
    sqlx::query("update retention set horizon = $1 where horizon < $1")
        .bind(horizon)
        .execute(pool)
        .await
        .map(|_| ())
        .context(MOVE_HORIZON)
}

/// Detaches a partition, so that its records and their counts disappear at once. A write that read the earlier
/// horizon and comes later is stored in the default partition.
async fn detach(pool: &PgPool, partition: &Partition) -> Result<(), StoreError> {
    let mut transaction = begin_step(pool).await?;
    if !read_partitions(&mut transaction).await?.contains(partition) {
        return Ok(());
    }
    let name = &partition.name;
    let expired = format!("{EXPIRED_PREFIX}{}", partition.range.partition_name());
    // The name is that of a table that exists, as PostgreSQL quotes it; the new one is built from dates.
    for statement in [
        format!("alter table records detach partition {name}"),
        format!("alter table {name} rename to {expired}"),
    ] {
        sqlx::query(&statement)
            .execute(&mut *transaction)
            .await
            .context(DETACH)?;
    }
    sqlx::query(
        "insert into expired_partitions (name, partition_name, pruned_to_time, pruned_to_id)
         values ($1, $2, '-infinity', 0)",
    )
    .bind(expired)
    .bind(name)
    .execute(&mut *transaction)
    .await
    .context(DETACH)?;
    // A partition has whole hours, and no other one has records of them.
    let range = partition.range;
    forget_hours(&mut transaction, range.from, range.to).await?;
    transaction.commit().await.context(DETACH)
}

/// A detached table, and its name as a partition.
async fn next_expired(pool: &PgPool) -> Result<Option<(String, String)>, StoreError> {
    sqlx::query_as("select name, partition_name from expired_partitions order by name limit 1")
        .fetch_optional(pool)
        .await
        .context(DROP)
}

/// Deletes the identities of a detached partition. Returns whether all are deleted; otherwise the share is used up.
async fn forget_identities(
    pool: &PgPool,
    name: &str,
    share: &mut Share,
) -> Result<bool, StoreError> {
    let statement = format!(
        "with chosen as (
             select p.occurred_at, p.record_id from {name} as p
             where (p.occurred_at, p.record_id) > (
                 select pruned_to_time, pruned_to_id from expired_partitions where name = $1
             )
             order by p.occurred_at, p.record_id limit $2
         ), forgotten as (
             delete from event_identities as k using chosen as c
             where k.record_id = c.record_id and k.occurred_at = c.occurred_at
         ), last as (
             select occurred_at, record_id from chosen order by occurred_at desc, record_id desc limit 1
         )
         update expired_partitions set pruned_to_time = last.occurred_at, pruned_to_id = last.record_id
         from last where name = $1"
    );
    while share.take() {
        let mut transaction = begin_step(pool).await?;
        if !is_expired(&mut transaction, name).await? {
            return Ok(true);
        }
        let updated = sqlx::query(&statement)
            .bind(name)
            .bind(DELETION_RECORDS_MAX)
            .execute(&mut *transaction)
            .await
            .context(FORGET)?
            .rows_affected();
        transaction.commit().await.context(FORGET)?;
        if updated == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether this call dropped it, and not another run.
async fn drop_table(pool: &PgPool, name: &str) -> Result<bool, StoreError> {
    let mut transaction = begin_step(pool).await?;
    if !is_expired(&mut transaction, name).await? {
        return Ok(false);
    }
    sqlx::query(&format!("drop table {name}"))
        .execute(&mut *transaction)
        .await
        .context(DROP)?;
    sqlx::query("delete from expired_partitions where name = $1")
        .bind(name)
        .execute(&mut *transaction)
        .await
        .context(DROP)?;
    transaction.commit().await.context(DROP)?;
    Ok(true)
}

/// Whether the table is still there: another run may have dropped it.
async fn is_expired(
    transaction: &mut sqlx::Transaction<'static, sqlx::Postgres>,
    name: &str,
) -> Result<bool, StoreError> {
    sqlx::query_scalar("select exists (select from expired_partitions where name = $1)")
        .bind(name)
        .fetch_one(&mut **transaction)
        .await
        .context(DROP)
}
