//! The redrives of this machine, as their journals have them.
//!
//! Invariant: local files are read and nobody is asked. A journal that cannot be read hides no
//! other, and one journal at a time is in memory: of one that ended, only its last frame.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use uuid::Uuid;

use crate::error::RedriveError;
use crate::journal::{ControlFile, Journal};
use crate::state::fact::Ending;
use crate::state::{Pause, Summary};

/// A journal that grows is read again only when this many times the time has passed that it took.
const REST_PER_READ: u32 = 20;

/// What a redrive is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A process runs it.
    Running,
    /// A process runs it, and it is paused.
    Paused,
    /// It finished, and nothing is left that a resume could move.
    Finished,
    /// It finished, and messages are left that a resume would try again.
    Incomplete,
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
    pub pause: Option<Pause>,
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

impl Status {
    /// Of a redrive that does not run, of whose messages so many are left.
    #[must_use]
    pub const fn of_ending(ending: Option<Ending>, left: usize) -> Self {
        match ending {
            Some(Ending::Finished) if left > 0 => Self::Incomplete,
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
            Self::Incomplete => "incomplete",
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
        Self::read_with(id, folder, |journal, _| summary(journal))
    }

    fn read_with(
        id: Uuid,
        folder: &Path,
        summary: impl FnOnce(&Path, bool) -> Result<Summary, RedriveError>,
    ) -> Self {
        let journal = Journal::path_in(folder, id);
        // Checked first: a redrive that ends meanwhile is shown as running, never one that runs as
        // ended.
        let is_running = Journal::is_running(&journal).unwrap_or(false);
        let pause = ControlFile::beside(&journal).pause();
        Self {
            id,
            summary: summary(&journal, is_running),
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
            Ok(summary) => Status::of_ending(summary.ending, summary.counts.left()),
            Err(_) => Status::Unreadable,
        }
    }
}

/// What a journal says: its last frame where the redrive ended, else all of it.
fn summary(journal: &Path) -> Result<Summary, RedriveError> {
    // An earlier version did not write whether records are replaced; its messages show it.
    let is_whole = |summary: &Summary| summary.replaces.is_some() || summary.kind.is_redrive();
    if let Some(summary) = Journal::read_summary(journal)?.filter(is_whole) {
        return Ok(summary);
    }
    Journal::read(journal).map(|state| Summary::of(&state))
}

/// Reads histories, and remembers what it read of journals that have not changed since.
#[derive(Debug, Default)]
pub struct HistoryReader {
    known: HashMap<PathBuf, Known>,
}

/// What was read of a journal.
#[derive(Debug)]
struct Known {
    bytes: u64,
    modified: SystemTime,
    read_at: Instant,
    read_took: Duration,
    summary: Summary,
}

impl HistoryReader {
    fn summary(&mut self, journal: &Path, is_running: bool) -> Result<Summary, RedriveError> {
        let failed = RedriveError::file("read journal", journal);
        let metadata = fs::metadata(journal).map_err(&failed)?;
        let (bytes, modified) = (metadata.len(), metadata.modified().map_err(&failed)?);
        if let Some(known) = self.known.get(journal) {
            let is_same = (known.bytes, known.modified) == (bytes, modified);
            let rests = known.read_at.elapsed() < known.read_took * REST_PER_READ;
            if is_same || (is_running && rests) {
                return Ok(known.summary.clone());
            }
        }
        let read_at = Instant::now();
        let summary = summary(journal)?;
        let known = Known {
            bytes,
            modified,
            read_at,
            read_took: read_at.elapsed(),
            summary: summary.clone(),
        };
        self.known.insert(journal.to_owned(), known);
        Ok(summary)
    }

