//! Dead letters: held for a while, judged, and given back.
//!
//! Invariant: a message is listed once, with the handle of its newest receive, and looking at
//! messages asks the ledger once for all of them.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use chrono::TimeDelta;
use event::{Assessment, EventKey};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::Instant;

use super::model::{DeadLetter, HeldMessages, Holding, QueueRole};
use super::queues::{BATCH_ENTRIES_MAX, Entry};
use super::receive::seconds;
use super::receive_batch::{Collected, stopped};
use super::{Pipeline, PipelineError};
use crate::text::messages_in_words;

/// Longest hold that SQS takes (Amazon SQS quotas, visibility timeout).
pub const HOLD_MAX: Duration = Duration::from_secs(12 * 3_600);
/// Limit of waiting for the next messages to be given back: someone who leaves a silent queue does
/// not wait longer.
const GIVE_BACK_LIMIT: Duration = Duration::from_secs(5);
/// Batch calls that change visibility at once.
const VISIBILITY_CALLS_MAX: usize = 8;

impl Pipeline {
    /// Takes up to `messages_max` dead letters and holds them, oldest first. Others do not see them
    /// until they are released or the hold ends.
    ///
    /// # Errors
    /// When the dead-letter queue does not answer; what was received before is given back. A
    /// ledger that does not answer is no error, see [`HeldMessages::ledger_error`].
    pub async fn hold_dead_letters(
        &self,
        messages_max: usize,
        hold: Duration,
    ) -> Result<HeldMessages, PipelineError> {
        let retention = self.retention().await?;
        let (_never, stop) = watch::channel(false);
        let collected = self.collect(messages_max, hold, stop).await;
        let collected = self.unless_failed(collected, hold).await?;
        Ok(self.judged(collected, retention).await)
    }

