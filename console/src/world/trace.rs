//! Where one published event is now.
//!
//! Invariant: one call is one look; the caller decides how often and how long to look. A look
//! into the dead letters gives back what it does not want at once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use event::{EventKey, RecordId, unwrap_envelope};

use super::observed::{Published, TraceState};
use super::receive::Receive;
use super::{World, WorldError};

/// Hold of letters that are only compared with one body.
const LOOK_HOLD: Duration = Duration::from_secs(2);
/// Letters of one look at most.
const LOOK_LETTERS_MAX: usize = 50;
/// A valid event is looked for among the dead letters only after this time: the usual way is
/// shorter, and every look counts as a receive of the letters it passes.
const PATIENCE: TimeDelta = TimeDelta::seconds(3);
/// Clocks of this machine and of SQS differ by less.
const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::seconds(30);

impl World {
    /// One look at where an event is: in the ledger, then among the dead letters if the validator
    /// refuses the body or it was not stored for a while.
    ///
    /// # Errors
    /// When the database or the dead-letter queue does not answer. A silent API is no error:
    /// `readable` stays `None`.
    pub async fn trace(
        &self,
        key: Option<&EventKey>,
        body: &str,
        published: &Published,
    ) -> Result<TraceState, WorldError> {
        if let Some(key) = key {
            let stored = self.stored_keys(std::slice::from_ref(key)).await?;
            if let Some(found) = stored.get(key) {
                return self.trace_record(found.record_id).await;
            }
        }
        let is_refused = event::parse_body(body).is_err();
        if !is_refused && Utc::now() - published.acknowledged_at < PATIENCE {
            return Ok(TraceState::Pending);
        }
        let sent_after = published.acknowledged_at - CLOCK_SKEW_MAX;
        Ok(match self.find_dead(body, sent_after).await? {
            Some(letter) => TraceState::Dead {
                reason: letter.reason(),
                message_id: letter.message_id,
                dead_at: letter.sent_at,
            },
            None => TraceState::Pending,
        })
    }

    async fn trace_record(&self, record_id: RecordId) -> Result<TraceState, WorldError> {
        let path = format!("/v1/records/{record_id}");
        let (record, readable) = tokio::join!(self.get_record(record_id), self.api_status(&path));
        // The ledger outlives partitions: an event can be known and its record dropped.
        Ok(match record? {
            Some(record) => TraceState::Stored {
                record_id,
                ingested_at: record.ingested_at,
                readable: readable.ok(),
            },
            None => TraceState::Pending,
        })
    }

    async fn find_dead(
        &self,
        body: &str,
        sent_after: DateTime<Utc>,
    ) -> Result<Option<Receive>, WorldError> {
        let wanted = unwrap_envelope(body);
        let mut others = Vec::new();
        let mut found = None;
        while found.is_none() && others.len() < LOOK_LETTERS_MAX {
            let receives = match self.receive(10, LOOK_HOLD).await {
                Ok(receives) => receives,
                Err(error) if others.is_empty() => return Err(error),
                Err(_) => break,
            };
            if receives.is_empty() {
                break;
            }
            for receive in receives {
                others.push(receive.receipt_handle.clone());
                if receive.sent_at >= sent_after && unwrap_envelope(&receive.body) == wanted {
                    found = Some(receive);
                }
            }
        }
        // Whatever cannot be given back now comes back by itself when the short hold ends.
        if let Err(error) = self.release_dead_letters(&others).await {
            tracing::debug!(%error, "letters come back when their hold ends");
        }
        Ok(found)
    }
}
