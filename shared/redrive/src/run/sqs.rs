//! The two calls that move messages: send to the destination, delete from the dead-letter queue.
//!
//! Invariant: as in [`super::answers`].

use std::collections::HashMap;

use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry,
};

use super::answers::{Answers, RefusalKind, Sent};
use crate::message::Original;
use crate::plan::Replaces;
use pipeline::model::QueueRole;
use pipeline::{EntryFailure, Pipeline, WritePermit};

/// A message to send.
#[derive(Clone, Debug)]
pub(super) struct Outgoing<'a> {
    /// Place in the plan.
    pub(super) index: usize,
    pub(super) body: &'a str,
    pub(super) original: &'a Original,
    /// The record that it replaces; only in a replay.
    pub(super) replaces: Option<&'a Replaces>,
    /// In FIFO queues: an id that the destination has not seen.
    pub(super) deduplication_id: Option<String>,
}

/// Sends messages in one call, without the client's own retries: it would repeat what got no
/// answer, and so send it twice.
pub(super) async fn send(
    pipeline: &Pipeline,
    _permit: &WritePermit,
    messages: &[Outgoing<'_>],
) -> Vec<(usize, Sent)> {
    let attempt = pipeline.queue_attempt("send to", QueueRole::Source);
    let mut answers = Answers::new(messages.iter().map(|message| message.index));
    let mut requests = Vec::new();
    for message in messages {
        match send_request(message) {
            Ok(request) => requests.push(request),
            Err(cause) => answers.set(message.index, Sent::refused(cause, RefusalKind::Final)),
        }
    }
    if requests.is_empty() {
        return answers.finish(|| Sent::unconfirmed("SQS"));
    }
    let count = requests.len();
    let without_retries = aws_sdk_sqs::config::Builder::new().retry_config(RetryConfig::disabled());
    let answer = pipeline
        .aws()
        .await
        .sqs
        .send_message_batch()
        .queue_url(pipeline.queue_url(QueueRole::Source))
        .set_entries(Some(requests))
        .customize()
        .config_override(without_retries)
        .send()
        .await;
    match answer {
        Ok(answer) => {
            for entry in answer.successful() {
                let message_id = entry.message_id().to_owned();
                answers.set_id(entry.id(), Sent::Confirmed { message_id });
            }
            for entry in answer.failed() {
                answers.set_id(entry.id(), failed_entry(entry));
            }
            answers.finish(|| Sent::unconfirmed("SQS"))
        }
        Err(error) => {
            let cause = attempt.sdk(&error).to_string();
            let sent = Sent::failed_call(&error, cause, count);
            answers.finish(|| sent.clone())
        }
    }
}

/// Deletes messages, with further tries of what fails in passing.
pub(super) async fn delete(
    pipeline: &Pipeline,
    permit: &WritePermit,
    messages: &[(usize, String)],
) -> Vec<(usize, Result<(), String>)> {
    let handles: Vec<String> = messages.iter().map(|(_, handle)| handle.clone()).collect();
    let deleted = pipeline.delete_dead_letters(permit, &handles).await;
    let deleted = deleted.into_iter();
    let deleted = deleted.map(|outcome| outcome.map_err(|why| why.cause));
    let indexes = messages.iter().map(|(index, _)| *index);
    indexes.zip(deleted).collect()
}

fn failed_entry(entry: &BatchResultErrorEntry) -> Sent {
    let cause = EntryFailure::of(entry).map_or_else(String::new, |failure| failure.cause);
    Sent::failed_entry(cause, entry.code(), entry.sender_fault())
}

fn send_request(message: &Outgoing<'_>) -> Result<SendMessageBatchRequestEntry, String> {
    SendMessageBatchRequestEntry::builder()
        .id(message.index.to_string())
        .message_body(message.body)
        .set_message_attributes(message.original.sdk_attributes()?)
        .set_message_system_attributes(trace(message.original)?)
        .set_message_group_id(message.original.group_id.clone())
        .set_message_deduplication_id(message.deduplication_id.clone())
        .build()
        .map_err(|error| error.to_string())
}

/// The X-Ray trace continues with the message (SQS developer guide, "Message system attributes").
fn trace(
    original: &Original,
) -> Result<Option<HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>>, String>
{
    let Some(header) = &original.trace_header else {
        return Ok(None);
    };
    let value = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value(header)
        .build()
        .map_err(|error| error.to_string())?;
    let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
    Ok(Some(HashMap::from([(name, value)])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_and_group_of_a_message_are_kept() {
        let sent = |trace_header: Option<&str>| {
            let original = Original {
                body: "{}".to_owned(),
                attributes: std::collections::BTreeMap::new(),
                group_id: Some("g".to_owned()),
                trace_header: trace_header.map(str::to_owned),
            };
            send_request(&Outgoing {
                index: 3,
                body: "{}",
                original: &original,
                replaces: None,
                deduplication_id: None,
            })
            .unwrap()
        };
        let traced = sent(Some("Root=1"));
        assert_eq!(traced.message_group_id(), Some("g"));
        let trace = &traced.message_system_attributes().unwrap()
            [&MessageSystemAttributeNameForSends::AwsTraceHeader];
        assert_eq!(trace.string_value(), Some("Root=1"));
        assert_eq!(sent(None).message_system_attributes(), None);
    }
}
