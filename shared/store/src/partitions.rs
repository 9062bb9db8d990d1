//! Partition upkeep. Invariants: rows are moved and never lost, also when two callers run at once;
//! what goes has expired as a whole partition, or as a record of the default partition, which is
//! itself never dropped; the ledger is never deleted from.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgPool, Postgres, Row as _, Transaction};

use crate::error::{Context as _, StoreError};
use crate::partition_plan::{Partition, PartitionPlan, Range};

const READ: &str = "read the partitions";
const CREATE: &str = "create a partition";
const DROP: &str = "drop a partition";
const DELETE: &str = "delete expired records of the default partition";

/// Records of one deletion. Writers and other steps wait for one at most.
const DELETION_RECORDS_MAX: i64 = 10_000;
/// Deletions of one upkeep, so that it ends within the time of a function; the next one goes on.
const DELETIONS_MAX: usize = 200;

/// Advisory lock of one step of the upkeep. Any number will do that nothing else uses.
const STEP_LOCK: i64 = 0x6f70_7363_6f6e_0002;
/// Readers and writers queue behind a step that waits for its lock, so it does not wait for long;
/// the next run tries again.
const LOCK_TIMEOUT: &str = "set local lock_timeout = '5s'";
/// A step that moves rows out of the default partition may take longer than other statements.
const STATEMENT_TIMEOUT: &str = "set local statement_timeout = '10min'";

/// What an upkeep changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PartitionReport {
    /// Names of the partitions that were created, in order of time.
    pub created: Vec<String>,
    /// Names of the partitions that were dropped, in order of time.
    pub dropped: Vec<String>,
    /// Expired records that were deleted from the default partition.
    pub deleted_records: u64,
}

/// Creates the partitions that are missing at `now`, drops those that have expired and deletes what
/// has expired in the default one.
///
/// # Errors
/// See [`StoreError`]; the steps before stay done.
pub async fn keep_partitions(
    pool: &PgPool,
    plan: &PartitionPlan,
    now: DateTime<Utc>,
) -> Result<PartitionReport, StoreError> {
    Ok(PartitionReport {
        created: create_partitions(pool, plan, now).await?,
        dropped: drop_partitions(pool, plan, now).await?,
        deleted_records: delete_expired_records(pool, plan, now).await?,
    })
}

/// Creates the partitions that are missing at `now` and answers their names. Each step is a
/// transaction of its own that looks again before it acts, so any number of callers may run at
/// once.
///
/// # Errors
/// See [`StoreError`]; the steps before stay done.
pub async fn create_partitions(
    pool: &PgPool,
    plan: &PartitionPlan,
    now: DateTime<Utc>,
) -> Result<Vec<String>, StoreError> {
    let mut created = Vec::new();
    for range in plan.missing(&look(pool).await?, now) {
        let mut transaction = begin_step(pool).await?;
        let existing = read_partitions(&mut transaction).await?;
        if plan.missing(&existing, now).contains(&range) {
            create(&mut transaction, range).await.context(CREATE)?;
            transaction.commit().await.context(CREATE)?;
            created.push(range.partition_name());
        }
    }
    Ok(created)
}

/// Drops the partitions that have expired at `now`, in steps as [`create_partitions`], and answers
/// their names.
///
/// # Errors
/// See [`StoreError`]; the steps before stay done.
pub async fn drop_partitions(
    pool: &PgPool,
    plan: &PartitionPlan,
    now: DateTime<Utc>,
) -> Result<Vec<String>, StoreError> {
    let mut dropped = Vec::new();
    for partition in plan.expired(&look(pool).await?, now) {
        let mut transaction = begin_step(pool).await?;
        if read_partitions(&mut transaction).await?.contains(partition) {
            sqlx::query(&format!("drop table {}", partition.name))
                .execute(&mut *transaction)
                .await
                .context(DROP)?;
            transaction.commit().await.context(DROP)?;
            dropped.push(partition.name.clone());
        }
    }
    Ok(dropped)
}

