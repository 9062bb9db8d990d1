//! What is asked of CloudWatch: one line is one metric of one subject.

use super::queue_role::QueueRole;

/// The subject of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Queue(QueueRole),
    /// The metrics that the ingest itself sends.
    Ingest,
    /// What Lambda measures of the ingest.
    IngestFunction,
    Topic,
    Api,
    Cluster,
}

/// One queried line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) subject: Subject,
    pub(super) metric: &'static str,
    pub(super) statistic: &'static str,
}
