//! One batch of messages: intent, send, confirmation, delete.
//!
//! Invariant: each of these is in the journal before the next begins; a message is deleted only
//! after the journal holds its confirmation. When the journal fails, nothing more is sent or
//! deleted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio::time::Instant;

use super::control::{Control, RunCommand};
use super::error::RedriveError;
use super::fact::{Because, Confirmed, Fact, Intended};
use super::lease::{Leases, NoLease};
use super::message::{BATCH_BYTES_MAX, Original};
use super::plan::Plan;
use super::rate_limiter::RateLimiter;
use super::recorder::Recorder;
use super::run::RunOptions;
use super::sqs::{self, Outgoing, RefusalKind, Sent};
use pipeline::{BATCH_ENTRIES_MAX, Pipeline, WritePermit};

/// Longest time from the check of the holds to the last delete: one send, then retries, whose last
/// one still has its own send and two deletes, each call of 5 s at most.
pub(super) const BATCH_LIMIT: Duration = Duration::from_secs(80);
/// No retry begins later than this after the first send.
const RETRY_LIMIT: Duration = Duration::from_secs(45);
/// First wait before refused messages are sent again, one by one; doubles, with jitter.
const BACKOFF_FIRST: Duration = Duration::from_millis(200);
/// Longest wait.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Rounds of retries.
const RETRIES_MAX: usize = 5;
/// Attempts to delete what was confirmed.
const DELETE_ATTEMPTS_MAX: usize = 2;
/// Batches in a row of which nothing was sent, after which the redrive pauses by itself.
const FAILED_BATCHES_MAX: usize = 5;

/// Everything that the batches of one redrive share.
pub(super) struct Engine<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) permit: &'a WritePermit,
    pub(super) plan: &'a Plan,
    pub(super) recorder: &'a Recorder,
    pub(super) leases: &'a Leases<'a>,
    pub(super) control: &'a Control,
    pub(super) options: &'a RunOptions,
    pub(super) pace: RateLimiter,
    pub(super) failed_batches: AtomicUsize,
}

/// A message that is held for long enough.
struct Held {
    index: usize,
    receipt_handle: String,
    original: Original,
}

type Refusals = HashMap<usize, (String, RefusalKind)>;

