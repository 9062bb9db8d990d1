//! How old the oldest message of a queue is. Invariant: an age that was measured at another time than the number
//! beside it is shown with that time.

use chrono::{DateTime, Utc};

use super::format::{clock, span_secs};

/// Ends of the periods of the metrics that the ages are from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AgesAt {
    pub(crate) source: Option<DateTime<Utc>>,
    pub(crate) dead_letters: Option<DateTime<Utc>>,
}

/// Age of the oldest message of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OldestAge {
    pub(crate) secs: u64,
    /// When it had that age; `None` where it was read with the queue.
    pub(crate) at: Option<DateTime<Utc>>,
}

impl OldestAge {
    /// The age, with its time where it is not that of the number beside it.
    pub(crate) fn text(self) -> String {
        let age = span_secs(self.secs);
        match self.at {
            Some(at) => format!("{age} at {}", clock(at)),
            None => age,
        }
    }
}
