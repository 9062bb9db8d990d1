//! Received messages of one queue, each under its visibility timeout.
//!
//! Invariant: a received message is in the set until it is released, forgotten or lost, once, with
//! the handle of its newest receive; `hidden_until` is counted from before the request, so it is
//! never later than the moment at which SQS shows the message again.

mod receive;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use tokio::sync::OnceCell;
use tokio::time::{Instant, MissedTickBehavior};

pub use receive::Poll;
pub(super) use receive::ROUND_MESSAGES_MAX;

use super::queue_role::QueueRole;
use super::receive::seconds;
use super::{Pipeline, PipelineError};

/// Messages of one set at most: SQS takes about 120,000 in flight, and others need some of them
/// (Amazon SQS quotas).
pub const LEASES_MAX: usize = 100_000;
/// Limit of waiting for the next answer to a release: someone who leaves a silent queue does not
/// wait longer.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);
/// Limit of one release of many messages. What it did not reach stays hidden, and is reported.
const RELEASES_LIMIT: Duration = Duration::from_secs(30);
/// Limit of waiting for the next answer to an extension.
const EXTENSION_LIMIT: Duration = Duration::from_secs(10);
/// Limit of one extension of many messages. What it did not reach keeps its old timeout, and is
/// first the next time, because it ends first.
const EXTENSIONS_LIMIT: Duration = Duration::from_secs(30);

/// One message under its visibility timeout.
#[derive(Clone, Debug)]
struct Lease {
    receipt_handle: String,
    hidden_until: DateTime<Utc>,
}

#[derive(Debug, Default)]
struct State {
    /// By message id.
    leases: HashMap<String, Lease>,
    /// Receives without an answer in time; each may have hidden a batch.
    unanswered: Hidden,
    /// Messages that others had received when the queue was last asked.
    in_flight_elsewhere: usize,
}

/// Messages that this process received and has neither deleted nor released.
///
/// Dropping a set releases nothing: its messages become visible when their timeouts end.
#[derive(Debug)]
pub struct LeaseSet {
    pipeline: Pipeline,
    queue: QueueRole,
    visibility_timeout: Duration,
    retention: OnceCell<chrono::TimeDelta>,
    state: Mutex<State>,
}

/// Messages that are being released. Dropped before its end, it adds what SQS did not confirm to
/// the set again.
struct Releasing<'a> {
    set: &'a LeaseSet,
    leases: Vec<Option<(String, Lease)>>,
}

impl<'a> Releasing<'a> {
    fn of(set: &'a LeaseSet, leases: Vec<(String, Lease)>) -> Self {
        Self {
            set,
            leases: leases.into_iter().map(Some).collect(),
        }
    }
}

impl Drop for Releasing<'_> {
    fn drop(&mut self) {
        let mut state = self.set.lock();
        for (message_id, lease) in self.leases.drain(..).flatten() {
            state.leases.entry(message_id).or_insert(lease);
        }
    }
}

/// Messages that may be hidden from other consumers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// How many at most.
    pub messages_max: usize,
    /// Until when at the latest.
    pub until: Option<DateTime<Utc>>,
}

impl Hidden {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            messages_max: self.messages_max + other.messages_max,
            until: self.until.max(other.until),
        }
    }

    /// What of it is hidden still.
    fn at(self, now: DateTime<Utc>) -> Self {
        match self.until {
            Some(until) if until > now => self,
            Some(_) | None => Self::default(),
        }
    }

    fn of<'a>(leases: impl Iterator<Item = &'a Lease>) -> Self {
        leases.fold(Self::default(), |hidden, lease| {
            hidden.and(Self {
                messages_max: 1,
                until: Some(lease.hidden_until),
            })
        })
    }
}

impl LeaseSet {
    /// An empty set of dead letters that are received and extended with this visibility timeout.
    #[must_use]
    pub fn new(pipeline: &Pipeline, visibility_timeout: Duration) -> Self {
        Self::of(pipeline, QueueRole::DeadLetter, visibility_timeout)
    }

