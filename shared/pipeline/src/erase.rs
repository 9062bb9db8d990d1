//! Erases records.
//!
//! Invariant: the database is asked, never the API: it is read-only, and may show what is not there any more.

use std::time::Duration;

use chrono::{DateTime, Utc};
use event::{Page, Record, RecordQuery};
use store::{ErasedPartition, ErasureRights, RecordPosition, VACUUM_LIMIT, Vacuumed};

use super::connection::QUESTION_LIMIT;
use super::{Pipeline, PipelineError, WritePermit};

/// Time limit of one step, its attempts included.
const STEP_LIMIT: Duration = Duration::from_secs(40);
/// Time limit of a vacuum, with the attempts before it.
const VACUUMED_LIMIT: Duration = VACUUM_LIMIT.saturating_add(Duration::from_secs(60));

const ADVICE: &str = "records are erased in the database, because the API is read-only: run it where the \
                      database can be reached, with a database_url whose user may delete records; --local \
                      erases on this machine alone";

impl Pipeline {
    /// What the user of the environment's database may erase.
    ///
    /// # Errors
    /// When the environment has no database, or when it does not answer.
    pub async fn erasure_rights(&self) -> Result<ErasureRights, PipelineError> {
        let operation = "check what may be erased";
        let asked = self.of_database(operation, QUESTION_LIMIT, |pool| async move {
            store::erasure_rights(pool).await
        });
        let rights = asked.await.map_err(|error| error.with_hint(ADVICE))?;
        if rights.may_delete {
            return Ok(rights);
        }
        Err(PipelineError::not_configured(
            operation,
            "the database user may not delete records".to_owned(),
            ADVICE,
        ))
    }

    /// One page of records, from the database.
    ///
    /// # Errors
    /// When the query exceeds a limit, or when the database does not answer.
    pub async fn records_to_erase(
        &self,
        query: &RecordQuery,
    ) -> Result<Page<Record>, PipelineError> {
        self.of_database("list records", QUESTION_LIMIT, |pool| async move {
            store::list_records(pool, query).await
        })
        .await
    }

    /// The partitions that have records of these times.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn partitions_of(
        &self,
        times: &[DateTime<Utc>],
    ) -> Result<Vec<ErasedPartition>, PipelineError> {
        self.of_database("list partitions", QUESTION_LIMIT, |pool| async move {
            store::partitions_of(pool, times).await
        })
        .await
    }

    /// The partitions with these names, as far as they exist.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn partitions_named(
        &self,
        names: &[String],
    ) -> Result<Vec<ErasedPartition>, PipelineError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        self.of_database("list partitions", QUESTION_LIMIT, |pool| async move {
            store::partitions_named(pool, names).await
        })
        .await
    }

    /// Erases records, at most [`store::ERASED_MAX`]; their identities stay in the ledger. Returns those
    /// that there were.
    ///
    /// # Errors
    /// When the database does not answer: then none was erased, or all were.
    pub async fn erase_records(
        &self,
        _permit: &WritePermit,
        positions: &[RecordPosition],
    ) -> Result<Vec<RecordPosition>, PipelineError> {
        self.of_database("erase records", STEP_LIMIT, |pool| async move {
            store::erase_records(pool, positions).await
        })
        .await
    }

    /// Vacuums a partition after an erasure. With `is_rewrite` it is rewritten, during which nobody else can
    /// read or write it.
    ///
    /// # Errors
    /// When the database does not answer, or when a rewrite waited too long for its lock.
    pub async fn vacuum_erased(
        &self,
        _permit: &WritePermit,
        partition: &str,
        is_rewrite: bool,
    ) -> Result<Vacuumed, PipelineError> {
        self.of_database("vacuum a partition", VACUUMED_LIMIT, |pool| async move {
            store::vacuum_erased(pool, partition, is_rewrite).await
        })
        .await
    }

    /// Rewrites the planner's statistics, which have values of records. Returns whether the database user may.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn vacuum_statistics(&self, _permit: &WritePermit) -> Result<bool, PipelineError> {
        self.of_database("rewrite statistics", VACUUMED_LIMIT, |pool| async move {
            store::vacuum_statistics(pool).await
        })
        .await
    }
}
