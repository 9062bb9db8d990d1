//! The received messages of a redrive, by their places in the plan.
//!
//! Invariant: a message is sent only while it stays hidden for longer than the longest batch, so
//! that nobody else can have it meanwhile; a lost lease is reported for exactly its message. Every
//! message of the plan that is kept hidden has its handle in the journal, so that a process that
//! resumes can release it. Messages of others that a search received are released when it waits,
//! and at the next heartbeat after it ended.

mod search;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::message::{Original, kept_bytes};
use super::plan::{Plan, PlanEntry};
use crate::error::RedriveError;
use crate::journal::Recorder;
use crate::limits::{BATCH_LIMIT, SEARCH_VISIBILITY, STOP_RELEASE_LIMIT};
use crate::state::Intended;
use crate::state::fact::{Fact, Received};
use pipeline::model::DeadLetter;
use pipeline::{Hidden, LeaseSet, Pipeline};

pub(super) use search::Found;

/// A batch begins only when its messages stay hidden for this long: longer than
/// [`BATCH_LIMIT`].
pub(super) const MARGIN: Duration = Duration::from_secs(100);
/// With this timeout messages are received and extended.
pub(super) const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(300);
/// Between two extensions of messages that wait for their turn.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// How often messages are released that a search received, did not need, and is over: a next search
/// usually follows sooner and would receive them again.
const RELEASE_EVERY: Duration = Duration::from_secs(5);
/// Waiting messages are extended when less is left: a round of all of them takes its time.
const EXTENDED_BELOW: Duration = Duration::from_secs(220);

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
    /// Absent in a replay.
    pub(super) receipt_handle: Option<String>,
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
    recorder: &'a Recorder,
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
    /// Whether a search receives now.
    is_under_way: bool,
}

impl<'a> Leases<'a> {
    /// Begins with the messages that the caller received, and with those that an earlier process
    /// had received when it ended.
    pub(super) fn new(
        pipeline: &'a Pipeline,
        plan: &'a Plan,
        recorder: &'a Recorder,
        messages: &'a [DeadLetter],
        unsettled: &[Arc<Intended>],
    ) -> Self {
        let ids = plan.entries.iter().map(|entry| entry.message_id.as_str());
        let leases = Self {
            pipeline,
            plan,
            recorder,
            places: ids.enumerate().map(|(index, id)| (id, index)).collect(),
            planned: LeaseSet::new(pipeline, VISIBILITY_TIMEOUT),
            messages: Mutex::default(),
            passed: LeaseSet::new(pipeline, SEARCH_VISIBILITY),
            search: Mutex::default(),
        };
        for intended in unsettled {
            if let Some(id) = leases.id(intended.index)
                && let Some(handle) = &intended.receipt_handle
            {
                // Nobody knows until when; it is extended before it is relied on.
                let until = DateTime::UNIX_EPOCH;
                leases.planned.adopt(id, handle, until);
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

    /// Releases what an earlier process had received and not begun to send, by its handles, so that
    /// a search finds it at once. A handle is good until its message is received again (Amazon SQS
    /// API reference, DeleteMessage and ChangeMessageVisibility); then SQS refuses it, or at worst
    /// the message is received twice. After a run that ended, only handles are on record whose release
    /// SQS did not confirm.
    pub(super) async fn release_hidden(&self, hidden: Vec<(usize, String)>) {
        let leases = LeaseSet::new(self.pipeline, VISIBILITY_TIMEOUT);
        for (index, handle) in hidden {
            if let Some(id) = self.id(index).filter(|_| !self.has(index)) {
                leases.adopt(id, &handle, DateTime::UNIX_EPOCH);
            }
        }
        leases.release_all().await;
    }

    /// Records the handles of the messages that the caller received.
    pub(super) async fn record(&self) -> Result<(), RedriveError> {
        let indexes: Vec<usize> = {
            let messages = self.lock();
            let callers = messages.iter().filter(|(_, message)| message.is_callers());
            callers.map(|(index, _)| *index).collect()
        };
        self.record_handles(indexes).await
    }

    async fn record_handles(&self, mut indexes: Vec<usize>) -> Result<(), RedriveError> {
        indexes.sort_unstable();
        let received = indexes.into_iter().filter_map(|index| {
            let receipt_handle = self.handle(index)?;
            Some(Received {
                index,
                receipt_handle,
            })
        });
        let messages: Vec<_> = received.collect();
        if messages.is_empty() {
            return Ok(());
        }
        self.recorder
            .record(vec![Fact::Received { messages }])
            .await
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
                receipt_handle: Some(receipt_handle),
                original: message.original(entry)?,
            });
        }
        drop(messages);
        self.pass(index);
        let ended = "its visibility timeout has ended; look at the messages again";
        Err(lost(cause.unwrap_or(ended)))
    }

