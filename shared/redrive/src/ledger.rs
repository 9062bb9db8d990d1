//! Which events the ledger knows.
//!
//! Invariant: no question has more than [`LEDGER_KEYS_MAX`] keys, and a ledger that does not answer
//! is part of the answer: whoever asks decides what that means.

use std::collections::HashMap;

use event::{EventKey, RecordId};

use crate::limits::LEDGER_KEYS_MAX;
use pipeline::{Pipeline, PipelineError};

/// What the ledger answered.
#[derive(Debug, Default)]
pub(crate) struct LedgerAnswer {
    records: HashMap<EventKey, RecordId>,
    /// How many of the keys, from the first on, were answered.
    pub(crate) answered: usize,
    /// Why the others were not.
    pub(crate) error: Option<PipelineError>,
}

impl LedgerAnswer {
    pub(crate) fn record_of(&self, key: &EventKey) -> Option<RecordId> {
        self.records.get(key).copied()
    }
}

/// Whether there is a ledger to ask.
pub(crate) fn is_configured(pipeline: &Pipeline) -> bool {
    pipeline.environment().database_url.is_some()
}

/// Looks keys up. Where no ledger is configured, none is known and that is no error.
pub(crate) async fn look_up(pipeline: &Pipeline, keys: &[EventKey]) -> LedgerAnswer {
    let mut answer = LedgerAnswer::default();
    if !is_configured(pipeline) {
        answer.answered = keys.len();
        return answer;
    }
    for chunk in keys.chunks(LEDGER_KEYS_MAX) {
        match pipeline.stored_keys(chunk).await {
            Ok(stored) => {
                let records = stored
                    .into_iter()
                    .map(|(key, stored)| (key, stored.record_id));
                answer.records.extend(records);
                answer.answered += chunk.len();
            }
            Err(error) => {
                answer.error = Some(error);
                break;
            }
        }
    }
    answer
}
