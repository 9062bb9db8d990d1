//! Moving dead letters back to the source queue.
//!
//! Invariant: a letter is deleted only after SQS confirmed that its copy was sent; every letter
//! that came in has exactly one outcome in the report. Whatever goes wrong, an event is at worst
//! in both queues, and the ledger makes the second arrival a duplicate.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::time::Duration;
use std::{fmt, io};

use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageAttributeValue, SendMessageBatchRequestEntry,
};
use chrono::{TimeDelta, Utc};
use event::FAILURE_ATTRIBUTES;
use futures::stream::{self, StreamExt as _};

use crate::audit::Operation;
use crate::world::observed::{
    AttributeValue, DeadLetter, QueueRole, RedriveOutcome, RedriveReport,
};
use crate::world::{
    BATCH_ENTRIES_MAX, Entry, EntryFailure, PlannedChange, World, WorldError, WritePermit, batches,
};

/// Bytes of one message, or of one batch together, at most (Amazon SQS quotas).
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Batches that run at once.
const BATCHES_AT_ONCE: usize = 4;
/// Attempts for an entry that SQS did not confirm: the first one and one more.
const ATTEMPTS_MAX: usize = 2;
/// A letter whose hold ends sooner is held again before it is sent: send and delete, with all
/// their retries, fit into this.
const HOLD_MARGIN: TimeDelta = TimeDelta::seconds(25);
/// The new hold.
const HOLD_AGAIN: Duration = Duration::from_secs(60);

impl World {
    /// Sends letters back to the source queue and deletes those whose copy was confirmed.
    /// `progress` is told how many have an outcome.
    ///
    /// # Errors
    /// When the environment forbids writes or the source queue is a FIFO queue; nothing was done
    /// then. What fails later is an outcome of its letter.
    pub async fn redrive(
        &self,
        letters: Vec<DeadLetter>,
        progress: impl Fn(usize) + Send,
    ) -> Result<RedriveReport, WorldError> {
        let target = self.queue_name(QueueRole::Source);
        let permit = self
            .begin_change(PlannedChange {
                operation: Operation::Redrive,
                target: target.to_owned(),
                planned: letters.len(),
                details: serde_json::Value::Null,
            })
            .await?;
        if target.ends_with(".fifo") {
            // A FIFO queue swallows a deduplication id that it saw within five minutes, and the
            // letter would then be deleted without having been sent.
            return Err(self
                .queue_attempt("redrive to", QueueRole::Source)
                .refused("letters of FIFO queues are not moved"));
        }
        let sizes: Vec<usize> = letters.iter().map(message_bytes).collect();
        let mut running = stream::iter(batches(&sizes, BATCH_ENTRIES_MAX, BATCH_BYTES_MAX))
            .map(|range| self.move_batch(&permit, letters.get(range).unwrap_or_default()))
            .buffer_unordered(BATCHES_AT_ONCE);
        let mut report = RedriveReport::default();
        while let Some(outcomes) = running.next().await {
            report.outcomes.extend(outcomes);
            progress(report.outcomes.len());
        }
        drop(running);
        let counts = [("moved", report.moved()), ("not_sent", report.not_sent())];
        if let Err(error) = permit.end(counts, None).await {
            tracing::warn!(%error, "the end of a redrive is not on record");
        }
        Ok(report)
    }

