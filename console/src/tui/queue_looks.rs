//! When a queue was last seen empty, and when it was last seen to lose messages.
//!
//! Invariant: what left a queue since an age was measured may have been its oldest message.

use chrono::{DateTime, Utc};
use pipeline::oldest_age::OldestAge;

/// What the samples of a queue say of its oldest message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueueLooks {
    /// Messages at the last sample.
    total: Option<u64>,
    empty_at: Option<DateTime<Utc>>,
    fell_at: Option<DateTime<Utc>>,
}

impl QueueLooks {
    /// Takes a sample of all messages, hidden ones included.
    pub(crate) fn look(&mut self, total: u64, now: DateTime<Utc>) {
        if self.total.is_some_and(|before| total < before) {
            self.fell_at = Some(now);
        }
        if total == 0 {
            self.empty_at = Some(now);
        }
        self.total = Some(total);
    }

    /// The age of the oldest message of a queue that was counted at this time.
    pub(crate) fn oldest(
        &self,
        metric: Option<OldestAge>,
        counted_at: DateTime<Utc>,
    ) -> Option<OldestAge> {
        match self.empty_at {
            Some(empty_at) => Some(OldestAge::after_empty(metric, empty_at, counted_at)),
            None => metric,
        }
    }

    /// Whether the message that had this age may be gone.
    pub(crate) fn may_be_gone(&self, age: OldestAge) -> bool {
        self.fell_at.is_some_and(|fell_at| age.since < fell_at)
    }
}
