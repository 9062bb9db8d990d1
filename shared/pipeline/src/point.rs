//! One value of a metric at one time.

use chrono::{DateTime, Utc};

/// One value of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Start of the period.
    pub at: DateTime<Utc>,
    /// The value, in the metric's own unit.
    pub value: f64,
}
