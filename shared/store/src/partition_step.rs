//! One step of the upkeep of partitions, and what it sees.
//!
//! Invariant: one step runs at a time, whoever calls.

use sqlx::{PgConnection, PgPool, Postgres, Row as _, Transaction};

use crate::error::{Context as _, StoreError};
use crate::partition_plan::{Partition, Range};

const READ: &str = "read the partitions";

/// Advisory lock of one step. The number is arbitrary, but nothing else may use it.
const STEP_LOCK: i64 = 0x6f70_7363_6f6e_0002;
/// Readers and writers queue behind a step that waits for a table lock, so it waits only briefly; the
/// next run tries again.
const LOCK_TIMEOUT: &str = "set local lock_timeout = '5s'";
/// A step that moves rows out of the default partition may take longer than other statements.
const STATEMENT_TIMEOUT: &str = "set local statement_timeout = '10min'";

pub(crate) async fn existing_partitions(pool: &PgPool) -> Result<Vec<Partition>, StoreError> {
    let mut transaction = begin_step(pool).await?;
    let existing = read_partitions(&mut transaction).await?;
    transaction.commit().await.context(READ)?;
    Ok(existing)
}

pub(crate) async fn begin_step(
    pool: &PgPool,
) -> Result<Transaction<'static, Postgres>, StoreError> {
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
    // Set after the advisory lock, so that waiting for another step is not limited by it.
    sqlx::query(LOCK_TIMEOUT)
        .execute(&mut *transaction)
        .await
        .context(READ)?;
    Ok(transaction)
}

/// All partitions except the default one, in order of time. A partition with an open end, which only a
/// person can have created, counts as unlimited, so it never expires and nothing overlaps it.
///
/// `pg_get_expr` waits for a lock on the partition, so the default one is left out before: upkeep locks it
/// while it moves records.
pub(crate) async fn read_partitions(
    connection: &mut PgConnection,
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
          where pg_inherits.inhparent = 'records'::regclass and child.oid <> (
              select partdefid from pg_partitioned_table where partrelid = 'records'::regclass
          )
          order by lower_end",
    )
    .fetch_all(connection)
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
