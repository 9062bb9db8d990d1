//! Moves the ledger from `event_keys` to `event_identities`, in steps, while events are written.
//!
//! Invariant: `event_identities` exists only once it has every event of `event_keys`. Each step is a
//! transaction of its own, so a run that was interrupted is continued by the next one. See the migration
//! `create_event_identities`.

use std::time::Duration;

use sqlx::PgConnection;

use crate::error::{Context as _, StoreError};
use crate::patience::Patience;
use crate::share::Share;

const OPERATION: &str = "copy the ledger";
/// Rows of one step: about half a second.
const STEP_ROWS: i64 = 10_000;
/// What one run may take; the next continues.
const SHARE: Share = Share::new(1_500, Duration::from_secs(7 * 60));
/// Steps in a row that a conflict with a write may undo before the run ends.
const CONFLICTS_MAX: usize = 10;

/// Copies the next rows in order of arrival. Returns whether there may be more.
const COPY_STEP: &str = "
with chosen as (
    select source, id, record_id, occurred_at from event_keys
    where record_id > (select copied_to from event_keys_copy)
        and record_id <= (select record_id_max from event_keys_copy)
    order by record_id limit $1
), copied as (
    insert into event_identities_copy (identity, record_id, occurred_at)
    select event_identity(source, id) as identity, record_id, occurred_at from chosen order by identity
    on conflict (identity) do nothing
)
update event_keys_copy
set copied_to = coalesce((select max(record_id) from chosen), record_id_max)
returning copied_to < record_id_max";

/// From here on the ingest of this version can write.
const FINISH: &str = "
alter table event_identities_copy rename to event_identities;
alter sequence event_keys_record_id_seq owned by event_identities.record_id;
update event_keys_copy set finished_at = clock_timestamp()";

/// A ledger that never had a row has no ingest of an earlier version. Otherwise one may still be deployed
/// for some time after the copy.
const IS_DROP_DUE: &str = "
select record_id_max = 0 or finished_at < clock_timestamp() - interval '1 hour' from event_keys_copy";

const DROP: &str = "
drop table event_keys;
drop function copy_event_key();
drop view event_keys_target;
drop table event_keys_copy";

/// Continues the move as far as it can go now.
///
/// # Errors
/// [`StoreError::Unavailable`] when the run ended before the copy did: another run continues it.
pub(crate) async fn move_ledger(
    connection: &mut PgConnection,
    patience: Patience,
) -> Result<(), StoreError> {
    if exists(connection, "event_identities_copy").await? {
        copy(connection).await?;
        repeat(connection, FINISH, patience).await?;
    }
    if exists(connection, "event_keys_copy").await? {
        let is_drop_due: bool = sqlx::query_scalar(IS_DROP_DUE)
            .fetch_one(&mut *connection)
            .await
            .context(OPERATION)?;
        if is_drop_due {
            repeat(connection, DROP, patience).await?;
        }
    }
    Ok(())
}

async fn copy(connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut conflicts = 0;
    let mut share = SHARE;
    while share.take() {
        let has_more: Result<bool, StoreError> = sqlx::query_scalar(COPY_STEP)
            .bind(STEP_ROWS)
            .fetch_one(&mut *connection)
            .await
            .context(OPERATION);
        match has_more {
            Ok(true) => conflicts = 0,
            Ok(false) => return Ok(()),
            // A step and a write of an earlier version take their locks in different orders.
            Err(StoreError::Conflict { .. }) if conflicts < CONFLICTS_MAX => conflicts += 1,
            Err(error) => return Err(error),
        }
    }
    let (copied_to, record_id_max): (i64, i64) =
        sqlx::query_as("select copied_to, record_id_max from event_keys_copy")
            .fetch_one(&mut *connection)
            .await
            .context(OPERATION)?;
    Err(StoreError::Unavailable {
        operation: OPERATION,
        detail: format!(
            "copied up to record {copied_to} of {record_id_max}; run the function migrate again to continue"
        ),
    })
}

async fn exists(connection: &mut PgConnection, table: &str) -> Result<bool, StoreError> {
    sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(table)
        .fetch_one(connection)
        .await
        .context(OPERATION)
}

async fn repeat(
    connection: &mut PgConnection,
    statements: &str,
    patience: Patience,
) -> Result<(), StoreError> {
    let mut attempts = patience.attempts();
    while let Err(error) = run(connection, statements).await {
        attempts.again(error).await?;
    }
    Ok(())
}

/// Sends several statements, which are one transaction.
async fn run(connection: &mut PgConnection, statements: &str) -> Result<(), StoreError> {
    sqlx::raw_sql(statements)
        .execute(connection)
        .await
        .map(|_| ())
        .context(OPERATION)
}