    /// The wanted redrives of a folder, newest first, within limits.
    ///
    /// # Errors
    /// When the folder cannot be read. One that does not exist is empty.
    pub fn history(
        &mut self,
        folder: &Path,
        limits: HistoryLimits,
        mut is_wanted: impl FnMut(&PastRedrive) -> bool,
    ) -> Result<History, RedriveError> {
        let journals = Journal::list(folder)?;
        // No more than was just listed is remembered.
        let read = journals.iter().take(limits.journals_max);
        let paths: HashSet<&PathBuf> = read.map(|(_, path)| path).collect();
        self.known.retain(|path, _| paths.contains(path));
        let begun = Instant::now();
        let mut history = History::default();
        for (number, (id, _)) in journals.into_iter().enumerate() {
            if history.redrives.len() >= limits.redrives_max {
                break;
            }
            if number >= limits.journals_max || begun.elapsed() > limits.within {
                history.is_truncated = true;
                break;
            }
            let past = PastRedrive::read_with(id, folder, |journal, is_running| {
                self.summary(journal, is_running)
            });
            if is_wanted(&past) {
                history.redrives.push(past);
            }
        }
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::example;
    use crate::state::fact::Fact;

    #[test]
    fn history_is_newest_first_within_its_limits_and_a_damaged_journal_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut ids = Vec::new();
        for environment in ["a", "b", "a"] {
            let mut plan = example(2);
            plan.environment = environment.to_owned();
            ids.push(plan.id);
            drop(Journal::create(folder, plan).unwrap());
        }
        let mut bytes = fs::read(Journal::path_in(folder, ids[0])).unwrap();
        let last = bytes.len() - 5;
        bytes[last] ^= 1;
        let damaged = Uuid::nil();
        fs::write(Journal::path_in(folder, damaged), bytes).unwrap();
        let mut limits = HistoryLimits {
            redrives_max: 9,
            journals_max: 9,
            within: Duration::from_secs(600),
        };
        let of_a = |past: &PastRedrive| {
            let summary = past.summary.as_ref();
            summary.map_or(true, |summary| summary.is_of("a", "http://h/d"))
        };
        let mut reader = HistoryReader::default();
        let mut history = |limits, folder: &Path| reader.history(folder, limits, of_a).unwrap();
        let past = history(limits, folder);
        let found: Vec<Uuid> = past.redrives.iter().map(|past| past.id).collect();
        assert_eq!(
            (found, past.is_truncated),
            (vec![ids[2], ids[0], damaged], false)
        );
        assert_eq!(past.redrives[2].status(), Status::Unreadable);
        let newest = past.redrives[0].summary.as_ref().unwrap();
        assert_eq!((newest.planned, newest.counts.waiting), (2, 2));
        limits.redrives_max = 1;
        let past = history(limits, folder);
        assert_eq!((past.redrives.len(), past.is_truncated), (1, false));
        limits.journals_max = 0;
        let past = history(limits, folder);
        assert_eq!((past.redrives.len(), past.is_truncated), (0, true));
        let none = history(limits, &folder.join("missing"));
        assert!(none.redrives.is_empty() && !none.is_truncated);
    }

    #[test]
    fn redrive_is_running_while_its_journal_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let plan = example(1);
        let (journal, _) = Journal::create(folder.path(), plan.clone()).unwrap();
        let control_file = ControlFile::beside(journal.path());
        let status = || PastRedrive::read(plan.id, folder.path()).status();
        assert_eq!(status(), Status::Running);
        control_file.set_pause(Some(&Pause::Operator));
        assert_eq!(status(), Status::Paused);
        drop(journal);
        assert_eq!(status(), Status::Interrupted);
    }
    /// A journal whose redrive ended, with a fact before its end that nobody could read.
    fn ended(folder: &Path) -> PathBuf {
        let plan = example(3);
        let (journal, mut state) = Journal::create(folder, plan).unwrap();
        let path = journal.path().to_owned();
        let end = Fact::Ended {
            how: Ending::Finished,
            looked_up: None,
            unreleased: Vec::new(),
        };
        state.apply(&end).unwrap();
        let (counts, _) = tokio::sync::watch::channel(state.counts());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let recorder = crate::journal::Recorder::start(journal, state, counts).unwrap();
            recorder.record(vec![end]).await.unwrap();
            recorder.close().await;
        });
        path
    }

    #[test]
    fn journal_of_an_ended_redrive_is_not_read_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = ended(folder.path());
        let mut bytes = fs::read(&path).unwrap();
        bytes[200] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(Journal::read(&path).is_err());
        let limits = HistoryLimits {
            redrives_max: 9,
            journals_max: 9,
            within: Duration::from_secs(600),
        };
        let mut reader = HistoryReader::default();
        let past = reader.history(folder.path(), limits, |_| true).unwrap();
        let summary = past.redrives[0].summary.as_ref().unwrap();
        assert_eq!((summary.planned, summary.counts.waiting), (3, 3));
        assert_eq!(past.redrives[0].status(), Status::Incomplete);
    }

    #[test]
    fn journal_that_has_not_changed_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::create(folder.path(), example(2)).unwrap();
        let path = journal.path().to_owned();
        drop(journal);
        let mut reader = HistoryReader::default();
        let first = reader.summary(&path, false).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        let bytes = fs::read(&path).unwrap();
        // As many other bytes, at the same time: only what is remembered still has the summary.
        fs::write(&path, vec![b'x'; bytes.len()]).unwrap();
        file.set_modified(modified).unwrap();
        assert_eq!(reader.summary(&path, false).unwrap(), first);
        file.set_modified(modified + Duration::from_secs(1))
            .unwrap();
        assert!(reader.summary(&path, false).is_err());
    }
}
