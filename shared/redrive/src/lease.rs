//! The messages that a redrive holds while it moves them.
//!
//! Invariant: a message is sent only under a hold that outlasts the longest batch, so that nobody
//! else can have it meanwhile; a hold that was lost is named for exactly its message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use super::control::{Control, RunCommand};
use super::message::{Original, kept_bytes};
use super::plan::{Plan, PlanEntry};
use crate::limits::BATCH_LIMIT;
use crate::state::Intended;
use pipeline::model::{DeadLetter, QueueRole};
use pipeline::{BATCH_ENTRIES_MAX, Pipeline, PipelineError};

/// A batch begins only when its holds last this long: longer than [`BATCH_LIMIT`].
pub(super) const MARGIN: Duration = Duration::from_secs(100);
/// A hold is prolonged to this.
pub(super) const HOLD: Duration = Duration::from_secs(300);
/// Between two rounds of prolonging the holds of messages that wait for their turn.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Waiting messages are prolonged when less is left: a round of all of them takes its time.
const PROLONGED_BELOW: Duration = Duration::from_secs(220);
/// Calls of one round at once.
const HEARTBEAT_CALLS_MAX: usize = 16;
/// Messages that are held at once, wanted or not: SQS takes about 120,000 in flight, and others
/// need some of them (Amazon SQS quotas).
const HELD_MAX: usize = 100_000;
/// Messages whose bodies are kept before it is their turn.
const BODIES_MAX: usize = 10_000;
/// Receives of a search at once.
const RECEIVES_AT_ONCE: usize = 4;
/// Empty rounds of long polls in a row after which a search ends.
const EMPTY_POLLS_MAX: usize = 3;
/// A search ends when it has received this many times as many messages as there were when it began,
/// and some more: messages go on dying meanwhile, and SQS gives them in no order.
const RECEIVES_PER_MESSAGE_MAX: u64 = 2;
/// The number of messages is an approximate one.
const RECEIVES_MORE: u64 = 100;

const _: () = assert!(
    MARGIN.as_secs() > BATCH_LIMIT.as_secs()
        && HOLD.as_secs() > PROLONGED_BELOW.as_secs()
        && PROLONGED_BELOW.as_secs() > MARGIN.as_secs() + 2 * HEARTBEAT.as_secs(),
    "a hold must outlast a batch and two heartbeats"
);

/// One message under its hold.
#[derive(Debug)]
struct Lease<'a> {
    receipt_handle: String,
    message: Message<'a>,
    held_until: DateTime<Utc>,
}

/// Where the message itself is.
#[derive(Debug)]
enum Message<'a> {
    /// In the journal of an earlier process, which held it when it ended.
    Journaled(Arc<Intended>),
    /// With the caller, who gives it back too.
    Callers(&'a DeadLetter),
    /// Here: the engine took it itself, and so has to give it back.
    Own(Box<DeadLetter>),
}

/// A message that can be sent now.
#[derive(Debug)]
pub(super) struct Secured {
    pub(super) receipt_handle: String,
    pub(super) original: Original,
}

impl Message<'_> {
    const fn is_callers(&self) -> bool {
        matches!(self, Self::Callers(_))
    }

    /// Size when it is sent with its own body, or with one of so many bytes.
    fn bytes(&self, new_body: Option<usize>) -> usize {
        match self {
            Self::Journaled(intended) => {
                let original = &intended.original;
                original.kept_bytes() + new_body.unwrap_or(original.body.len())
            }
            Self::Callers(message) => {
                kept_bytes(&message.attributes) + new_body.unwrap_or_else(|| message.body.bytes())
            }
            Self::Own(message) => {
                kept_bytes(&message.attributes) + new_body.unwrap_or_else(|| message.body.bytes())
            }
        }
    }

    /// What is to be sent, if it is what was planned.
    fn original(&self, entry: &PlanEntry) -> Result<Original, NoLease> {
        let message: &DeadLetter = match self {
            Self::Journaled(intended) => return Ok(intended.original.clone()),
            Self::Callers(message) => message,
            Self::Own(message) => message,
        };
        if message.body.sha256() != entry.body_sha256 {
            return Err(NoLease::OtherBody);
        }
        Original::of(message).map_err(|error| NoLease::Lost(error.to_string()))
    }
}

