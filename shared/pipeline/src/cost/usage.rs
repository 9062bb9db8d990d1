//! What was used. Pure.

/// What was used in the observed time; `None` where there are no metrics of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// Seconds that the metrics cover, up to now.
    pub(super) observed_secs: f64,
    pub(super) published: Option<f64>,
    /// Messages sent, received and deleted, and receives without a message, of both queues.
    pub(super) queue_messages: Option<f64>,
    pub(super) invocations: Option<f64>,
    pub(super) function_secs: Option<f64>,
    pub(super) api_requests: Option<f64>,
    /// Mean of the capacity of an instance in ACUs, pauses included.
    pub(super) capacity: Option<f64>,
    /// Smallest mean of an hour.
    pub(super) capacity_min: Option<f64>,
    /// Instances of the database.
    pub(super) instances: Option<u32>,
    /// Memory of the ingest in MiB.
    pub(super) memory_mib: Option<u32>,
    /// Metrics of the ingest that have values.
    pub(super) custom_metrics: usize,
}
