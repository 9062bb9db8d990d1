//! The redrives of this machine, as their journals have them.
//!
//! Invariant: local files are read and nobody is asked. A journal that cannot be read hides no
//! other, and one journal at a time is in memory.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::RedriveError;
use crate::journal::{ControlFile, Journal};
use crate::state::fact::Ending;
use crate::state::{Counts, State};

/// What a journal says of its redrive, without the messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Name of the environment.
    pub environment: String,
    /// URL of its dead-letter queue.
    pub dead_letter_queue_url: String,
    /// When the plan was made.
    pub created_at: DateTime<Utc>,
    /// Messages of the plan.
    pub planned: usize,
    /// Messages that the plan left out.
    pub skipped: usize,
    /// Messages that are sent with another body.
    pub edited: usize,
    /// See [`crate::Plan::canary_steps`].
    pub canary_steps: Vec<usize>,
    /// Messages by phase.
    pub counts: Counts,
    /// How it ended; `None` while it runs and after a crash.
    pub ending: Option<Ending>,
}

/// What a redrive is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A process runs it.
    Running,
    /// A process runs it, and it is paused.
    Paused,
    /// It finished.
    Finished,
    /// The operator ended it.
    Cancelled,
    /// Its process ended before it did.
    Interrupted,
    /// Its journal cannot be read.
    Unreadable,
}

/// One redrive.
#[derive(Debug)]
pub struct PastRedrive {
    /// Its id.
    pub id: Uuid,
    /// Its journal.
    pub journal: PathBuf,
    /// What that says, or why it cannot be read.
    pub summary: Result<Summary, RedriveError>,
    /// Whether a process runs it.
    pub is_running: bool,
    /// Why it is paused, if it runs and is paused.
    pub pause: Option<String>,
}

/// Bounds of a look into the history.
#[derive(Clone, Copy, Debug)]
pub struct HistoryLimits {
    /// Redrives that are returned.
    pub redrives_max: usize,
    /// Journals that are read.
    pub journals_max: usize,
    /// How long the reading may take; checked between two journals.
    pub within: Duration,
}

/// Redrives, newest first.
#[derive(Debug, Default)]
pub struct History {
    /// The wanted ones.
    pub redrives: Vec<PastRedrive>,
    /// Whether older journals were not read because of a limit of the reading.
    pub is_truncated: bool,
}

impl Summary {
    /// Of a state.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let plan = state.plan();
        Self {
            environment: plan.environment.clone(),
            dead_letter_queue_url: plan.dead_letter_queue.url.clone(),
            created_at: plan.created_at,
            planned: plan.entries.len(),
            skipped: plan.skipped.len(),
            edited: plan
                .entries
                .iter()
                .filter(|entry| entry.edit.is_some())
                .count(),
            canary_steps: plan.canary_steps.clone(),
            counts: state.counts(),
            ending: state.ending(),
        }
    }

    /// Whether it is about this environment's dead-letter queue. Another demo has the same name and
    /// other queues.
    #[must_use]
    pub fn is_of(&self, environment: &str, dead_letter_queue_url: &str) -> bool {
        self.environment == environment && self.dead_letter_queue_url == dead_letter_queue_url
    }
}

impl Status {
    /// Of a redrive that does not run.
    #[must_use]
    pub const fn of_ending(ending: Option<Ending>) -> Self {
        match ending {
            Some(Ending::Finished) => Self::Finished,
            Some(Ending::Cancelled) => Self::Cancelled,
            None => Self::Interrupted,
        }
    }

    /// As it is published.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Unreadable => "unreadable",
        }
    }
}

impl PastRedrive {
    /// Reads the journal of a redrive in a folder; another process may be writing it.
    #[must_use]
    pub fn read(id: Uuid, folder: &Path) -> Self {
        let journal = Journal::path_in(folder, id);
        // Checked first: a redrive that ends meanwhile is shown as running, never one that runs as
        // ended.
        let is_running = Journal::is_running(&journal).unwrap_or(false);
        let pause = ControlFile::beside(&journal).pause();
        Self {
            id,
            summary: Journal::read(&journal).map(|state| Summary::of(&state)),
            journal,
            is_running,
            pause: pause.filter(|_| is_running),
        }
    }

    /// What it is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.summary {
            Ok(_) if self.pause.is_some() => Status::Paused,
            Ok(_) if self.is_running => Status::Running,
            Ok(summary) => Status::of_ending(summary.ending),
            Err(_) => Status::Unreadable,
        }
    }
}

/// The wanted redrives of a folder, newest first, within limits.
///
/// # Errors
/// When the folder cannot be read. One that does not exist is empty.
pub fn history(
    folder: &Path,
    limits: HistoryLimits,
    mut is_wanted: impl FnMut(&PastRedrive) -> bool,
) -> Result<History, RedriveError> {
    let begun = Instant::now();
    let mut history = History::default();
    for (number, (id, _)) in Journal::list(folder)?.into_iter().enumerate() {
        if history.redrives.len() >= limits.redrives_max {
            break;
        }
        if number >= limits.journals_max || begun.elapsed() > limits.within {
            history.is_truncated = true;
            break;
        }
        let past = PastRedrive::read(id, folder);
        if is_wanted(&past) {
            history.redrives.push(past);
        }
    }
    Ok(history)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::example;

    #[test]
    fn history_is_newest_first_within_its_limits_and_a_damaged_journal_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut ids = Vec::new();
        for environment in ["a", "b", "a"] {
            let mut plan = example(2);
            plan.environment = environment.to_owned();
            drop(Journal::create(folder, &plan).unwrap());
            ids.push(plan.id);
        }
        let mut bytes = std::fs::read(Journal::path_in(folder, ids[0])).unwrap();
        let last = bytes.len() - 5;
        bytes[last] ^= 1;
        let damaged = Uuid::nil();
        std::fs::write(Journal::path_in(folder, damaged), bytes).unwrap();
        let mut limits = HistoryLimits {
            redrives_max: 9,
            journals_max: 9,
            within: Duration::from_secs(600),
        };
        let of_a = |past: &PastRedrive| {
            let summary = past.summary.as_ref();
            summary.map_or(true, |summary| summary.is_of("a", "http://h/d"))
        };
        let past = history(folder, limits, of_a).unwrap();
        let found: Vec<Uuid> = past.redrives.iter().map(|past| past.id).collect();
        assert_eq!(
            (found, past.is_truncated),
            (vec![ids[2], ids[0], damaged], false)
        );
        assert_eq!(past.redrives[2].status(), Status::Unreadable);
        let newest = past.redrives[0].summary.as_ref().unwrap();
        assert_eq!((newest.planned, newest.counts.waiting), (2, 2));
        limits.redrives_max = 1;
        let past = history(folder, limits, of_a).unwrap();
        assert_eq!((past.redrives.len(), past.is_truncated), (1, false));
        limits.journals_max = 0;
        let past = history(folder, limits, of_a).unwrap();
        assert_eq!((past.redrives.len(), past.is_truncated), (0, true));
        let none = history(&folder.join("missing"), limits, of_a).unwrap();
        assert!(none.redrives.is_empty() && !none.is_truncated);
    }

    #[test]
    fn redrive_is_running_while_its_journal_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let plan = example(1);
        let (journal, _) = Journal::create(folder.path(), &plan).unwrap();
        let control_file = ControlFile::beside(journal.path());
        let status = || PastRedrive::read(plan.id, folder.path()).status();
        assert_eq!(status(), Status::Running);
        control_file.set_pause(Some("look"));
        assert_eq!(status(), Status::Paused);
        drop(journal);
        assert_eq!(status(), Status::Interrupted);
    }
}
