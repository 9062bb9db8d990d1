//! Reads of records.
//!
//! Invariant: each has a database's and an API's side with the same answer; `read_path` chooses.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use event::{
    Assessment, EventKey, Failure, Page, Record, RecordId, RecordQuery, StatsBucket, StatsQuery,
    TypeCount, Verdict,
};
use store::{Arrivals, StoredKey};

use super::model::{ReadPath, RecordTotals};
use super::{Pipeline, PipelineError};

/// Events of one question to the ledger: as many as the API takes.
const KEYS_MAX: usize = 500;

/// What to do where a position in the arrivals is refused.
pub(super) const BEYOND_LAST_HINT: &str = "export into another target, everything or a range of time; a reader of the feed begins again at 0";

/// What the ledger knows of events, as far as it answered.
#[derive(Debug, Default)]
pub struct LedgerAnswer {
    /// Those that were ever stored.
    pub stored: HashMap<EventKey, StoredKey>,
    /// The retention horizon; `None` while everything is kept, and where nothing was answered.
    pub horizon: Option<DateTime<Utc>>,
    /// How many of the events, from the first on, were answered.
    pub answered: usize,
    /// Why the others were not.
    pub error: Option<PipelineError>,
}

/// The record of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredText {
    /// Its id, by the ledger.
    pub record_id: RecordId,
    /// CloudEvents `time`.
    pub occurred_at: DateTime<Utc>,
    /// See [`event::stored_sha256`]; `None` where the ledger knows the identity and there is no record, because
    /// it was erased or has expired.
    pub sha256: Option<String>,
}

/// The records of events, as far as they were read.
#[derive(Debug, Default)]
pub struct TextAnswer {
    /// Those that were ever stored.
    pub stored: HashMap<EventKey, StoredText>,
    /// See [`LedgerAnswer::horizon`].
    pub horizon: Option<DateTime<Utc>>,
    /// How many of the events, from the first on, were answered.
    pub answered: usize,
    /// Why the others were not.
    pub error: Option<PipelineError>,
}

impl LedgerAnswer {
    /// The verdict of a body after this answer, and why the ingest would not store it.
    #[must_use]
    pub fn judge(&self, assessment: Assessment) -> (Verdict, Option<Failure>) {
        let key = assessment.key();
        let is_stored = key.is_some_and(|key| self.stored.contains_key(key));
        assessment.judge(is_stored, self.horizon)
    }
}

impl Pipeline {
    /// Number of records and time of the newest insert.
    ///
    /// # Errors
    /// When neither the database nor the API answers.
    pub async fn record_totals(&self) -> Result<RecordTotals, PipelineError> {
        self.read(
            "count the records",
            |pool| async move {
                let summary = store::summary(pool).await?;
                Ok(RecordTotals {
                    total: u64::try_from(summary.total).unwrap_or_default(),
                    total_is_estimate: summary.total_is_estimate,
                    last_ingested_at: summary.last_ingested_at,
                    database_now: summary.database_now,
                    schema_version: Some(summary.schema_version),
                    read_path: ReadPath::Database,
                    tunnel_fault: None,
                })
            },
            |api| async move {
                let summary = api.summary().await?;
                Ok(RecordTotals {
                    total: u64::try_from(summary.total).unwrap_or_default(),
                    total_is_estimate: summary.total_is_estimate,
                    last_ingested_at: summary.last_ingested_at,
                    database_now: summary.database_now,
                    schema_version: summary.schema_version,
                    read_path: ReadPath::Api,
                    tunnel_fault: self.unused_tunnel(),
                })
            },
        )
        .await
    }

    /// When the schema of the database was created, which tells two databases apart; a copy and a restore have
    /// the same.
    ///
    /// # Errors
    /// When neither the database nor the API answers, or an API of an earlier version does not say it.
    pub async fn database_created_at(&self) -> Result<DateTime<Utc>, PipelineError> {
        self.read(
            "read which database this is",
            |pool| async move { store::database_created_at(pool).await },
            |api| async move { api.database_created_at().await },
        )
        .await
    }

