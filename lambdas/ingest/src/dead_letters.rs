//! Sends dead letters to their queue.
//!
//! Invariant: a dead letter counts as sent only when SQS confirmed its entry.
//!
//! Retries are made here and not by the client: it does not retry entries that fail in a call that
//! succeeds, and both together would multiply. A dead letter whose confirmation was lost is sent
//! again and may be in the queue twice, which is better than not at all.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata as _, SdkError};
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchError;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures::StreamExt as _;
use tokio::time::{Instant, sleep, timeout_at};

use crate::dead_letter_entry::{DeadLetter, calls};

/// Concurrent calls: a batch of failures alone is a thousand calls.
const CALLS_IN_FLIGHT_MAX: usize = 8;
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// Waits between the sends of a call's remaining dead letters. The sixth send is the last: an
/// unreachable queue must not use up the time of every invocation.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(1))
    .with_max_times(5)
    .with_jitter();

/// A dead-letter queue and its client.
#[derive(Clone, Debug)]
pub struct DeadLetterQueue {
    client: Arc<LazyLock<Client, MakeClient>>,
    url: String,
}

type MakeClient = Box<dyn FnOnce() -> Client + Send>;

/// How a call ended.
enum Sent {
    /// By position: confirmed, or refused for good. A retry may succeed for the others.
    Answered {
        confirmed: HashSet<usize>,
        refused: HashSet<usize>,
    },
    /// The service refused the whole call, and would again.
    Refused(Refusal),
    /// The service throttled the call, was not reached or did not answer.
    Unanswered,
}

impl DeadLetterQueue {
    /// A queue by its URL. The client's own retries are switched off.
    #[must_use]
    pub fn new(client: Client, url: String) -> Self {
        Self::with_client_on_use(move || client, url)
    }

    /// A queue whose client is made for the first dead letter, because most functions never send one:
    /// it saves 0.24 ms of a cold start (measured as described at the profile `shipping`). The client's
    /// own retries are switched off.
    #[must_use]
    pub fn with_client_on_use(
        make_client: impl FnOnce() -> Client + Send + 'static,
        url: String,
    ) -> Self {
        Self {
            client: Arc::new(LazyLock::new(Box::new(move || {
                let config = make_client().config().to_builder();
                Client::from_conf(config.retry_config(RetryConfig::disabled()).build())
            }))),
            url,
        }
    }

    /// Sends the dead letters; returns the positions of those that SQS confirmed.
    pub(crate) async fn send(
        &self,
        dead_letters: Vec<DeadLetter>,
        deadline: Instant,
    ) -> HashSet<usize> {
        let is_closed = AtomicBool::new(false);
        futures::stream::iter(calls(dead_letters))
            .map(|call| self.send_call(call, deadline, &is_closed))
            .buffer_unordered(CALLS_IN_FLIGHT_MAX)
            .map(futures::stream::iter)
            .flatten()
            .collect()
            .await
    }

    /// Sends one call, unless an earlier one showed that every call would be refused.
    async fn send_call(
        &self,
        call: Vec<DeadLetter>,
        deadline: Instant,
        is_closed: &AtomicBool,
    ) -> HashSet<usize> {
        if is_closed.load(Ordering::Relaxed) {
            return HashSet::new();
        }
        match self.send_together(&call, deadline).await {
            Ok(confirmed) => confirmed,
            // One bad entry fails the call for the others.
            Err(Refusal::Entry) if call.len() > 1 => {
                let mut confirmed = HashSet::new();
                for alone in call.chunks(1) {
                    let sent = self.send_together(alone, deadline).await;
                    confirmed.extend(sent.unwrap_or_default());
                }
                confirmed
            }
            Err(Refusal::Entry) => HashSet::new(),
            Err(Refusal::Caller) => {
                is_closed.store(true, Ordering::Relaxed);
                HashSet::new()
            }
        }
    }

