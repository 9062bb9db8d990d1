//! The two queues: their depth and settings, and the batches that are sent to and deleted from
//! them.
//!
//! Invariant: a batch call has a result for each entry; an entry counts as done only when SQS confirmed
//! exactly that entry.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::types::{BatchResultErrorEntry, QueueAttributeName};

use super::connection::Aws;
use super::model::{QueueDepth, QueueRole, QueueSettings, QueueSnapshot};
use super::oldest_age::OldestAge;
use super::{Attempt, Pipeline, PipelineError};

/// Most entries of an SQS or SNS batch call (Amazon SQS quotas).
pub const BATCH_ENTRIES_MAX: usize = 10;

/// One entry of a batch, identified by its index in the caller's list.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// Index in the caller's list, which is also the entry's id in the batch.
    pub index: usize,
    /// The content of the entry.
    pub value: T,
}

/// An entry that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryFailure {
    /// See [`Entry::index`].
    pub index: usize,
    /// Code and message of SQS.
    pub cause: String,
}

impl EntryFailure {
    /// `None` where the entry's id is not an index of the request.
    pub fn of(entry: &BatchResultErrorEntry) -> Option<Self> {
        Some(Self {
            index: entry.id().parse().ok()?,
            cause: match entry.message() {
                Some(message) => format!("{}: {message}", entry.code()),
                None => entry.code().to_owned(),
            },
        })
    }
}

impl Pipeline {
    /// URL of a queue.
    #[must_use]
    pub fn queue_url(&self, role: QueueRole) -> &str {
        let environment = self.environment();
        match role {
            QueueRole::Source => &environment.queue_url,
            QueueRole::DeadLetter => &environment.dead_letter_queue_url,
        }
    }

    /// Name of a queue, the last part of its URL.
    #[must_use]
    pub fn queue_name(&self, role: QueueRole) -> &str {
        name_of(self.queue_url(role))
    }

    /// Reads the state of a queue: depth and settings from SQS, the age of its oldest message from
    /// CloudWatch. If CloudWatch does not respond or has no recent value, the age is `None`.
    ///
    /// # Errors
    /// When SQS does not return the attributes.
    pub async fn queue_snapshot(&self, role: QueueRole) -> Result<QueueSnapshot, PipelineError> {
        let aws = self.aws().await;
        let (attributes, oldest) =
            tokio::join!(self.queue_attributes(aws, role), self.oldest_age(role));
        Ok(self.snapshot(role, &attributes?, oldest))
    }

    /// Reads the state of a queue without the age of its oldest message, which [`Pipeline::history`] has too.
    ///
    /// # Errors
    /// When SQS does not return the attributes.
    pub async fn queue_state(&self, role: QueueRole) -> Result<QueueSnapshot, PipelineError> {
        let attributes = self.queue_attributes(self.aws().await, role).await?;
        Ok(self.snapshot(role, &attributes, None))
    }

    fn snapshot(
        &self,
        role: QueueRole,
        attributes: &BTreeMap<String, String>,
        oldest: Option<OldestAge>,
    ) -> QueueSnapshot {
        QueueSnapshot {
            depth: depth(attributes),
            oldest,
            settings: settings(self.queue_name(role), attributes),
        }
    }

    /// Approximate message counts of a queue (Amazon SQS API reference, `GetQueueAttributes`).
    ///
    /// # Errors
    /// When SQS does not respond.
    pub async fn queue_depth(&self, role: QueueRole) -> Result<QueueDepth, PipelineError> {
        let attributes = self.queue_attributes(self.aws().await, role).await?;
        Ok(depth(&attributes))
    }

    pub(super) async fn queue_settings(
        &self,
        role: QueueRole,
    ) -> Result<QueueSettings, PipelineError> {
        let attributes = self.queue_attributes(self.aws().await, role).await?;
        Ok(settings(self.queue_name(role), &attributes))
    }

