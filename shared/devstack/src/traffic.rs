//! Publishes continuous traffic with known faults.
//!
//! Invariant: every remembered message was acknowledged by the topic, so that the ledger and the
//! dead-letter queue can be compared with it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use chrono::Utc;
use event::EventKey;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::faults::Fault;
use crate::scenario::{Content, Planned, Ratios, Scenario};
use crate::{DevstackError, Endpoints};

/// Entries of one `PublishBatch` (Amazon SNS API reference).
const BATCH_MAX: usize = 10;
/// Interval of checking whether messages are due.
const TICK: Duration = Duration::from_millis(20);
/// After an outage, at most the messages of this time are published late, to avoid a burst.
const CATCH_UP_MAX: Duration = Duration::from_secs(1);
const PUBLISH_LIMIT: Duration = Duration::from_secs(10);
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// What to publish, and how fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrafficOptions {
    /// Messages per second.
    pub rate: f64,
    /// Share of invalid messages, from 0 to 1.
    pub fault_ratio: f64,
    /// Share of exact copies, from 0 to 1.
    pub duplicate_ratio: f64,
    /// Share of events that happened long ago, from 0 to 1.
    pub late_ratio: f64,
    /// The same seed gives the same messages, except for their times.
    pub seed: u64,
    /// Stops after this many messages; `None` never stops.
    pub total: Option<u64>,
    /// Whether to remember every message for the report, which needs memory.
    pub remember: bool,
}

impl Default for TrafficOptions {
    fn default() -> Self {
        Self {
            rate: 20.0,
            fault_ratio: 0.03,
            duplicate_ratio: 0.02,
            late_ratio: 0.02,
            seed: 1,
            total: None,
            remember: false,
        }
    }
}

/// Messages, counted by the response of the topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficCounts {
    /// Sent to the topic.
    pub attempted: u64,
    /// Acknowledged by the topic.
    pub accepted: u64,
    /// Refused by the topic, or without a response.
    pub refused: u64,
}

/// SHA-256 of a message body.
pub type BodyDigest = [u8; 32];

/// Identifies a message whose event has no valid key.
#[must_use]
pub fn body_digest(body: &str) -> BodyDigest {
    Sha256::digest(body.as_bytes()).into()
}

/// Every message that the topic acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// Valid events with the number of their copies, at least one.
    pub events: HashMap<EventKey, u64>,
    /// Invalid messages by the digest of their body, with the number of their copies.
    pub faults: HashMap<BodyDigest, (Fault, u64)>,
}

/// The result of a publisher.
#[derive(Clone, Debug)]
pub struct TrafficReport {
    /// Counts at the end.
    pub counts: TrafficCounts,
    /// The acknowledged messages, with [`TrafficOptions::remember`].
    pub remembered: Option<Remembered>,
}

