//! What the screens and the sources say to each other about redrives.
//!
//! Invariant: a number in here was counted in a journal or proved on a body; none was hoped for.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use event::Verdict;

use super::message::{Fault, Tone};
use pipeline::model::DeadLetter;
use redrive::fact::Ending;
use redrive::{Counts, Report, RunCommand, Skipped};

/// Why a redrive waits when the operator paused it.
pub const PAUSED_BY_OPERATOR: &str = "paused by you";

/// A message that is going to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftMessage {
    /// The message as it is held.
    pub message: DeadLetter,
    /// What is sent instead of its body, if anything.
    pub new_body: Option<String>,
}

/// What the operator wants to redrive, before a plan is frozen from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The messages, in the order in which they go.
    pub messages: Arc<Vec<DraftMessage>>,
    /// Messages that were chosen and are left out.
    pub skipped: Vec<Skipped>,
    /// Messages per second at most; `None` for as fast as SQS takes them.
    pub rate_per_sec: Option<f64>,
    /// How many messages have gone when each canary step ends, ascending.
    pub canary_steps: Vec<usize>,
    /// Why, for the audit log; `None` for the reason that was given at the start.
    pub reason: Option<String>,
}

/// What a redrive would send now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DryRun {
    /// Messages that would be sent.
    pub sent: usize,
    /// Of these, those that the ingest would store.
    pub ready: usize,
    /// Bytes that would be sent, as SQS counts them.
    pub bytes: usize,
    /// Messages that would not be sent.
    pub unsendable: usize,
    /// Why the first of them would not be sent.
    pub problem: Option<String>,
    /// Why the environment does not permit the redrive.
    pub refusal: Option<Fault>,
    /// The reason that was given at the start.
    pub reason: Option<String>,
}

/// A redrive that runs, as its journal counts it.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Its journal.
    pub journal: PathBuf,
    /// Messages of the plan.
    pub planned: usize,
    /// See [`Draft::canary_steps`].
    pub canary_steps: Vec<usize>,
    /// How many messages stand where.
    pub counts: Counts,
    /// Whether it runs, waits or ends.
    pub command: RunCommand,
    /// See [`Draft::rate_per_sec`].
    pub rate_per_sec: Option<f64>,
}

/// A redrive that does not run any more.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEnd {
    /// It among the others.
    pub past: PastRedrive,
    /// What it did.
    pub report: Report,
    /// Why it could not go on, if so.
    pub error: Option<String>,
}

/// One redrive of the past.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRedrive {
    /// Its journal.
    pub journal: PathBuf,
    /// When its plan was made.
    pub created_at: DateTime<Utc>,
    /// Messages of the plan.
    pub planned: usize,
    /// See [`Draft::canary_steps`].
    pub canary_steps: Vec<usize>,
    /// Messages that were left out of the plan.
    pub skipped: usize,
    /// Messages that were sent with another body.
    pub edited: usize,
    /// How many messages stand where.
    pub counts: Counts,
    /// How it ended; `None` where it runs or was interrupted.
    pub ending: Option<Ending>,
    /// Whether a process runs it.
    pub is_running: bool,
}

impl PastRedrive {
    /// Whether there is something left to go on with.
    #[must_use]
    pub fn is_resumable(&self) -> bool {
        !self.is_running && self.ending != Some(Ending::Finished)
    }
}

/// The redrives of an environment, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// Those that could be read.
    pub redrives: Vec<PastRedrive>,
    /// Why the first journal that could not be read could not.
    pub unreadable: Option<String>,
    /// Whether older ones were not looked at.
    pub is_truncated: bool,
}

impl Past {
    /// Takes what became of a redrive in, in its place.
    pub fn take(&mut self, ended: PastRedrive) {
        let is_it = |past: &&mut PastRedrive| past.journal == ended.journal;
        match self.redrives.iter_mut().find(is_it) {
            Some(past) => *past = ended,
            None => self.redrives.insert(0, ended),
        }
    }
}

/// Messages that the operator chose, with what would become of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Where they come from, in words.
    pub scope: String,
    /// The messages.
    pub messages: Vec<Chosen>,
    /// Whether the ledger could be asked; if not, `ready` may be `already-stored`.
    pub has_ledger: bool,
}

/// One chosen message.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The message and what is sent for it.
    pub draft: DraftMessage,
    /// Verdict of what is sent.
    pub verdict: Verdict,
}

/// What came of the review of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reviewed {
    /// These messages, by message id, are being redriven.
    Begun(HashSet<String>),
    /// Nothing was sent.
    Dropped,
}

/// A redrive that ended, in the words that the operator is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// What it did; `None` where that is not known.
    pub report: Option<Report>,
    /// Why the messages that the report does not tell of stand where they stand; `None` where nothing
    /// was begun.
    pub failure: Option<String>,
    /// How good that is.
    pub tone: Tone,
    /// The words.
    pub text: String,
}
