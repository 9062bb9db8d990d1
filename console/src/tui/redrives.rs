//! The data of redrives that screens and sources exchange.
//!
//! Invariant: every number in here was counted in a journal or computed from bodies, never predicted.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use event::Verdict;

use super::fault::Fault;
use super::theme::Tone;
use pipeline::Body;
use pipeline::model::DeadLetter;
use redrive::fact::Ending;
use redrive::{Counts, Kind, Pause, Report, RunCommand, Skipped, Wait};

/// A message that is going to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DraftMessage {
    /// The message as it was received.
    pub(crate) message: DeadLetter,
    /// What is sent instead of its body, if anything.
    pub(crate) new_body: Option<Body>,
}

/// What the operator wants to redrive, before a plan is frozen from it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    /// The messages, in the order in which they go.
    pub(crate) messages: Arc<Vec<DraftMessage>>,
    /// Messages that were chosen and are left out.
    pub(crate) skipped: Vec<Skipped>,
    /// Messages per second at most; `None` for as fast as SQS accepts them.
    pub(crate) rate_per_sec: Option<f64>,
    /// How many messages have gone when each canary step ends, ascending.
    pub(crate) canary_steps: Vec<usize>,
    /// Why, for the audit log; `None` for the reason of the command line.
    pub(crate) reason: Option<String>,
    /// Whether messages are sent too that would not be stored.
    pub(crate) includes_all: bool,
}

impl Draft {
    /// The messages as they were received.
    pub(crate) fn received(&self) -> impl Iterator<Item = &DeadLetter> {
        self.messages.iter().map(|draft| &draft.message)
    }

    /// The same with its messages as they were judged again, in the same order. What the ingest would not store any
    /// more stays, unless all are meant; what becomes of an edit is decided with the plan.
    pub(crate) fn judged(&self, judged: Vec<DeadLetter>) -> Self {
        let drafts = self.messages.iter().zip(judged);
        let drafts = drafts.map(|(draft, message)| DraftMessage {
            message,
            new_body: draft.new_body.clone(),
        });
        let is_sent = |draft: &DraftMessage| {
            let is_ready = draft.message.verdict == Verdict::Ready;
            self.includes_all || draft.new_body.is_some() || is_ready
        };
        let messages: Vec<_> = drafts.filter(is_sent).collect();
        let mut canary_steps = self.canary_steps.clone();
        canary_steps.retain(|step| *step < messages.len());
        Self {
            messages: messages.into(),
            canary_steps,
            ..self.clone()
        }
    }

    pub(crate) fn message_ids(&self) -> impl Iterator<Item = &str> {
        self.received().map(|message| message.message_id.as_str())
    }
}

/// What a redrive would send now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DryRun {
    /// Messages that would be sent.
    pub(crate) sent: usize,
    /// Of these, those that the ingest would store.
    pub(crate) ready: usize,
    /// Of these, those that have the same event as an earlier one, and become duplicates.
    pub(crate) copies: usize,
    /// Bytes that would be sent, as SQS counts them.
    pub(crate) bytes: usize,
    /// Messages that would not be sent.
    pub(crate) unsendable: usize,
    /// Why the first of them would not be sent.
    pub(crate) problem: Option<String>,
    /// Messages that stay because their events would be lost.
    pub(crate) kept_back: Vec<Skipped>,
    /// The messages that it was about, as they were judged again for it.
    pub(crate) judged: Vec<DeadLetter>,
    /// Whether the ledger was asked; if not, `ready` may be `already-stored`. `None` where nothing was to be asked.
    pub(crate) is_ledger_checked: Option<bool>,
    /// Why the environment does not permit the redrive.
    pub(crate) refusal: Option<Fault>,
    /// The reason of the command line.
    pub(crate) reason: Option<String>,
}

