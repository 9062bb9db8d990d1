//! The journal at work: many batches tell facts at once, one thread writes them.
//!
//! Invariant: `record` returns only after its facts are on the disk and in the state; facts that
//! wait together share one write.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::{mpsc, oneshot, watch};

use super::error::RedriveError;
use super::fact::Fact;
use super::journal::Journal;
use super::state::{Counts, State};

/// Records that wait for the writer.
const QUEUE_MAX: usize = 256;

struct Request {
    facts: Vec<Fact>,
    answer: oneshot::Sender<Result<(), RedriveError>>,
}

/// Hands facts to the thread that owns the journal.
pub(super) struct Recorder {
    requests: mpsc::Sender<Request>,
    state: Arc<Mutex<State>>,
    ended: oneshot::Receiver<()>,
}

impl Recorder {
    /// Starts the thread; `counts` is told after every write.
    pub(super) fn start(
        journal: Journal,
        state: State,
        counts: watch::Sender<Counts>,
    ) -> Result<Self, RedriveError> {
        let (requests, receiver) = mpsc::channel(QUEUE_MAX);
        let state = Arc::new(Mutex::new(state));
        let (end, ended) = oneshot::channel();
        let shared = Arc::clone(&state);
        thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                write_all(journal, receiver, &shared, &counts);
                let _ = end.send(());
            })
            .map_err(|error| RedriveError::Stopped(error.to_string()))?;
        Ok(Self {
            requests,
            state,
            ended,
        })
    }

    /// Writes facts. Nothing that relies on them may be done before this returned.
    pub(super) async fn record(&self, facts: Vec<Fact>) -> Result<(), RedriveError> {
        let gone = || RedriveError::Stopped("its writer has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        self.requests
            .send(Request { facts, answer })
            .await
            .map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Looks at the state; never held across an await.
    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&lock(&self.state))
    }

    /// Ends the thread, which gives the journal's lock back, and gives the state.
    pub(super) async fn close(self) -> State {
        drop(self.requests);
        let _ = self.ended.await;
        lock(&self.state).clone()
    }
}

fn write_all(
    mut journal: Journal,
    mut requests: mpsc::Receiver<Request>,
    state: &Mutex<State>,
    counts: &watch::Sender<Counts>,
) {
    while let Some(first) = requests.blocking_recv() {
        let mut group = vec![first];
        while let Ok(next) = requests.try_recv() {
            group.push(next);
        }
        let mut facts = Vec::new();
        let mut answers = Vec::new();
        for request in group {
            match apply(state, &request.facts) {
                Ok(()) => {
                    facts.extend(request.facts);
                    answers.push(request.answer);
                }
                Err(error) => {
                    // The state is ahead of the journal now: nothing more may be built on it.
                    drop(request.answer.send(Err(error)));
                    return;
                }
            }
        }
        let written = journal.append(&facts);
        if written.is_ok() {
            counts.send_replace(lock(state).counts());
        }
        for answer in answers {
            let told = match &written {
                Ok(()) => Ok(()),
                Err(error) => Err(RedriveError::Stopped(error.to_string())),
            };
            drop(answer.send(told));
        }
    }
}

fn apply(state: &Mutex<State>, facts: &[Fact]) -> Result<(), RedriveError> {
    let mut state = lock(state);
    for fact in facts {
        state.apply(fact)?;
    }
    Ok(())
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
