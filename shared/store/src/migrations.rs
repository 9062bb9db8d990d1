//! Migrations of the schema.
//!
//! Invariant: migrations are append-only. When several callers apply them at once, each migration is
//! applied exactly once and reported by exactly one caller.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use serde::Serialize;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::time::timeout;

use crate::count_backfill::fill_counts;
use crate::error::{Context as _, StoreError};
use crate::ledger_copy::move_ledger;
use crate::roles::grant_access;

const OPERATION: &str = "apply migrations";
/// Advisory lock of a whole run, so that the report is exact; the driver's own lock covers only the
/// statements. The number is arbitrary, but nothing else may use it.
const RUN_LOCK: i64 = 0x6f70_7363_6f6e_0001;

/// A database that paused needs up to 30 s to resume.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// A migration, or waiting for another caller's, may take longer than other statements, but must end
/// before the Lambda function times out (15 minutes).
const STATEMENT_TIMEOUT: &str = "set statement_timeout = '14min'";
/// Writers queue behind a migration that waits for a table lock, so it waits only briefly; the next run tries
/// again.
const LOCK_TIMEOUT: &str = "set lock_timeout = '10s'";

/// One file `VERSION_NAME.sql` of the folder `migrations/`.
macro_rules! file {
    ($version:literal, $name:literal) => {
        Migration::new(
            $version,
            $name.replace('_', " ").into(),
            MigrationType::Simple,
            include_str!(concat!(
                "../../../migrations/",
                $version,
                "_",
                $name,
                ".sql"
            ))
            .into(),
            false,
        )
    };
}

/// The migrations of the folder `migrations/`, compiled in. They are listed here because
/// `sqlx::migrate!` compiles the driver and the runtime a second time, for the compiler: 25 s of CPU.
pub static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| Migrator {
    migrations: vec![
        file!(20261124000001, "create_event_keys"),
        file!(20261124000002, "create_records"),
        file!(20261124000003, "create_analytics_views"),
        file!(20261124000004, "compare_texts_as_bytes"),
        file!(20261127000010, "create_event_identities"),
        file!(20261127000011, "create_retention"),
        file!(20261127000012, "create_event_counts"),
        file!(20261127000013, "read_counts_in_analytics"),
        file!(20261127000100, "index_records_by_subject"),
        file!(20261127000200, "count_deletions_while_the_past_is_counted"),
        file!(20261127000300, "replace_records"),
        file!(20261128000010, "sum_counts_by_type"),
    ]
    .into(),
    ..Migrator::DEFAULT
});

/// A migration that was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AppliedMigration {
    /// The timestamp at the start of the file name.
    pub version: i64,
    /// The rest of the file name, with spaces.
    pub description: String,
}

/// What a run changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MigrationReport {
    /// Applied by this run, in order.
    pub applied: Vec<AppliedMigration>,
}

/// Applies missing migrations, moves what a migration alone cannot move in a short time, and grants the
/// database users their rights on the tables. A second caller waits for the first.
///
/// # Errors
/// When a migration fails (the others before it stay applied), or an applied one was changed.
/// [`StoreError::Unavailable`] when there is more to move than one run can: the next one continues.
pub async fn migrate(pool: &PgPool) -> Result<MigrationReport, StoreError> {
    // A separate connection: the locks end when it is closed, also after an error.
    let options = pool.connect_options();
    let mut connection = timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options))
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
        .context("connect to the database")?;
    let report = run(&mut connection).await;
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "close the migration's connection");
    }
    report
}

/// Whether the table `records` exists: a migration has been here before.
///
/// # Errors
/// See [`StoreError`].
pub async fn has_records(pool: &PgPool) -> Result<bool, StoreError> {
    sqlx::query_scalar("select to_regclass('records') is not null")
        .fetch_one(pool)
        .await
        .context(OPERATION)
}

async fn run(connection: &mut PgConnection) -> Result<MigrationReport, StoreError> {
    sqlx::query(STATEMENT_TIMEOUT)
        .execute(&mut *connection)
        .await
        .context(OPERATION)?;
    sqlx::query("select pg_advisory_lock($1)")
        .bind(RUN_LOCK)
        .execute(&mut *connection)
        .await
        .context(OPERATION)?;
    // Set after the advisory lock, so that waiting for another caller is not limited by it.
    sqlx::query(LOCK_TIMEOUT)
        .execute(&mut *connection)
        .await
        .context(OPERATION)?;
    let before = applied_versions(connection).await?;
    MIGRATOR
        .run(&mut *connection)
        .await
        .map_err(|error| failure(&error))?;
    move_ledger(connection).await?;
    fill_counts(connection).await?;
    grant_access(connection).await?;
    Ok(MigrationReport {
        applied: MIGRATOR
            .iter()
            .filter(|migration| !before.contains(&migration.version))
            .map(|migration| AppliedMigration {
                version: migration.version,
                description: migration.description.to_string(),
            })
            .collect(),
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the driver may add variants; only two of them carry a database error"
)]
fn failure(error: &MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => {
            StoreError::from_sqlx(OPERATION, cause)
        }
        other => StoreError::Other {
            operation: OPERATION,
            detail: other.to_string(),
        },
    }
}

async fn applied_versions(connection: &mut PgConnection) -> Result<HashSet<i64>, StoreError> {
    let exists: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *connection)
        .await
        .context(OPERATION)?;
    if !exists {
        return Ok(HashSet::new());
    }
    let versions: Vec<i64> = sqlx::query_scalar("select version from _sqlx_migrations")
        .fetch_all(&mut *connection)
        .await
        .context(OPERATION)?;
    Ok(versions.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn every_file_of_the_folder_is_listed() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations"));
        let files = Migrator::new(folder).await.unwrap();
        let facts = |migrator: &Migrator| -> Vec<_> {
            migrator.iter().map(|file| format!("{file:?}")).collect()
        };
        assert!(files.iter().count() >= 4, "the folder is not read");
        assert_eq!(facts(&MIGRATOR), facts(&files));
    }
}
