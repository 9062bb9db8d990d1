//! How a redrive runs, beside what its plan says.

use std::time::Duration;

use crate::lease::VISIBILITY_TIMEOUT;
use crate::limits::{BATCHES_AT_ONCE, PROVE_LIMIT};

/// What the caller decides about a run.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Batches in flight at once. FIFO queues take one after the other.
    pub batches_at_once: usize,
    /// Whether messages that the caller did not receive are searched in the dead-letter queue.
    pub searches: bool,
    /// How long a search waits for messages that other consumers hide, such as a process of an
    /// earlier version that crashed. The handles of others are in the journal, so that a search
    /// does not have to wait as long for them.
    pub search_patience: Duration,
    /// Whether it may pause by itself and wait for [`crate::Control::resume`]: after a canary step
    /// that was not proved, and when batch after batch is refused.
    pub pauses_by_itself: bool,
    /// How long the events of a canary step, and all of them at the end, may take until they are
    /// proved. Zero proves nothing, see also [`Self::asks_ledger`].
    pub prove_limit: Duration,
}

impl RunOptions {
    /// Whether the ledger is asked about each message before it is sent. If not, an event that was
    /// stored with the same identity since the plan was made makes this one a duplicate. It is
    /// asked about edited messages always: their identity is ours.
    pub(crate) const fn asks_ledger(&self) -> bool {
        !self.prove_limit.is_zero()
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            batches_at_once: BATCHES_AT_ONCE,
            searches: true,
            search_patience: VISIBILITY_TIMEOUT + Duration::from_secs(30),
            pauses_by_itself: true,
            prove_limit: PROVE_LIMIT,
        }
    }
}