    /// Like [`Pipeline::hold_dead_letters`], but gives everything back as soon as `stop` turns true.
    ///
    /// # Errors
    /// When the dead-letter queue does not answer; what was received before is given back.
    pub async fn hold_dead_letters_unless(
        &self,
        messages_max: usize,
        hold: Duration,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Holding, PipelineError> {
        let retention = tokio::select! {
            retention = self.retention() => retention?,
            () = stopped(&mut stop) => return Ok(Holding::GivenBack { hidden_max: 0 }),
        };
        let collected = self.collect(messages_max, hold, stop.clone()).await;
        let collected = self.unless_failed(collected, hold).await?;
        let handles = collected.handles();
        let unanswered = collected.unanswered;
        tokio::select! {
            biased;
            () = stopped(&mut stop) => {}
            held = self.judged(collected, retention) => return Ok(Holding::Held(held)),
        }
        let hidden = self.give_back_dead_letters(&handles).await;
        Ok(Holding::GivenBack {
            hidden_max: hidden + unanswered * BATCH_ENTRIES_MAX,
        })
    }

    async fn retention(&self) -> Result<TimeDelta, PipelineError> {
        let settings = self.queue_settings(QueueRole::DeadLetter).await?;
        Ok(seconds(settings.retention_secs))
    }

    /// Gives back what a collection that failed had taken, and says what could not be.
    async fn unless_failed(
        &self,
        mut collected: Collected,
        hold: Duration,
    ) -> Result<Collected, PipelineError> {
        let Some(error) = collected.failure.take() else {
            return Ok(collected);
        };
        let hidden = self.give_back_dead_letters(&collected.handles()).await;
        Err(if hidden == 0 {
            error
        } else {
            error.with_remark(&format!(
                "up to {} hidden for up to {} s",
                messages_in_words(hidden as u64),
                hold.as_secs()
            ))
        })
    }

    async fn judged(&self, collected: Collected, retention: TimeDelta) -> HeldMessages {
        let is_exhausted = collected.is_exhausted;
        let mut messages: Vec<(DeadLetter, Assessment)> = collected
            .held
            .into_values()
            .map(|receive| receive.into_message(retention))
            .collect();
        messages
            .sort_by(|(a, _), (b, _)| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
        let (messages, ledger_error) = self.judge(messages).await;
        // The messages are held by now: a depth that cannot be read must not lose them.
        let is_truncated = !is_exhausted
            && !self
                .queue_depth(QueueRole::DeadLetter)
                .await
                .is_ok_and(|depth| depth.visible == 0);
        HeldMessages {
            messages,
            ledger_error,
            is_truncated,
        }
    }

    /// Prolongs the hold of messages, counted from now. Parallel to the input, whether SQS did so: a
    /// hold that has ended already is not prolonged. `None` where no answer came.
    ///
    /// # Errors
    /// When the dead-letter queue does not answer at all.
    pub async fn extend_hold(
        &self,
        receipt_handles: &[String],
        hold: Duration,
    ) -> Result<Vec<Option<bool>>, PipelineError> {
        self.change_visibility(receipt_handles, hold).await
    }

    /// Gives messages back at once. Gives how many were still held.
    ///
    /// # Errors
    /// When the dead-letter queue does not answer.
    pub async fn release_dead_letters(
        &self,
        receipt_handles: &[String],
    ) -> Result<usize, PipelineError> {
        let changed = self.extend_hold(receipt_handles, Duration::ZERO).await?;
        let is_released = |is_changed: &&Option<bool>| **is_changed == Some(true);
        Ok(changed.iter().filter(is_released).count())
    }

    /// Gives messages back, for as long as the queue takes them; one that does not answer is left
    /// within a few seconds. Gives how many may still be hidden: those come back by themselves when
    /// their hold ends.
    pub async fn give_back_dead_letters(&self, receipt_handles: &[String]) -> usize {
        let entries = entries(receipt_handles);
        let mut chunks = entries.chunks(BATCH_ENTRIES_MAX);
        let mut calls = FuturesUnordered::new();
        let mut deadline = Instant::now() + GIVE_BACK_LIMIT;
        let mut hidden = receipt_handles.len();
        loop {
            let free = VISIBILITY_CALLS_MAX - calls.len();
            for entries in chunks.by_ref().take(free) {
                calls.push(self.change_visibility_of(entries, Duration::ZERO));
            }
            match tokio::time::timeout_at(deadline, calls.next()).await {
                Ok(Some(Ok(released))) => {
                    hidden -= released.len().min(hidden);
                    deadline = Instant::now() + GIVE_BACK_LIMIT;
                }
                Ok(Some(Err(error))) => {
                    tracing::debug!(%error, "messages come back when their hold ends");
                }
                Ok(None) | Err(_) => return hidden,
            }
        }
    }

    /// Sets the visibility of each handle. Parallel to the input, whether SQS did so; `None` where
    /// no answer came.
    ///
    /// # Errors
    /// When no answer came at all.
    pub async fn change_visibility(
        &self,
        receipt_handles: &[String],
        visibility: Duration,
    ) -> Result<Vec<Option<bool>>, PipelineError> {
        let entries = entries(receipt_handles);
        let mut chunks = entries.chunks(BATCH_ENTRIES_MAX);
        let mut calls = FuturesUnordered::new();
        let mut changed = vec![None; receipt_handles.len()];
        let mut failure = None;
        loop {
            let free = VISIBILITY_CALLS_MAX - calls.len();
            for entries in chunks.by_ref().take(free) {
                calls.push(self.change_some(entries, visibility));
            }
            match calls.next().await {
                Some(Ok(answers)) => {
                    for (index, is_changed) in answers {
                        if let Some(slot) = changed.get_mut(index) {
                            *slot = Some(is_changed);
                        }
                    }
                }
                Some(Err(error)) => failure = Some(error),
                None => break,
            }
        }
        match failure {
            Some(error) if changed.iter().all(Option::is_none) => Err(error),
            Some(_) | None => Ok(changed),
        }
    }

    async fn change_some(
        &self,
        entries: &[Entry<&String>],
        visibility: Duration,
    ) -> Result<Vec<(usize, bool)>, PipelineError> {
        let changed = self.change_visibility_of(entries, visibility).await?;
        let is_changed = |entry: &Entry<&String>| (entry.index, changed.contains(&entry.index));
        Ok(entries.iter().map(is_changed).collect())
    }

    async fn change_visibility_of(
        &self,
        entries: &[Entry<&String>],
        visibility: Duration,
    ) -> Result<Vec<usize>, PipelineError> {
        let attempt = self.queue_attempt("change the hold of messages in", QueueRole::DeadLetter);
        let requests = entries
            .iter()
            .map(|entry| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(entry.index.to_string())
                    .receipt_handle(entry.value)
                    .visibility_timeout(visibility_secs(visibility))
                    .build()
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| attempt.refused(error.to_string()))?;
        let answer = self
            .aws()
            .await
            .sqs
            .change_message_visibility_batch()
            .queue_url(self.queue_url(QueueRole::DeadLetter))
            .set_entries(Some(requests))
            .send()
            .await
            .map_err(|error| attempt.sdk(&error))?;
        Ok(answer
            .successful()
            .iter()
            .filter_map(|entry| entry.id().parse().ok())
            .collect())
    }

    /// Tells `ready` from `already-stored`. Gives the reason too if the ledger could not be asked.
    async fn judge(
        &self,
        messages: Vec<(DeadLetter, Assessment)>,
    ) -> (Vec<DeadLetter>, Option<String>) {
        let keys: Vec<EventKey> = messages
            .iter()
            .filter_map(|(_, assessment)| match assessment {
                Assessment::Valid(key) => Some(key.clone()),
                Assessment::Invalid(_) => None,
            })
            .collect();
        let (stored, ledger_error) = match self.stored_keys(&keys).await {
            Ok(stored) => (stored, None),
            Err(error) => (HashMap::new(), Some(error.to_string())),
        };
        let judged = |(mut message, assessment): (DeadLetter, Assessment)| {
            message.stored_as = match &assessment {
                Assessment::Valid(key) => stored.get(key).map(|found| found.record_id),
                Assessment::Invalid(_) => None,
            };
            message.verdict = assessment.verdict(message.stored_as.is_some());
            message.failure = match assessment {
                Assessment::Valid(_) => None,
                Assessment::Invalid(failure) => Some(failure),
            };
            message
        };
        (messages.into_iter().map(judged).collect(), ledger_error)
    }
}

fn entries(receipt_handles: &[String]) -> Vec<Entry<&String>> {
    receipt_handles
        .iter()
        .enumerate()
        .map(|(index, value)| Entry { index, value })
        .collect()
}

/// Whole seconds, within what SQS takes.
pub(super) fn visibility_secs(hold: Duration) -> i32 {
    i32::try_from(hold.min(HOLD_MAX).as_secs()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hold_stays_within_what_sqs_takes() {
        assert_eq!(visibility_secs(Duration::from_secs(100_000)), 43_200);
        assert_eq!(visibility_secs(Duration::ZERO), 0);
    }
}
