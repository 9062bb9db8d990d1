//! Taking messages out of the dead-letter queue for a while.
//!
//! Invariant: whatever a collection took is in its answer, also when it failed half way, reached a
//! limit or was stopped.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::time::Duration;

use aws_sdk_sqs::types::MessageSystemAttributeName;
use chrono::Utc;
use futures::stream::{self, StreamExt as _};
use tokio::sync::watch;
use tokio::time::Instant;

use super::body::Spool;
use super::model::QueueRole;
use super::queues::BATCH_ENTRIES_MAX;
use super::receive::{Receive, seconds};
use super::visibility::visibility_secs;
use super::{Pipeline, PipelineError};

/// Wait of one long poll. Short polls ask only some of SQS's servers and may miss messages.
const POLL_WAIT_SECS: i32 = 1;
/// Empty long polls in a row after which the queue counts as empty even if its approximate depth
/// says otherwise.
const EMPTY_POLLS_MAX: usize = 3;
/// Receives that run at once.
const RECEIVERS_MAX: usize = 4;
/// Messages of one round of receives at most.
pub(super) const ROUND_MESSAGES_MAX: usize = RECEIVERS_MAX * BATCH_ENTRIES_MAX;
/// Limit of one collection.
const COLLECT_LIMIT: Duration = Duration::from_secs(10);
/// Bytes of bodies that a collection keeps in memory at most, where they cannot be put aside; the
/// round that passes it is the last.
const HELD_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Once stopped, a collection waits this long for the receives under way: longer than a poll.
const LAST_ANSWERS_LIMIT: Duration = Duration::from_secs(3);

/// What one collection took.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// By message id, each with its newest handle.
    pub(super) held: HashMap<String, Receive>,
    bytes: usize,
    /// Where bodies are put aside; `None` before the first one, and where that failed.
    spool: Option<Spool>,
    /// Whether the queue had no more to give.
    pub(super) is_exhausted: bool,
    /// Receives whose answer did not come in time after a stop; each may have hidden a batch.
    pub(super) unanswered: usize,
    /// Why it ended before its time.
    pub(super) failure: Option<PipelineError>,
}

impl Collected {
    /// Takes messages, and puts their bodies aside. Where that fails, e.g. on a full disk, they
    /// stay in memory.
    fn take(&mut self, mut receives: Vec<Receive>) {
        if let Err(error) = self.put_aside(&mut receives) {
            tracing::debug!(%error, "bodies stay in memory");
        }
        for receive in receives {
            self.bytes += receive.body.bytes_in_memory();
            if let Some(older) = self.held.insert(receive.message_id.clone(), receive) {
                self.bytes -= older.body.bytes_in_memory();
            }
        }
    }

    fn put_aside(&mut self, receives: &mut [Receive]) -> io::Result<()> {
        let mut spool = match self.spool.take() {
            Some(spool) => spool,
            None => Spool::create()?,
        };
        spool.put(receives.iter_mut().map(|receive| &mut receive.body))?;
        self.spool = Some(spool);
        Ok(())
    }

    fn is_full(&self, messages_max: usize, bytes_max: usize) -> bool {
        self.held.len() >= messages_max || self.bytes >= bytes_max
    }

    pub(super) fn handles(&self) -> Vec<String> {
        self.held
            .values()
            .map(|receive| receive.receipt_handle.clone())
            .collect()
    }
}

/// What one round of receives brought.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) receives: Vec<Receive>,
    /// Set when a receive failed; others of the round may have succeeded.
    pub(super) failure: Option<PipelineError>,
    unanswered: usize,
}

impl Pipeline {
    /// Receives until enough are held, the queue has no more to give, a limit is reached, or
    /// `stop` says so.
    pub(super) async fn collect(
        &self,
        messages_max: usize,
        hold: Duration,
        mut stop: watch::Receiver<bool>,
    ) -> Collected {
        let deadline = Instant::now() + COLLECT_LIMIT;
        let mut collected = Collected::default();
        let mut empty_polls = 0;
        while !collected.is_full(messages_max, HELD_BYTES_MAX)
            && Instant::now() < deadline
            && !*stop.borrow()
        {
            let missing = messages_max - collected.held.len();
            let round = self.receive_round(missing, hold, &mut stop).await;
            collected.unanswered += round.unanswered;
            let count = round.receives.len();
            collected.take(round.receives);
            if count == 0 {
                if round.failure.is_some() {
                    collected.failure = round.failure;
                    break;
                }
                empty_polls += 1;
            } else {
                empty_polls = 0;
            }
            // A queue that is still being filled would keep us here to the end of the limit.
            let is_few = count < missing.min(ROUND_MESSAGES_MAX);
            if empty_polls >= EMPTY_POLLS_MAX || (is_few && self.has_no_more(&mut stop).await) {
                collected.is_exhausted = true;
                break;
            }
        }
        collected
    }