    /// Moves one batch; the outcomes are parallel to the letters.
    async fn move_batch(
        &self,
        permit: &WritePermit,
        letters: &[DeadLetter],
    ) -> Vec<(String, RedriveOutcome)> {
        let mut outcomes: HashMap<usize, RedriveOutcome> = HashMap::new();
        let mut entries: Vec<Entry<&DeadLetter>> = Vec::new();
        for (index, value) in letters.iter().enumerate() {
            if message_bytes(value) > BATCH_BYTES_MAX {
                let cause = format!(
                    "{} bytes are more than a queue takes ({BATCH_BYTES_MAX})",
                    message_bytes(value)
                );
                outcomes.insert(index, RedriveOutcome::NotSent(cause));
            } else {
                entries.push(Entry { index, value });
            }
        }
        for failure in self.hold_again(&mut entries).await {
            outcomes.insert(failure.index, RedriveOutcome::NotSent(failure.cause));
        }
        let failures = self.send(permit, &mut entries).await;
        for failure in failures.refused {
            outcomes.insert(failure.index, RedriveOutcome::NotSent(failure.cause));
        }
        for failure in failures.unanswered {
            outcomes.insert(failure.index, RedriveOutcome::Unknown(failure.cause));
        }
        let confirmed = entries;
        let mut kept: HashMap<usize, String> = self
            .delete(permit, &confirmed)
            .await
            .into_iter()
            .map(|failure| (failure.index, failure.cause))
            .collect();
        for entry in &confirmed {
            let outcome = match kept.remove(&entry.index) {
                Some(cause) => RedriveOutcome::SentNotDeleted(cause),
                None => RedriveOutcome::Moved,
            };
            outcomes.insert(entry.index, outcome);
        }
        letters
            .iter()
            .enumerate()
            .map(|(index, letter)| {
                let outcome = outcomes
                    .remove(&index)
                    .unwrap_or_else(|| RedriveOutcome::NotSent("it was never tried".to_owned()));
                (letter.message_id.clone(), outcome)
            })
            .collect()
    }

    /// Prolongs the holds that are about to end. Takes out of `entries` those that are lost:
    /// somebody else may have them by now.
    async fn hold_again(&self, entries: &mut Vec<Entry<&DeadLetter>>) -> Vec<EntryFailure> {
        let limit = Utc::now() + HOLD_MARGIN;
        let ending: Vec<&Entry<&DeadLetter>> = entries
            .iter()
            .filter(|entry| entry.value.held_until < limit)
            .collect();
        if ending.is_empty() {
            return Vec::new();
        }
        let handles: Vec<String> = ending
            .iter()
            .map(|entry| entry.value.receipt_handle.clone())
            .collect();
        let (changed, cause) = match self.change_visibility(&handles, HOLD_AGAIN).await {
            Ok(changed) => (
                changed,
                "its hold has ended; look at the letters again".to_owned(),
            ),
            Err(error) => (vec![false; handles.len()], error.to_string()),
        };
        let lost: Vec<EntryFailure> = ending
            .iter()
            .zip(changed)
            .filter(|(_, is_changed)| !is_changed)
            .map(|(entry, _)| EntryFailure {
                index: entry.index,
                cause: cause.clone(),
            })
            .collect();
        remove_failed(entries, &lost);
        lost
    }

    /// Sends; leaves in `entries` exactly what SQS confirmed. What SQS gave no answer to is not
    /// sent again: the first send may have arrived.
    async fn send(
        &self,
        permit: &WritePermit,
        entries: &mut Vec<Entry<&DeadLetter>>,
    ) -> SendFailures {
        let mut open = entries.clone();
        let mut failures = self.send_batch(permit, &open).await;
        for _ in 1..ATTEMPTS_MAX {
            keep_failed(&mut open, &failures.refused);
            // One by one, so that an entry which spoils its whole batch fails alone.
            failures.refused = Vec::new();
            for entry in &open {
                let single = self.send_batch(permit, std::slice::from_ref(entry)).await;
                failures.refused.extend(single.refused);
                failures.unanswered.extend(single.unanswered);
            }
        }
        remove_failed(entries, &failures.refused);
        remove_failed(entries, &failures.unanswered);
        failures
    }

