//! Counts the records that were stored before the rollup existed, in steps, while events are written.
//!
//! Invariant: each record is counted once. The trigger counts those after `record_id_max`, these steps the
//! others, each range of hours in the transaction that moves `filled_to` behind it. Nothing expires meanwhile:
//! upkeep comes after a `migrate` that succeeded. A record that is erased meanwhile is taken from the count only
//! if it was counted: a step locks the row of `event_counts_backfill` before it looks at the records, and so does
//! the trigger before it looks how far the steps came. See the migrations `create_event_counts` and
//! `count_deletions_while_the_past_is_counted`.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use crate::error::{Context as _, StoreError};
use crate::patience::Patience;
use crate::share::Share;

const OPERATION: &str = "count the records of the past";
/// Records of one step, rounded up to a whole hour.
const STEP_ROWS: i64 = 50_000;
/// What one run may take; the next continues.
const SHARE: Share = Share::new(1_500, Duration::from_secs(5 * 60));

const DROP: &str = "drop table event_counts_backfill";

/// A statement of its own: the step that follows sees what was committed while this one waited.
const LOCK: &str = "select from event_counts_backfill for update";

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
    select date_trunc('hour', occurred_at, 'UTC') as hour, type, source, -1, count(*)
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
pub(crate) async fn fill_counts(
    connection: &mut PgConnection,
    patience: Patience,
) -> Result<(), StoreError> {
    let is_open: bool =
        sqlx::query_scalar("select to_regclass('event_counts_backfill') is not null")
            .fetch_one(&mut *connection)
            .await
            .context(OPERATION)?;
    if is_open {
        fill(connection, STEP_ROWS, SHARE).await?;
        let mut attempts = patience.attempts();
        while let Err(error) = sqlx::raw_sql(DROP).execute(&mut *connection).await {
            let error = StoreError::from_sqlx(OPERATION, &error);
            attempts.again(error).await?;
        }
    }
    Ok(())
}

async fn fill(
    connection: &mut PgConnection,
    rows: i64,
    mut share: Share,
) -> Result<(), StoreError> {
    while share.take() {
        let mut transaction = connection.begin().await.context(OPERATION)?;
        let is_counted = step(&mut transaction, rows).await?;
        transaction.commit().await.context(OPERATION)?;
        if !is_counted {
            return Ok(());
        }
    }
    Err(StoreError::Unavailable {
        operation: OPERATION,
        detail: "not all are counted yet; run the function migrate again to continue".to_owned(),
    })
}

