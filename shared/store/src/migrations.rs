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
use crate::patience::Patience;
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
        file!(20261128000300, "lock_before_replacing"),
        file!(20261128000310, "keep_sums_with_what_is_folded"),
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
/// A migration waits only briefly for a lock, and is tried again a bounded number of times; between two attempts
/// writes go on.
///
/// # Errors
/// When a migration fails (the others before it stay applied), or an applied one was changed.
/// [`StoreError::Conflict`] when another transaction held its lock at every attempt.
/// [`StoreError::Unavailable`] when there is more to move than one run can: the next one continues.
pub async fn migrate(pool: &PgPool) -> Result<MigrationReport, StoreError> {
    migrate_with(pool, Patience::OF_MIGRATE).await
}

async fn migrate_with(pool: &PgPool, patience: Patience) -> Result<MigrationReport, StoreError> {
    // A separate connection: the locks end when it is closed, also after an error.
    let options = pool.connect_options();
    let mut connection = timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options))
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
        .context("connect to the database")?;
    let report = run(&mut connection, patience).await;
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

async fn run(
    connection: &mut PgConnection,
    patience: Patience,
) -> Result<MigrationReport, StoreError> {
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
    sqlx::query(&patience.lock_limit())
        .execute(&mut *connection)
        .await
        .context(OPERATION)?;
    let before = applied_versions(connection).await?;
    let mut attempts = patience.attempts();
    // Each is a transaction of its own, so another attempt continues with the one that had to wait.
    while let Err(error) = MIGRATOR.run(&mut *connection).await {
        attempts.again(failure(&error)).await?;
    }
    move_ledger(connection, patience).await?;
    fill_counts(connection, patience).await?;
    let mut attempts = patience.attempts();
    while let Err(error) = grant_access(connection).await {
        attempts.again(error).await?;
    }
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
    use std::cell::Cell;
    use std::path::Path;

    use devstack::TestDatabase;
    use event::parse_event;

    use super::*;
    use crate::write_batch;

    /// What is applied before a migration that locks the records against writes.
    const BEFORE_AN_INDEX: usize = 8;
    /// Long enough for everything, so that a test that waits for it fails clearly.
    const LIMIT: Duration = Duration::from_secs(60);
    /// Many attempts, so that none of them is the last one on a busy machine.
    const EAGER: Patience = Patience {
        lock_timeout: Duration::from_millis(100),
        first_wait: Duration::from_millis(20),
        longest_wait: Duration::from_millis(20),
        repeats_max: 1_000,
    };

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

    /// A database to which an index on the records is still to be added, with a complete ledger.
    async fn before_an_index() -> TestDatabase {
        let database = TestDatabase::create().await.unwrap();
        let mut connection = database.pool().acquire().await.unwrap();
        let migrations: Vec<_> = MIGRATOR.iter().take(BEFORE_AN_INDEX).cloned().collect();
        let earlier = Migrator {
            migrations: migrations.into(),
            ..Migrator::DEFAULT
        };
        earlier.run(&mut *connection).await.unwrap();
        move_ledger(&mut connection, EAGER).await.unwrap();
        database
    }

    async fn write(pool: &PgPool, id: &str) {
        let json = format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"s","type":"t","time":"2026-11-24T12:00:00Z"}}"#
        );
        let event = parse_event(&json).unwrap();
        timeout(LIMIT, write_batch(pool, &[event]))
            .await
            .unwrap()
            .unwrap();
    }

    /// Waits until a session of this database waits for a lock, or until none does.
    async fn wait_for_waiter(pool: &PgPool, is_waiting: bool) {
        let question = "select exists (select from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'
                and query like '%create index records_subject%')";
        let seen = async {
            loop {
                let found: bool = sqlx::query_scalar(question).fetch_one(pool).await.unwrap();
                if found == is_waiting {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(LIMIT, seen).await.unwrap();
    }

    #[tokio::test]
    async fn migration_that_meets_an_open_write_is_tried_again_and_other_writes_go_on() {
        let database = before_an_index().await;
        let pool = database.pool();
        let mut open = pool.begin().await.unwrap();
        sqlx::query("lock table records in row exclusive mode")
            .execute(&mut *open)
            .await
            .unwrap();
        let has_ended = Cell::new(false);
        let migrating = async {
            let report = migrate_with(pool, EAGER).await;
            has_ended.set(true);
            report
        };
        let writing = async {
            // Twice: the first attempt has ended, another one has begun.
            for _ in 0..2 {
                wait_for_waiter(pool, true).await;
                wait_for_waiter(pool, false).await;
            }
            // Behind the attempt that waits, until that gives up.
            write(pool, "meanwhile").await;
            assert!(!has_ended.get());
            open.rollback().await.unwrap();
        };
        let (report, ()) = timeout(LIMIT, async { tokio::join!(migrating, writing) })
            .await
            .unwrap();
        let applied = MIGRATOR.iter().count() - BEFORE_AN_INDEX;
        assert_eq!(report.unwrap().applied.len(), applied);
    }

    #[tokio::test]
    async fn lock_that_is_never_free_ends_the_run_with_what_to_do() {
        let database = before_an_index().await;
        let pool = database.pool();
        let mut open = pool.begin().await.unwrap();
        sqlx::query("lock table records in row exclusive mode")
            .execute(&mut *open)
            .await
            .unwrap();
        let brief = Patience {
            repeats_max: 2,
            ..EAGER
        };
        let error = migrate_with(pool, brief).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
        let error = error.to_string();
        assert!(
            error.contains("3 times: other transactions conflict"),
            "{error}"
        );
        open.rollback().await.unwrap();
        migrate_with(pool, brief).await.unwrap();
    }
}
