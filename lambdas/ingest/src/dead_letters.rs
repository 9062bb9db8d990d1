//! The dead-letter queue. Invariant: a letter counts as sent only when SQS confirmed that entry.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use futures::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use crate::letter::{Letter, calls};

/// Calls under way at once: a batch of nothing but failures is a thousand calls.
const CALLS_IN_FLIGHT_MAX: usize = 8;
/// Limit of one attempt of a call; the client makes up to three.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// Where dead letters go.
#[derive(Clone, Debug)]
pub struct DeadLetterQueue {
    client: Client,
    url: String,
}

/// How a call ended.
enum Sent {
    /// These positions were confirmed.
    Confirmed(Vec<usize>),
    /// The service refused the call as a whole.
    Refused,
    /// The service was not reached, or not in time.
    Unreached,
}

impl DeadLetterQueue {
    /// A queue, by its URL.
    #[must_use]
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Sends the letters; returns the positions of those that SQS confirmed.
    pub(crate) async fn send(&self, letters: Vec<Letter>, deadline: Instant) -> HashSet<usize> {
        futures::stream::iter(calls(letters))
            .map(|call| self.send_call(call, deadline))
            .buffer_unordered(CALLS_IN_FLIGHT_MAX)
            .map(futures::stream::iter)
            .flatten()
            .collect()
            .await
    }

    async fn send_call(&self, call: Vec<Letter>, deadline: Instant) -> Vec<usize> {
        match self.send_entries(&call, deadline).await {
            Sent::Confirmed(positions) => positions,
            Sent::Unreached => Vec::new(),
            // One entry can spoil the call for the others.
            Sent::Refused if call.len() > 1 => {
                let mut confirmed = Vec::new();
                for letter in call {
                    match self.send_entries(&[letter], deadline).await {
                        Sent::Confirmed(positions) => confirmed.extend(positions),
                        Sent::Refused => {}
                        Sent::Unreached => break,
                    }
                }
                confirmed
            }
            Sent::Refused => Vec::new(),
        }
    }

    async fn send_entries(&self, letters: &[Letter], deadline: Instant) -> Sent {
        if Instant::now() >= deadline {
            tracing::warn!("no time left to send dead letters, they are reported for retry");
            return Sent::Unreached;
        }
        let entries = letters.iter().map(|letter| letter.entry.clone()).collect();
        let call = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send();
        match timeout_at(deadline, call).await {
            Ok(Ok(answer)) => {
                for failed in answer.failed() {
                    let code = failed.code();
                    tracing::error!(code, "dead letter refused by the dead-letter queue");
                }
                Sent::Confirmed(
                    answer
                        .successful()
                        .iter()
                        .filter_map(|entry| entry.id().parse().ok())
                        .collect(),
                )
            }
            Ok(Err(error)) => {
                let is_refusal = error.as_service_error().is_some();
                let error = DisplayErrorContext(&error);
                tracing::error!(%error, "dead letters not sent");
                if is_refusal {
                    Sent::Refused
                } else {
                    Sent::Unreached
                }
            }
            Err(_) => {
                tracing::error!("dead letters not sent: SQS did not answer in time");
                Sent::Unreached
            }
        }
    }
}