    /// Passes a message that cannot be relied on: it may still be hidden, and is released before the
    /// next search, so that it can be found again.
    fn pass(&self, index: usize) {
        if let Some(id) = self.id(index)
            && let Some((handle, until)) = self.planned.newest(id)
        {
            self.passed.adopt(id, &handle, until);
            self.lock_search().has_planned = true;
        }
        self.forget(index);
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
        let extend = || async {
            if let Err(error) = self.planned.extend_all(EXTENDED_BELOW).await {
                tracing::debug!(%error, "messages are extended again");
            }
        };
        let release = || self.release_if_idle();
        heartbeats((HEARTBEAT, RELEASE_EVERY), extend, release).await;
    }

    /// Releases what the engine received itself and did not move. Returns the messages of the plan
    /// that may stay hidden, by their places.
    pub(super) async fn release(&self) -> Vec<usize> {
        let mut unreleased: Vec<usize> = self
            .lock()
            .extract_if(|_, message| !message.is_callers())
            .map(|(index, _)| index)
            .collect();
        let ids = unreleased.iter().filter_map(|index| self.id(*index));
        let own = self.planned.release(ids).await;
        warn(own);
        if own.messages_max == 0 {
            unreleased.clear();
        }
        let passed = self.places.iter();
        let passed = passed.filter(|(id, _)| self.passed.newest(id).is_some());
        let passed: Vec<usize> = passed.map(|(_, index)| *index).collect();
        if self.release_passed().await.messages_max > 0 {
            unreleased.extend(passed);
        }
        unreleased.sort_unstable();
        unreleased.dedup();
        unreleased
    }

    /// Releases what a search passed. Returns what may stay hidden.
    pub(super) async fn release_passed(&self) -> Hidden {
        {
            let mut search = self.lock_search();
            (search.has_planned, search.since) = (false, None);
        }
        let hidden = self.passed.release_all().await;
        warn(hidden);
        hidden
    }

    /// Releases what a search passed, as far as SQS confirms it at once: no journal has the handles.
    /// Returns what may stay hidden.
    pub(super) async fn release_passed_at_once(&self) -> Hidden {
        let released = tokio::time::timeout(STOP_RELEASE_LIMIT, self.release_passed()).await;
        released.unwrap_or_else(|_| self.passed.hidden())
    }

    /// Releases what a search passed that has ended: what was found may take long to be moved.
    async fn release_if_idle(&self) {
        let is_idle = {
            let search = self.lock_search();
            !search.is_under_way && search.since.is_some()
        };
        if is_idle {
            self.release_passed().await;
        }
    }

    /// Whether a message id is one of the plan's.
    pub(super) fn is_planned(&self, message_id: &str) -> bool {
        self.places.contains_key(message_id)
    }

    fn count(&self) -> usize {
        self.passed.len() + self.planned.len()
    }

    /// Messages that this process hides now.
    fn count_hidden(&self) -> usize {
        let now = Utc::now();
        self.passed.hidden_at(now) + self.planned.hidden_at(now)
    }

    fn lock_search(&self) -> MutexGuard<'_, Search> {
        self.search.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Message<'a>>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Extends and releases at every heartbeat; neither waits for the other.
async fn heartbeats<E: Future<Output = ()>, R: Future<Output = ()>>(
    (extend_every, release_every): (Duration, Duration),
    extend: impl Fn() -> E,
    release: impl Fn() -> R,
) {
    tokio::join!(again(extend_every, extend), again(release_every, release));
}

async fn again<W: Future<Output = ()>>(every: Duration, work: impl Fn() -> W) {
    let mut interval = tokio::time::interval(every);
    loop {
        interval.tick().await;
        work().await;
    }
}

fn warn(hidden: Hidden) {
    if hidden.messages_max > 0 {
        tracing::warn!(?hidden, "messages stay hidden until their timeouts end");
    }
}

#[cfg(test)]
mod tests {
    use pipeline::environment::Environment;
    use tokio::sync::watch;