    async fn send_batch(
        &self,
        _permit: &WritePermit,
        entries: &[Entry<&DeadLetter>],
    ) -> SendFailures {
        let attempt = self.queue_attempt("send to", QueueRole::Source);
        let (requests, mut refused) = partition(entries, send_request);
        if requests.is_empty() {
            return SendFailures {
                refused,
                unanswered: Vec::new(),
            };
        }
        // The client repeats what got no answer, which would send it twice.
        let without_retries = aws_sdk_sqs::config::Builder::new()
            .retry_config(aws_sdk_sqs::config::retry::RetryConfig::disabled());
        let answer = self
            .aws()
            .await
            .sqs
            .send_message_batch()
            .queue_url(self.queue_url(QueueRole::Source))
            .set_entries(Some(requests))
            .customize()
            .config_override(without_retries)
            .send()
            .await;
        let mut unanswered = Vec::new();
        match answer {
            Ok(answer) => {
                let confirmed = answer.successful().iter().map(|entry| entry.id());
                refused.extend(unconfirmed(entries, &refused, confirmed, answer.failed()));
            }
            Err(error) => {
                let cause = attempt.sdk(&error).to_string();
                let mut sent = entries.to_vec();
                remove_failed(&mut sent, &refused);
                if is_surely_not_sent(&error) {
                    refused.extend(all_failed(&sent, &cause));
                } else {
                    unanswered = all_failed(&sent, &cause);
                }
            }
        }
        SendFailures {
            refused,
            unanswered,
        }
    }

    /// Deletes; gives back what was not deleted.
    async fn delete(
        &self,
        permit: &WritePermit,
        entries: &[Entry<&DeadLetter>],
    ) -> Vec<EntryFailure> {
        let mut open = entries.to_vec();
        let mut failures = self.delete_batch(permit, &open).await;
        for _ in 1..ATTEMPTS_MAX {
            keep_failed(&mut open, &failures);
            failures = self.delete_batch(permit, &open).await;
        }
        failures
    }

    async fn delete_batch(
        &self,
        _permit: &WritePermit,
        entries: &[Entry<&DeadLetter>],
    ) -> Vec<EntryFailure> {
        if entries.is_empty() {
            return Vec::new();
        }
        let attempt = self.queue_attempt("delete letters from", QueueRole::DeadLetter);
        let (requests, mut failures) = partition(entries, delete_request);
        let answer = self
            .aws()
            .await
            .sqs
            .delete_message_batch()
            .queue_url(self.queue_url(QueueRole::DeadLetter))
            .set_entries(Some(requests))
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let confirmed = answer.successful().iter().map(|entry| entry.id());
                failures.extend(unconfirmed(entries, &failures, confirmed, answer.failed()));
                failures
            }
            Err(error) => all_failed(entries, &attempt.sdk(&error).to_string()),
        }
    }
}

/// What became of the entries that SQS did not confirm.
#[derive(Debug)]
struct SendFailures {
    /// SQS said no, or was never asked.
    refused: Vec<EntryFailure>,
    /// SQS gave no answer: they may have been sent.
    unanswered: Vec<EntryFailure>,
}

