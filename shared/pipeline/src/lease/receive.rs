//! Receives of messages, several long polls at once, and what the validator and the ledger say
//! of the messages.
//!
//! Invariant: whatever was received is in the set, also when a receive failed, a limit was reached
//! or the work was cancelled.

use std::collections::{HashMap, HashSet};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::types::MessageSystemAttributeName;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use chrono::{TimeDelta, Utc};
use event::EventKey;
use futures::stream::{self, StreamExt as _};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Hidden, LEASES_MAX, LeaseSet, after};
use crate::body::{BodyError, BodySpool};
use crate::error::is_surely_not_done;
use crate::model::{DeadLetter, JudgedMessages, QueueDepth, QueueRole, ReceivedMessages};
use crate::queues::BATCH_ENTRIES_MAX;
use crate::receive::{Receive, Unjudged, seconds};
use crate::text::messages_in_words;
use crate::visibility::visibility_secs;
use crate::{Pipeline, PipelineError};

/// Wait of one long poll. Short polls ask only some of SQS's servers and may miss messages.
const POLL_WAIT_SECS: i32 = 1;
/// Empty long polls in a row after which the queue counts as empty even if its approximate depth
/// says otherwise.
const EMPTY_POLLS_MAX: usize = 3;
/// Receives that run at once.
const RECEIVERS_MAX: usize = 4;
/// Messages of one round of receives at most.
pub(crate) const ROUND_MESSAGES_MAX: usize = RECEIVERS_MAX * BATCH_ENTRIES_MAX;
/// Limit of [`LeaseSet::receive`].
const RECEIVE_LIMIT: Duration = Duration::from_secs(10);
/// Bytes of bodies in memory at most, where they cannot be written to a spool; the round that
/// passes it is the last.
const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Further tries of a receive that failed in passing.
const RETRIES_MAX: usize = 2;
/// Wait before the first of them; doubles.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// No further try begins later than this after the first.
const RETRY_LIMIT: Duration = Duration::from_secs(3);
/// Once cancelled, a round waits this long for the receives under way: longer than a poll.
const LAST_ANSWERS_LIMIT: Duration = Duration::from_secs(3);

/// What one round of receives brought.
#[derive(Debug, Default)]
pub struct Poll {
    /// The messages as they are: without expiry and unknown to the ledger.
    pub messages: Vec<DeadLetter>,
    /// Why a receive failed; others of the round may have succeeded.
    pub failure: Option<PipelineError>,
}

/// The receives of one round; they are in the set.
#[derive(Debug, Default)]
struct Round {
    receives: Vec<Receive>,
    /// Ids that the set did not have before.
    new: HashSet<String>,
    failure: Option<PipelineError>,
}

/// Calls of a round that have no answer yet. Dropped with some of them, each counts as one that may
/// have hidden a batch.
struct Pending<'a> {
    leases: &'a LeaseSet,
    calls: usize,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.leases.note_unanswered(self.calls);
    }
}

/// What one receive brought, after its retries.
struct Answer {
    received: Result<Vec<Receive>, PipelineError>,
    /// Tries without an answer that SQS may have executed all the same.
    unanswered: usize,
}

/// New messages of several rounds.
#[derive(Debug, Default)]
struct Collected {
    /// By message id, each by its newest receive.
    receives: HashMap<String, Receive>,
    bytes: usize,
    /// Where bodies are written; `None` before the first one, and where that failed.
    spool: Option<BodySpool>,
    /// Whether the queue has no more.
    is_exhausted: bool,
    /// Counts that were asked for after the last round.
    depth: Option<QueueDepth>,
}

impl Collected {
    /// Adds messages and writes their bodies to the spool. Where that fails, e.g. on a full disk,
    /// they stay in memory.
    fn add(&mut self, mut receives: Vec<Receive>) {
        if let Err(error) = self.write(&mut receives) {
            tracing::debug!(%error, "bodies stay in memory");
        }
        for receive in receives {
            self.bytes += receive.body.bytes_in_memory();
            if let Some(older) = self.receives.insert(receive.message_id.clone(), receive) {
                self.bytes -= older.body.bytes_in_memory();
            }
        }
    }

    fn write(&mut self, receives: &mut [Receive]) -> io::Result<()> {
        let mut spool = match self.spool.take() {
            Some(spool) => spool,
            None => BodySpool::create()?,
        };
        spool.put(receives.iter_mut().map(|receive| &mut receive.body))?;
        self.spool = Some(spool);
        Ok(())
    }

