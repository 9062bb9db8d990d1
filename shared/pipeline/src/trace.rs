//! Where one published event is now.
//!
//! Invariant: one call checks once; the caller decides how often and how long to check.

use chrono::{TimeDelta, Utc};
use event::{EventKey, RecordId};

use super::model::{Published, TraceState};
use super::{Pipeline, PipelineError};

/// A valid event is searched in the dead-letter queue only after this time: it is usually stored before, and
/// a search hides the messages that it receives from others for a while.
const SEARCH_DELAY: TimeDelta = TimeDelta::seconds(3);

impl Pipeline {
    /// Checks once where an event is: in the ledger, then in the dead-letter queue if the validator refuses
    /// the body or the event was not stored for a while, unless they are not to be searched: a search receives
    /// messages.
    ///
    /// # Errors
    /// When the database or the dead-letter queue does not respond. If the API does not respond, `readable`
    /// is `None`.
    pub async fn trace(
        &self,
        key: Option<&EventKey>,
        body: &str,
        published: &Published,
        searches_dead_letters: bool,
    ) -> Result<TraceState, PipelineError> {
        if let Some(key) = key
            && let Some(record_id) = self.record_of(key).await?
        {
            return self.trace_record(record_id).await;
        }
        if searches_dead_letters {
            self.trace_unstored(body, published).await
        } else {
            Ok(TraceState::Pending)
        }
    }

    /// The record of an event, by the ledger.
    pub(super) async fn record_of(
        &self,
        key: &EventKey,
    ) -> Result<Option<RecordId>, PipelineError> {
        let stored = self.stored_keys(std::slice::from_ref(key)).await?;
        Ok(stored.get(key).map(|found| found.record_id))
    }

    /// Where an event is that the ledger does not know: among the dead letters, if it is not too early to search
    /// them.
    pub(super) async fn trace_unstored(
        &self,
        body: &str,
        published: &Published,
    ) -> Result<TraceState, PipelineError> {
        let is_refused = event::parse_body(body).is_err();
        if !is_refused && Utc::now() - published.acknowledged_at < SEARCH_DELAY {
            return Ok(TraceState::Pending);
        }
        self.find_dead(body, published).await
    }

    /// The record of an event, and what the API answers for it.
    pub(super) async fn trace_record(
        &self,
        record_id: RecordId,
    ) -> Result<TraceState, PipelineError> {
        let path = format!("/v1/records/{record_id}");
        let (record, readable) = tokio::join!(self.get_record(record_id), self.api_status(&path));
        // The ledger outlives partitions: an event can be in it while its record is dropped.
        Ok(match record? {
            Some(record) => TraceState::Stored {
                record_id,
                ingested_at: record.ingested_at,
                readable: readable.ok(),
            },
            None => TraceState::Pending,
        })
    }
}