/// A redrive that runs, as its journal counts it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Progress {
    pub(crate) journal: PathBuf,
    /// When its plan was made.
    pub(crate) created_at: DateTime<Utc>,
    /// Whether messages are moved, or records published again.
    pub(crate) kind: Kind,
    /// Messages that replace a record.
    pub(crate) replaces: usize,
    /// Messages of the plan.
    pub(crate) planned: usize,
    /// See [`Draft::canary_steps`].
    pub(crate) canary_steps: Vec<usize>,
    /// How many messages are in which state.
    pub(crate) counts: Counts,
    /// Whether it runs, waits or ends.
    pub(crate) command: RunCommand,
    /// What it waits for while it sends nothing.
    pub(crate) wait: Option<Wait>,
    /// See [`Draft::rate_per_sec`].
    pub(crate) rate_per_sec: Option<f64>,
}

/// A redrive that does not run any more.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunEnd {
    /// It among the others.
    pub(crate) past: Box<PastRedrive>,
    /// What it did.
    pub(crate) report: Report,
    /// Why it stopped, if it did.
    pub(crate) error: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PastRedrive {
    pub(crate) journal: PathBuf,
    /// Whether messages were moved, or records published again.
    pub(crate) kind: Kind,
    /// Messages that replace a record.
    pub(crate) replaces: usize,
    /// When its plan was made.
    pub(crate) created_at: DateTime<Utc>,
    /// Messages of the plan.
    pub(crate) planned: usize,
    /// See [`Draft::canary_steps`].
    pub(crate) canary_steps: Vec<usize>,
    /// Messages that were left out of the plan.
    pub(crate) skipped: usize,
    /// Messages that were sent with another body.
    pub(crate) edited: usize,
    /// How many messages are in which state.
    pub(crate) counts: Counts,
    /// How it last ended; `None` where it was interrupted.
    pub(crate) ending: Option<Ending>,
    /// Whether a process runs it.
    pub(crate) is_running: bool,
    /// Why it is paused, if it runs and is paused.
    pub(crate) pause: Option<Pause>,
}

impl PastRedrive {
    /// How it ended, unless a process has resumed it.
    pub(crate) fn ended(&self) -> Option<Ending> {
        self.ending.filter(|_| !self.is_running)
    }

    /// Whether messages are left to resume with, events are left to look up, or its process ended before it did.
    pub(crate) fn is_resumable(&self) -> bool {
        let is_over = self.ending == Some(Ending::Finished)
            && self.counts.left() == 0
            && self.not_proved() == 0;
        !self.is_running && !is_over
    }

    /// Events that were looked up and not found. A resume looks again.
    pub(crate) fn not_proved(&self) -> usize {
        self.counts.stored().map_or(0, |_| self.counts.unproved())
    }
}

/// The redrives of an environment, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Past {
    /// Those that could be read.
    pub(crate) redrives: Vec<PastRedrive>,
    /// Why the first journal that could not be read could not.
    pub(crate) unreadable: Option<String>,
    /// Whether older ones were not read.
    pub(crate) is_truncated: bool,
}

impl Past {
    /// Puts an ended redrive in its place.
    pub(crate) fn replace(&mut self, ended: PastRedrive) {
        let is_it = |past: &&mut PastRedrive| past.journal == ended.journal;
        match self.redrives.iter_mut().find(is_it) {
            Some(past) => *past = ended,
            None => self.redrives.insert(0, ended),
        }
    }
}

/// Messages that the operator chose, with what would become of each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Selection {
    /// Where they come from, as shown to the operator.
    pub(crate) scope: String,
    pub(crate) messages: Vec<Chosen>,
    /// Whether the ledger was checked; if not, `ready` may be `already-stored`.
    pub(crate) has_ledger: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chosen {
    /// The message and what is sent for it.
    pub(crate) draft: DraftMessage,
    /// Verdict of what is sent.
    pub(crate) verdict: Verdict,
}

/// A redrive that ended, as it is shown to the operator.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ended {
    /// What it did; `None` where that is not known.
    pub(crate) report: Option<Report>,
    /// Why messages without an outcome in the report have none; `None` where nothing was begun.
    pub(crate) failure: Option<String>,
    /// How good that is.
    pub(crate) tone: Tone,
    pub(crate) text: String,
}