    use super::*;
    use crate::journal::Journal;
    use crate::plan::example;
    use crate::state::Counts;

    /// A plan, its journal, and a pipeline that nothing answers.
    struct Setup {
        _folder: tempfile::TempDir,
        plan: Plan,
        recorder: Recorder,
        pipeline: Pipeline,
    }

    impl Setup {
        fn of(messages: usize) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let plan = example(messages);
            let (journal, state) = Journal::create(folder.path(), plan.clone()).unwrap();
            let (counts, _) = watch::channel(Counts::default());
            Self {
                recorder: Recorder::start(journal, state, counts).unwrap(),
                pipeline: Pipeline::connect(&Environment::example()).unwrap(),
                plan,
                _folder: folder,
            }
        }

        fn leases(&self, intended: &[Arc<Intended>]) -> Leases<'_> {
            Leases::new(&self.pipeline, &self.plan, &self.recorder, &[], intended)
        }
    }

    fn intended(index: usize) -> Arc<Intended> {
        Arc::new(Intended {
            index,
            receipt_handle: Some("h".to_owned()),
            original: Original {
                body: format!("body {index}"),
                attributes: std::collections::BTreeMap::new(),
                group_id: None,
                trace_header: None,
            },
        })
    }

    #[tokio::test]
    async fn message_whose_lease_is_lost_is_released_before_the_next_search() {
        let setup = Setup::of(1);
        let leases = setup.leases(&[intended(0)]);
        assert!(leases.secured(0, None).is_err(), "nobody extended it");
        assert!(!leases.has(0));
        let (handle, _) = leases.passed.newest("m0").unwrap();
        assert_eq!(handle, "h");
        assert!(
            leases.lock_search().has_planned,
            "the next search begins with its release"
        );
    }

    #[tokio::test]
    async fn what_is_not_released_is_reported() {
        let setup = Setup::of(4);
        let received = [1, 0].map(intended);
        let leases = setup.leases(&received);
        let until = Utc::now() + VISIBILITY_TIMEOUT;
        for id in ["m0", "m1"] {
            leases.planned.adopt(id, "h", until);
        }
        leases.passed.adopt("m2", "h", until);
        leases.passed.adopt("foreign", "h", until);
        leases.passed.adopt("ended", "h", DateTime::UNIX_EPOCH);
        assert_eq!(leases.count_hidden(), 4, "only what is hidden now");
        assert_eq!(leases.release().await, [0, 1, 2]);
        assert_eq!(leases.release().await, [0; 0], "reported once");
    }

    #[tokio::test]
    async fn messages_of_others_that_stay_hidden_are_counted_when_it_stops_at_once() {
        let setup = Setup::of(1);
        let leases = setup.leases(&[]);
        let until = Utc::now() + SEARCH_VISIBILITY;
        leases.passed.adopt("foreign", "h", until);
        let hidden = leases.release_passed_at_once().await;
        assert_eq!((hidden.messages_max, hidden.until), (1, Some(until)));
    }

    #[tokio::test]
    async fn extensions_do_not_wait_for_a_release() {
        let (extended, mut extensions) = watch::channel(0);
        let extend = || async { extended.send_modify(|number| *number += 1) };
        let release = std::future::pending;
        let (every, limit) = (Duration::from_millis(1), Duration::from_secs(20));
        tokio::select! {
            () = heartbeats((every, every), extend, release) => {}
            extended = extensions.wait_for(|number| *number > 2) => drop(extended.unwrap()),
            () = tokio::time::sleep(limit) => panic!("a release is waited for"),
        }
    }

    #[tokio::test]
    async fn messages_of_others_are_released_between_two_searches_and_not_during_one() {
        let setup = Setup::of(1);
        let leases = setup.leases(&[]);
        // It was hidden until long ago, so its release is not reported as failed.
        let pass = |is_under_way| {
            leases.passed.adopt("foreign", "h", DateTime::UNIX_EPOCH);
            let mut search = leases.lock_search();
            (search.since, search.is_under_way) = (Some(Instant::now()), is_under_way);
        };
        pass(true);
        leases.release_if_idle().await;
        assert_eq!(leases.passed.len(), 1);
        pass(false);
        leases.release_if_idle().await;
        assert!(leases.passed.is_empty());
    }
}