    /// Sends the dead letters of one call until each is confirmed or refused, or time is up.
    ///
    /// # Errors
    /// When the whole call was refused: none of them was sent.
    async fn send_together(
        &self,
        dead_letters: &[DeadLetter],
        deadline: Instant,
    ) -> Result<HashSet<usize>, Refusal> {
        let mut open: Vec<&DeadLetter> = dead_letters.iter().collect();
        let mut sent = HashSet::new();
        let mut backoff = BACKOFF.build();
        while !open.is_empty() {
            match self.send_entries(&open, deadline).await {
                Sent::Answered { confirmed, refused } => {
                    open.retain(|dead_letter| {
                        !confirmed.contains(&dead_letter.position)
                            && !refused.contains(&dead_letter.position)
                    });
                    sent.extend(confirmed);
                }
                Sent::Refused(why) if sent.is_empty() => return Err(why),
                Sent::Refused(_) => break,
                Sent::Unanswered => {}
            }
            if open.is_empty() {
                break;
            }
            match backoff.next() {
                Some(wait) if Instant::now() + wait < deadline => sleep(wait).await,
                Some(_) | None => {
                    tracing::error!(dead_letters = open.len(), "dead letters reported for retry");
                    break;
                }
            }
        }
        Ok(sent)
    }

    async fn send_entries(&self, dead_letters: &[&DeadLetter], deadline: Instant) -> Sent {
        if Instant::now() >= deadline {
            tracing::warn!("no time left to send dead letters: they are reported for retry");
            return Sent::Unanswered;
        }
        let entries = dead_letters
            .iter()
            .map(|dead_letter| dead_letter.entry.clone())
            .collect();
        let call = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send();
        let call_deadline = deadline.min(Instant::now() + CALL_TIMEOUT);
        let answer = match timeout_at(call_deadline, call).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let refusal = refusal(&error);
                let is_final = refusal.is_some();
                let error = described(&error);
                tracing::error!(%error, is_final, "dead letters not sent");
                return refusal.map_or(Sent::Unanswered, Sent::Refused);
            }
            Err(_) => {
                tracing::error!("dead letters not sent: no answer from SQS in time");
                return Sent::Unanswered;
            }
        };
        let mut refused = HashSet::new();
        for failed in answer.failed() {
            let (code, sender_fault) = (failed.code(), failed.sender_fault());
            tracing::error!(code, sender_fault, "dead letter refused by the queue");
            if sender_fault && !is_throttling(code) {
                refused.extend(failed.id().parse::<usize>().ok());
            }
        }
        let confirmed = answer
            .successful()
            .iter()
            .filter_map(|entry| entry.id().parse().ok())
            .collect();
        Sent::Answered { confirmed, refused }
    }
}

/// Why SQS would refuse the same call again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// An entry is invalid: the others can be sent without it.
    Entry,
    /// The queue, a permission or a key is missing: every call would be refused.
    Caller,
}

/// An error without the service's message, which may quote a dead letter.
fn described(error: &SdkError<SendMessageBatchError>) -> String {
    match error.as_service_error() {
        Some(service_error) => service_error
            .code()
            .unwrap_or("unknown error of SQS")
            .to_owned(),
        None => DisplayErrorContext(error).to_string(),
    }
}

/// Why the same call would be refused again; `None` where a retry may succeed.
fn refusal(error: &SdkError<SendMessageBatchError>) -> Option<Refusal> {
    let status = error
        .raw_response()
        .map_or(0, |answer| answer.status().as_u16());
    match error.as_service_error() {
        Some(service_error) => {
            let code = service_error.code().unwrap_or_default();
            let passes = is_throttling(code) || status == 429 || status >= 500;
            (!passes).then(
                || match ENTRY_FAULTS.iter().any(|fault| code.contains(fault)) {
                    true => Refusal::Entry,
                    false => Refusal::Caller,
                },
            )
        }
        None => matches!(error, SdkError::ConstructionFailure(_)).then_some(Refusal::Entry),
    }
}

/// Parts of the error codes for invalid content (SQS API reference, "`SendMessageBatch`", errors, and
/// "Common errors").
const ENTRY_FAULTS: [&str; 5] = [
    "InvalidMessageContents",
    "BatchRequestTooLong",
    "BatchEntryId",
    "InvalidParameter",
    "ValidationError",
];

/// `RequestThrottled`, `ThrottlingException`, `KMS.ThrottlingException`: they have status 400, and
/// some are flagged as the sender's fault.
fn is_throttling(code: &str) -> bool {
    code.contains("Throttl")
}