impl Engine<'_> {
    /// Moves one batch. What became of its messages is in the state.
    pub(super) async fn move_batch(&self, indexes: &[usize]) -> Result<(), RedriveError> {
        if !self.may_go(indexes.len()).await {
            return Ok(());
        }
        let messages = self.secure(indexes).await?;
        if messages.is_empty() {
            return Ok(());
        }
        let intended = messages.iter().map(|message| Intended {
            index: message.index,
            receipt_handle: message.receipt_handle.clone(),
            original: message.original.clone(),
        });
        self.record(Fact::Intended {
            messages: intended.collect(),
        })
        .await?;
        let open: Vec<&Held> = messages.iter().collect();
        let began = Instant::now();
        let mut refusals = self.send(&open).await?;
        self.send_again(&open, &mut refusals, began).await?;
        let all_refused = refusals.len() == messages.len();
        let causes: Vec<Because> = refusals
            .into_iter()
            .map(|(index, (cause, _))| Because { index, cause })
            .collect();
        let last = causes.first().map(|because| because.cause.clone());
        if !causes.is_empty() {
            self.record(Fact::Refused { messages: causes }).await?;
        }
        self.watch_failures(all_refused, last).await
    }

    /// Waits for the operator and for the pace. Gives whether the batch may go.
    async fn may_go(&self, count: usize) -> bool {
        loop {
            if !self.control.pass().await {
                return false;
            }
            if self.pace.take(count, self.control).await
                && self.control.command() == RunCommand::Run
            {
                return true;
            }
        }
    }

    /// The messages that can be sent now; the others are told as not tried.
    async fn secure(&self, indexes: &[usize]) -> Result<Vec<Held>, RedriveError> {
        let mut held = Vec::new();
        let mut lost = Vec::new();
        for (index, lease) in self.leases.secure(indexes).await {
            let bytes = self.leases.bytes(index);
            let cause = match lease {
                Ok(lease) if bytes <= BATCH_BYTES_MAX => {
                    held.push(Held {
                        index,
                        receipt_handle: lease.receipt_handle,
                        original: lease.original,
                    });
                    continue;
                }
                Ok(_) => format!("{bytes} bytes are more than a queue takes ({BATCH_BYTES_MAX})"),
                Err(NoLease::Lost(cause)) => cause,
                Err(NoLease::OtherBody) => "its body is not the one that was planned".to_owned(),
            };
            lost.push(Because { index, cause });
        }
        self.not_tried(lost).await?;
        Ok(held)
    }

    /// Tells messages as not tried. A message that may have been sent before stays in doubt.
    pub(super) async fn not_tried(&self, mut messages: Vec<Because>) -> Result<(), RedriveError> {
        self.recorder.look(|state| {
            messages.retain(|message| {
                state
                    .messages()
                    .get(message.index)
                    .is_some_and(|state| state.phase.is_unsent())
            });
        });
        if messages.is_empty() {
            return Ok(());
        }
        self.record(Fact::NotTried { messages }).await
    }

    /// Sends messages in one call, then deletes what was confirmed. Gives what was refused.
    async fn send(&self, messages: &[&Held]) -> Result<Refusals, RedriveError> {
        let outgoing: Vec<Outgoing<'_>> = messages
            .iter()
            .filter_map(|message| self.outgoing(message))
            .collect();
        let mut confirmed = Vec::new();
        let mut unanswered = Vec::new();
        let mut refusals = Refusals::new();
        for (index, sent) in sqs::send(self.pipeline, self.permit, &outgoing).await {
            match sent {
                Sent::Confirmed { message_id } => confirmed.push(Confirmed {
                    index,
                    sent_message_id: message_id,
                }),
                Sent::Unanswered { cause } => unanswered.push(Because { index, cause }),
                Sent::Refused { cause, kind } => {
                    if kind == RefusalKind::Throttled {
                        self.pace.throttled();
                    }
                    refusals.insert(index, (cause, kind));
                }
            }
        }
        let indexes: Vec<usize> = confirmed.iter().map(|message| message.index).collect();
        let mut facts = Vec::new();
        if !confirmed.is_empty() {
            facts.push(Fact::Confirmed {
                messages: confirmed,
            });
        }
        if !unanswered.is_empty() {
            facts.push(Fact::Unanswered {
                messages: unanswered,
            });
        }
        if !facts.is_empty() {
            self.recorder.record(facts).await?;
        }
        self.delete(&indexes).await?;
        Ok(refusals)
    }

    fn outgoing<'b>(&'b self, message: &'b Held) -> Option<Outgoing<'b>> {
        let entry = self.plan.entries.get(message.index)?;
        Some(Outgoing {
            index: message.index,
            body: entry.sent_body(&message.original.body),
            original: &message.original,
            // A FIFO queue takes an id that it saw within five minutes and drops the message: the
            // message's own id may be that recent. This one is new with each redrive, and the same
            // when this redrive sends the message again.
            deduplication_id: self
                .plan
                .is_fifo()
                .then(|| format!("{}-{}", self.plan.id.simple(), entry.message_id)),
        })
    }

    /// Sends refused messages again, one by one, so that one that spoils its batch fails alone.
    async fn send_again(
        &self,
        messages: &[&Held],
        refusals: &mut Refusals,
        began: Instant,
    ) -> Result<(), RedriveError> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(BACKOFF_FIRST)
            .with_max_delay(BACKOFF_MAX)
            .with_max_times(RETRIES_MAX)
            .with_jitter()
            .build();
        for wait in backoff {
            let open: Vec<&Held> = messages
                .iter()
                .copied()
                .filter(|message| {
                    refusals
                        .get(&message.index)
                        .is_some_and(|(_, kind)| *kind != RefusalKind::Final)
                })
                .collect();
            let is_cancelled = self.control.command() == RunCommand::Cancel;
            if open.is_empty() || is_cancelled || began.elapsed() + wait > RETRY_LIMIT {
                return Ok(());
            }
            tokio::time::sleep(wait).await;
            for message in open {
                if began.elapsed() > RETRY_LIMIT {
                    return Ok(());
                }
                let mut again = self.send(&[message]).await?;
                match again.remove(&message.index) {
                    Some(refusal) => refusals.insert(message.index, refusal),
                    None => refusals.remove(&message.index),
                };
            }
        }
        Ok(())
    }

    /// Deletes messages whose copy is confirmed in the journal.
    pub(super) async fn delete(&self, indexes: &[usize]) -> Result<(), RedriveError> {
        for chunk in indexes.chunks(BATCH_ENTRIES_MAX) {
            self.delete_some(chunk).await?;
        }
        Ok(())
    }

    async fn delete_some(&self, indexes: &[usize]) -> Result<(), RedriveError> {
        let mut open = Vec::new();
        let mut failures: HashMap<usize, String> = HashMap::new();
        for index in indexes {
            match self.leases.handle(*index) {
                Some(handle) => open.push((*index, handle)),
                None => drop(failures.insert(*index, "it is not held".to_owned())),
            }
        }
        let mut deleted = Vec::new();
        for _ in 0..DELETE_ATTEMPTS_MAX {
            if open.is_empty() {
                break;
            }
            for (index, answer) in sqs::delete(self.pipeline, self.permit, &open).await {
                match answer {
                    Ok(()) => {
                        failures.remove(&index);
                        deleted.push(index);
                    }
                    Err(cause) => drop(failures.insert(index, cause)),
                }
            }
            open.retain(|(index, _)| failures.contains_key(index));
        }
        let mut facts = Vec::new();
        if !deleted.is_empty() {
            facts.push(Fact::Deleted {
                indexes: deleted.clone(),
            });
        }
        if !failures.is_empty() {
            let messages = failures
                .into_iter()
                .map(|(index, cause)| Because { index, cause })
                .collect();
            facts.push(Fact::NotDeleted { messages });
        }
        self.recorder.record(facts).await?;
        for index in deleted {
            self.leases.forget(index);
        }
        Ok(())
    }

    /// Pauses when batch after batch fails: going on would only push messages through.
    async fn watch_failures(
        &self,
        all_refused: bool,
        cause: Option<String>,
    ) -> Result<(), RedriveError> {
        if !all_refused {
            self.failed_batches.store(0, Ordering::Relaxed);
            return Ok(());
        }
        let failed = self.failed_batches.fetch_add(1, Ordering::Relaxed) + 1;
        if failed < FAILED_BATCHES_MAX {
            return Ok(());
        }
        self.failed_batches.store(0, Ordering::Relaxed);
        let cause = cause.unwrap_or_default();
        self.pause(format!("{failed} batches in a row were refused: {cause}"))
            .await
    }

    /// Pauses the redrive by itself, if it may. An operator who paused it already must learn of
    /// this reason before going on.
    pub(super) async fn pause(&self, why: String) -> Result<(), RedriveError> {
        if !self.options.pauses_by_itself || self.is_cancelled() {
            return Ok(());
        }
        self.control.pause(why.clone());
        self.record(Fact::Paused { why }).await
    }

    pub(super) async fn record(&self, fact: Fact) -> Result<(), RedriveError> {
        self.recorder.record(vec![fact]).await
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.control.command() == RunCommand::Cancel
    }
}