    fn is_full(&self, messages_max: usize, bytes_max: usize) -> bool {
        self.receives.len() >= messages_max || self.bytes >= bytes_max
    }
}

impl LeaseSet {
    /// Receives up to `messages_max` messages that the set does not have, oldest first, until the
    /// queue has no more or a limit is reached. `None` where it was cancelled.
    ///
    /// # Errors
    /// When the queue does not answer. A ledger that does not answer is no error, see
    /// [`ReceivedMessages::ledger_error`].
    pub async fn receive(
        &self,
        messages_max: usize,
        cancel: &CancellationToken,
    ) -> Result<Option<ReceivedMessages>, PipelineError> {
        let retention = self.retention.get_or_try_init(|| async {
            let settings = self.pipeline.queue_settings(self.queue).await?;
            Ok(seconds(settings.retention_secs))
        });
        let Some(retention) = cancel.run_until_cancelled(retention).await else {
            return Ok(None);
        };
        let retention = *retention?;
        let collected = self.collect(messages_max, cancel).await?;
        let judged = self.judged(collected, retention);
        Ok(cancel.run_until_cancelled(judged).await)
    }

    /// One round of receives, as many at once as `messages` are worth. Messages that the set has
    /// already are returned too.
    pub async fn poll(&self, messages: usize, cancel: &CancellationToken) -> Poll {
        let round = self.round(messages, cancel).await;
        let messages = round.receives.into_iter();
        Poll {
            messages: messages
                .map(|receive| receive.into_message(TimeDelta::MAX).message)
                .collect(),
            failure: round.failure,
        }
    }

    async fn collect(
        &self,
        messages_max: usize,
        cancel: &CancellationToken,
    ) -> Result<Collected, PipelineError> {
        let messages_max = messages_max.min(LEASES_MAX.saturating_sub(self.len()));
        let deadline = Instant::now() + RECEIVE_LIMIT;
        let mut collected = Collected::default();
        let mut empty_polls = 0;
        while !collected.is_full(messages_max, BODY_BYTES_MAX)
            && Instant::now() < deadline
            && !cancel.is_cancelled()
        {
            let missing = messages_max - collected.receives.len();
            let round = self.round(missing, cancel).await;
            let count = round.receives.len();
            empty_polls = if count == 0 { empty_polls + 1 } else { 0 };
            if let (Some(error), 0) = (round.failure, count) {
                return Err(error);
            }
            let is_new = |receive: &Receive| {
                round.new.contains(&receive.message_id)
                    || collected.receives.contains_key(&receive.message_id)
            };
            let receives = round.receives.into_iter().filter(is_new).collect();
            collected.add(receives);
            // A queue that is still being filled would keep us here to the end of the limit.
            let is_few = count < missing.min(ROUND_MESSAGES_MAX);
            collected.depth = match is_few {
                true => cancel.run_until_cancelled(self.look()).await.flatten(),
                false => None,
            };
            let is_empty = collected.depth.is_some_and(|depth| depth.visible == 0);
            if empty_polls >= EMPTY_POLLS_MAX || is_empty {
                collected.is_exhausted = true;
                break;
            }
        }
        Ok(collected)
    }

    async fn round(&self, missing: usize, cancel: &CancellationToken) -> Round {
        let calls: Vec<_> = (0..missing)
            .step_by(BATCH_ENTRIES_MAX)
            .take(RECEIVERS_MAX)
            .map(|begin| {
                let count = (missing - begin).min(BATCH_ENTRIES_MAX);
                let timeout = self.visibility_timeout;
                self.pipeline.receive(self.queue, count, timeout)
            })
            .collect();
        let mut pending = Pending {
            leases: self,
            calls: calls.len(),
        };
        let mut round = Round::default();
        let mut answers = stream::iter(calls).buffer_unordered(RECEIVERS_MAX);
        let mut is_over = pin!(async {
            cancel.cancelled().await;
            tokio::time::sleep(LAST_ANSWERS_LIMIT).await;
        });
        loop {
            let answer = tokio::select! {
                answer = answers.next() => answer,
                () = &mut is_over => None,
            };
            let Some(answer) = answer else { break };
            pending.calls -= 1;
            self.note_unanswered(answer.unanswered);
            match answer.received {
                Ok(receives) => {
                    // At once: whoever waits for the round may give up.
                    round.new.extend(self.note(&receives));
                    round.receives.extend(receives);
                }
                Err(error) => round.failure = Some(error),
            }
        }
        round
    }