/// Why a message cannot be sent now.
pub(super) enum NoLease {
    /// Not held.
    Lost(String),
    /// Held, and its body is another one than was planned.
    OtherBody,
}

/// All holds of a redrive, by the message's place in the plan.
pub(super) struct Leases<'a> {
    pipeline: &'a Pipeline,
    plan: &'a Plan,
    places: HashMap<&'a str, usize>,
    held: Mutex<HashMap<usize, Lease<'a>>>,
    passed: Mutex<Passed>,
}

/// Messages that a search passed, and so hides.
#[derive(Default)]
struct Passed {
    /// Handles by message id: a hold that ended gives the message again.
    receipt_handles: HashMap<String, String>,
    /// Whether messages of the plan are among them.
    has_planned: bool,
    /// When the first of them was passed.
    since: Option<Instant>,
}

impl<'a> Leases<'a> {
    /// Begins with the messages that the caller holds, and with those that an earlier process held
    /// when it ended.
    pub(super) fn new(
        pipeline: &'a Pipeline,
        plan: &'a Plan,
        messages: &'a [DeadLetter],
        unsettled: &[Arc<Intended>],
    ) -> Self {
        let leases = Self {
            pipeline,
            plan,
            places: plan
                .entries
                .iter()
                .enumerate()
                .map(|(index, entry)| (entry.message_id.as_str(), index))
                .collect(),
            held: Mutex::default(),
            passed: Mutex::default(),
        };
        for intended in unsettled {
            let lease = Lease {
                receipt_handle: intended.receipt_handle.clone(),
                message: Message::Journaled(Arc::clone(intended)),
                // Nobody knows; it is prolonged before it is relied on.
                held_until: DateTime::UNIX_EPOCH,
            };
            leases.lock().insert(intended.index, lease);
        }
        for message in messages {
            leases.take_callers(message);
        }
        leases
    }

    /// Takes a message of the caller if the plan has it.
    fn take_callers(&self, message: &'a DeadLetter) {
        if let Some(index) = self.places.get(message.message_id.as_str()) {
            let lease = Lease {
                receipt_handle: message.receipt_handle.clone(),
                held_until: message.held_until,
                message: Message::Callers(message),
            };
            self.lock().insert(*index, lease);
        }
    }

    /// Takes a message that a search found, in its place in the plan.
    fn take(&self, index: usize, message: DeadLetter) {
        let lease = Lease {
            receipt_handle: message.receipt_handle.clone(),
            held_until: message.held_until,
            message: Message::Own(Box::new(message)),
        };
        self.lock().insert(index, lease);
    }

    pub(super) fn has(&self, index: usize) -> bool {
        self.lock().contains_key(&index)
    }

    /// Size of what is sent for a message; 0 when it is not held.
    pub(super) fn bytes(&self, index: usize) -> usize {
        let held = self.lock();
        let (Some(lease), Some(entry)) = (held.get(&index), self.plan.entries.get(index)) else {
            return 0;
        };
        let new_body = entry.edit.as_ref().map(|edit| edit.new_body.len());
        lease.message.bytes(new_body)
    }

    /// Makes sure that the holds of a batch last for a whole batch.
    pub(super) async fn secure(&self, indexes: &[usize]) -> Vec<(usize, Result<Secured, NoLease>)> {
        let ending = self.ending(indexes.iter().copied(), MARGIN);
        let cause = self.prolong(&ending).await;
        let limit = Utc::now() + to_delta(MARGIN);
        let mut held = self.lock();
        indexes
            .iter()
            .map(|index| {
                let lease = match held.get(index) {
                    Some(lease) if lease.held_until < limit => {
                        held.remove(index);
                        let ended = "its hold has ended; look at the messages again".to_owned();
                        Err(NoLease::Lost(cause.clone().unwrap_or(ended)))
                    }
                    Some(lease) => self.secured(*index, lease),
                    None => Err(NoLease::Lost(
                        "it is not held; look at the messages again".to_owned(),
                    )),
                };
                (*index, lease)
            })
            .collect()
    }

