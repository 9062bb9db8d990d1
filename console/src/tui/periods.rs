//! A rate of messages.

use chrono::{DateTime, Utc};

/// Messages per second in the last complete period of a metric, or records between two samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) per_sec: f64,
    /// Start of that period.
    pub(crate) since: DateTime<Utc>,
    /// End of that period.
    pub(crate) until: DateTime<Utc>,
    /// Whether a newer one should have come.
    pub(crate) is_old: bool,
}