#[derive(Default)]
struct Counters {
    attempted: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl Counters {
    fn read(&self) -> TrafficCounts {
        TrafficCounts {
            attempted: self.attempted.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

/// A running publisher. Dropping it stops it without a report.
pub struct Traffic {
    task: Option<JoinHandle<Option<Remembered>>>,
    counters: Arc<Counters>,
    stopping: watch::Sender<bool>,
}

impl Traffic {
    /// Starts to publish to the topic of `endpoints`.
    #[must_use]
    pub fn start(endpoints: &Endpoints, options: TrafficOptions) -> Self {
        let counters = Arc::new(Counters::default());
        let (stopping, is_stopping) = watch::channel(false);
        let publisher = Publisher {
            client: aws_sdk_sns::Client::new(&endpoints.sdk_config()),
            topic_arn: endpoints.topic_arn.clone(),
            counters: counters.clone(),
            remembered: options.remember.then(Remembered::default),
            is_stopping,
        };
        Self {
            task: Some(tokio::spawn(publisher.run(options))),
            counters,
            stopping,
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> TrafficCounts {
        self.counters.read()
    }

    /// Whether the total was reached.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the total is reached (without one: for ever).
    ///
    /// # Errors
    /// When the publisher's task panicked.
    pub async fn finish(mut self) -> Result<TrafficReport, DevstackError> {
        self.report().await
    }

    /// Stops after the current batch.
    ///
    /// # Errors
    /// When the publisher's task panicked.
    pub async fn stop(mut self) -> Result<TrafficReport, DevstackError> {
        self.stopping.send_replace(true);
        self.report().await
    }

    async fn report(&mut self) -> Result<TrafficReport, DevstackError> {
        let failed = |detail: String| DevstackError::Failed {
            operation: "publish traffic".to_owned(),
            detail,
        };
        // Awaited by reference: if the caller drops this future, `drop` still aborts the task.
        let outcome = match self.task.as_mut() {
            Some(task) => task.await,
            None => return Err(failed("it has already ended".to_owned())),
        };
        self.task = None;
        let remembered = outcome.map_err(|error| failed(error.to_string()))?;
        Ok(TrafficReport {
            counts: self.counters.read(),
            remembered,
        })
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

struct Publisher {
    client: aws_sdk_sns::Client,
    topic_arn: String,
    counters: Arc<Counters>,
    remembered: Option<Remembered>,
    is_stopping: watch::Receiver<bool>,
}

impl Publisher {
    async fn run(mut self, options: TrafficOptions) -> Option<Remembered> {
        let ratios = Ratios {
            faults: options.fault_ratio,
            duplicates: options.duplicate_ratio,
            late: options.late_ratio,
        };
        let mut scenario = Scenario::new(options.seed, ratios);
        let mut allowance = Allowance::new(options.rate, Instant::now());
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failures = 0;
        let mut left = options.total.unwrap_or(u64::MAX);
        while left > 0 && !*self.is_stopping.borrow() {
            ticks.tick().await;
            allowance.grow(Instant::now());
            while left > 0 && !*self.is_stopping.borrow() {
                let due = allowance.take(BATCH_MAX.min(usize::try_from(left).unwrap_or(BATCH_MAX)));
                if due == 0 {
                    break;
                }
                left -= u64::try_from(due).unwrap_or(u64::MAX).min(left);
                let batch = (0..due).map(|_| scenario.next(Utc::now())).collect();
                match self.publish(batch).await {
                    Ok(()) => failures = 0,
                    Err(error) => {
                        tracing::warn!(%error, "a batch of the traffic was not published");
                        failures += 1;
                        self.rest(backoff(failures)).await;
                    }
                }
            }
        }
        self.remembered
    }

    /// Publishes a batch and counts the response of the topic for each message. A batch without a
    /// response counts as refused, although parts of it may have been published.
    async fn publish(&mut self, batch: Vec<Planned>) -> Result<(), DevstackError> {
        let number = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.counters.attempted.fetch_add(number, Ordering::Relaxed);
        let outcome = self.send(&batch).await;
        let accepted = outcome.as_ref().map_or(&[][..], Vec::as_slice);
        let accepted_number = u64::try_from(accepted.len()).unwrap_or(u64::MAX);
        let counters = &self.counters;
        counters
            .accepted
            .fetch_add(accepted_number, Ordering::Relaxed);
        counters
            .refused
            .fetch_add(number.saturating_sub(accepted_number), Ordering::Relaxed);
        if let Some(remembered) = &mut self.remembered {
            for planned in accepted.iter().filter_map(|position| batch.get(*position)) {
                remembered.add(planned);
            }
        }
        outcome.map(|_| ())
    }

    /// Sends a batch and returns the positions of the acknowledged messages.
    async fn send(&self, batch: &[Planned]) -> Result<Vec<usize>, DevstackError> {
        let operation = "publish a batch";
        let entries = batch
            .iter()
            .enumerate()
            .map(|(position, planned)| entry(position, planned))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| DevstackError::Aws {
                operation: operation.to_owned(),
                detail: error.to_string(),
            })?;
        let call = self
            .client
            .publish_batch()
            .topic_arn(&self.topic_arn)
            .set_publish_batch_request_entries(Some(entries))
            .send();
        let outcome = tokio::time::timeout(PUBLISH_LIMIT, call)
            .await
            .map_err(|_| DevstackError::Timeout {
                operation: operation.to_owned(),
                limit: PUBLISH_LIMIT,
                detail: String::new(),
            })?;
        Ok(DevstackError::aws(operation, outcome)?
            .successful()
            .iter()
            .filter_map(|entry| entry.id()?.parse().ok())
            .collect())
    }

    async fn rest(&mut self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = self.is_stopping.wait_for(|is_stopping| *is_stopping) => {}
        }
    }
}

impl Remembered {
    fn add(&mut self, planned: &Planned) {
        match &planned.content {
            Content::Event(key) => *self.events.entry(key.clone()).or_default() += 1,
            Content::Fault(fault) => {
                let digest = body_digest(&planned.body);
                self.faults.entry(digest).or_insert((*fault, 0)).1 += 1;
            }
        }
    }
}

/// The event type is also a message attribute, as usual for subscription filters.
fn entry(
    position: usize,
    planned: &Planned,
) -> Result<PublishBatchRequestEntry, aws_sdk_sns::error::BuildError> {
    let attributes = match event::peek_identity(&planned.body).event_type {
        Some(event_type) => {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(event_type)
                .build()?;
            Some(HashMap::from([("type".to_owned(), value)]))
        }
        None => None,
    };
    PublishBatchRequestEntry::builder()
        .id(position.to_string())
        .message(&planned.body)
        .set_message_attributes(attributes)
        .build()
}

/// Number of messages that are due: grows with time, up to [`CATCH_UP_MAX`].
struct Allowance {
    rate: f64,
    due: f64,
    grown_at: Instant,
}

impl Allowance {
    fn new(rate: f64, now: Instant) -> Self {
        Self {
            rate: if rate.is_finite() { rate.max(0.0) } else { 0.0 },
            due: 0.0,
            grown_at: now,
        }
    }

    fn grow(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.grown_at);
        self.grown_at = now;
        let due_max = (self.rate * CATCH_UP_MAX.as_secs_f64()).max(1.0);
        self.due = (self.due + self.rate * passed.as_secs_f64()).min(due_max);
    }

    fn take(&mut self, number_max: usize) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "due is finite, not negative and far below the limit; the rest stays due"
        )]
        let number = (self.due as usize).min(number_max);
        self.due -= number_as_float(number);
        number
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most a batch")]
const fn number_as_float(number: usize) -> f64 {
    number as f64
}

/// Exponential backoff from [`BACKOFF_FIRST`] to [`BACKOFF_MAX`].
fn backoff(failures: u32) -> Duration {
    BACKOFF_FIRST
        .saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)))
        .min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowance_follows_the_rate_and_ignores_an_outage() {
        let start = Instant::now();
        let mut allowance = Allowance::new(50.0, start);
        allowance.grow(start + Duration::from_millis(100));
        assert_eq!(allowance.take(10), 5);
        assert_eq!(allowance.take(10), 0);
        allowance.grow(start + Duration::from_secs(3_600));
        let caught_up: usize = std::iter::from_fn(|| Some(allowance.take(10)))
            .take_while(|number| *number > 0)
            .sum();
        assert_eq!(caught_up, 50);
    }

    #[test]
    fn slow_rates_are_kept_too() {
        let start = Instant::now();
        let mut allowance = Allowance::new(0.5, start);
        let due: usize = (1_u64..=1_000)
            .map(|tick| {
                allowance.grow(start + TICK * u32::try_from(tick).unwrap());
                allowance.take(10)
            })
            .sum();
        assert_eq!(due, 10);
    }

    #[test]
    fn backoff_doubles_up_to_its_limit() {
        let pauses: Vec<_> = [1, 2, 3, 40].map(backoff).into();
        assert_eq!(pauses, [100, 200, 400, 5_000].map(Duration::from_millis));
    }
}