    /// One page of records.
    ///
    /// # Errors
    /// When the query exceeds a limit, or when neither the database nor the API answers.
    pub async fn list_records(&self, query: &RecordQuery) -> Result<Page<Record>, PipelineError> {
        let operation = "list records";
        query.validate().map_err(|error| {
            PipelineError::not_configured(operation, error.to_string(), "correct the filter")
        })?;
        self.read(
            operation,
            |pool| async move { store::list_records(pool, query).await },
            |api| async move { api.list_records(query).await },
        )
        .await
    }

    /// Records in the order of their arrival, after the record `after` (0 from the start).
    ///
    /// # Errors
    /// When the database never had a record with the id `after`, or when neither the database nor the API
    /// answers.
    pub async fn records_after(
        &self,
        after: RecordId,
        limit: u16,
    ) -> Result<Arrivals, PipelineError> {
        self.read(
            "list records by arrival",
            |pool| async move { store::records_after(pool, after, limit).await },
            |api| async move { api.records_after(after, limit).await },
        )
        .await
    }

    /// One record.
    ///
    /// # Errors
    /// When neither the database nor the API answers.
    pub async fn get_record(&self, record_id: RecordId) -> Result<Option<Record>, PipelineError> {
        self.read(
            &format!("get record {record_id}"),
            |pool| async move { store::get_record(pool, record_id).await },
            |api| async move { api.get_record(record_id).await },
        )
        .await
    }

    /// Number of records per type, most frequent first.
    ///
    /// # Errors
    /// When neither the database nor the API answers.
    pub async fn type_counts(&self) -> Result<Vec<TypeCount>, PipelineError> {
        self.read(
            "count records by type",
            |pool| async move { store::types(pool).await },
            |api| async move { api.types().await },
        )
        .await
    }

    /// Number of records per time bucket.
    ///
    /// # Errors
    /// When the query exceeds a limit, or when neither the database nor the API answers.
    pub async fn stats(&self, query: &StatsQuery) -> Result<Vec<StatsBucket>, PipelineError> {
        let operation = "count records by time";
        query.validate().map_err(|error| {
            PipelineError::not_configured(operation, error.to_string(), "correct the range")
        })?;
        self.read(
            operation,
            |pool| async move { store::stats(pool, query).await },
            |api| async move { api.stats(query).await },
        )
        .await
    }

    /// Which of the events were ever stored.
    ///
    /// # Errors
    /// When neither the database nor the API answers.
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
            let found = self.read(
                "look up stored events",
                |pool| async move { store::look_up_keys(pool, keys).await },
                |api| async move { api.look_up_keys(keys).await },
            );
            match found.await {
                Ok(found) => {
                    answer.stored.extend(found.stored);
                    answer.horizon = found.retention_horizon;
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

    /// Which of the events are stored, with which texts, as far as it is answered: [`KEYS_MAX`] in a question,
    /// for which their payloads are read.
    pub async fn look_up_texts(&self, keys: &[EventKey]) -> TextAnswer {
        let mut answer = TextAnswer::default();
        for keys in keys.chunks(KEYS_MAX) {
            let found = self.read(
                "look up the texts of stored events",
                |pool| async move { store::stored_texts(pool, keys).await },
                |api| async move { api.stored_texts(keys).await },
            );
            match found.await {
                Ok(found) => {
                    let stored = found.items.into_iter().map(|event| {
                        let text = StoredText {
                            record_id: event.record_id,
                            occurred_at: event.occurred_at,
                            sha256: event.payload_sha256,
                        };
                        let (source, id) = (event.source, event.id);
                        (EventKey { source, id }, text)
                    });
                    answer.stored.extend(stored);
                    answer.horizon = found.retention_horizon;
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
}
