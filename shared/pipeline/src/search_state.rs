//! What the search for one event among the dead letters keeps from look to look.
//!
//! Invariant: plain data, so that the connection can have it; there is one search at a time.

use chrono::{DateTime, Utc};

/// The search that is under way.
#[derive(Debug, Default)]
pub(super) struct SearchState {
    /// SNS message id of the event that is looked for.
    pub(super) sns_message_id: String,
    /// Messages that were passed: message id, receipt handle, until when they are hidden.
    pub(super) passed: Vec<(String, String, DateTime<Utc>)>,
    /// Counts the looks, so that the last one differs from the ones before.
    pub(super) looks: u64,
}