    fn secured(&self, index: usize, lease: &Lease<'_>) -> Result<Secured, NoLease> {
        let entry = self.plan.entries.get(index);
        let entry = entry.ok_or_else(|| NoLease::Lost("it is not of this plan".to_owned()))?;
        Ok(Secured {
            receipt_handle: lease.receipt_handle.clone(),
            original: lease.message.original(entry)?,
        })
    }

    /// Forgets a message that is out of the queue.
    pub(super) fn forget(&self, index: usize) {
        self.lock().remove(&index);
    }

    /// Handle of a message, for its delete.
    pub(super) fn handle(&self, index: usize) -> Option<String> {
        let held = self.lock();
        held.get(&index).map(|lease| lease.receipt_handle.clone())
    }

    /// Prolongs the holds of messages that wait for their turn, for as long as it is polled.
    pub(super) async fn heartbeat(&self) {
        let mut interval = tokio::time::interval(HEARTBEAT);
        loop {
            interval.tick().await;
            let held: Vec<usize> = self.lock().keys().copied().collect();
            let ending = self.ending(held.into_iter(), PROLONGED_BELOW);
            let mut calls = FuturesUnordered::new();
            for chunk in ending.chunks(BATCH_ENTRIES_MAX) {
                calls.push(self.prolong(chunk));
                if calls.len() >= HEARTBEAT_CALLS_MAX {
                    calls.next().await;
                }
            }
            while calls.next().await.is_some() {}
        }
    }

    fn ending(
        &self,
        indexes: impl Iterator<Item = usize>,
        within: Duration,
    ) -> Vec<(usize, String)> {
        let limit = Utc::now() + to_delta(within);
        let held = self.lock();
        indexes
            .filter_map(|index| {
                let lease = held.get(&index)?;
                (lease.held_until < limit).then(|| (index, lease.receipt_handle.clone()))
            })
            .collect()
    }

    /// Prolongs at most ten holds in one call. Gives the reason when the call itself failed; the
    /// holds are then left as they were.
    async fn prolong(&self, ending: &[(usize, String)]) -> Option<String> {
        if ending.is_empty() {
            return None;
        }
        let handles: Vec<String> = ending.iter().map(|(_, handle)| handle.clone()).collect();
        // Counted from before the call: SQS may have begun to count at any time during it.
        let held_until = Utc::now() + to_delta(HOLD);
        match self.pipeline.change_visibility(&handles, HOLD).await {
            Ok(changed) => {
                let mut held = self.lock();
                for ((index, handle), is_changed) in ending.iter().zip(changed) {
                    if is_changed == Some(true)
                        && let Some(lease) = held.get_mut(index)
                        && lease.receipt_handle == *handle
                    {
                        lease.held_until = held_until;
                    }
                }
                None
            }
            Err(error) => Some(error.to_string()),
        }
    }

