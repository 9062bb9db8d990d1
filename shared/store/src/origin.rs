//! What tells two databases apart.
//!
//! Invariant: it needs no right beyond that of reading one row, and no function that Aurora lacks
//! (`pg_control_system`).

use chrono::{DateTime, Utc};

use crate::error::StoreError;
use crate::lease::{Source, one_row};

const CREATED_AT: &str = "read when the schema was created";

/// When the schema of this database was created, by the database's clock, to the microsecond. It never changes,
/// and a copy or a restore of the database has the same.
///
/// # Errors
/// See [`StoreError`].
pub async fn database_created_at(
    source: impl Into<Source<'_>>,
) -> Result<DateTime<Utc>, StoreError> {
    let question =
        sqlx::query_as("select installed_on from _sqlx_migrations order by version limit 1");
    let (created_at,): (DateTime<Utc>,) = one_row(source.into(), CREATED_AT, question).await?;
    Ok(created_at)
}
