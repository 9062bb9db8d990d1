//! What became of the messages of one call.
//!
//! Invariant: each message of a call has exactly one answer, and only what the service confirmed for
//! exactly that message counts as sent. A send without an answer is never repeated here.

use std::collections::HashMap;
use std::error::Error;

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use pipeline::{is_server_failure, never_left};

/// What became of a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The service has it.
    Confirmed { message_id: String },
    /// The service does not have it.
    Refused { cause: String, kind: RefusalKind },
    /// The service may have it.
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

impl Sent {
    pub(super) fn refused(cause: String, kind: RefusalKind) -> Self {
        Self::Refused { cause, kind }
    }

    /// The service answered and left this message out; it may have accepted it.
    pub(super) fn unconfirmed(service: &str) -> Self {
        Self::Unanswered {
            cause: format!("{service} did not confirm it"),
        }
    }

    /// An entry of a batch that failed.
    pub(super) fn failed_entry(cause: String, code: &str, is_senders_fault: bool) -> Self {
        let kind = if is_throttling(code) {
            RefusalKind::Throttled
        } else if is_senders_fault {
            RefusalKind::Final
        } else {
            RefusalKind::Passing
        };
        Self::refused(cause, kind)
    }

    /// A call that failed with all of its `count` messages.
    pub(super) fn failed_call<E>(
        error: &SdkError<E, HttpResponse>,
        cause: String,
        count: usize,
    ) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match whole_call_refusal(error, count) {
            Some(kind) => Self::refused(cause, kind),
            None => Self::Unanswered { cause },
        }
    }
}

/// One answer for each message of a call.
pub(super) struct Answers<T> {
    order: Vec<usize>,
    answers: HashMap<usize, T>,
}

impl<T> Answers<T> {
    pub(super) fn new(order: impl Iterator<Item = usize>) -> Self {
        Self {
            order: order.collect(),
            answers: HashMap::new(),
        }
    }

    pub(super) fn set(&mut self, index: usize, answer: T) {
        self.answers.insert(index, answer);
    }

    pub(super) fn set_id(&mut self, id: &str, answer: T) {
        if let Ok(index) = id.parse() {
            self.set(index, answer);
        }
    }

    pub(super) fn finish(mut self, missing: impl Fn() -> T) -> Vec<(usize, T)> {
        self.order
            .iter()
            .map(|index| (*index, self.answers.remove(index).unwrap_or_else(&missing)))
            .collect()
    }
}

/// Why the service certainly accepted nothing of a call; `None` when it may have.
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

/// Codes by which SQS, SNS, and AWS in general, ask for fewer calls (Amazon SQS API reference, common errors).
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
            "Throttled",
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
    fn every_message_has_one_answer_in_the_order_of_the_call() {
        let mut answers = Answers::new([7, 3, 5].into_iter());
        answers.set_id("3", "yes");
        answers.set_id("no number", "lost");
        assert_eq!(answers.finish(|| "no"), [(7, "no"), (3, "yes"), (5, "no")]);
    }
}