    /// Notes calls that may have hidden messages without an answer.
    fn note_unanswered(&self, calls: usize) {
        if calls > 0 {
            let mut state = self.lock();
            state.unanswered = state.unanswered.at(Utc::now()).and(Hidden {
                messages_max: calls * BATCH_ENTRIES_MAX,
                until: Some(after(Utc::now(), self.visibility_timeout)),
            });
        }
    }

    /// Adds receives to the set. Returns the ids that it did not have.
    fn note(&self, receives: &[Receive]) -> Vec<String> {
        let is_new = |receive: &&Receive| {
            let (id, handle) = (&receive.message_id, &receive.receipt_handle);
            self.adopt(id, handle, receive.hidden_until)
        };
        let new = receives.iter().filter(is_new);
        new.map(|receive| receive.message_id.clone()).collect()
    }

    /// The queue's approximate counts, where it answers.
    async fn look(&self) -> Option<QueueDepth> {
        let depth = self.pipeline.queue_depth(self.queue).await.ok();
        let in_flight = depth.map_or(0, |depth| usize::try_from(depth.in_flight).unwrap_or(0));
        let mut state = self.lock();
        state.in_flight_elsewhere = in_flight.saturating_sub(state.leases.len());
        depth
    }

    async fn judged(&self, collected: Collected, retention: TimeDelta) -> ReceivedMessages {
        let mut messages: Vec<Unjudged> = collected
            .receives
            .into_values()
            .map(|receive| receive.into_message(retention))
            .collect();
        messages.sort_by(|a, b| {
            let (a, b) = (&a.message, &b.message);
            (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id))
        });
        let (messages, ledger_error) = self.pipeline.judge(messages).await;
        let depth = match collected.depth {
            Some(depth) => Some(depth),
            None => self.look().await,
        };
        let is_empty = depth.is_some_and(|depth| depth.visible == 0);
        ReceivedMessages {
            messages,
            ledger_error,
            is_truncated: !collected.is_exhausted && !is_empty,
        }
    }
}

impl Pipeline {
    /// Receives once, and again where that failed in passing. The client itself does not repeat it:
    /// each try may hide messages, and somebody has to count them. From the source queue it is not made again where
    /// the first one may have received something: what each receive costs was agreed to.
    async fn receive(
        &self,
        queue: QueueRole,
        count: usize,
        visibility_timeout: Duration,
    ) -> Answer {
        let begun = Instant::now();
        let mut unanswered = 0;
        let mut backoff = ExponentialBuilder::default()
            .with_min_delay(BACKOFF_FIRST)
            .with_max_times(RETRIES_MAX)
            .with_jitter()
            .build();
        loop {
            // The client's futures are large: several of them at once do not fit on a stack.
            let trying = Box::pin(self.receive_once(queue, count, visibility_timeout));
            let error = match trying.await {
                Ok(receives) => {
                    let received = Ok(receives);
                    return Answer {
                        received,
                        unanswered,
                    };
                }
                Err(error) => error,
            };
            unanswered += usize::from(error.may_have_happened());
            let is_passing = match queue {
                QueueRole::Source => error.is_unreachable() && !error.may_have_happened(),
                QueueRole::DeadLetter => error.is_unreachable() || error.may_have_happened(),
            };
            match backoff.next() {
                Some(wait) if is_passing && begun.elapsed() < RETRY_LIMIT => {
                    tokio::time::sleep(wait).await;
                }
                Some(_) | None => {
                    let received = Err(error);
                    return Answer {
                        received,
                        unanswered,
                    };
                }
            }
        }
    }

