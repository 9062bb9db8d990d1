//! When the ages of the oldest messages were measured.
//!
//! Invariant: an age that was measured at another time than the number beside it is shown with that time.

use chrono::{DateTime, Utc};

pub(crate) use pipeline::rules::OldestAge;

/// Ends of the periods of the metrics that the ages are from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AgesAt {
    pub(crate) source: Option<DateTime<Utc>>,
    pub(crate) dead_letters: Option<DateTime<Utc>>,
}