    /// Looks for messages of the plan in the queue until `enough` are found, it gives no more, or it
    /// gave more than there were when the search began. While others hold messages, it waits for
    /// them up to `patience`, unless it is cancelled. What it passes stays hidden until
    /// [`Self::release`], so that it is not passed again.
    pub(super) async fn find(
        &self,
        enough: usize,
        patience: Duration,
        control: &Control,
        is_wanted: impl Fn(usize) -> bool,
    ) -> Result<usize, PipelineError> {
        let must_release = {
            let passed = self.lock_passed();
            // Holds that end in the middle of a search give their messages again.
            let is_old = passed.since.is_some_and(|since| since.elapsed() > HOLD / 2);
            passed.has_planned || is_old
        };
        if must_release {
            self.release_passed().await;
        }
        let deadline = Instant::now() + patience;
        let depth = self.pipeline.queue_depth(QueueRole::DeadLetter).await?;
        let receives_max =
            (depth.visible + depth.in_flight) * RECEIVES_PER_MESSAGE_MAX + RECEIVES_MORE;
        let mut receives = 0;
        let mut found = 0;
        let mut empty_polls = 0;
        while found < enough && self.count() < HELD_MAX && control.command() != RunCommand::Cancel {
            let is_all_seen = receives >= receives_max;
            if empty_polls > 0 || is_all_seen {
                let depth = self.pipeline.queue_depth(QueueRole::DeadLetter).await?;
                let is_exhausted =
                    is_all_seen || depth.visible == 0 || empty_polls >= EMPTY_POLLS_MAX;
                let others_hold = depth.in_flight > self.count() as u64;
                if is_exhausted && !(others_hold && Instant::now() < deadline) {
                    break;
                }
            }
            let (messages, failure) = self.receive(enough - found).await;
            if messages.is_empty() {
                match failure {
                    // What was found can be moved; that may even be what it takes to find more.
                    Some(_) if found > 0 => break,
                    Some(error) => return Err(error),
                    None => empty_polls += 1,
                }
                continue;
            }
            empty_polls = 0;
            receives += messages.len() as u64;
            for message in messages {
                match self.places.get(message.message_id.as_str()) {
                    Some(index) if is_wanted(*index) => {
                        self.take(*index, message);
                        found += 1;
                    }
                    // Its turn comes later.
                    Some(index) if self.lock().len() < BODIES_MAX => self.take(*index, message),
                    place => {
                        let is_planned = place.is_some();
                        self.pass(message, is_planned);
                    }
                }
            }
        }
        Ok(found)
    }

    /// One round of receives, as many at once as `missing` messages are worth. Gives what came, and
    /// why a receive failed if one did.
    async fn receive(&self, missing: usize) -> (Vec<DeadLetter>, Option<PipelineError>) {
        let calls = missing
            .div_ceil(BATCH_ENTRIES_MAX)
            .clamp(1, RECEIVES_AT_ONCE);
        let receives = (0..calls).map(|_| self.pipeline.receive_messages(BATCH_ENTRIES_MAX, HOLD));
        let mut messages = Vec::new();
        let mut failure = None;
        for received in futures::future::join_all(receives).await {
            match received {
                Ok(received) => messages.extend(received),
                Err(error) => failure = Some(error),
            }
        }
        (messages, failure)
    }

    /// Gives back what the engine took itself and did not move.
    pub(super) async fn release(&self) {
        let own: Vec<String> = self
            .lock()
            .extract_if(|_, lease| !lease.message.is_callers())
            .map(|(_, lease)| lease.receipt_handle)
            .collect();
        self.give_back(&own).await;
        self.release_passed().await;
    }

    /// Gives back what a search passed.
    pub(super) async fn release_passed(&self) {
        let passed = std::mem::take(&mut *self.lock_passed());
        let handles: Vec<String> = passed.receipt_handles.into_values().collect();
        self.give_back(&handles).await;
    }

    async fn give_back(&self, handles: &[String]) {
        let hidden = self.pipeline.give_back_dead_letters(handles).await;
        if hidden > 0 {
            tracing::warn!(hidden, "messages come back when their hold ends");
        }
    }

    /// Whether a message id is one of the plan's.
    pub(super) fn is_planned(&self, message_id: &str) -> bool {
        self.places.contains_key(message_id)
    }

    fn pass(&self, message: DeadLetter, is_planned: bool) {
        let mut passed = self.lock_passed();
        passed
            .receipt_handles
            .insert(message.message_id, message.receipt_handle);
        passed.has_planned |= is_planned;
        passed.since.get_or_insert_with(Instant::now);
    }

    fn count(&self) -> usize {
        self.lock_passed().receipt_handles.len() + self.lock().len()
    }

    fn lock_passed(&self) -> MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Lease<'a>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn to_delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