    async fn receive_once(
        &self,
        queue: QueueRole,
        count: usize,
        visibility_timeout: Duration,
    ) -> Result<Vec<Receive>, PipelineError> {
        let operation = match queue {
            QueueRole::Source => "receive messages from",
            QueueRole::DeadLetter => "receive dead letters from",
        };
        let attempt = self.queue_attempt(operation, queue);
        let sqs = &self.aws().await.sqs;
        let without_retries =
            aws_sdk_sqs::config::Builder::new().retry_config(RetryConfig::disabled());
        // SQS may begin to count at any time from here on.
        let asked_at = Utc::now();
        let answer = sqs
            .receive_message()
            .queue_url(self.queue_url(queue))
            .max_number_of_messages(i32::try_from(count).unwrap_or(i32::MAX))
            .wait_time_seconds(POLL_WAIT_SECS)
            .visibility_timeout(visibility_secs(visibility_timeout))
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .customize()
            .config_override(without_retries)
            .send()
            .await;
        let answer = answer.map_err(|error| {
            let reported = attempt.sdk(&error);
            if is_surely_not_done(&error) {
                return reported;
            }
            let until = after(Utc::now(), visibility_timeout).format("%H:%M:%S UTC");
            let messages = messages_in_words(count as u64);
            let remark = format!("up to {messages} may stay hidden until {until}");
            reported.outcome_unknown(&remark)
        })?;
        let hidden_until = after(asked_at, visibility_timeout);
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .filter_map(|message| Receive::read(message, asked_at, hidden_until))
            .collect())
    }

    /// Judges messages again that were received before, as the receive did: what was `ready` then may be stored by
    /// now. Where the ledger does not answer, the verdicts stay as they were.
    ///
    /// # Errors
    /// When a body is in the spool and cannot be read.
    pub async fn judge_again(
        &self,
        messages: Vec<DeadLetter>,
    ) -> Result<JudgedMessages, BodyError> {
        let before = messages.clone();
        let asked_at = Utc::now();
        let assessing = move || messages.into_iter().map(Unjudged::again).collect();
        let assessed: Result<Vec<Unjudged>, BodyError> = spawn_blocking(assessing)
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error).into()));
        let (mut messages, ledger_error) = self.judge(assessed?).await;
        if ledger_error.is_some() {
            messages = before;
        } else {
            for message in &mut messages {
                message.judged_at = asked_at;
            }
        }
        Ok(JudgedMessages {
            messages,
            ledger_error,
        })
    }

    /// Completes the verdicts by what the ledger knows. Returns the reason too if the ledger did not answer.
    async fn judge(&self, messages: Vec<Unjudged>) -> (Vec<DeadLetter>, Option<String>) {
        let is_ordinary = |one: &&Unjudged| one.replacing.is_none();
        let ordinary = messages.iter().filter(is_ordinary);
        let keys = ordinary.filter_map(|one| one.assessment.key());
        let keys: Vec<EventKey> = keys.cloned().collect();
        let answer = self.look_up_keys(&keys).await;
        let replacing = messages.iter().filter_map(|one| one.replacing.as_ref());
        let keys: Vec<EventKey> = replacing.map(|one| one.key.clone()).collect();
        let texts = self.look_up_texts(&keys).await;
        let judged = |one: Unjudged| {
            let mut message = one.message;
            let (verdict, failure) = match &one.replacing {
                Some(replacing) => {
                    let stored = texts.stored.get(&replacing.key);
                    message.stored_as = stored.map(|found| found.record_id);
                    replacing.judge(Some(&texts))
                }
                None => {
                    let key = one.assessment.key();
                    let stored = key.and_then(|key| answer.stored.get(key));
                    message.stored_as = stored.map(|found| found.record_id);
                    answer.judge(one.assessment)
                }
            };
            (message.verdict, message.failure) = (verdict, failure.map(Arc::new));
            message
        };
        let messages = messages.into_iter().map(judged).collect();
        let error = answer.error.as_ref().or(texts.error.as_ref());
        (messages, error.map(ToString::to_string))
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
        collected.add(vec![receive("a", "12345"), receive("b", "123")]);
        collected.add(vec![receive("a", "12345")]);
        assert_eq!(collected.receives.len(), 2);
        assert!(!collected.is_full(3, 1));
        assert!(collected.is_full(2, 1));
    }

    #[test]
    fn collection_that_cannot_write_bodies_to_a_file_is_full_by_bytes() {
        let mut collected = Collected {
            spool: Some(BodySpool::that_fails()),
            ..Collected::default()
        };
        collected.add(vec![receive("a", "12345"), receive("b", "123")]);
        assert_eq!(collected.receives.len(), 2);
        assert!(!collected.is_full(3, 9));
        assert!(collected.is_full(3, 8));
    }
}
