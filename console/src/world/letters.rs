//! Dead letters: held for a while, judged, and given back.
//!
//! Invariant: a letter is listed once, with the handle of its newest receive, and looking at
//! letters asks the ledger once for all of them.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, MessageSystemAttributeName};
use chrono::Utc;
use event::{Assessment, EventKey};
use futures::stream::{self, StreamExt as _};
use tokio::time::Instant;

use super::observed::{DeadLetter, HeldLetters, QueueRole};
use super::queues::{BATCH_ENTRIES_MAX, Entry};
use super::receive::{Receive, seconds};
use super::{World, WorldError};

/// Longest hold that SQS takes (Amazon SQS quotas, visibility timeout).
pub const HOLD_MAX: Duration = Duration::from_secs(12 * 3_600);
/// Wait of one long poll. Short polls ask only some of SQS's servers and may miss messages.
const POLL_WAIT_SECS: i32 = 1;
/// Empty long polls in a row after which the queue counts as empty even if its approximate depth
/// says otherwise.
const EMPTY_POLLS_MAX: usize = 3;
/// Receives that run at once.
const RECEIVERS_MAX: usize = 4;
/// Limit of one collection.
const COLLECT_LIMIT: Duration = Duration::from_secs(10);
/// Batch calls that change visibility at once.
const VISIBILITY_CALLS_MAX: usize = 4;

