//! Which queue is meant.

use serde::Serialize;

/// One of the two queues of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueRole {
    /// The queue that the ingest reads.
    Source,
    /// The dead-letter queue.
    DeadLetter,
}
