//! The received messages of a redrive, by their places in the plan.
//!
//! Invariant: a message is sent only while it stays hidden for longer than the longest batch, so
//! that nobody else can have it meanwhile; a lost lease is reported for exactly its message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::DateTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::control::{Control, RunCommand};
use super::message::{Original, kept_bytes};
use super::plan::{Plan, PlanEntry};
use crate::limits::BATCH_LIMIT;
use crate::state::Intended;
use pipeline::model::{DeadLetter, QueueRole};
use pipeline::{BATCH_ENTRIES_MAX, Hidden, LEASES_MAX, LeaseSet, Pipeline, PipelineError};

/// A batch begins only when its messages stay hidden for this long: longer than
/// [`BATCH_LIMIT`].
pub(super) const MARGIN: Duration = Duration::from_secs(100);
/// With this timeout messages are received and extended.
pub(super) const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(300);
/// Between two extensions of messages that wait for their turn.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Waiting messages are extended when less is left: a round of all of them takes its time.
const EXTENDED_BELOW: Duration = Duration::from_secs(220);
/// Messages whose bodies are kept before it is their turn.
const BODIES_MAX: usize = 10_000;
/// Empty rounds of long polls in a row after which a search ends.
const EMPTY_POLLS_MAX: usize = 3;
/// A search ends when it has received this many times as many messages as there were when it began,
/// and some more: messages are dead-lettered meanwhile, and SQS returns them in no order.
const RECEIVES_PER_MESSAGE_MAX: u64 = 2;
/// The number of messages is an approximate one.
const RECEIVES_MORE: u64 = 100;

const _: () = assert!(
    MARGIN.as_secs() > BATCH_LIMIT.as_secs()
        && VISIBILITY_TIMEOUT.as_secs() > EXTENDED_BELOW.as_secs()
        && EXTENDED_BELOW.as_secs() > MARGIN.as_secs() + 2 * HEARTBEAT.as_secs(),
    "a visibility timeout must outlast a batch and two heartbeats"
);

/// Where the message itself is.
#[derive(Debug)]
enum Message<'a> {
    /// In the journal of an earlier process, which had received it when it ended.
    Journaled(Arc<Intended>),
    /// With the caller, who releases it too.
    Callers(&'a DeadLetter),
    /// Here: the engine received it itself, and so has to release it.
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
    /// Not received, or not hidden for long enough.
    Lost(String),
    /// Received, and its body is another one than was planned.
    OtherBody,
}

/// All leases of a redrive.
pub(super) struct Leases<'a> {
    pipeline: &'a Pipeline,
    plan: &'a Plan,
    places: HashMap<&'a str, usize>,
    planned: LeaseSet,
    /// The messages of `planned`, by their places.
    messages: Mutex<HashMap<usize, Message<'a>>>,
    /// Messages that a search passed, and so hides.
    passed: LeaseSet,
    search: Mutex<Search>,
}

/// What is known of the passed messages.
#[derive(Default)]
struct Search {
    /// Whether messages of the plan are among them.
    has_planned: bool,
    /// When the first of them was passed.
    since: Option<Instant>,
}

impl<'a> Leases<'a> {
    /// Begins with the messages that the caller received, and with those that an earlier process
    /// had received when it ended.
    pub(super) fn new(
        pipeline: &'a Pipeline,
        plan: &'a Plan,
        messages: &'a [DeadLetter],
        unsettled: &[Arc<Intended>],
    ) -> Self {
        let ids = plan.entries.iter().map(|entry| entry.message_id.as_str());
        let leases = Self {
            pipeline,
            plan,
            places: ids.enumerate().map(|(index, id)| (id, index)).collect(),
            planned: LeaseSet::new(pipeline, VISIBILITY_TIMEOUT),
            messages: Mutex::default(),
            passed: LeaseSet::new(pipeline, VISIBILITY_TIMEOUT),
            search: Mutex::default(),
        };
        for intended in unsettled {
            if let Some(id) = leases.id(intended.index) {
                // Nobody knows until when; it is extended before it is relied on.
                let until = DateTime::UNIX_EPOCH;
                leases.planned.adopt(id, &intended.receipt_handle, until);
                let message = Message::Journaled(Arc::clone(intended));
                leases.lock().insert(intended.index, message);
            }
        }
        for message in messages {
            if let Some(index) = leases.places.get(message.message_id.as_str()) {
                leases.adopt(message);
                leases.lock().insert(*index, Message::Callers(message));
            }
        }
        leases
    }