    /// The same of either queue.
    #[must_use]
    pub fn of(pipeline: &Pipeline, queue: QueueRole, visibility_timeout: Duration) -> Self {
        Self {
            pipeline: pipeline.clone(),
            queue,
            visibility_timeout,
            retention: OnceCell::new(),
            state: Mutex::default(),
        }
    }

    /// Adds a message; what the set knows of it is replaced. Returns whether it knew nothing.
    pub fn adopt(
        &self,
        message_id: &str,
        receipt_handle: &str,
        hidden_until: DateTime<Utc>,
    ) -> bool {
        let lease = Lease {
            receipt_handle: receipt_handle.to_owned(),
            hidden_until,
        };
        let mut state = self.lock();
        state.leases.insert(message_id.to_owned(), lease).is_none()
    }

    /// Every message: its id, its newest handle, until when it is hidden.
    pub(super) fn entries(&self) -> Vec<(String, String, DateTime<Utc>)> {
        let state = self.lock();
        let entry = |(message_id, lease): (&String, &Lease)| {
            let handle = lease.receipt_handle.clone();
            (message_id.clone(), handle, lease.hidden_until)
        };
        state.leases.iter().map(entry).collect()
    }

    /// Messages in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().leases.len()
    }

    /// Whether the set has no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Messages that others had received at the end of the last [`Self::receive`], by the queue's
    /// own approximate count.
    #[must_use]
    pub fn in_flight_elsewhere(&self) -> usize {
        self.lock().in_flight_elsewhere
    }

    /// Messages that are hidden at `now`: those whose timeouts ended may be anybody's.
    #[must_use]
    pub fn hidden_at(&self, now: DateTime<Utc>) -> usize {
        let state = self.lock();
        let leases = state.leases.values();
        leases.filter(|lease| lease.hidden_until > now).count()
    }

    /// Handle of a message that stays hidden for at least `margin`.
    #[must_use]
    pub fn handle(&self, message_id: &str, margin: Duration) -> Option<String> {
        let state = self.lock();
        let lease = state.leases.get(message_id)?;
        (lease.hidden_until > after(Utc::now(), margin)).then(|| lease.receipt_handle.clone())
    }

    /// Newest handle of a message and until when it is hidden, also when that is over.
    #[must_use]
    pub fn newest(&self, message_id: &str) -> Option<(String, DateTime<Utc>)> {
        let state = self.lock();
        let lease = state.leases.get(message_id)?;
        Some((lease.receipt_handle.clone(), lease.hidden_until))
    }

    /// When the first of the messages becomes visible to others, if nothing is done.
    #[must_use]
    pub fn first_hidden_until(&self) -> Option<DateTime<Utc>> {
        let state = self.lock();
        state.leases.values().map(|lease| lease.hidden_until).min()
    }

    /// Receives whose answers did not come: how many messages they may have hidden.
    #[must_use]
    pub fn unanswered(&self) -> Hidden {
        self.lock().unanswered.at(Utc::now())
    }

    /// Removes the messages whose timeouts have ended at `now`: others may have received them, so
    /// their handles are of no use. Returns their ids.
    pub fn take_lost(&self, now: DateTime<Utc>) -> Vec<String> {
        let mut state = self.lock();
        let lost = state
            .leases
            .extract_if(|_, lease| lease.hidden_until <= now);
        lost.map(|(message_id, _)| message_id).collect()
    }

    /// Moves messages to a set of their own, for work that must not lose them to a release of this
    /// one. [`Self::append`] brings back what the work leaves.
    #[must_use]
    pub fn split_off<'a>(&self, message_ids: impl IntoIterator<Item = &'a str>) -> Self {
        let own = Self::of(&self.pipeline, self.queue, self.visibility_timeout);
        let mut state = self.lock();
        let ids = message_ids.into_iter();
        let leases = ids.filter_map(|id| state.leases.remove_entry(id));
        own.lock().leases.extend(leases);
        drop(state);
        own
    }

    /// Moves everything of another set into this one. Of a message that both have, the lease that
    /// ends later stays: it is of the newer receive, or was extended last.
    pub fn append(&self, other: &Self) {
        let mut theirs = std::mem::take(&mut *other.lock());
        let mut state = self.lock();
        state.unanswered = state.unanswered.at(Utc::now()).and(theirs.unanswered);
        for (message_id, lease) in theirs.leases.drain() {
            let is_newer = |ours: &Lease| ours.hidden_until >= lease.hidden_until;
            if !state.leases.get(&message_id).is_some_and(is_newer) {
                state.leases.insert(message_id, lease);
            }
        }
    }

    /// Removes messages from the set without releasing them: they are deleted, or the caller's.
    pub fn forget<'a>(&self, message_ids: impl IntoIterator<Item = &'a str>) {
        let mut state = self.lock();
        for message_id in message_ids {
            state.leases.remove(message_id);
        }
    }

    /// Extends the timeouts of all messages that end within `within`, those that end first before
    /// the others. See [`Self::extend`].
    ///
    /// # Errors
    /// See [`Self::extend`].
    pub async fn extend_all(&self, within: Duration) -> Result<(), PipelineError> {
        let mut ending: Vec<(DateTime<Utc>, String)> = {
            let state = self.lock();
            let all = state.leases.iter();
            all.map(|(id, lease)| (lease.hidden_until, id.clone()))
                .collect()
        };
        ending.sort_unstable();
        let message_ids = ending.iter().map(|(_, id)| id.as_str());
        self.extend(message_ids, within).await
    }

    /// Extends all messages again and again, for as long as it is polled.
    pub async fn keep(&self, every: Duration, within: Duration) -> Infallible {
        let mut interval = tokio::time::interval(every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if let Err(error) = self.extend_all(within).await {
                tracing::warn!(%error, "messages are not extended");
            }
        }
    }

    /// Extends the timeouts of some messages that end within `within`. What SQS refuses to extend is
    /// lost: its timeout counts as ended. Ends within a limit; dropping it ends it at once, and what
    /// was confirmed until then counts.
    ///
    /// # Errors
    /// When a call failed, or when SQS took too long; the messages keep their old timeouts.
    pub async fn extend<'a>(
        &self,
        message_ids: impl Iterator<Item = &'a str>,
        within: Duration,
    ) -> Result<(), PipelineError> {
        let limit = after(Utc::now(), within);
        let ending: Vec<(&str, String)> = {
            let state = self.lock();
            let ending = message_ids.filter_map(|id| {
                let lease = state.leases.get(id)?;
                (lease.hidden_until < limit).then(|| (id, lease.receipt_handle.clone()))
            });
            ending.collect()
        };
        let mut unconfirmed = ending.len();
        let (message_ids, handles): (Vec<_>, Vec<_>) = ending.into_iter().unzip();
        let timeout = self.visibility_timeout;
        let pipeline = &self.pipeline;
        let mut changes = pipeline.visibility_changes(self.queue, &handles, timeout);
        let mut failure = None;
        let begun = Instant::now();
        loop {
            let left = EXTENSIONS_LIMIT.saturating_sub(begun.elapsed());
            let limit = left.min(EXTENSION_LIMIT);
            let Ok(change) = tokio::time::timeout(limit, changes.next()).await else {
                return Err(pipeline.no_visibility_answer(self.queue, limit));
            };
            let Some(change) = change else { break };
            let changed = match change.changed {
                Ok(changed) => changed,
                Err(error) => {
                    failure = Some(error);
                    continue;
                }
            };
            unconfirmed = unconfirmed.saturating_sub(changed.confirmed.len() + changed.lost.len());
            let set = |index: &usize, until| {
                if let Some((id, handle)) = message_ids.get(*index).zip(handles.get(*index)) {
                    self.set_hidden_until(id, handle, until);
                }
            };
            let extended_until = after(change.asked_at, timeout);
            changed
                .confirmed
                .iter()
                .for_each(|index| set(index, extended_until));
            changed
                .lost
                .iter()
                .for_each(|index| set(index, change.asked_at));
        }
        match failure {
            Some(error) => Err(error),
            None if unconfirmed > 0 => {
                Err(pipeline.visibility_unconfirmed(self.queue, unconfirmed))
            }
            None => Ok(()),
        }
    }

    /// A message that was received again meanwhile has another handle, and stays as it is.
    fn set_hidden_until(&self, message_id: &str, receipt_handle: &str, until: DateTime<Utc>) {
        let mut state = self.lock();
        if let Some(lease) = state.leases.get_mut(message_id)
            && lease.receipt_handle == receipt_handle
        {
            lease.hidden_until = until;
        }
    }

    /// Releases messages: others can receive them at once. Returns those that may stay hidden. Ends
    /// within a limit; dropping it ends it at once, and the set has what was not confirmed.
    pub async fn release<'a>(&self, message_ids: impl IntoIterator<Item = &'a str>) -> Hidden {
        let leases = {
            let mut state = self.lock();
            let ids = message_ids.into_iter();
            ids.filter_map(|id| state.leases.remove_entry(id)).collect()
        };
        self.release_these(leases, RELEASES_LIMIT).await
    }

    /// Releases everything. Returns what may stay hidden, receives without an answer included. See
    /// [`Self::release`].
    pub async fn release_all(&self) -> Hidden {
        let leases = std::mem::take(&mut self.lock().leases);
        let leases = leases.into_iter().collect();
        let released = self.release_these(leases, RELEASES_LIMIT).await;
        let unanswered = std::mem::take(&mut self.lock().unanswered);
        released.and(unanswered.at(Utc::now()))
    }

    /// Releases everything. What SQS did not confirm stays in the set until its timeout ends, so that it can be
    /// released again. Returns what may stay hidden. See [`Self::release`].
    pub async fn try_release_all(&self) -> Hidden {
        let leases = std::mem::take(&mut self.lock().leases);
        let mut releasing = Releasing::of(self, leases.into_iter().collect());
        self.confirm(&mut releasing, RELEASES_LIMIT).await;
        drop(releasing);
        // SQS refuses to release what is visible already.
        self.take_lost(Utc::now());
        self.hidden()
    }

    /// What would stay hidden if it were not released.
    #[must_use]
    pub fn hidden(&self) -> Hidden {
        let state = self.lock();
        Hidden::of(state.leases.values()).and(state.unanswered.at(Utc::now()))
    }

    async fn release_these(&self, leases: Vec<(String, Lease)>, limit: Duration) -> Hidden {
        let mut releasing = Releasing::of(self, leases);
        self.confirm(&mut releasing, limit).await;
        // SQS refuses to release what is visible already.
        let now = Utc::now();
        let leases = std::mem::take(&mut releasing.leases);
        let leases = leases.iter().flatten().map(|(_, lease)| lease);
        Hidden::of(leases.filter(|lease| lease.hidden_until > now))
    }

    /// Releases messages; those that SQS confirms leave `releasing`.
    async fn confirm(&self, releasing: &mut Releasing<'_>, limit: Duration) {
        let leases = releasing.leases.iter().flatten();
        let handles: Vec<String> = leases
            .map(|(_, lease)| lease.receipt_handle.clone())
            .collect();
        let pipeline = &self.pipeline;
        let mut changes = pipeline.visibility_changes(self.queue, &handles, Duration::ZERO);
        let begun = Instant::now();
        loop {
            let left = limit.saturating_sub(begun.elapsed()).min(RELEASE_LIMIT);
            let Ok(Some(change)) = tokio::time::timeout(left, changes.next()).await else {
                break;
            };
            match change.changed {
                Ok(released) => {
                    for index in released.confirmed {
                        releasing.leases.get_mut(index).map(Option::take);
                    }
                }
                Err(error) => tracing::debug!(%error, "messages stay hidden for a while"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A moment later; far away where it cannot be counted.
fn after(moment: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    moment
        .checked_add_signed(seconds(duration.as_secs()))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
