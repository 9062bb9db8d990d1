//! Creates partitions; what expires is removed by [`crate::expiry`].
//!
//! Invariant: each step is done once, also when two callers run at once.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres, Transaction};

use crate::error::{Context as _, StoreError};
use crate::partition_plan::{PartitionPlan, Range};
use crate::partition_step::{begin_step, existing_partitions, read_partitions};

const CREATE: &str = "create a partition";

/// Creates the partitions that are missing at `now` and returns their names. Each step is a separate
/// transaction that checks again before it acts, so any number of callers may run at once.
///
/// # Errors
/// See [`StoreError`]; steps before the failed one stay committed.
pub async fn create_partitions(
    pool: &PgPool,
    plan: &PartitionPlan,
    now: DateTime<Utc>,
) -> Result<Vec<String>, StoreError> {
    let mut created = Vec::new();
    for range in plan.missing(&existing_partitions(pool).await?, now) {
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

/// Creates a table, moves the rows of its range from the default partition into it, and attaches it.
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
        // Writers wait here until the commit. Otherwise one that had already chosen the default
        // partition would violate its new partition constraint.
        "lock table records in share row exclusive mode".to_owned(),
        "lock table records_default in access exclusive mode".to_owned(),
        format!("create table {name} (like records including all)"),
        format!(
            "with moved as (delete from records_default where {condition} returning {columns})
             insert into {name} ({columns}) select {columns} from moved"
        ),
        // With this constraint `attach partition` does not scan the table again.
        format!("alter table {name} add constraint {name}_range check ({condition})"),
        format!(
            "alter table records attach partition {name} for values from ('{from}') to ('{to}')"
        ),
        format!("alter table {name} drop constraint {name}_range"),
    ];
    for statement in statements {
        // Built from dates only, so nothing needs quoting.
        sqlx::query(&statement).execute(&mut **transaction).await?;
    }
    Ok(())
}
