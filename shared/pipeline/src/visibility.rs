//! Visibility timeouts of received messages, changed in batches.
//!
//! Invariant: a timeout counts as changed only when SQS confirmed exactly that handle; the new one
//! is counted from before its request.

use std::time::Duration;

use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use chrono::{DateTime, Utc};
use futures::stream::{self, Stream, StreamExt as _};

use super::model::QueueRole;
use super::queues::BATCH_ENTRIES_MAX;
use super::text::messages_in_words;
use super::{Attempt, Pipeline, PipelineError};

/// Longest visibility timeout that SQS takes (Amazon SQS quotas).
pub const VISIBILITY_TIMEOUT_MAX: Duration = Duration::from_secs(12 * 3_600);
/// Batch calls at once.
const CALLS_MAX: usize = 16;

/// The answer to one batch call.
#[derive(Debug)]
pub(super) struct VisibilityChange {
    pub(super) asked_at: DateTime<Utc>,
    pub(super) changed: Result<Changed, PipelineError>,
}

/// The handles of one answer, by their indexes.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// SQS confirmed them.
    pub(super) confirmed: Vec<usize>,
    /// SQS does not know them as hidden: their timeouts have ended, or their messages are gone.
    pub(super) lost: Vec<usize>,
}

impl Pipeline {
    /// Changes timeouts, several batches at once; each batch has one answer, in any order.
    pub(super) fn visibility_changes(
        &self,
        queue: QueueRole,
        receipt_handles: &[String],
        timeout: Duration,
    ) -> impl Stream<Item = VisibilityChange> + Unpin {
        let batches = receipt_handles.chunks(BATCH_ENTRIES_MAX).enumerate();
        let call = move |(number, handles): (usize, &[String])| {
            let begin = number * BATCH_ENTRIES_MAX;
            let handles = handles.to_vec();
            async move {
                VisibilityChange {
                    asked_at: Utc::now(),
                    changed: self.change_batch(queue, begin, &handles, timeout).await,
                }
            }
        };
        stream::iter(batches.map(call).collect::<Vec<_>>()).buffer_unordered(CALLS_MAX)
    }

    async fn change_batch(
        &self,
        queue: QueueRole,
        begin: usize,
        receipt_handles: &[String],
        timeout: Duration,
    ) -> Result<Changed, PipelineError> {
        let attempt = self.visibility_attempt(queue);
        let requests = (begin..)
            .zip(receipt_handles)
            .map(|(index, handle)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(handle)
                    .visibility_timeout(visibility_secs(timeout))
                    .build()
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| attempt.refused(error.to_string()))?;
        let answer = self
            .aws()
            .await
            .sqs
            .change_message_visibility_batch()
            .queue_url(self.queue_url(queue))
            .set_entries(Some(requests))
            .send()
            .await
            .map_err(|error| attempt.sdk(&error))?;
        let confirmed = answer.successful().iter();
        let lost = answer.failed().iter().filter(|entry| entry.sender_fault());
        Ok(Changed {
            confirmed: confirmed
                .filter_map(|entry| entry.id().parse().ok())
                .collect(),
            lost: lost.filter_map(|entry| entry.id().parse().ok()).collect(),
        })
    }

    /// The error of a queue that was silent for so long.
    pub(super) fn no_visibility_answer(&self, queue: QueueRole, limit: Duration) -> PipelineError {
        self.visibility_attempt(queue).timed_out(limit)
    }

    /// The error of a queue that neither confirmed nor refused all messages.
    pub(super) fn visibility_unconfirmed(
        &self,
        queue: QueueRole,
        messages: usize,
    ) -> PipelineError {
        let cause = format!("SQS did not confirm {}", messages_in_words(messages as u64));
        self.visibility_attempt(queue).refused(cause)
    }

    fn visibility_attempt(&self, queue: QueueRole) -> Attempt {
        let operation = "change the visibility timeout of messages in";
        self.queue_attempt(operation, queue)
    }
}

/// Whole seconds, within what SQS takes.
pub(super) fn visibility_secs(timeout: Duration) -> i32 {
    i32::try_from(timeout.min(VISIBILITY_TIMEOUT_MAX).as_secs()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeout_stays_within_what_sqs_takes() {
        assert_eq!(visibility_secs(Duration::from_secs(100_000)), 43_200);
        assert_eq!(visibility_secs(Duration::ZERO), 0);
    }
}
