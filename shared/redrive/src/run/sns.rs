//! The call that publishes the events of a replay.
//!
//! Invariant: as in [`super::answers`].

use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::types::PublishBatchRequestEntry;

use super::answers::{Answers, RefusalKind, Sent};
use pipeline::{Pipeline, WritePermit};

/// Publishes events in one call, without the client's own retries: it would repeat what got no
/// answer, and so publish it twice.
pub(super) async fn publish(
    pipeline: &Pipeline,
    _permit: &WritePermit,
    events: &[(usize, &str)],
) -> Vec<(usize, Sent)> {
    let attempt = pipeline.publish_attempt();
    let mut answers = Answers::new(events.iter().map(|(index, _)| *index));
    let mut entries = Vec::new();
    for (index, body) in events {
        let entry = PublishBatchRequestEntry::builder()
            .id(index.to_string())
            .message(*body)
            .build();
        match entry {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                let refused = Sent::refused(error.to_string(), RefusalKind::Final);
                answers.set(*index, refused);
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