/// Whether SQS cannot have taken the message: it answered, or there was no connection at all.
fn is_surely_not_sent<E, R>(error: &SdkError<E, R>) -> bool
where
    E: Error + 'static,
    R: fmt::Debug + 'static,
{
    if error.as_service_error().is_some() {
        return true;
    }
    if matches!(error, SdkError::ConstructionFailure(_)) {
        return true;
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let refused = error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if refused {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Size by which SQS counts: the body and each attribute's name, type and value (Amazon SQS
/// developer guide, "Message attributes").
fn message_bytes(letter: &DeadLetter) -> usize {
    let attributes: usize = kept_attributes(letter)
        .map(|(name, value)| {
            name.len()
                + match value {
                    AttributeValue::Text { data_type, value } => data_type.len() + value.len(),
                    AttributeValue::Binary { data_type, value } => data_type.len() + value.len(),
                }
        })
        .sum();
    letter.body.len() + attributes
}

/// Everything but what the ingest added when the event died.
fn kept_attributes(letter: &DeadLetter) -> impl Iterator<Item = (&String, &AttributeValue)> {
    letter
        .attributes
        .iter()
        .filter(|(name, _)| !FAILURE_ATTRIBUTES.contains(&name.as_str()))
}

fn send_request(entry: &Entry<&DeadLetter>) -> Result<SendMessageBatchRequestEntry, String> {
    let attributes = kept_attributes(entry.value)
        .map(|(name, value)| Ok((name.clone(), attribute_value(value)?)))
        .collect::<Result<HashMap<_, _>, String>>()?;
    SendMessageBatchRequestEntry::builder()
        .id(entry.index.to_string())
        .message_body(&entry.value.body)
        .set_message_attributes((!attributes.is_empty()).then_some(attributes))
        .build()
        .map_err(|error| error.to_string())
}

fn attribute_value(value: &AttributeValue) -> Result<MessageAttributeValue, String> {
    let builder = MessageAttributeValue::builder();
    match value {
        AttributeValue::Text { data_type, value } => {
            builder.data_type(data_type).string_value(value)
        }
        AttributeValue::Binary { data_type, value } => builder
            .data_type(data_type)
            .binary_value(Blob::new(value.clone())),
    }
    .build()
    .map_err(|error| error.to_string())
}

fn delete_request(entry: &Entry<&DeadLetter>) -> Result<DeleteMessageBatchRequestEntry, String> {
    DeleteMessageBatchRequestEntry::builder()
        .id(entry.index.to_string())
        .receipt_handle(&entry.value.receipt_handle)
        .build()
        .map_err(|error| error.to_string())
}

fn partition<R>(
    entries: &[Entry<&DeadLetter>],
    request: impl Fn(&Entry<&DeadLetter>) -> Result<R, String>,
) -> (Vec<R>, Vec<EntryFailure>) {
    let mut requests = Vec::new();
    let mut failures = Vec::new();
    for entry in entries {
        match request(entry) {
            Ok(ready) => requests.push(ready),
            Err(cause) => failures.push(EntryFailure {
                index: entry.index,
                cause,
            }),
        }
    }
    (requests, failures)
}

/// Every entry that was not confirmed and has no failure yet, with SQS's reason where it gave one.
fn unconfirmed<'a, T>(
    entries: &[Entry<T>],
    known: &[EntryFailure],
    confirmed: impl Iterator<Item = &'a str>,
    failed: &[aws_sdk_sqs::types::BatchResultErrorEntry],
) -> Vec<EntryFailure> {
    let confirmed: HashSet<usize> = confirmed.filter_map(|id| id.parse().ok()).collect();
    let mut reasons: HashMap<usize, String> = failed
        .iter()
        .filter_map(EntryFailure::of)
        .map(|failure| (failure.index, failure.cause))
        .collect();
    entries
        .iter()
        .map(|entry| entry.index)
        .filter(|index| !confirmed.contains(index))
        .filter(|index| known.iter().all(|failure| failure.index != *index))
        .map(|index| EntryFailure {
            index,
            cause: reasons
                .remove(&index)
                .unwrap_or_else(|| "SQS did not confirm it".to_owned()),
        })
        .collect()
}

fn all_failed<T>(entries: &[Entry<T>], cause: &str) -> Vec<EntryFailure> {
    entries
        .iter()
        .map(|entry| EntryFailure {
            index: entry.index,
            cause: cause.to_owned(),
        })
        .collect()
}

fn remove_failed<T>(entries: &mut Vec<Entry<T>>, failures: &[EntryFailure]) {
    entries.retain(|entry| failures.iter().all(|failure| failure.index != entry.index));
}

fn keep_failed<T>(entries: &mut Vec<Entry<T>>, failures: &[EntryFailure]) {
    entries.retain(|entry| failures.iter().any(|failure| failure.index == entry.index));
}
