//! Every SQL statement of the pipeline, behind functions that speak `event` types.
//!
//! Invariant: no other crate sends SQL, and no function here reads the environment or a clock of
//! its own; the database's clock is the only one.

mod connect;
mod error;
mod iam;
mod keys;
mod migrations;
mod partition_plan;
mod partitions;
mod records;
mod roles;
mod settings;
mod statistics;
mod write;

pub use sqlx::PgPool;

pub use connect::{ConnectSettings, connect, connect_lazy, ping};
pub use error::StoreError;
pub use iam::IamLogIn;
pub use keys::{StoredKey, stored_keys};
pub use migrations::{AppliedMigration, MIGRATOR, MigrationReport, migrate};
pub use partition_plan::{PartitionPlan, PartitionWidth};
pub use partitions::{
    PartitionReport, create_partitions, delete_expired_records, drop_partitions, keep_partitions,
};
pub use records::{PAGE_BYTES_MAX, get_record, list_records};
pub use roles::{RoleError, role_statements};
pub use settings::{SettingsError, Variables};
pub use statistics::{
    EXACT_COUNT_MAX, STATS_ROWS_MAX, Summary, TYPE_COUNT_MAX, TYPES_MAX, stats, summary, types,
};
pub use write::{Written, write_batch};
