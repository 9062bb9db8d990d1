//! The two calls that move messages: send to the destination, delete from the dead-letter queue.
//!
//! Invariant: each message of a call has exactly one answer, and only what SQS confirmed for exactly
//! that message counts as done. A send without an answer is never repeated here.

use std::collections::HashMap;
use std::error::Error;

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry,
};

use crate::message::Original;
use pipeline::model::QueueRole;
use pipeline::{Entry, EntryFailure, Pipeline, WritePermit, is_server_failure, never_left};

/// A message to send.
#[derive(Clone, Debug)]
pub(super) struct Outgoing<'a> {
    /// Place in the plan.
    pub(super) index: usize,
    pub(super) body: &'a str,
    pub(super) original: &'a Original,
    /// In FIFO queues: an id that the destination has not seen.
    pub(super) deduplication_id: Option<String>,
}

/// What became of a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// SQS has it.
    Confirmed { message_id: String },
    /// SQS does not have it.
    Refused { cause: String, kind: RefusalKind },
    /// SQS may have it.
    Unanswered { cause: String },
}

/// What helps against a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusalKind {
    /// Sent too fast.
    Throttled,
    /// A later try may pass.
    Passing,
    /// The call was refused as a whole: each message must be tried alone.
    WithOthers,
    /// Trying again does not help.
    Final,
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
        return answers.finish(Sent::unconfirmed);
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
                answers.set_id(entry.id(), Sent::failed_entry(entry));
            }
            answers.finish(Sent::unconfirmed)
        }
        Err(error) => {
            let cause = attempt.sdk(&error).to_string();
            let sent = match whole_call_refusal(&error, count) {
                Some(kind) => Sent::refused(cause, kind),
                None => Sent::Unanswered { cause },
            };
            answers.finish(|| sent.clone())
        }
    }
}

/// Deletes messages in one call.
pub(super) async fn delete(
    pipeline: &Pipeline,
    permit: &WritePermit,
    messages: &[(usize, String)],
) -> Vec<(usize, Result<(), String>)> {
    let mut answers = Answers::new(messages.iter().map(|(index, _)| *index));
    let entries: Vec<_> = messages
        .iter()
        .map(|(index, value)| Entry {
            index: *index,
            value,
        })
        .collect();
    for (index, deleted) in pipeline.delete_batch(permit, &entries).await {
        answers.set(index, deleted.map_err(|why| why.cause));
    }
    answers.finish(|| Err("SQS did not confirm it".to_owned()))
}

impl Sent {
    fn refused(cause: String, kind: RefusalKind) -> Self {
        Self::Refused { cause, kind }
    }

    /// SQS answered and left this message out; it may have accepted it.
    fn unconfirmed() -> Self {
        Self::Unanswered {
            cause: "SQS did not confirm it".to_owned(),
        }
    }

    fn failed_entry(entry: &BatchResultErrorEntry) -> Self {
        let cause = EntryFailure::of(entry).map_or_else(String::new, |failure| failure.cause);
        let kind = if is_throttling(entry.code()) {
            RefusalKind::Throttled
        } else if entry.sender_fault() {
            RefusalKind::Final
        } else {
            RefusalKind::Passing
        };
        Self::refused(cause, kind)
    }
}

/// One answer for each message of a call.
struct Answers<T> {
    order: Vec<usize>,
    answers: HashMap<usize, T>,
}

impl<T> Answers<T> {
    fn new(order: impl Iterator<Item = usize>) -> Self {
        Self {
            order: order.collect(),
            answers: HashMap::new(),
        }
    }

    fn set(&mut self, index: usize, answer: T) {
        self.answers.insert(index, answer);
    }

    fn set_id(&mut self, id: &str, answer: T) {
        if let Ok(index) = id.parse() {
            self.set(index, answer);
        }
    }

    fn finish(mut self, missing: impl Fn() -> T) -> Vec<(usize, T)> {
        self.order
            .iter()
            .map(|index| (*index, self.answers.remove(index).unwrap_or_else(&missing)))
            .collect()
    }
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

/// Why SQS certainly accepted nothing of a call; `None` when it may have.
fn whole_call_refusal<E>(error: &SdkError<E, HttpResponse>, count: usize) -> Option<RefusalKind>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(answer) = error.as_service_error() {
        if answer.code().is_some_and(is_throttling) {
            return Some(RefusalKind::Throttled);
        }
        // A server that failed may have failed after it accepted the message.
        if is_server_failure(error) {
            return None;
        }
        return Some(if count > 1 {
            RefusalKind::WithOthers
        } else {
            RefusalKind::Final
        });
    }
    if matches!(error, SdkError::ConstructionFailure(_)) {
        return Some(RefusalKind::Final);
    }
    never_left(error).then_some(RefusalKind::Passing)
}

/// Codes by which SQS, and AWS in general, asks for fewer calls (Amazon SQS API reference, common errors).
fn is_throttling(code: &str) -> bool {
    let code = code.rsplit('.').next().unwrap_or(code);
    code.contains("Throttl") || matches!(code, "OverLimit" | "SlowDown" | "TooManyRequests")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_differs_from_other_refusals() {
        for code in [
            "ThrottlingException",
            "RequestThrottled",
            "KmsThrottled",
            "AWS.SimpleQueueService.OverLimit",
        ] {
            assert!(is_throttling(code), "{code}");
        }
        for code in ["InvalidMessageContents", "AccessDenied", "InternalError"] {
            assert!(!is_throttling(code), "{code}");
        }
    }

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

    #[test]
    fn every_message_has_one_answer_in_the_order_of_the_call() {
        let mut answers = Answers::new([7, 3, 5].into_iter());
        answers.set_id("3", "yes");
        answers.set_id("no number", "lost");
        assert_eq!(answers.finish(|| "no"), [(7, "no"), (3, "yes"), (5, "no")]);
    }
}