    /// Whether the queue says that nothing can be received; no once stopped.
    async fn has_no_more(&self, stop: &mut watch::Receiver<bool>) -> bool {
        tokio::select! {
            depth = self.queue_depth(QueueRole::DeadLetter) => {
                depth.is_ok_and(|depth| depth.visible == 0)
            }
            () = stopped(stop) => false,
        }
    }

    /// One round of receives, as many at once as are worth it.
    pub(super) async fn receive_round(
        &self,
        missing: usize,
        hold: Duration,
        stop: &mut watch::Receiver<bool>,
    ) -> Round {
        let calls: Vec<_> = (0..missing)
            .step_by(BATCH_ENTRIES_MAX)
            .take(RECEIVERS_MAX)
            .map(|begin| self.receive((missing - begin).min(BATCH_ENTRIES_MAX), hold))
            .collect();
        let mut round = Round {
            unanswered: calls.len(),
            ..Round::default()
        };
        let mut answers = stream::iter(calls).buffer_unordered(RECEIVERS_MAX);
        let mut is_over = pin!(async {
            stopped(stop).await;
            tokio::time::sleep(LAST_ANSWERS_LIMIT).await;
        });
        loop {
            let answer = tokio::select! {
                answer = answers.next() => answer,
                () = &mut is_over => None,
            };
            let Some(answer) = answer else { return round };
            round.unanswered -= 1;
            match answer {
                Ok(receives) => round.receives.extend(receives),
                Err(error) => round.failure = Some(error),
            }
        }
    }

    pub(super) async fn receive(
        &self,
        count: usize,
        hold: Duration,
    ) -> Result<Vec<Receive>, PipelineError> {
        let attempt = self.queue_attempt("receive dead letters from", QueueRole::DeadLetter);
        let answer = self
            .aws()
            .await
            .sqs
            .receive_message()
            .queue_url(self.queue_url(QueueRole::DeadLetter))
            .max_number_of_messages(i32::try_from(count).unwrap_or(i32::MAX))
            .wait_time_seconds(POLL_WAIT_SECS)
            .visibility_timeout(visibility_secs(hold))
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .map_err(|error| attempt.sdk(&error))?;
        let now = Utc::now();
        let held_until = now + seconds(hold.as_secs());
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .filter_map(|message| Receive::read(message, now, held_until))
            .collect())
    }
}

/// Ends when the work is to stop; never where nobody can say so any more.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|is_stopped| *is_stopped).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::types::Message;

    use super::*;

    fn receive(message_id: &str, body: &str) -> Receive {
        let message = Message::builder()
            .message_id(message_id)
            .receipt_handle("h")
            .body(body)
            .build();
        let now = Utc::now();
        Receive::read(message, now, now).unwrap()
    }

    #[test]
    fn collection_is_full_by_messages_and_counts_a_message_once() {
        let mut collected = Collected::default();
        collected.take(vec![receive("a", "12345"), receive("b", "123")]);
        collected.take(vec![receive("a", "12345")]);
        assert_eq!(collected.held.len(), 2);
        assert!(!collected.is_full(3, 1));
        assert!(collected.is_full(2, 1));
    }

    #[test]
    fn collection_that_cannot_put_bodies_aside_is_full_by_bytes() {
        let mut collected = Collected {
            spool: Some(Spool::that_fails()),
            ..Collected::default()
        };
        collected.take(vec![receive("a", "12345"), receive("b", "123")]);
        assert_eq!(collected.held.len(), 2);
        assert!(!collected.is_full(3, 9));
        assert!(collected.is_full(3, 8));
    }
}
