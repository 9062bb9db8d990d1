//! Writes the facts of many batches into one journal, on a thread of its own.
//!
//! Invariant: `record` returns only after its facts are on the disk and in the state; facts that
//! wait together share one write.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::{mpsc, oneshot, watch};

use super::file::Journal;
use crate::error::RedriveError;
use crate::limits::RECORDS_WAITING_MAX;
use crate::state::fact::Fact;
use crate::state::{Counts, State, Summary};

struct Request {
    facts: Vec<Fact>,
    answer: oneshot::Sender<Result<(), RedriveError>>,
}

/// Sends facts to the thread that owns the journal.
pub(crate) struct Recorder {
    requests: mpsc::Sender<Request>,
    state: Arc<Mutex<State>>,
    ended: oneshot::Receiver<()>,
}

impl Recorder {
    /// Starts the thread; `counts` is updated after every write.
    pub(crate) fn start(
        journal: Journal,
        state: State,
        counts: watch::Sender<Counts>,
    ) -> Result<Self, RedriveError> {
        let (requests, receiver) = mpsc::channel(RECORDS_WAITING_MAX);
        let state = Arc::new(Mutex::new(state));
        let (end, ended) = oneshot::channel();
        let shared = Arc::clone(&state);
        thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                write_all(journal, receiver, &shared, &counts);
                drop(shared);
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
    pub(crate) async fn record(&self, facts: Vec<Fact>) -> Result<(), RedriveError> {
        let gone = || RedriveError::Stopped("its writer has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        self.requests
            .send(Request { facts, answer })
            .await
            .map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Reads the state; its lock is never held across an await.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&lock(&self.state))
    }

    /// Ends the thread, which releases the lock of the journal, and returns the state.
    pub(crate) async fn close(self) -> State {
        drop(self.requests);
        let _ = self.ended.await;
        match Arc::try_unwrap(self.state) {
            Ok(state) => state.into_inner().unwrap_or_else(PoisonError::into_inner),
            // The thread ends a moment after it said so.
            Err(state) => lock(&state).clone(),
        }
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
        let is_end = matches!(facts.last(), Some(Fact::Ended { .. }));
        let summary = is_end.then(|| Summary::of(&lock(state)));
        let written = journal.append_with(&facts, summary.as_ref());
        if written.is_ok() {
            counts.send_replace(lock(state).counts());
        }
        for answer in answers {
            let result = match &written {
                Ok(()) => Ok(()),
                Err(RedriveError::Stopped(cause)) => Err(RedriveError::Stopped(cause.clone())),
                Err(error) => Err(RedriveError::Stopped(error.to_string())),
            };
            drop(answer.send(result));
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

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::file::Storage;
    use super::*;
    use crate::plan::example;
    use crate::state::fact::MessageCause;

    /// A disk that is full after the plan was written.
    struct Full(bool);

    impl Storage for Full {
        fn append(&mut self, _: &[u8]) -> io::Result<()> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            Ok(())
        }
    }

    #[tokio::test]
    async fn full_disk_is_reported_once_in_one_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let full = |_| -> Box<dyn Storage> { Box::new(Full(false)) };
        let (journal, state) = Journal::create_with(folder.path(), example(1), full).unwrap();
        let (counts, _) = watch::channel(Counts::default());
        let recorder = Recorder::start(journal, state, counts).unwrap();
        let messages = vec![MessageCause::passing(0, "because")];
        let error = recorder
            .record(vec![Fact::NotTried { messages }])
            .await
            .unwrap_err();
        let text = error.to_string();
        assert_eq!(text.matches("cannot be written").count(), 1, "{text}");
        assert_eq!(text.matches("no storage space").count(), 1, "{text}");
    }
}
