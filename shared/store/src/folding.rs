//! Folds the rollup: one row for each hour, type and source, and the sums by type.
//!
//! Invariant: `event_type_counts` and `event_type_totals` hold what slot 0 of `event_counts` holds. Slot 0 changes
//! only here, one step at a time, together with the sums: the database refuses any other change of it. A count of all
//! records is that of slot 0 and what the other slots have.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres, Transaction};

use crate::error::{Context as _, StoreError};
use crate::partition_step::begin_step;
use crate::rollup::hour_of;
use crate::share::{Share, Shares};

const FOLD: &str = "fold the counts of past hours";

/// Shows the database, for one transaction, that the sums are kept with slot 0.
const KEEP_SUMS: &str = "select set_config('opsconsole.keeps_sums', 'on', true)";

/// Hours with unfolded counts, but for the one in which most events occur now. An event may be of a time that is still
/// to come.
const UNFOLDED: &str = "
select distinct hour from event_counts where slot <> 0 and hour <> $1 order by hour limit $2";

/// Rows that a write has locked are left for the next run, so that neither waits for the other in a circle.
const FOLD_HOUR: &str = "
with chosen as (
    select type, source, slot from event_counts
    where hour = $1 and slot <> 0 for update skip locked
), unfolded as (
    delete from event_counts as c using chosen
    where c.hour = $1 and c.type = chosen.type and c.source = chosen.source and c.slot = chosen.slot
    returning c.type, c.source, c.events
), folded as (
    insert into event_counts as c (hour, type, source, slot, events)
    select $1, type, source, 0, sum(events) from unfolded group by 2, 3 order by 2, 3
    on conflict (hour, type, source, slot) do update set events = c.events + excluded.events
), by_type as (
    select type, sum(events) as events from unfolded group by 1
), counted as (
    insert into event_type_counts as c (hour, type, events)
    select $1, type, events from by_type order by 2
    on conflict (hour, type) do update set events = c.events + excluded.events
)
insert into event_type_totals as c (type, events)
select type, events from by_type order by 1
on conflict (type) do update set events = c.events + excluded.events";

/// Pairs and types that have no record left in the hour.
const DELETE_EMPTY: [&str; 2] = [
    "delete from event_counts where hour = $1 and slot = 0 and events = 0",
    "delete from event_type_counts where hour = $1 and events = 0",
];

const DELETE_EMPTY_TOTALS: &str = "delete from event_type_totals where events = 0";

/// Takes the hours of a partition away.
const FORGET: [&str; 2] = [
    "delete from event_counts where hour >= $1 and hour < $2",
    "with gone as (
         delete from event_type_counts where hour >= $1 and hour < $2 returning type, events
     ), sums as (
         select type, sum(events) as events from gone group by 1
     )
     update event_type_totals as t set events = t.events - sums.events
     from sums where t.type = sums.type",
];

/// Moves the counts of all hours but the present one into one row for each type and source, so that a read needs fewer
/// rows, and returns the number of hours. Each hour is a transaction of its own.
///
/// # Errors
/// See [`StoreError`]; hours before the failed one stay folded.
pub async fn fold_counts(pool: &PgPool, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let mut share = Shares::DAILY.folding;
    fold_within(pool, now, &mut share).await
}

pub(crate) async fn fold_within(
    pool: &PgPool,
    now: DateTime<Utc>,
    share: &mut Share,
) -> Result<u64, StoreError> {
    let hours: Vec<DateTime<Utc>> = sqlx::query_scalar(UNFOLDED)
        .bind(hour_of(now))
        // One more shows whether the share is enough.
        .bind(i64::try_from(share.steps_left()).unwrap_or(i64::MAX - 1) + 1)
        .fetch_all(pool)
        .await
        .context(FOLD)?;
    let mut folded = 0;
    for hour in hours {
        if !share.take() {
            break;
        }
        let mut transaction = begin_step(pool).await?;
        keep_sums(&mut transaction).await?;
        for statement in [FOLD_HOUR].into_iter().chain(DELETE_EMPTY) {
            sqlx::query(statement)
                .bind(hour)
                .execute(&mut *transaction)
                .await
                .context(FOLD)?;
        }
        transaction.commit().await.context(FOLD)?;
        folded += 1;
    }
    let mut transaction = begin_step(pool).await?;
    sqlx::query(DELETE_EMPTY_TOTALS)
        .execute(&mut *transaction)
        .await
        .context(FOLD)?;
    transaction.commit().await.context(FOLD)?;
    Ok(folded)
}

/// Takes the counts of the hours of a partition away, in the step that takes its records away.
pub(crate) async fn forget_hours(
    step: &mut Transaction<'static, Postgres>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<(), StoreError> {
    keep_sums(step).await?;
    for statement in FORGET {
        sqlx::query(statement)
            .bind(from)
            .bind(to)
            .execute(&mut **step)
            .await
            .context(FOLD)?;
    }
    Ok(())
}

async fn keep_sums(step: &mut Transaction<'static, Postgres>) -> Result<(), StoreError> {
    sqlx::query(KEEP_SUMS)
        .execute(&mut **step)
        .await
        .map(|_| ())
        .context(FOLD)
}
