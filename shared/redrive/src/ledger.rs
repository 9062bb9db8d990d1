//! Which events the ledger knows.
//!
//! Invariant: a ledger that is not configured or does not answer is part of the answer: whoever asks
//! decides what that means.

use event::EventKey;

use pipeline::{LedgerAnswer, Pipeline, TextAnswer};

/// Looks keys up. Where no ledger is configured, none is known and that is no error.
pub(crate) async fn look_up(pipeline: &Pipeline, keys: &[EventKey]) -> LedgerAnswer {
    if pipeline.has_ledger() {
        return pipeline.look_up_keys(keys).await;
    }
    LedgerAnswer {
        answered: keys.len(),
        ..LedgerAnswer::default()
    }
}

/// Looks up which records have the identities, with their texts; `None` where no ledger is configured.
pub(crate) async fn look_up_texts(pipeline: &Pipeline, keys: &[EventKey]) -> Option<TextAnswer> {
    if !pipeline.has_ledger() {
        return None;
    }
    Some(pipeline.look_up_texts(keys).await)
}
