//! Reads of records, directly from the database.
//!
//! Invariant: every query has a time limit here, in addition to the database's statement timeout.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use event::{EventKey, Page, Record, RecordId, RecordQuery, StatsBucket, StatsQuery, TypeCount};
use store::{Arrivals, PgPool, StoreError, StoredKey};

use super::model::RecordTotals;
use super::{Attempt, Pipeline, PipelineError, PipelineErrorKind};

/// Limit of one question to the database, waiting for a connection included.
const QUESTION_LIMIT: Duration = Duration::from_secs(10);
/// Events of one question to the ledger: one array parameter of some 100 kB.
const KEYS_MAX: usize = 1_000;

/// What the ledger knows of events, as far as it answered.
#[derive(Debug, Default)]
pub struct LedgerAnswer {
    /// Those that were ever stored.
    pub stored: HashMap<EventKey, StoredKey>,
    /// How many of the events, from the first on, were answered.
    pub answered: usize,
    /// Why the others were not.
    pub error: Option<PipelineError>,
}

impl Pipeline {
    /// Number of records and time of the newest insert.
    ///
    /// # Errors
    /// When there is no database or it does not answer.
    pub async fn record_totals(&self) -> Result<RecordTotals, PipelineError> {
        let summary = self
            .ask("count the records", |pool| async move {
                store::summary(pool).await
            })
            .await?;
        Ok(RecordTotals {
            total: u64::try_from(summary.total).unwrap_or_default(),
            total_is_estimate: summary.total_is_estimate,
            last_ingested_at: summary.last_ingested_at,
            database_now: summary.database_now,
        })
    }

    /// One page of records.
    ///
    /// # Errors
    /// When the query exceeds a limit, when there is no database or it does not answer.
    pub async fn list_records(&self, query: &RecordQuery) -> Result<Page<Record>, PipelineError> {
        let operation = "list records";
        query.validate().map_err(|error| {
            PipelineError::not_configured(operation, error.to_string(), "correct the filter")
        })?;
        self.ask(operation, |pool| async move {
            store::list_records(pool, query).await
        })
        .await
    }

    /// Records in the order of their arrival, after the record `after` (0 from the start).
    ///
    /// # Errors
    /// When there is no database or it does not answer.
    pub async fn records_after(
        &self,
        after: RecordId,
        limit: u16,
    ) -> Result<Arrivals, PipelineError> {
        self.ask("list records by arrival", |pool| async move {
            store::records_after(pool, after, limit).await
        })
        .await
    }

    /// One record.
    ///
    /// # Errors
    /// When there is no database or it does not answer.
    pub async fn get_record(&self, record_id: RecordId) -> Result<Option<Record>, PipelineError> {
        self.ask(&format!("get record {record_id}"), |pool| async move {
            store::get_record(pool, record_id).await
        })
        .await
    }

    /// Number of records per type, most frequent first.
    ///
    /// # Errors
    /// When there is no database or it does not answer.
    pub async fn type_counts(&self) -> Result<Vec<TypeCount>, PipelineError> {
        self.ask("count records by type", |pool| async move {
            store::types(pool).await
        })
        .await
    }

    /// Number of records per time bucket.
    ///
    /// # Errors
    /// When the query exceeds a limit, when there is no database or it does not answer.
    pub async fn stats(&self, query: &StatsQuery) -> Result<Vec<StatsBucket>, PipelineError> {
        let operation = "count records by time";
        query.validate().map_err(|error| {
            PipelineError::not_configured(operation, error.to_string(), "correct the range")
        })?;
        self.ask(
            operation,
            |pool| async move { store::stats(pool, query).await },
        )
        .await
    }

    /// Which of the events were ever stored.
    ///
    /// # Errors
    /// When there is no database or it does not answer.
    pub async fn stored_keys(
        &self,
        keys: &[EventKey],
    ) -> Result<HashMap<EventKey, StoredKey>, PipelineError> {
        let answer = self.look_up_keys(keys).await;
        answer.error.map_or(Ok(answer.stored), Err)
    }

    /// Which of the events were ever stored, as far as the ledger answers: one query for each
    /// [`KEYS_MAX`] of them.
    pub async fn look_up_keys(&self, keys: &[EventKey]) -> LedgerAnswer {
        let mut answer = LedgerAnswer::default();
        for keys in keys.chunks(KEYS_MAX) {
            let found = self.ask("look up stored events", |pool| async move {
                store::stored_keys(pool, keys).await
            });
            match found.await {
                Ok(found) => {
                    answer.stored.extend(found);
                    answer.answered += keys.len();
                }
                Err(error) => {
                    answer.error = Some(error);
                    break;
                }
            }
        }
        answer
    }

    async fn ask<'a, T, F>(
        &'a self,
        operation: &str,
        question: impl FnOnce(&'a PgPool) -> F,
    ) -> Result<T, PipelineError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let pool = self.pool(operation)?;
        let attempt = Attempt::start(operation, self.database_address());
        self.renew_log_in(pool, &attempt).await?;
        let error = match tokio::time::timeout(QUESTION_LIMIT, question(pool)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            Err(_) => return Err(attempt.timed_out(QUESTION_LIMIT)),
        };
        if !error.is_transient() {
            return Err(attempt.refused(error.to_string()));
        }
        let cause = self.probe_database().await;
        Err(attempt.failed(
            PipelineErrorKind::Unreachable,
            cause.unwrap_or_else(|| error.to_string()),
        ))
    }
}
