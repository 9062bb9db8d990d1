//! The call that publishes the events of a replay.
//!
//! Invariant: as in [`super::answers`].

use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::error::BuildError;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use event::REPLACES_ATTRIBUTE;

use super::answers::{Answers, RefusalKind, Sent};
use super::sqs::Outgoing;
use crate::plan::ATTRIBUTE_TYPE;
use pipeline::{Pipeline, WritePermit};

/// Publishes events in one call, without the client's own retries: it would repeat what got no
/// answer, and so publish it twice.
pub(super) async fn publish(
    pipeline: &Pipeline,
    _permit: &WritePermit,
    events: &[Outgoing<'_>],
) -> Vec<(usize, Sent)> {
    let attempt = pipeline.publish_attempt();
    let mut answers = Answers::new(events.iter().map(|event| event.index));
    let mut entries = Vec::new();
    for event in events {
        match entry(event) {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                let refused = Sent::refused(error.to_string(), RefusalKind::Final);
                answers.set(event.index, refused);
            }
        }
    }
    if entries.is_empty() {
        return answers.finish(|| Sent::unconfirmed("SNS"));
    }
    let count = entries.len();
    let without_retries = aws_sdk_sns::config::Builder::new().retry_config(RetryConfig::disabled());
    let answer = pipeline
        .aws()
        .await
        .sns
        .publish_batch()
        .topic_arn(&pipeline.environment().topic_arn)
        .set_publish_batch_request_entries(Some(entries))
        .customize()
        .config_override(without_retries)
        .send()
        .await;
    match answer {
        Ok(answer) => {
            for entry in answer.successful() {
                if let (Some(id), Some(message_id)) = (entry.id(), entry.message_id()) {
                    let message_id = message_id.to_owned();
                    answers.set_id(id, Sent::Confirmed { message_id });
                }
            }
            for entry in answer.failed() {
                let cause = match entry.message() {
                    Some(message) => format!("{}: {message}", entry.code()),
                    None => entry.code().to_owned(),
                };
                let failed = Sent::failed_entry(cause, entry.code(), entry.sender_fault());
                answers.set_id(entry.id(), failed);
            }
            answers.finish(|| Sent::unconfirmed("SNS"))
        }
        Err(error) => {
            let cause = attempt.sdk(&error).to_string();
            let sent = Sent::failed_call(&error, cause, count);
            answers.finish(|| sent.clone())
        }
    }
}

/// A record had no message attributes; an event that replaces one names it.
fn entry(event: &Outgoing<'_>) -> Result<PublishBatchRequestEntry, BuildError> {
    let entry = PublishBatchRequestEntry::builder()
        .id(event.index.to_string())
        .message(event.body);
    let Some(replaces) = event.replaces else {
        return entry.build();
    };
    let named = MessageAttributeValue::builder()
        .data_type(ATTRIBUTE_TYPE)
        .string_value(replaces.attribute())
        .build()?;
    entry.message_attributes(REPLACES_ATTRIBUTE, named).build()
}