impl World {
    /// Takes up to `letters_max` dead letters and holds them, oldest first. Others do not see them
    /// until they are released or the hold ends.
    ///
    /// # Errors
    /// When the dead-letter queue does not answer. What was received before stays held until its
    /// hold ends. A ledger that does not answer is no error, see [`HeldLetters::ledger_error`].
    pub async fn hold_dead_letters(
        &self,
        letters_max: usize,
        hold: Duration,
    ) -> Result<HeldLetters, WorldError> {
        let settings = self.queue_settings(QueueRole::DeadLetter).await?;
        let retention = seconds(settings.retention_secs);
        let collected = self.collect(letters_max, hold).await?;
        let mut letters: Vec<DeadLetter> = collected
            .held
            .into_values()
            .map(|receive| receive.into_letter(retention))
            .collect();
        letters.sort_by(|a, b| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
        let ledger_error = self.judge(&mut letters).await;
        // The letters are held by now: a depth that cannot be read must not lose them.
        let is_truncated = !collected.is_exhausted
            && self
                .queue_depth(QueueRole::DeadLetter)
                .await
                .is_ok_and(|depth| depth.visible > 0);
        Ok(HeldLetters {
            letters,
            ledger_error,
            is_truncated,
        })
    }

    /// Prolongs the hold of letters, counted from now. Gives how many were prolonged; a handle
    /// whose hold has ended already is not.
    ///
    /// # Errors
    /// When the dead-letter queue does not answer.
    pub async fn extend_hold(
        &self,
        receipt_handles: &[String],
        hold: Duration,
    ) -> Result<usize, WorldError> {
        let changed = self.change_visibility(receipt_handles, hold).await?;
        Ok(changed.iter().filter(|is_changed| **is_changed).count())
    }

    /// Gives letters back at once. Gives how many were still held.
    ///
    /// # Errors
    /// When the dead-letter queue does not answer.
    pub async fn release_dead_letters(
        &self,
        receipt_handles: &[String],
    ) -> Result<usize, WorldError> {
        self.extend_hold(receipt_handles, Duration::ZERO).await
    }

    /// Sets the visibility of each handle; parallel to the input, whether it was set.
    pub(crate) async fn change_visibility(
        &self,
        receipt_handles: &[String],
        visibility: Duration,
    ) -> Result<Vec<bool>, WorldError> {
        let indexed: Vec<Entry<&String>> = receipt_handles
            .iter()
            .enumerate()
            .map(|(index, value)| Entry { index, value })
            .collect();
        let mut changed = vec![false; receipt_handles.len()];
        // Collected first: a closure inside the stream would make the future not `Send`.
        let calls: Vec<_> = indexed
            .chunks(BATCH_ENTRIES_MAX)
            .map(|entries| self.change_visibility_of(entries, visibility))
            .collect();
        let mut calls = stream::iter(calls).buffer_unordered(VISIBILITY_CALLS_MAX);
        let mut failure = None;
        while let Some(answer) = calls.next().await {
            match answer {
                Ok(indexes) => {
                    for index in indexes {
                        if let Some(slot) = changed.get_mut(index) {
                            *slot = true;
                        }
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(changed), Err)
    }

    async fn change_visibility_of(
        &self,
        entries: &[Entry<&String>],
        visibility: Duration,
    ) -> Result<Vec<usize>, WorldError> {
        let attempt = self.queue_attempt("change the hold of letters in", QueueRole::DeadLetter);
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

    /// Receives until enough are held, the queue has no more to give, or the limit is over.
    async fn collect(&self, letters_max: usize, hold: Duration) -> Result<Collected, WorldError> {
        let deadline = Instant::now() + COLLECT_LIMIT;
        let mut collected = Collected::default();
        let mut empty_polls = 0;
        while collected.held.len() < letters_max && Instant::now() < deadline {
            let missing = letters_max - collected.held.len();
            let receives = match self.receive_some(missing, hold).await {
                Ok(receives) => receives,
                Err(error) => {
                    self.give_up(collected).await;
                    return Err(error);
                }
            };
            if receives.is_empty() {
                empty_polls += 1;
                let depth = self.queue_depth(QueueRole::DeadLetter).await;
                if empty_polls >= EMPTY_POLLS_MAX || depth.is_ok_and(|depth| depth.visible == 0) {
                    collected.is_exhausted = true;
                    break;
                }
                continue;
            }
            empty_polls = 0;
            let is_few = receives.len() < missing.min(RECEIVERS_MAX * BATCH_ENTRIES_MAX);
            for receive in receives {
                collected.held.insert(receive.message_id.clone(), receive);
            }
            // A queue that is still being filled would keep us here to the end of the limit.
            if is_few
                && self
                    .queue_depth(QueueRole::DeadLetter)
                    .await
                    .is_ok_and(|depth| depth.visible == 0)
            {
                collected.is_exhausted = true;
                break;
            }
        }
        Ok(collected)
    }

    /// Gives back what a collection that failed had taken.
    async fn give_up(&self, collected: Collected) {
        let handles: Vec<String> = collected
            .held
            .into_values()
            .map(|receive| receive.receipt_handle)
            .collect();
        if let Err(error) = self.release_dead_letters(&handles).await {
            tracing::debug!(%error, "letters come back when their hold ends");
        }
    }

    /// One round of receives, as many at once as are worth it.
    async fn receive_some(
        &self,
        missing: usize,
        hold: Duration,
    ) -> Result<Vec<Receive>, WorldError> {
        let sizes = (0..missing)
            .step_by(BATCH_ENTRIES_MAX)
            .take(RECEIVERS_MAX)
            .map(|begin| (missing - begin).min(BATCH_ENTRIES_MAX));
        let answers = futures::future::join_all(sizes.map(|size| self.receive(size, hold))).await;
        let mut receives = Vec::new();
        let mut failure = None;
        for answer in answers {
            match answer {
                Ok(messages) => receives.extend(messages),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if receives.is_empty() => Err(error),
            _ => Ok(receives),
        }
    }

    pub(super) async fn receive(
        &self,
        count: usize,
        hold: Duration,
    ) -> Result<Vec<Receive>, WorldError> {
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

    /// Tells `ready` from `already-stored`. Gives the reason if the ledger could not be asked.
    async fn judge(&self, letters: &mut [DeadLetter]) -> Option<String> {
        let assessments: Vec<Assessment> = letters
            .iter()
            .map(|letter| event::assess(&letter.body))
            .collect();
        let keys: Vec<EventKey> = assessments
            .iter()
            .filter_map(|assessment| match assessment {
                Assessment::Valid(key) => Some(key.clone()),
                Assessment::Invalid(_) => None,
            })
            .collect();
        let (stored, ledger_error) = match self.stored_keys(&keys).await {
            Ok(stored) => (stored, None),
            Err(error) => (HashMap::new(), Some(error.to_string())),
        };
        for (letter, assessment) in letters.iter_mut().zip(assessments) {
            letter.stored_as = match &assessment {
                Assessment::Valid(key) => stored.get(key).map(|found| found.record_id),
                Assessment::Invalid(_) => None,
            };
            letter.verdict = assessment.verdict(letter.stored_as.is_some());
            letter.failure = match assessment {
                Assessment::Valid(_) => None,
                Assessment::Invalid(failure) => Some(failure),
            };
        }
        ledger_error
    }
}

/// What one collection took, by message id.
#[derive(Debug, Default)]
struct Collected {
    held: HashMap<String, Receive>,
    /// Whether the queue had no more to give.
    is_exhausted: bool,
}

fn visibility_secs(hold: Duration) -> i32 {
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
