//! Dead letters: held for a while, judged, and given back.
//!
//! Invariant: a letter is listed once, with the handle of its newest receive, and looking at
//! letters asks the ledger once for all of them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageAttributeValue,
    MessageSystemAttributeName,
};
use chrono::{DateTime, TimeDelta, Utc};
use event::{
    Assessment, ERROR_CODE_ATTRIBUTE, ERROR_MESSAGE_ATTRIBUTE, EventKey, REQUEST_ID_ATTRIBUTE,
};
use futures::stream::{self, StreamExt as _};
use tokio::time::Instant;

use super::observed::{AttributeValue, DeadLetter, HeldLetters, QueueRole, Reason};
use super::queues::{BATCH_ENTRIES_MAX, Entry};
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
const COLLECT_LIMIT: Duration = Duration::from_secs(30);
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
        let received = self.collect(letters_max, hold).await?;
        let mut letters: Vec<DeadLetter> = received
            .into_values()
            .map(|receive| receive.into_letter(retention))
            .collect();
        letters.sort_by(|a, b| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
        let ledger_error = self.judge(&mut letters).await;
        let is_truncated = letters.len() >= letters_max
            && self.queue_depth(QueueRole::DeadLetter).await?.visible > 0;
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

    /// Receives until enough are held or the queue has no more to give.
    async fn collect(
        &self,
        letters_max: usize,
        hold: Duration,
    ) -> Result<HashMap<String, Receive>, WorldError> {
        let deadline = Instant::now() + COLLECT_LIMIT;
        let mut held: HashMap<String, Receive> = HashMap::new();
        let mut empty_polls = 0;
        while held.len() < letters_max && empty_polls < EMPTY_POLLS_MAX {
            if Instant::now() >= deadline {
                break;
            }
            let missing = letters_max - held.len();
            let receives = self.receive_some(missing, hold).await?;
            if receives.is_empty() {
                empty_polls += 1;
                if self.queue_depth(QueueRole::DeadLetter).await?.visible == 0 {
                    break;
                }
                continue;
            }
            empty_polls = 0;
            for receive in receives {
                held.insert(receive.message_id.clone(), receive);
            }
        }
        Ok(held)
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

/// A message as it was received, before it was judged.
#[derive(Debug)]
pub(super) struct Receive {
    pub(super) message_id: String,
    pub(super) receipt_handle: String,
    pub(super) body: String,
    pub(super) sent_at: DateTime<Utc>,
    attributes: BTreeMap<String, AttributeValue>,
    first_received_at: Option<DateTime<Utc>>,
    receive_count: u32,
    held_until: DateTime<Utc>,
}

impl Receive {
    /// A message without id or handle can neither be named nor given back; SQS sends none.
    fn read(message: Message, now: DateTime<Utc>, held_until: DateTime<Utc>) -> Option<Self> {
        let system = message.attributes.unwrap_or_default();
        let time = |name| -> Option<DateTime<Utc>> {
            let milliseconds: &String = system.get(&name)?;
            DateTime::from_timestamp_millis(milliseconds.parse().ok()?)
        };
        let receive_count = system
            .get(&MessageSystemAttributeName::ApproximateReceiveCount)
            .and_then(|count| count.parse().ok())
            .unwrap_or(1);
        Some(Self {
            message_id: message.message_id?,
            receipt_handle: message.receipt_handle?,
            body: message.body.unwrap_or_default(),
            sent_at: time(MessageSystemAttributeName::SentTimestamp).unwrap_or(now),
            first_received_at: time(MessageSystemAttributeName::ApproximateFirstReceiveTimestamp),
            attributes: message
                .message_attributes
                .unwrap_or_default()
                .into_iter()
                .filter_map(|(name, value)| Some((name, attribute(value)?)))
                .collect(),
            receive_count,
            held_until,
        })
    }

    pub(super) fn reason(&self) -> Option<Reason> {
        reason(&self.attributes)
    }

    fn into_letter(self, retention: TimeDelta) -> DeadLetter {
        let assessment = event::assess(&self.body);
        DeadLetter {
            reason: reason(&self.attributes),
            identity: event::peek_identity(&self.body),
            verdict: assessment.verdict(false),
            failure: None,
            stored_as: None,
            expires_at: self
                .sent_at
                .checked_add_signed(retention)
                .unwrap_or(self.sent_at),
            message_id: self.message_id,
            receipt_handle: self.receipt_handle,
            body: self.body,
            attributes: self.attributes,
            sent_at: self.sent_at,
            first_received_at: self.first_received_at,
            receive_count: self.receive_count,
            held_until: self.held_until,
        }
    }
}

fn attribute(value: MessageAttributeValue) -> Option<AttributeValue> {
    let data_type = value.data_type;
    if data_type.starts_with("Binary") {
        return Some(AttributeValue::Binary {
            data_type,
            value: value.binary_value?.into_inner(),
        });
    }
    Some(AttributeValue::Text {
        data_type,
        value: value.string_value?,
    })
}

/// The ingest's reason; there is one as soon as there is a code.
fn reason(attributes: &BTreeMap<String, AttributeValue>) -> Option<Reason> {
    let text = |name: &str| match attributes.get(name)? {
        AttributeValue::Text { value, .. } => Some(value.clone()),
        AttributeValue::Binary { .. } => None,
    };
    Some(Reason {
        code: text(ERROR_CODE_ATTRIBUTE)?,
        message: text(ERROR_MESSAGE_ATTRIBUTE).unwrap_or_default(),
        request_id: text(REQUEST_ID_ATTRIBUTE),
    })
}

fn visibility_secs(hold: Duration) -> i32 {
    i32::try_from(hold.min(HOLD_MAX).as_secs()).unwrap_or(i32::MAX)
}

fn seconds(seconds: u64) -> TimeDelta {
    i64::try_from(seconds)
        .ok()
        .and_then(TimeDelta::try_seconds)
        .unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_becomes_a_letter_with_its_reason_and_expiry() {
        let attribute = |value: &str| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .unwrap()
        };
        let message = Message::builder()
            .message_id("m")
            .receipt_handle("h")
            .body("{}")
            .message_attributes(ERROR_CODE_ATTRIBUTE, attribute("missing-attribute"))
            .message_attributes(ERROR_MESSAGE_ATTRIBUTE, attribute("\"id\" is required"))
            .attributes(MessageSystemAttributeName::SentTimestamp, "1000")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "2")
            .build();
        let now = DateTime::from_timestamp(100, 0).unwrap();
        let letter = Receive::read(message, now, now)
            .unwrap()
            .into_letter(seconds(60));
        assert_eq!(letter.receive_count, 2);
        assert_eq!(letter.expires_at, DateTime::from_timestamp(61, 0).unwrap());
        assert_eq!(letter.cause(), "missing-attribute");
        assert_eq!(letter.first_received_at, None);
    }

    #[test]
    fn hold_stays_within_what_sqs_takes() {
        assert_eq!(visibility_secs(Duration::from_secs(100_000)), 43_200);
        assert_eq!(visibility_secs(Duration::ZERO), 0);
    }
}
