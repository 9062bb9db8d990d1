//! The dead letters that the screen has received: the only place that has their receipt handles.
//!
//! Invariant: a received message is in the visit under way, or with an operation that gives it back
//! when it ends, or being released. What is received for a visit that has ended is released at once.
//! A message whose timeout has ended leaves the visit, and its handle is never used again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Duration, Utc};
use tokio_util::sync::CancellationToken;

use crate::tui::fault::Fault;
use crate::tui::limits::{MESSAGES_PER_RECEIVE_MAX, VISIBILITY_TIMEOUT};
use crate::tui::lines::message_count;
use crate::tui::received::{LeaseTimes, Received};
use pipeline::model::DeadLetter;
use pipeline::{Hidden, LeaseSet, Pipeline};

/// What an operation leaves is extended within this: it has extended it, and only SQS knows until
/// when.
const LEFT_SECS: i64 = 5;

/// The visit under way.
#[derive(Clone, Debug)]
pub(super) struct Leases {
    pipeline: Pipeline,
    visit: Arc<Mutex<Visit>>,
}

/// The messages between an arrival on the screen and their release.
#[derive(Clone, Debug)]
struct Visit {
    set: Arc<LeaseSet>,
    /// Cancelled when it ends.
    ended: CancellationToken,
}

impl Visit {
    fn begin(pipeline: &Pipeline) -> Self {
        Self {
            set: Arc::new(LeaseSet::new(pipeline, VISIBILITY_TIMEOUT)),
            ended: CancellationToken::new(),
        }
    }
}

impl Leases {
    pub(super) fn new(pipeline: &Pipeline) -> Self {
        Self {
            pipeline: pipeline.clone(),
            visit: Arc::new(Mutex::new(Visit::begin(pipeline))),
        }
    }

    /// Receives more messages for the visit that is under way when this is called.
    pub(super) fn receive(&self) -> impl Future<Output = Result<Received, Fault>> + Send + use<> {
        let (leases, visit) = (self.clone(), self.lock().clone());
        async move {
            let lost = visit.set.take_lost(Utc::now());
            let page = LeaseSet::new(&leases.pipeline, VISIBILITY_TIMEOUT);
            let receiving = page.receive(MESSAGES_PER_RECEIVE_MAX, &visit.ended);
            let received = Box::pin(receiving).await;
            let is_kept = matches!(received, Ok(Some(_))) && leases.append_to(&visit, &page);
            if !is_kept {
                let hidden = page.release_all().await;
                let error = match received {
                    Err(error) => Fault::from(&error),
                    Ok(_) => Fault::new("the messages were released"),
                };
                return Err(with_remark(error, hidden));
            }
            let mut messages = received.ok().flatten().unwrap_or_default();
            for message in &mut messages.messages {
                message.receipt_handle.clear();
            }
            // One that was received again is not lost.
            let is_lost = |id: &String| visit.set.newest(id).is_none();
            Ok(Received {
                messages,
                leases: times(&visit.set, lost.into_iter().filter(is_lost).collect(), None),
            })
        }
    }

    /// Extends the messages of the visit of which less than half of the timeout is left.
    pub(super) fn extend(&self) -> impl Future<Output = LeaseTimes> + Send + use<> {
        let visit = self.lock().clone();
        async move {
            let mut lost = visit.set.take_lost(Utc::now());
            let extending = visit.set.extend_all(VISIBILITY_TIMEOUT / 2);
            let extended = visit.ended.run_until_cancelled(extending).await;
            let failure = extended.and_then(Result::err);
            lost.extend(visit.set.take_lost(Utc::now()));
            times(&visit.set, lost, failure.map(|error| error.to_string()))
        }
    }

    /// Ends the visit: its messages are released, and what is being received for it too.
    pub(super) fn release(&self) -> impl Future<Output = Hidden> + Send + use<> {
        let mut visit = self.lock();
        visit.ended.cancel();
        let ended = std::mem::replace(&mut *visit, Visit::begin(&self.pipeline));
        async move { ended.set.release_all().await }
    }

    /// Takes messages out of the visit for an operation.
    pub(super) fn reserve<'a>(&self, message_ids: impl Iterator<Item = &'a str>) -> Reserved {
        Reserved {
            set: self.lock().set.split_off(message_ids),
            leases: self.clone(),
        }
    }

    /// Adds what was received for a visit, unless that has ended.
    fn append_to(&self, visit: &Visit, page: &LeaseSet) -> bool {
        // The lock keeps the visit from ending in between.
        let _under_way = self.lock();
        if visit.ended.is_cancelled() {
            return false;
        }
        visit.set.append(page);
        true
    }

    fn lock(&self) -> MutexGuard<'_, Visit> {
        self.visit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Messages of an operation, which no release reaches. What is left of them goes back into the visit
