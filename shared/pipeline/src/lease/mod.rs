//! Received dead letters, each under its visibility timeout.
//!
//! Invariant: a received message is in the set until it is released or forgotten, once, with the
//! handle of its newest receive; `hidden_until` is counted from before the request, so it is never
//! later than the moment at which SQS shows the message again.

mod receive;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use tokio::sync::OnceCell;

pub use receive::Poll;
pub(super) use receive::ROUND_MESSAGES_MAX;

use super::model::ReceivedMessages;
use super::receive::seconds;
use super::text::messages_in_words;
use super::{Pipeline, PipelineError};

/// Messages of one set at most: SQS takes about 120,000 in flight, and others need some of them
/// (Amazon SQS quotas).
pub const LEASES_MAX: usize = 100_000;
/// Limit of waiting for the next answer to a release: someone who leaves a silent queue does not
/// wait longer.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);
/// Limit of waiting for the next answer to an extension.
const EXTENSION_LIMIT: Duration = Duration::from_secs(10);

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
    visibility_timeout: Duration,
    retention: OnceCell<chrono::TimeDelta>,
    state: Mutex<State>,
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
    /// An empty set whose messages are received and extended with this visibility timeout.
    #[must_use]
    pub fn new(pipeline: &Pipeline, visibility_timeout: Duration) -> Self {
        Self {
            pipeline: pipeline.clone(),
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

    /// Removes messages from the set without releasing them: they are deleted, or the caller's.
    pub fn forget<'a>(&self, message_ids: impl IntoIterator<Item = &'a str>) {
        let mut state = self.lock();
        for message_id in message_ids {
            state.leases.remove(message_id);
        }
    }

    /// Extends the timeouts of all messages that end within `within`.
    ///
    /// # Errors
    /// See [`Self::extend`].
    pub async fn extend_all(&self, within: Duration) -> Result<(), PipelineError> {
        let message_ids: Vec<String> = self.lock().leases.keys().cloned().collect();
        let message_ids = message_ids.iter().map(String::as_str);
        self.extend(message_ids, within).await
    }

    /// Extends the timeouts of some messages that end within `within`. A message that SQS does not
    /// extend keeps its old timeout.
    ///
    /// # Errors
    /// When a call failed, or when SQS was silent for too long.
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
        let (message_ids, handles): (Vec<_>, Vec<_>) = ending.into_iter().unzip();
        let mut changes = self
            .pipeline
            .visibility_changes(&handles, self.visibility_timeout);
        let mut failure = Ok(());
        loop {
            let Ok(change) = tokio::time::timeout(EXTENSION_LIMIT, changes.next()).await else {
                return Err(self.pipeline.no_visibility_answer(EXTENSION_LIMIT));
            };
            let Some(change) = change else { return failure };
            let changed = match change.changed {
                Ok(changed) => changed,
                Err(error) => {
                    failure = Err(error);
                    continue;
                }
            };
            let hidden_until = after(change.asked_at, self.visibility_timeout);
            let mut state = self.lock();
            for index in changed {
                let Some((id, handle)) = message_ids.get(index).zip(handles.get(index)) else {
                    continue;
                };
                // A message that was received again meanwhile has another handle.
                if let Some(lease) = state.leases.get_mut(*id)
                    && lease.receipt_handle == *handle
                {
                    lease.hidden_until = hidden_until;
                }
            }
        }
    }

    /// Releases messages: others can receive them at once. Returns those that may stay hidden.
    pub async fn release<'a>(&self, message_ids: impl IntoIterator<Item = &'a str>) -> Hidden {
        let leases = {
            let mut state = self.lock();
            let ids = message_ids.into_iter();
            ids.filter_map(|id| state.leases.remove(id)).collect()
        };
        self.release_these(leases).await
    }

    /// Releases everything. Returns what may stay hidden, receives without an answer included.
    pub async fn release_all(&self) -> Hidden {
        let (leases, unanswered) = {
            let mut state = self.lock();
            let leases = std::mem::take(&mut state.leases);
            (leases, std::mem::take(&mut state.unanswered))
        };
        let leases = leases.into_values().collect();
        self.release_these(leases).await.and(unanswered)
    }

    /// What would stay hidden if it were not released.
    #[must_use]
    pub fn hidden(&self) -> Hidden {
        let state = self.lock();
        Hidden::of(state.leases.values()).and(state.unanswered)
    }

    async fn release_these(&self, leases: Vec<Lease>) -> Hidden {
        let handles: Vec<String> = leases
            .iter()
            .map(|lease| lease.receipt_handle.clone())
            .collect();
        let mut leases: Vec<Option<Lease>> = leases.into_iter().map(Some).collect();
        let mut changes = self.pipeline.visibility_changes(&handles, Duration::ZERO);
        while let Ok(Some(change)) = tokio::time::timeout(RELEASE_LIMIT, changes.next()).await {
            match change.changed {
                Ok(released) => {
                    for index in released {
                        leases.get_mut(index).map(Option::take);
                    }
                }
                Err(error) => tracing::debug!(%error, "messages stay hidden for a while"),
            }
        }
        // SQS refuses to release what is visible already.
        let now = Utc::now();
        let is_hidden = |lease: &&Lease| lease.hidden_until > now;
        Hidden::of(leases.iter().flatten().filter(is_hidden))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipeline {
    /// Receives up to `messages_max` dead letters, oldest first, for a caller that keeps the
    /// handles itself.
    ///
    /// # Errors
    /// When the dead-letter queue does not answer; what was received before is released. A ledger
    /// that does not answer is no error, see [`ReceivedMessages::ledger_error`].
    pub async fn hold_dead_letters(
        &self,
        messages_max: usize,
        visibility_timeout: Duration,
    ) -> Result<ReceivedMessages, PipelineError> {
        let leases = LeaseSet::new(self, visibility_timeout);
        let error = match leases.receive(messages_max, &Default::default()).await {
            Ok(received) => return Ok(received.unwrap_or_default()),
            Err(error) => error,
        };
        let hidden = leases.release_all().await;
        Err(match hidden.until {
            None => error,
            Some(until) => error.with_remark(&format!(
                "up to {} hidden until {}",
                messages_in_words(hidden.messages_max as u64),
                until.format("%H:%M:%S UTC")
            )),
        })
    }
}

/// A moment later; far away where it cannot be counted.
fn after(moment: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    moment
        .checked_add_signed(seconds(duration.as_secs()))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