/// Counts the records of the next hours, within a transaction. Returns whether there were any.
async fn step(connection: &mut PgConnection, rows: i64) -> Result<bool, StoreError> {
    sqlx::query(LOCK)
        .execute(&mut *connection)
        .await
        .context(OPERATION)?;
    let counted: Option<i32> = sqlx::query_scalar(STEP)
        .bind(rows)
        .fetch_optional(connection)
        .await
        .context(OPERATION)?;
    Ok(counted.is_some())
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
where coalesce(raw.events, 0) <> coalesce(kept.events, 0)";

    fn steps(steps: usize) -> Share {
        Share::new(steps, Duration::from_secs(600))
    }

    async fn differences(pool: &PgPool) -> i64 {
        sqlx::query_scalar(DIFFERENCES)
            .fetch_one(pool)
            .await
            .unwrap()
    }

    /// Stores 2,000 records, as if they were older than the rollup.
    async fn store_the_past(pool: &PgPool) {
        migrate(pool).await.unwrap();
        insert(pool, 1).await;
        sqlx::raw_sql(
            "delete from event_counts;
             create table event_counts_backfill (filled_to timestamptz, record_id_max bigint);
             insert into event_counts_backfill values ('-infinity', 2000)",
        )
        .execute(pool)
        .await
        .unwrap();
    }

    /// Stores 2,000 records of the same hours, the first with this id.
    async fn insert(pool: &PgPool, first: i32) {
        sqlx::query(
            "insert into records (record_id, source, id, type, occurred_at, payload)
             select n, 's' || n % 3, n::text, 't' || n % 2,
                 timestamptz '2026-11-24 00:00+00' + (n - $1) * interval '37 seconds', '{}'
             from generate_series($1, $1 + 1999) as n",
        )
        .bind(first)
        .execute(pool)
        .await
        .unwrap();
    }

    async fn erase(connection: &mut PgConnection, ids: std::ops::RangeInclusive<i64>) {
        let erased = sqlx::query("delete from records where record_id between $1 and $2")
            .bind(ids.start())
            .bind(ids.end())
            .execute(connection)
            .await
            .unwrap();
        assert!(erased.rows_affected() > 0);
    }

    /// Waits until a session of this database waits for a lock.
    async fn wait_for_a_waiter(pool: &PgPool) {
        let question = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        let waiting = async {
            while sqlx::query_scalar::<_, i64>(question)
                .fetch_one(pool)
                .await
                .unwrap()
                == 0
            {
                tokio::task::yield_now().await;
            }
        };
        let limit = Duration::from_secs(30);
        tokio::time::timeout(limit, waiting).await.unwrap();
    }

    #[tokio::test]
    async fn interrupted_count_is_continued_and_counts_each_record_once() {
        let database = TestDatabase::create().await.unwrap();
        let pool = database.pool();
        store_the_past(pool).await;
        let mut connection = pool.acquire().await.unwrap();
        let error = fill(&mut connection, 300, steps(2)).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert!(differences(pool).await > 0);
        // Newer records of the same hours, counted by the trigger.
        insert(pool, 2_001).await;
        for _ in 0..2 {
            fill_counts(&mut connection, Patience::OF_MIGRATE)
                .await
                .unwrap();
            assert_eq!(differences(pool).await, 0);
        }
    }

    #[tokio::test]
    async fn record_that_is_erased_before_it_is_counted_is_not_taken_from_the_count() {
        let database = TestDatabase::create().await.unwrap();
        let pool = database.pool();
        store_the_past(pool).await;
        let mut connection = pool.acquire().await.unwrap();
        erase(&mut connection, 1_900..=2_000).await;
        fill(&mut connection, 300, steps(2)).await.unwrap_err();
        insert(pool, 2_001).await;
        // Counted by a step, not counted yet, and counted by the trigger.
        for ids in [1..=100, 1_500..=1_600, 2_001..=2_100, 3_950..=4_000] {
            erase(&mut connection, ids).await;
        }
        fill_counts(&mut connection, Patience::OF_MIGRATE)
            .await
            .unwrap();
        assert_eq!(differences(pool).await, 0);
    }

    #[tokio::test]
    async fn erasure_and_step_at_once_leave_the_count_right_whichever_comes_first() {
        let database = TestDatabase::create().await.unwrap();
        let pool = database.pool();
        store_the_past(pool).await;
        let mut erasure = pool.begin().await.unwrap();
        erase(&mut erasure, 1..=10).await;
        let filling = tokio::spawn({
            let pool = pool.clone();
            async move {
                let mut connection = pool.acquire().await.unwrap();
                fill(&mut connection, 300, steps(1)).await.unwrap_err();
            }
        });
        wait_for_a_waiter(pool).await;
        erasure.commit().await.unwrap();
        filling.await.unwrap();

        let mut counting = pool.begin().await.unwrap();
        assert!(step(&mut counting, 300).await.unwrap());
        let erasing = tokio::spawn({
            let pool = pool.clone();
            async move {
                let mut connection = pool.acquire().await.unwrap();
                erase(&mut connection, 320..=330).await;
            }
        });
        wait_for_a_waiter(pool).await;
        counting.commit().await.unwrap();
        erasing.await.unwrap();
        let mut connection = pool.acquire().await.unwrap();
        fill_counts(&mut connection, Patience::OF_MIGRATE)
            .await
            .unwrap();
        assert_eq!(differences(pool).await, 0);
    }
}