    pub(super) async fn queue_attributes(
        &self,
        aws: &Aws,
        role: QueueRole,
    ) -> Result<BTreeMap<String, String>, PipelineError> {
        let attempt = self.queue_attempt("read queue depth of", role);
        let answer = aws
            .sqs
            .get_queue_attributes()
            .queue_url(self.queue_url(role))
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .map_err(|error| attempt.sdk(&error))?;
        Ok(named(answer.attributes.unwrap_or_default()))
    }

    /// An operation on a queue, named with the queue in its errors.
    pub fn queue_attempt(&self, operation: &str, role: QueueRole) -> Attempt {
        Attempt::start(
            format!("{operation} {:?}", self.queue_name(role)),
            self.aws_address("sqs"),
        )
    }
}

fn named(attributes: HashMap<QueueAttributeName, String>) -> BTreeMap<String, String> {
    attributes
        .into_iter()
        .map(|(name, value)| (name.as_str().to_owned(), value))
        .collect()
}

fn number(attributes: &BTreeMap<String, String>, name: &str) -> Option<u64> {
    attributes.get(name)?.parse().ok()
}

fn depth(attributes: &BTreeMap<String, String>) -> QueueDepth {
    let count = |name| number(attributes, name).unwrap_or_default();
    QueueDepth {
        visible: count("ApproximateNumberOfMessages"),
        in_flight: count("ApproximateNumberOfMessagesNotVisible"),
        delayed: count("ApproximateNumberOfMessagesDelayed"),
    }
}

fn settings(name: &str, attributes: &BTreeMap<String, String>) -> QueueSettings {
    QueueSettings {
        name: attributes
            .get("QueueArn")
            .and_then(|arn| arn.rsplit(':').next())
            .unwrap_or(name)
            .to_owned(),
        // The defaults of SQS (Amazon SQS API reference, CreateQueue).
        visibility_timeout_secs: number(attributes, "VisibilityTimeout").unwrap_or(30),
        retention_secs: number(attributes, "MessageRetentionPeriod").unwrap_or(345_600),
        max_receive_count: attributes
            .get("RedrivePolicy")
            .and_then(|policy| max_receive_count(policy)),
    }
}

/// SQS writes a number, other tools a string; both occur.
fn max_receive_count(policy: &str) -> Option<u64> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    let count = policy.get("maxReceiveCount")?;
    count.as_u64().or_else(|| count.as_str()?.parse().ok())
}

fn name_of(queue_url: &str) -> &str {
    queue_url.rsplit('/').next().unwrap_or(queue_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_become_depth_and_settings() {
        let attributes: BTreeMap<String, String> = [
            ("ApproximateNumberOfMessages", "12"),
            ("ApproximateNumberOfMessagesNotVisible", "5"),
            ("ApproximateNumberOfMessagesDelayed", "1"),
            (
                "QueueArn",
                "arn:aws:sqs:us-east-1:000000000000:events-queue",
            ),
            ("VisibilityTimeout", "60"),
            ("MessageRetentionPeriod", "1209600"),
            (
                "RedrivePolicy",
                r#"{"deadLetterTargetArn":"a","maxReceiveCount":"3"}"#,
            ),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        assert_eq!(
            depth(&attributes),
            QueueDepth {
                visible: 12,
                in_flight: 5,
                delayed: 1
            }
        );
        assert_eq!(
            settings("x", &attributes),
            QueueSettings {
                name: "events-queue".to_owned(),
                visibility_timeout_secs: 60,
                retention_secs: 1_209_600,
                max_receive_count: Some(3),
            }
        );
        assert_eq!(max_receive_count(r#"{"maxReceiveCount":5}"#), Some(5));
    }

    #[test]
    fn name_is_the_last_part_of_the_url() {
        assert_eq!(
            name_of("http://h:1/000000000000/events-queue"),
            "events-queue"
        );
        assert_eq!(name_of("odd"), "odd");
    }
}
