//! What one look at an environment showed.
//!
//! Invariant: each part has its answer or its error. Plain data.

use chrono::{DateTime, Utc};

use crate::PipelineError;
use crate::model::{ApiHealth, History, QueueSnapshot, RecordTotals};

/// What was read of one environment.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) queue: Result<QueueSnapshot, PipelineError>,
    pub(super) dead_letters: Result<QueueSnapshot, PipelineError>,
    pub(super) history: Result<History, PipelineError>,
    pub(super) api: Result<ApiHealth, PipelineError>,
    /// `None` where the database may be paused and was not asked.
    pub(super) totals: Option<Result<RecordTotals, PipelineError>>,
    pub(super) at: DateTime<Utc>,
}
