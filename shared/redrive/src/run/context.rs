//! What every part of one run works with.
//!
//! Invariant: whatever a run learns is recorded here, in the journal, before anything relies on it.

use std::ops::Range;
use std::time::Duration;

use super::options::RunOptions;
use super::source::Source;
use crate::control::{Control, RunCommand};
use crate::error::RedriveError;
use crate::journal::Recorder;
use crate::plan::Plan;
use crate::state::fact::{Fact, MessageCause};
use crate::state::{MessageState, Pause};
use pipeline::{Pipeline, WritePermit};

pub(super) struct Context<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) permit: &'a WritePermit,
    pub(super) plan: &'a Plan,
    pub(super) recorder: &'a Recorder,
    pub(super) source: &'a Source<'a>,
    pub(super) control: &'a Control,
    pub(super) options: &'a RunOptions,
    /// How long a search waits for messages that other consumers hide.
    pub(super) search_patience: Duration,
}

impl Context<'_> {
    pub(super) async fn record(&self, fact: Fact) -> Result<(), RedriveError> {
        self.recorder.record(vec![fact]).await
    }

    /// Records messages as not tried. A message that may have been sent before stays in doubt.
    pub(super) async fn record_not_tried(
        &self,
        mut messages: Vec<MessageCause>,
    ) -> Result<(), RedriveError> {
        self.recorder.look(|state| {
            messages.retain(|message| {
                let state = state.messages().get(message.index);
                state.is_some_and(|state| state.phase.is_unsent())
            });
        });
        if messages.is_empty() {
            return Ok(());
        }
        self.record(Fact::NotTried { messages }).await
    }

    /// Pauses the redrive by itself, if it may. An operator who paused it already must learn of
    /// this reason before continuing.
    pub(super) async fn pause(&self, why: String) -> Result<(), RedriveError> {
        if !self.options.pauses_by_itself || self.is_cancelled() {
            return Ok(());
        }
        self.control.pause(Pause::Redrive(why.clone()));
        self.record(Fact::Paused { why }).await
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.control.command() == RunCommand::Cancel
    }

    pub(super) fn indexes(
        &self,
        range: Range<usize>,
        is_wanted: impl Fn(usize, &MessageState) -> bool,
    ) -> Vec<usize> {
        self.recorder.look(|state| state.indexes(range, is_wanted))
    }
}
