//! Publishing to the topic, in batches.
//!
//! Invariant: the answers are parallel to the bodies; a body counts as published only when SNS
//! confirmed exactly that entry; one that got no answer is marked, for it may have been published.

use std::ops::Range;

use aws_sdk_sns::types::PublishBatchRequestEntry;
use chrono::Utc;
use futures::stream::{self, StreamExt as _};

use super::error::is_surely_not_done;
use super::model::Published;
use super::queues::BATCH_ENTRIES_MAX;
use super::{Attempt, Pipeline, PipelineError, WritePermit};

/// Bytes of all bodies of one batch call at most (Amazon SNS quotas).
pub const PUBLISH_BATCH_BYTES_MAX: usize = 256 * 1024;
/// Batch calls that run at once.
const CALLS_MAX: usize = 4;

impl Pipeline {
    /// Publishes bodies as they are. The answers are parallel to the input.
    pub async fn publish(
        &self,
        permit: &WritePermit,
        bodies: &[String],
    ) -> Vec<Result<Published, PipelineError>> {
        let sizes: Vec<usize> = bodies.iter().map(String::len).collect();
        stream::iter(batches(&sizes, BATCH_ENTRIES_MAX, PUBLISH_BATCH_BYTES_MAX))
            .map(|range| self.publish_batch(permit, bodies.get(range).unwrap_or_default()))
            .buffered(CALLS_MAX)
            .flat_map(stream::iter)
            .collect()
            .await
    }

    /// Publishes one body as it is.
    ///
    /// # Errors
    /// When the topic does not confirm it.
    pub async fn publish_one(
        &self,
        permit: &WritePermit,
        body: String,
    ) -> Result<Published, PipelineError> {
        let answers = self.publish(permit, &[body]).await;
        answers.into_iter().next().unwrap_or_else(|| {
            let attempt = Attempt::start(
                format!("publish to {:?}", self.topic_name()),
                self.aws_address("sns"),
            );
            Err(attempt.refused("there is no answer"))
        })
    }

    /// Name of the topic, the last part of its ARN.
    #[must_use]
    pub fn topic_name(&self) -> &str {
        let arn = &self.environment().topic_arn;
        arn.rsplit(':').next().unwrap_or(arn)
    }

    async fn publish_batch(
        &self,
        _permit: &WritePermit,
        bodies: &[String],
    ) -> Vec<Result<Published, PipelineError>> {
        let attempt = Attempt::start(
            format!("publish to {:?}", self.topic_name()),
            self.aws_address("sns"),
        );
        let entries: Result<Vec<_>, _> = bodies
            .iter()
            .enumerate()
            .map(|(index, body)| {
                PublishBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message(body)
                    .build()
            })
            .collect();
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return vec![Err(attempt.refused(error.to_string())); bodies.len()],
        };
        let answer = self
            .aws()
            .await
            .sns
            .publish_batch()
            .topic_arn(&self.environment().topic_arn)
            .set_publish_batch_request_entries(Some(entries))
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let told = attempt.sdk(&error);
                let told = if is_surely_not_done(&error) {
                    told
                } else {
                    told.outcome_unknown("it may have been published")
                };
                return vec![Err(told); bodies.len()];
            }
        };
        let acknowledged_at = Utc::now();
        let latency = attempt.elapsed();
        (0..bodies.len())
            .map(|index| {
                let id = index.to_string();
                let confirmed = answer
                    .successful()
                    .iter()
                    .find(|entry| entry.id() == Some(id.as_str()))
                    .and_then(|entry| entry.message_id());
                if let Some(message_id) = confirmed {
                    return Ok(Published {
                        sns_message_id: message_id.to_owned(),
                        acknowledged_at,
                        latency,
                    });
                }
                let failed = answer.failed().iter().find(|entry| entry.id() == id);
                Err(match failed {
                    Some(entry) => attempt.refused(format!(
                        "{}: {}",
                        entry.code(),
                        entry.message().unwrap_or("no reason given")
                    )),
                    None => attempt
                        .refused("the topic did not confirm the message")
                        .outcome_unknown("it may have been published"),
                })
            })
            .collect()
    }
}

/// Cuts a list into consecutive batches within both limits. What is too large by itself gets a
/// batch of its own.
pub fn batches(sizes: &[usize], entries_max: usize, bytes_max: usize) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let mut begin = 0;
    let mut bytes = 0;
    for (index, size) in sizes.iter().enumerate() {
        let is_full = index - begin >= entries_max || bytes + size > bytes_max;
        if is_full && index > begin {
            batches.push(begin..index);
            begin = index;
            bytes = 0;
        }
        bytes += size;
    }
    if begin < sizes.len() {
        batches.push(begin..sizes.len());
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_both_limits_and_lose_nothing() {
        assert!(batches(&[], 10, 100).is_empty());
        assert_eq!(batches(&[1; 12], 10, 100), [0..10, 10..12]);
        assert_eq!(
            batches(&[60, 50, 40, 200, 1], 10, 100),
            [0..1, 1..3, 3..4, 4..5]
        );
    }

    proptest::proptest! {
        #[test]
        fn every_index_is_in_exactly_one_batch(
            sizes in proptest::collection::vec(0_usize..300, 0..60),
        ) {
            let batches = batches(&sizes, 10, 256);
            let indexes: Vec<usize> = batches.iter().cloned().flatten().collect();
            proptest::prop_assert_eq!(indexes, (0..sizes.len()).collect::<Vec<_>>());
            for range in batches {
                let bytes: usize = sizes[range.clone()].iter().sum();
                proptest::prop_assert!(range.len() <= 10);
                proptest::prop_assert!(bytes <= 256 || range.len() == 1);
            }
        }
    }
}