/// Deletes the records of the default partition that have expired at `now`, the oldest first, in
/// steps as [`create_partitions`], and answers their number. Events that are older than every
/// partition go to the default one when they arrive, and no partition takes them along when it is
/// dropped. A run that finds too many of them leaves the rest to the next.
///
/// # Errors
/// See [`StoreError`]; the steps before stay done.
pub async fn delete_expired_records(
    pool: &PgPool,
    plan: &PartitionPlan,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let Some(horizon) = plan.horizon(now) else {
        return Ok(0);
    };
    let mut total = 0;
    for _ in 0..DELETIONS_MAX {
        let mut transaction = begin_step(pool).await?;
        let deleted = sqlx::query(
            "with expired as (
                 select occurred_at, record_id from records_default where occurred_at < $1
                 order by occurred_at, record_id limit $2
             )
             delete from records_default as r using expired as e
             where r.occurred_at = e.occurred_at and r.record_id = e.record_id",
        )
        .bind(horizon)
        .bind(DELETION_RECORDS_MAX)
        .execute(&mut *transaction)
        .await
        .context(DELETE)?
        .rows_affected();
        transaction.commit().await.context(DELETE)?;
        total += deleted;
        if deleted < DELETION_RECORDS_MAX.unsigned_abs() {
            break;
        }
    }
    Ok(total)
}

async fn look(pool: &PgPool) -> Result<Vec<Partition>, StoreError> {
    let mut transaction = begin_step(pool).await?;
    let existing = read_partitions(&mut transaction).await?;
    transaction.commit().await.context(READ)?;
    Ok(existing)
}

async fn begin_step(pool: &PgPool) -> Result<Transaction<'static, Postgres>, StoreError> {
    let mut transaction = pool.begin().await.context(READ)?;
    sqlx::query(STATEMENT_TIMEOUT)
        .execute(&mut *transaction)
        .await
        .context(READ)?;
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(STEP_LOCK)
        .execute(&mut *transaction)
        .await
        .context(READ)?;
    // From here on others wait for this step, not this step for another one of its kind.
    sqlx::query(LOCK_TIMEOUT)
        .execute(&mut *transaction)
        .await
        .context(READ)?;
    Ok(transaction)
}

/// The partitions but for the default one, in order of time. A partition with an open end, which
/// only a person can have made, is not ours to keep and counts as reaching to the end of time.
async fn read_partitions(
    transaction: &mut Transaction<'static, Postgres>,
) -> Result<Vec<Partition>, StoreError> {
    let rows = sqlx::query(
        r"select child.oid::regclass::text as name,
              coalesce((regexp_match(bound.text, 'FROM \(''([^'']+)''\)'))[1]::timestamptz,
                  timestamptz '0001-01-01 00:00:00+00') as lower_end,
              coalesce((regexp_match(bound.text, 'TO \(''([^'']+)''\)'))[1]::timestamptz,
                  timestamptz '9999-12-31 00:00:00+00') as upper_end
          from pg_inherits
          join pg_class child on child.oid = pg_inherits.inhrelid
          cross join lateral pg_get_expr(child.relpartbound, child.oid) as bound (text)
          where pg_inherits.inhparent = 'records'::regclass and bound.text <> 'DEFAULT'
          order by lower_end",
    )
    .fetch_all(&mut **transaction)
    .await
    .context(READ)?;
    rows.iter()
        .map(|row| {
            Ok(Partition {
                name: row.try_get("name")?,
                range: Range {
                    from: row.try_get("lower_end")?,
                    to: row.try_get("upper_end")?,
                },
            })
        })
        .collect::<Result<_, sqlx::Error>>()
        .context(READ)
}

/// Makes a table, moves into it what the default partition holds of its range, attaches it.
async fn create(
    transaction: &mut Transaction<'static, Postgres>,
    range: Range,
) -> Result<(), sqlx::Error> {
    let name = range.partition_name();
    let from = range.from.format("%Y-%m-%d 00:00:00+00");
    let to = range.to.format("%Y-%m-%d 00:00:00+00");
    let condition = format!("occurred_at >= '{from}' and occurred_at < '{to}'");
    let columns = "record_id, source, id, type, subject, occurred_at, ingested_at, payload";
    let statements = [
        // Writers wait here until the end. One that had chosen the default partition before would
        // find itself outside of what the default partition holds by then.
        "lock table records in share row exclusive mode".to_owned(),
        "lock table records_default in access exclusive mode".to_owned(),
        format!("create table {name} (like records including all)"),
        format!(
            "with moved as (delete from records_default where {condition} returning {columns})
             insert into {name} ({columns}) select {columns} from moved"
        ),
        // With this constraint the attachment need not read the table again.
        format!("alter table {name} add constraint {name}_range check ({condition})"),
        format!(
            "alter table records attach partition {name} for values from ('{from}') to ('{to}')"
        ),
        format!("alter table {name} drop constraint {name}_range"),
    ];
    for statement in statements {
        // Made of dates alone.
        sqlx::query(&statement).execute(&mut **transaction).await?;
    }
    Ok(())
}
