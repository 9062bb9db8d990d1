//! Every SQL statement of the pipeline, behind functions that take and return `event` types.
//!
//! Invariant: no other crate sends SQL, and no function here reads the environment or the local clock:
//! time is an argument or the database's clock.
//!
//! ```
//! use store::{Written, migrate, stored_keys, write_batch};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let database = devstack::TestDatabase::create().await?;
//! # let pool = database.pool();
//! migrate(pool).await?;
//! let event = event::parse_body(
//!     r#"{"specversion":"1.0","id":"1","source":"/crew","type":"a","time":"2026-01-31T12:00:00Z"}"#,
//! ).map_err(|failure| failure.to_string())?;
//! let events = [event];
//! assert!(matches!(write_batch(pool, &events).await?[..], [Written::Stored(_)]));
//! assert!(matches!(write_batch(pool, &events).await?[..], [Written::Duplicate]));
//! assert_eq!(stored_keys(pool, &[events[0].key()]).await?.len(), 1);
//! # Ok(())
//! # }
//! ```

mod arrivals;
mod connect;
mod count_backfill;
mod erase;
mod error;
mod expiry;
mod filling;
mod folding;
mod iam;
mod identity;
mod inspection;
mod keys;
mod layout;
mod lease;
mod ledger_copy;
mod migrations;
mod operator_question;
mod origin;
mod partition_plan;
mod partition_sizes;
mod partition_step;
mod partitions;
mod patience;
mod position;
mod publication;
mod record_row;
mod records;
mod replace;
mod roles;
mod rollup;
mod settings;
mod share;
mod span_condition;
mod statistics;
mod stored_events;
#[cfg(test)]
mod test_plans;
mod upkeep;
mod walk;
mod write;

pub use sqlx::PgPool;

pub use arrivals::{ARRIVALS_MAX, Arrivals, arrival_watermark, records_after, rows_after};
pub use connect::{ConnectSettings, connect, connect_lazy, disconnect, ping};
pub use erase::{
    ERASED_MAX, ErasedPartition, ErasureRights, RecordPosition, VACUUM_LIMIT, Vacuumed,
    erase_records, erasure_rights, partitions_named, partitions_of, vacuum_erased,
    vacuum_statistics,
};
pub use error::{StoreError, beyond_last};
pub use expiry::{delete_expired_records, drop_partitions, retention_horizon};
pub use folding::fold_counts;
pub use iam::IamLogIn;
pub use identity::ledger_identity;
pub use inspection::{Inspection, covered_until, inspect};
pub use keys::{KnownKeys, StoredKey, look_up_keys, stored_keys};
pub use lease::{Reader, Source};
pub use migrations::{AppliedMigration, MIGRATOR, MigrationReport, has_records, migrate};
pub use operator_question::{
    Backend, Cut, QUESTION_ROW_BYTES_MAX, Question, QuestionError, QuestionLimits, SqlAnswer,
    begin_question, cancel_question,
};
pub use origin::database_created_at;
pub use partition_plan::{PartitionPlan, PartitionWidth};
pub use partition_sizes::{PARTITIONS_MAX, partition_sizes};
pub use partitions::create_partitions;
pub use publication::{PublicationName, publish_records};
pub use record_row::{Columns, PAGE_BYTES_MAX, RecordRow};
pub use records::{SAME_ID_MAX, get_record, get_row, list_records, list_rows};
pub use replace::{Replaced, Replacement, Stale, permit_replacements, replace_records};
pub use roles::{RoleError, role_statements};
pub use rollup::{STATS_RAW_MAX, STATS_ROWS_MAX, stats};
pub use settings::{SettingsError, Variables};
pub use share::{Share, Shares, Work};
pub use statistics::{Summary, TYPES_MAX, summary, types};
pub use stored_events::{StoredEvents, stored_events, stored_texts};
pub use upkeep::{PartitionReport, Upkept, keep_partitions, upkeep};
pub use write::{Written, write_batch};