    fn id(&self, index: usize) -> Option<&'a str> {
        let entry = self.plan.entries.get(index)?;
        Some(entry.message_id.as_str())
    }

    fn adopt(&self, message: &DeadLetter) {
        let (id, handle) = (&message.message_id, &message.receipt_handle);
        self.planned.adopt(id, handle, message.hidden_until);
    }

    pub(super) fn has(&self, index: usize) -> bool {
        self.lock().contains_key(&index)
    }

    /// Size of what is sent for a message; 0 when it is not received.
    pub(super) fn bytes(&self, index: usize) -> usize {
        let messages = self.lock();
        let (Some(message), Some(entry)) = (messages.get(&index), self.plan.entries.get(index))
        else {
            return 0;
        };
        message.bytes(entry.edit.as_ref().map(|edit| edit.new_body.len()))
    }

    /// Makes sure that the messages of a batch stay hidden for a whole batch.
    pub(super) async fn secure(&self, indexes: &[usize]) -> Vec<(usize, Result<Secured, NoLease>)> {
        let ids = indexes.iter().filter_map(|index| self.id(*index));
        let extended = self.planned.extend(ids, MARGIN).await;
        let cause = extended.err().map(|error| error.to_string());
        let secured = |index: &usize| (*index, self.secured(*index, cause.as_deref()));
        indexes.iter().map(secured).collect()
    }

    fn secured(&self, index: usize, cause: Option<&str>) -> Result<Secured, NoLease> {
        let lost = |why: &str| NoLease::Lost(why.to_owned());
        let entry = self.plan.entries.get(index);
        let entry = entry.ok_or_else(|| lost("it is not of this plan"))?;
        let handle = self.planned.handle(&entry.message_id, MARGIN);
        let messages = self.lock();
        let message = messages.get(&index);
        let message =
            message.ok_or_else(|| lost("it is not received; look at the messages again"))?;
        if let Some(receipt_handle) = handle {
            return Ok(Secured {
                receipt_handle,
                original: message.original(entry)?,
            });
        }
        drop(messages);
        self.forget(index);
        let ended = "its visibility timeout has ended; look at the messages again";
        Err(lost(cause.unwrap_or(ended)))
    }

    /// Forgets a message that is out of the queue.
    pub(super) fn forget(&self, index: usize) {
        self.lock().remove(&index);
        self.planned.forget(self.id(index));
    }

    /// Handle of a message, for its delete.
    pub(super) fn handle(&self, index: usize) -> Option<String> {
        Some(self.planned.newest(self.id(index)?)?.0)
    }

    /// Extends the messages that wait for their turn, for as long as it is polled.
    pub(super) async fn heartbeat(&self) {
        let mut interval = tokio::time::interval(HEARTBEAT);
        loop {
            interval.tick().await;
            if let Err(error) = self.planned.extend_all(EXTENDED_BELOW).await {
                tracing::debug!(%error, "messages are extended again");
            }
        }
    }

    /// Looks for messages of the plan in the queue until `enough` are found, it has no more, or it
    /// gave more than there were when the search began. While others have received messages, it
    /// waits for them up to `patience`, unless it is cancelled. What it passes stays hidden until
    /// [`Self::release`], so that it is not passed again.
    pub(super) async fn find(
        &self,
        enough: usize,
        patience: Duration,
        control: &Control,
        is_wanted: impl Fn(usize) -> bool,
    ) -> Result<usize, PipelineError> {
        let must_release = {
            let search = self.lock_search();
            // Timeouts that end in the middle of a search show their messages again.
            let is_old = |since: Instant| since.elapsed() > VISIBILITY_TIMEOUT / 2;
            search.has_planned || search.since.is_some_and(is_old)
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
        let never = CancellationToken::new();
        while found < enough && self.count() < LEASES_MAX && control.command() != RunCommand::Cancel
        {
            let is_all_seen = receives >= receives_max;
            if empty_polls > 0 || is_all_seen {
                let depth = self.pipeline.queue_depth(QueueRole::DeadLetter).await?;
                let is_exhausted =
                    is_all_seen || depth.visible == 0 || empty_polls >= EMPTY_POLLS_MAX;
                let is_others_turn = depth.in_flight > self.count() as u64;
                if is_exhausted && !(is_others_turn && Instant::now() < deadline) {
                    break;
                }
            }
            // Whole batches: messages that are not wanted are in the way.
            let missing = (enough - found).next_multiple_of(BATCH_ENTRIES_MAX);
            let poll = self.passed.poll(missing, &never).await;
            if poll.messages.is_empty() {
                match poll.failure {
                    // What was found can be moved; that may even be what it takes to find more.
                    Some(_) if found > 0 => break,
                    Some(error) => return Err(error),
                    None => empty_polls += 1,
                }
                continue;
            }
            empty_polls = 0;
            receives += poll.messages.len() as u64;
            for message in poll.messages {
                found += usize::from(self.sort(message, &is_wanted));
            }
        }
        Ok(found)
    }

    /// Keeps a message of the plan and passes any other. Returns whether it is wanted now.
    fn sort(&self, message: DeadLetter, is_wanted: impl Fn(usize) -> bool) -> bool {
        let place = self.places.get(message.message_id.as_str()).copied();
        let is_wanted = place.is_some_and(is_wanted);
        match place {
            // The turn of one that is not wanted comes later.
            Some(index) if is_wanted || self.lock().len() < BODIES_MAX => {
                self.passed.forget([message.message_id.as_str()]);
                self.adopt(&message);
                self.lock().insert(index, Message::Own(Box::new(message)));
            }
            place => {
                let mut search = self.lock_search();
                search.has_planned |= place.is_some();
                search.since.get_or_insert_with(Instant::now);
            }
        }
        is_wanted
    }

    /// Releases what the engine received itself and did not move.
    pub(super) async fn release(&self) {
        let own: Vec<usize> = self
            .lock()
            .extract_if(|_, message| !message.is_callers())
            .map(|(index, _)| index)
            .collect();
        let ids = own.iter().filter_map(|index| self.id(*index));
        warn(self.planned.release(ids).await);
        self.release_passed().await;
    }

    /// Releases what a search passed.
    pub(super) async fn release_passed(&self) {
        *self.lock_search() = Search::default();
        warn(self.passed.release_all().await);
    }

    /// Whether a message id is one of the plan's.
    pub(super) fn is_planned(&self, message_id: &str) -> bool {
        self.places.contains_key(message_id)
    }

    fn count(&self) -> usize {
        self.passed.len() + self.planned.len()
    }

    fn lock_search(&self) -> MutexGuard<'_, Search> {
        self.search.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Message<'a>>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn warn(hidden: Hidden) {
    if hidden.messages_max > 0 {
        tracing::warn!(?hidden, "messages stay hidden until their timeouts end");
    }
}
