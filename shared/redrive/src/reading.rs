//! The events of a replay while it runs: read from their source again, window by window.
//!
//! Invariant: nothing is received, hidden, released or deleted here, so nothing has to be given back. An
//! event is sent only if it is the one that was planned. Bodies that wait for their turn are in a file
//! without a name; those of a window and its last page, and of messages that were refused.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use export::{ReadRecord, RecordReader};
use tokio::sync::Mutex as AsyncMutex;

use super::message::Original;
use super::plan::{Plan, Replay};
use crate::control::{Control, RunCommand};
use crate::error::RedriveError;
use crate::journal::Recorder;
use crate::lease::{Found, NoLease, Secured};
use crate::state::Intended;
use pipeline::{Body, BodySpool, Pipeline};

/// The messages of a replay that can be sent now.
pub(super) struct Reading<'a> {
    pipeline: &'a Pipeline,
    plan: &'a Plan,
    replay: &'a Replay,
    recorder: &'a Recorder,
    places: HashMap<&'a str, usize>,
    messages: Mutex<HashMap<usize, Event>>,
    /// Where the last window ended; `None` before the first.
    reader: AsyncMutex<Option<RecordReader>>,
}

/// Where the event itself is.
enum Event {
    /// In the journal of an earlier process, which was about to send it.
    Journaled(Arc<Intended>),
    Read(Body),
}

impl Event {
    fn bytes(&self) -> usize {
        match self {
            Self::Journaled(intended) => intended.original.body.len(),
            Self::Read(body) => body.bytes(),
        }
    }
}

impl<'a> Reading<'a> {
    /// Begins with the events that an earlier process was about to send when it ended.
    pub(super) fn new(
        (pipeline, recorder): (&'a Pipeline, &'a Recorder),
        plan: &'a Plan,
        replay: &'a Replay,
        unsettled: &[Arc<Intended>],
    ) -> Self {
        let ids = plan.entries.iter().map(|entry| entry.message_id.as_str());
        let journaled = unsettled
            .iter()
            .map(|intended| (intended.index, Event::Journaled(Arc::clone(intended))));
        Self {
            pipeline,
            plan,
            replay,
            recorder,
            places: ids.enumerate().map(|(index, id)| (id, index)).collect(),
            messages: Mutex::new(journaled.collect()),
            reader: AsyncMutex::default(),
        }
    }

    pub(super) fn has(&self, index: usize) -> bool {
        self.lock().contains_key(&index)
    }

    /// Size of what is sent for a message; 0 when it was not read.
    pub(super) fn bytes(&self, index: usize) -> usize {
        let messages = self.lock();
        let (Some(event), Some(entry)) = (messages.get(&index), self.plan.entries.get(index))
        else {
            return 0;
        };
        let edit = entry.edit.as_ref().map(|edit| edit.new_body.len());
        edit.unwrap_or_else(|| event.bytes()) + entry.added_bytes()
    }

    /// The events of a batch, each if it is the one that was planned.
    pub(super) fn secure(&self, indexes: &[usize]) -> Vec<(usize, Result<Secured, NoLease>)> {
        let secured = |index: &usize| (*index, self.secured(*index));
        indexes.iter().map(secured).collect()
    }

    fn secured(&self, index: usize) -> Result<Secured, NoLease> {
        let lost = |why: &str| NoLease::Lost(why.to_owned());
        let messages = self.lock();
        let event = messages
            .get(&index)
            .ok_or_else(|| lost("it was not read"))?;
        let entry = self.plan.entries.get(index);
        let entry = entry.ok_or_else(|| lost("it is not of this plan"))?;
        let original = match event {
            Event::Journaled(intended) => intended.original.clone(),
            Event::Read(body) if body.sha256() != entry.body_sha256 => {
                return Err(NoLease::OtherBody);
            }
            Event::Read(body) => {
                let text = body.text().map_err(|error| lost(&error.to_string()))?;
                Original::of_event(text.into_owned())
            }
        };
        Ok(Secured {
            receipt_handle: None,
            original,
        })
    }

    /// Forgets messages that were sent.
    pub(super) fn forget(&self, indexes: &[usize]) {
        let mut messages = self.lock();
        for index in indexes {
            messages.remove(index);
        }
    }

    /// Reads on until `enough` of the `wanted` messages are found, or to the end. Steps come in the
    /// order of the plan, which is that of the source, so what is wanted next is never behind.
    pub(super) async fn find(
        &self,
        wanted: &HashSet<usize>,
        enough: usize,
        control: &Control,
    ) -> Result<Found, RedriveError> {
        let mut reader = self.reader.lock().await;
        let mut open = match reader.take() {
            Some(open) => open,
            None => RecordReader::open(self.pipeline, &self.replay.read).await?,
        };
        let mut found = 0;
        while found < enough && control.command() != RunCommand::Cancel {
            let Some(page) = open.next().await? else {
                *reader = Some(open);
                return Ok(Found::of_reading(found, true));
            };
            found += self.keep(page, wanted).await?;
        }
        *reader = Some(open);
        Ok(Found::of_reading(found, false))
    }

    /// Keeps what is not sent yet of a page: what later steps want is in it too, and the reader does not
    /// come back. Returns how many of them are wanted now.
    async fn keep(
        &self,
        page: Vec<ReadRecord>,
        wanted: &HashSet<usize>,
    ) -> Result<usize, RedriveError> {
        let kept: Vec<(usize, String)> = self.recorder.look(|state| {
            let is_open = |place: &usize| {
                let message = state.messages().get(*place);
                message.is_some_and(|message| !message.phase.is_sent())
            };
            let place = |name: &str| self.places.get(name).copied().filter(is_open);
            let kept = page
                .into_iter()
                .filter_map(|record| Some((place(&record.name)?, record.body)));
            kept.collect()
        });
        let spooled = tokio::task::spawn_blocking(move || {
            let mut spool = BodySpool::create()?;
            let spooled = kept
                .into_iter()
                .map(|(place, body)| Ok((place, Event::Read(spool.write(&body)?))));
            spooled.collect::<std::io::Result<Vec<_>>>()
        });
        let spooled = spooled
            .await
            .map_err(|error| RedriveError::Task(error.to_string()))?
            .map_err(RedriveError::file("write events to", &std::env::temp_dir()))?;
        let found = spooled.iter().filter(|(place, _)| wanted.contains(place));
        let found = found.count();
        self.lock().extend(spooled);
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Event>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
