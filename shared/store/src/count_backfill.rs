//! Counts the records that were stored before the rollup existed, in steps, while events are written.
//!
//! Invariant: each record is counted once. The trigger counts those after `record_id_max`, these steps the
//! others, each range of hours in the transaction that moves `filled_to` behind it. Nothing expires meanwhile:
//! upkeep comes after a `migrate` that succeeded. See the migration `create_event_counts`.

use sqlx::PgConnection;

use crate::error::{Context as _, StoreError};

const OPERATION: &str = "count the records of the past";
/// Records of one step, rounded up to a whole hour.
const STEP_ROWS: i64 = 50_000;
/// Most steps of one run, so that it ends within the function's timeout; the next continues.
const STEPS_MAX: usize = 1_500;

/// Counts the records of the next hours. Returns no row when there is nothing left.
const STEP: &str = "
with step as (
    select date_trunc('hour', max(occurred_at), 'UTC') + interval '1 hour' as upper_end
    from (
        select occurred_at from records
        where occurred_at >= (select filled_to from event_counts_backfill)
        order by occurred_at limit $1
    ) as next
), counted as (
    insert into event_counts as c (hour, type, source, slot, events)
    select date_trunc('hour', occurred_at, 'UTC') as hour, type, source, 0, count(*)
    from records
    where occurred_at >= (select filled_to from event_counts_backfill)
        and occurred_at < (select upper_end from step)
        and record_id <= (select record_id_max from event_counts_backfill)
    group by 1, 2, 3
    order by 1, 2, 3
    on conflict (hour, type, source, slot) do update set events = c.events + excluded.events
)
update event_counts_backfill set filled_to = upper_end from step where upper_end is not null
returning 1";

/// Continues the count as far as one run can.
///
/// # Errors
/// [`StoreError::Unavailable`] when the run ended before the count did: another run continues it.
pub(crate) async fn fill_counts(connection: &mut PgConnection) -> Result<(), StoreError> {
    let is_open: bool =
        sqlx::query_scalar("select to_regclass('event_counts_backfill') is not null")
            .fetch_one(&mut *connection)
            .await
            .context(OPERATION)?;
    if is_open {
        fill(connection, STEP_ROWS, STEPS_MAX).await?;
        sqlx::raw_sql("drop table event_counts_backfill")
            .execute(connection)
            .await
            .context(OPERATION)?;
    }
    Ok(())
}

async fn fill(
    connection: &mut PgConnection,
    rows: i64,
    steps_max: usize,
) -> Result<(), StoreError> {
    for _ in 0..steps_max {
        let step: Option<i32> = sqlx::query_scalar(STEP)
            .bind(rows)
            .fetch_optional(&mut *connection)
            .await
            .context(OPERATION)?;
        if step.is_none() {
            return Ok(());
        }
    }
    Err(StoreError::Unavailable {
        operation: OPERATION,
        detail: "not all are counted yet; run the function migrate again to continue".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use devstack::TestDatabase;
    use sqlx::PgPool;

    use super::*;
    use crate::migrate;

    const DIFFERENCES: &str = "
select count(*) from (
    select date_trunc('hour', occurred_at, 'UTC') as hour, type, source, count(*) as events
    from records group by 1, 2, 3
) as raw
full join (
    select hour, type, source, sum(events) as events from event_counts group by 1, 2, 3
) as kept using (hour, type, source)
where raw.events is distinct from kept.events";

    async fn differences(pool: &PgPool) -> i64 {
        sqlx::query_scalar(DIFFERENCES)
            .fetch_one(pool)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn interrupted_count_is_continued_and_counts_each_record_once() {
        let database = TestDatabase::create().await.unwrap();
        let pool = database.pool();
        migrate(pool).await.unwrap();
        // As if these records were older than the rollup.
        let insert = "
            insert into records (record_id, source, id, type, occurred_at, payload)
            select n, 's' || n % 3, n::text, 't' || n % 2,
                timestamptz '2026-11-24 00:00+00' + (n - $1) * interval '37 seconds', '{}'
            from generate_series($1, $1 + 1999) as n";
        sqlx::query(insert).bind(1).execute(pool).await.unwrap();
        sqlx::raw_sql(
            "delete from event_counts;
             create table event_counts_backfill (filled_to timestamptz, record_id_max bigint);
             insert into event_counts_backfill values ('-infinity', 2000)",
        )
        .execute(pool)
        .await
        .unwrap();
        let mut connection = pool.acquire().await.unwrap();
        let error = fill(&mut connection, 300, 2).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert!(differences(pool).await > 0);
        // Newer records of the same hours, counted by the trigger.
        sqlx::query(insert).bind(2_001).execute(pool).await.unwrap();
        for _ in 0..2 {
            fill_counts(&mut connection).await.unwrap();
            assert_eq!(differences(pool).await, 0);
        }
    }
}