/// that is under way when this is dropped.
#[derive(Debug)]
pub(super) struct Reserved {
    pub(super) set: LeaseSet,
    leases: Leases,
}

impl Reserved {
    /// Messages with their handles; without those whose leases were lost.
    pub(super) fn with_handles(
        &self,
        messages: impl Iterator<Item = DeadLetter>,
    ) -> Vec<DeadLetter> {
        let with_handle = |mut message: DeadLetter| {
            let (receipt_handle, hidden_until) = self.set.newest(&message.message_id)?;
            message.receipt_handle = receipt_handle;
            message.hidden_until = hidden_until;
            Some(message)
        };
        messages.filter_map(with_handle).collect()
    }

    /// Keeps only these, which the operation has extended by their handles.
    pub(super) fn keep_left(
        &self,
        left: &HashSet<&str>,
        message_ids: &[String],
        now: DateTime<Utc>,
    ) {
        let soon = now + Duration::seconds(LEFT_SECS);
        for message_id in message_ids {
            let Some((handle, hidden_until)) = self.set.newest(message_id) else {
                continue;
            };
            self.set.forget([message_id.as_str()]);
            if left.contains(message_id.as_str()) {
                self.set.adopt(message_id, &handle, hidden_until.max(soon));
            }
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.leases.lock().set.append(&self.set);
    }
}

fn times(set: &LeaseSet, lost: Vec<String>, failure: Option<String>) -> LeaseTimes {
    LeaseTimes {
        first_hidden_until: set.first_hidden_until(),
        lost,
        unanswered: set.unanswered(),
        failure,
    }
}

fn with_remark(mut fault: Fault, hidden: Hidden) -> Fault {
    if let Some(until) = hidden.until.filter(|_| hidden.messages_max > 0) {
        let until = until.format("%H:%M UTC");
        let messages = message_count(hidden.messages_max);
        fault.message += &format!("; up to {messages} may stay hidden until {until}");
    }
    fault
}

#[cfg(test)]
mod tests {
    use pipeline::environment::Environment;

    use super::*;

    /// A visit with these messages, of a queue that refuses all calls: a release returns how many
    /// it was to release.
    fn visit(ids: &[&str]) -> Leases {
        let leases = Leases::new(&Pipeline::connect(&Environment::example()).unwrap());
        let until = Utc::now() + Duration::seconds(200);
        for id in ids {
            let set = &leases.lock().set;
            set.adopt(id, &format!("handle of {id}"), until);
        }
        leases
    }

    #[tokio::test]
    async fn release_does_not_reach_what_an_operation_has() {
        let leases = visit(&["a", "b", "c"]);
        let reserved = leases.reserve(["a", "b", "x"].into_iter());
        assert_eq!(leases.release().await.messages_max, 1);
        assert_eq!(reserved.set.len(), 2);
        reserved.set.forget(["a"]);
        drop(reserved);
        assert_eq!(
            leases.release().await.messages_max,
            1,
            "what is left comes back"
        );
        assert_eq!(leases.release().await, Hidden::default());
    }

    #[tokio::test]
    async fn what_comes_for_a_visit_that_has_ended_is_not_added_to_the_next() {
        let leases = visit(&[]);
        let old = leases.lock().clone();
        let receiving = leases.receive();
        drop(leases.release());
        let page = LeaseSet::new(&leases.pipeline, VISIBILITY_TIMEOUT);
        page.adopt("late", "handle", Utc::now() + Duration::seconds(200));
        assert!(!leases.append_to(&old, &page));
        assert_eq!(page.len(), 1, "it is released by whoever received it");
        assert!(receiving.await.is_err());
        assert!(leases.lock().set.is_empty());
    }

    #[tokio::test]
    async fn lost_message_leaves_the_visit_and_is_reported_once() {
        let leases = visit(&["a", "b"]);
        leases.lock().set.adopt("b", "handle of b", Utc::now());
        let times = leases.extend().await;
        assert_eq!(times.lost, ["b"]);
        assert_eq!(times.failure, None, "a has more than half left");
        assert!(leases.reserve(["b"].into_iter()).set.is_empty());
        assert_eq!(leases.extend().await.lost, Vec::<String>::new());
    }

    #[test]
    fn what_a_redrive_left_comes_back_to_be_extended_soon_and_what_it_moved_does_not() {
        let leases = visit(&["moved", "left"]);
        let ids = ["moved".to_owned(), "left".to_owned()];
        let reserved = leases.reserve(ids.iter().map(String::as_str));
        let now = Utc::now() + Duration::seconds(500);
        reserved.keep_left(&HashSet::from(["left"]), &ids, now);
        drop(reserved);
        let set = &leases.lock().set;
        let (handle, until) = set.newest("left").unwrap();
        assert_eq!(handle, "handle of left");
        assert_eq!(until, now + Duration::seconds(LEFT_SECS));
        assert_eq!(set.newest("moved"), None);
    }
}
