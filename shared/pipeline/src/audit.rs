//! The audit log: who changed what from this machine, when, where and why.
//!
//! Invariant: a change is written down, and on the disk, before it begins. Nothing is overwritten but by
//! [`AuditLog::redact`], which takes the details of a change out. [`AuditLog::forget`] removes changes that
//! ended; beyond that the log keeps the last 16 to 48 MB, so
//! that it never fills the disk, and counts what it drops. A change without an end was cut off, is shown
//! so, and is kept.

mod forget;
mod read;
mod redact;
mod rotate;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::environment::is_at;
use crate::sync_names::sync_names;
pub use forget::Forgotten;
pub use rotate::Dropped;

/// Version of the line format.
const SCHEMA: u32 = 1;
/// Name of the file in the state folder.
const FILE_NAME: &str = "audit.jsonl";
/// Name of the file that is not written any more, beside it.
const PREDECESSOR_NAME: &str = "audit.1.jsonl";
/// A file of this size, in bytes, becomes the predecessor, in the place of an earlier one.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Longest line, in bytes; of a longer one the details are left out.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Events were published to the topic.
    Publish,
    /// Dead letters were sent back to the source queue.
    Redrive,
    /// Records were published to the topic again.
    Replay,
    /// Records were published to the topic again to replace those that are stored.
    Replace,
    /// Dead letters were deleted.
    Delete,
    /// The whole dead-letter queue was purged.
    Purge,
    /// A native move task of SQS was started or cancelled.
    MoveTask,
    /// Messages of the source queue were received to be looked at, which counts against `maxReceiveCount`.
    Peek,
    /// Files of this program were removed from this machine; no pipeline was changed.
    Tidy,
    /// What belongs to a subject, or matches a program or a text, was erased: records, dead letters and files.
    Erase,
}

impl Operation {
    /// The published name, in kebab-case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Redrive => "redrive",
            Self::Replay => "replay",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Purge => "purge",
            Self::MoveTask => "move-task",
            Self::Peek => "peek",
            Self::Tidy => "tidy",
            Self::Erase => "erase",
        }
    }
}

/// A change that is about to begin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Kind of the change.
    pub operation: Operation,
    /// Name of the environment; empty for a change of this machine alone.
    pub environment: String,
    /// Whether the environment is production.
    pub is_production: bool,
    /// Name of the queue or topic.
    pub target: String,
    /// ARN of the caller (STS `GetCallerIdentity`); `None` when STS did not answer.
    pub caller: Option<String>,
    /// Name of the user on this machine.
    pub user: Option<String>,
    /// The operator's reason.
    pub reason: Option<String>,
    /// Number of messages that will be changed.
    pub planned: u64,
    /// More details, e.g. a patch. Never a secret.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

/// How a change ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Number of messages by outcome, e.g. `moved`. Counted, never planned.
    pub counts: BTreeMap<String, u64>,
    /// Why it failed or was interrupted.
    pub error: Option<String>,
}

/// One change in the log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditEntry {
    /// Id of the change; ids sort by time.
    pub id: Uuid,
    /// When it began.
    pub begun_at: DateTime<Utc>,
    /// The change as it was planned.
    #[serde(flatten)]
    pub change: Change,
    /// When it ended; `None` while it runs, or when its process was killed.
    pub ended_at: Option<DateTime<Utc>>,
    /// How it ended.
    pub ending: Option<Ending>,
}

/// The content of a log.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AuditTrail {
    /// The changes, oldest first.
    pub entries: Vec<AuditEntry>,
    /// Number of lines that could not be read: written by a newer version, or incomplete.
    pub unreadable_lines: usize,
    /// Of these, the lines that a writer left incomplete, because it was killed or the disk was full: a change
    /// whose line is incomplete was not begun.
    #[serde(skip)]
    pub cut_off_lines: usize,
    /// Changes that the log was too long to keep; known when it is read so far.
    pub dropped: Option<Dropped>,
}

/// The log cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{operation} the audit log {}: {cause}", path.display())]
pub struct AuditError {
    operation: &'static str,
    path: PathBuf,
    cause: io::Error,
}

/// The audit log in a state folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLog {
    path: PathBuf,
    file_bytes_max: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    schema: u32,
    id: Uuid,
    at: DateTime<Utc>,
    #[serde(flatten)]
    event: LineEvent,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LineEvent {
    Begun(Box<Change>),
    Ended(Ending),
    Dropped(Dropped),
    /// The changes before this line that began no later than `until` are carried over: they stand behind
    /// younger ones.
    CarriedOver {
        until: DateTime<Utc>,
    },
}

impl AuditLog {
    /// The log in a state folder. The file is created with the first entry.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE_NAME),
            file_bytes_max: FILE_BYTES_MAX,
        }
    }

    /// Path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn predecessor(&self) -> PathBuf {
        self.path.with_file_name(PREDECESSOR_NAME)
    }

    /// Records that a change begins. The entry is on disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written; then the change must not be made.
    pub fn begin(&self, change: Change, at: DateTime<Utc>) -> Result<Uuid, AuditError> {
        let id = Uuid::now_v7();
        self.append(&Line {
            schema: SCHEMA,
            id,
            at,
            event: LineEvent::Begun(Box::new(change)),
        })?;
        Ok(id)
    }

    /// Records how a change ended.
    ///
    /// # Errors
    /// When it cannot be written; the change itself was made.
    pub fn end(&self, id: Uuid, ending: Ending, at: DateTime<Utc>) -> Result<(), AuditError> {
        self.append(&Line {
            schema: SCHEMA,
            id,
            at,
            event: LineEvent::Ended(ending),
        })
    }

    fn append(&self, line: &Line) -> Result<(), AuditError> {
        bytes_of(line)
            .and_then(|mut bytes| {
                let mut file = self.lock()?;
                if file.metadata()?.len() >= self.file_bytes_max {
                    self.rotate(&mut file)?;
                    // Others that wait for the old file see that it has gone.
                    file = self.lock()?;
                }
                if ends_in_incomplete_line(&mut file)? {
                    bytes.insert(0, b'\n');
                }
                file.write_all(&bytes)?;
                file.sync_data()
            })
            .map_err(|cause| self.failed("write", cause))
    }

    /// Opens the log for this process alone: others may append at the same time, and a line must
    /// stay whole.
    fn lock(&self) -> io::Result<File> {
        loop {
            let file = self.open()?;
            file.lock()?;
            // While this process waited, another one may have replaced the file. That is rare, so
            // this ends.
            if is_at(&file, &self.path) {
                return Ok(file);
            }
        }
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true);
        match options.open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.create(true).open(&self.path)?;
        // Its name must survive a power cut too, and that of a folder that is new.
        sync_names(folder)?;
        folder.parent().map_or(Ok(()), sync_names)?;
        Ok(file)
    }

    fn failed(&self, operation: &'static str, cause: io::Error) -> AuditError {
        AuditError {
            operation,
            path: self.path.clone(),
            cause,
        }
    }
}

/// A line with its line break, which is not too long.
fn bytes_of(line: &Line) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    if let LineEvent::Begun(change) = &line.event
        && bytes.len() > LINE_BYTES_MAX
    {
        let details = json!({ "left_out_bytes": bytes.len() });
        let change = Change {
            details,
            ..Change::clone(change)
        };
        bytes = serde_json::to_vec(&Line {
            event: LineEvent::Begun(Box::new(change)),
            ..*line
        })?;
    }
    bytes.push(b'\n');
    Ok(bytes)
}

/// Whether the last line is incomplete, because its writer was killed.
fn ends_in_incomplete_line(file: &mut File) -> io::Result<bool> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(reason: &str) -> Change {
        Change {
            operation: Operation::Redrive,
            environment: "pilot".to_owned(),
            is_production: false,
            target: "events-queue".to_owned(),
            caller: None,
            user: Some("ana".to_owned()),
            reason: Some(reason.to_owned()),
            planned: 3,
            details: Value::Null,
        }
    }

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    #[test]
    fn change_is_read_back_with_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(&folder.path().join("state"));
        assert_eq!(log.read().unwrap(), AuditTrail::default());
        let first = log.begin(change("line\nbreak"), at(1)).unwrap();
        let second = log.begin(change("cut off"), at(2)).unwrap();
        let ending = Ending {
            counts: [("moved".to_owned(), 3)].into(),
            error: None,
        };
        log.end(first, ending.clone(), at(3)).unwrap();
        let trail = log.read().unwrap();
        assert_eq!(trail.unreadable_lines, 0);
        let [done, open] = trail.entries.as_slice() else {
            panic!("{trail:?}");
        };
        assert_eq!((done.id, open.id), (first, second));
        assert_eq!(done.change, change("line\nbreak"));
        assert_eq!(done.ending, Some(ending));
        assert_eq!((done.ended_at, open.ended_at), (Some(at(3)), None));
    }

    #[test]
    fn incomplete_line_does_not_affect_others() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        log.begin(change("one"), at(1)).unwrap();
        let whole = fs::read(log.path()).unwrap();
        for cut in 1..whole.len() {
            let mut text = whole.clone();
            text.extend_from_slice(&whole[..cut]);
            fs::write(log.path(), &text).unwrap();
            log.begin(change("two"), at(2)).unwrap();
            let trail = log.read().unwrap();
            // If only the line break is missing, the line is complete.
            let torn = usize::from(cut < whole.len() - 1);
            let last = trail.entries.last().unwrap();
            assert_eq!(last.change.reason.as_deref(), Some("two"), "{cut}");
            assert_eq!(trail.unreadable_lines, torn, "{cut}");
            assert_eq!(trail.cut_off_lines, torn, "{cut}");
        }
    }

    #[test]
    fn last_changes_are_read_without_those_before_them() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        fs::write(log.path(), "not a line of the log\n".repeat(100_000)).unwrap();
        for number in 0..3 {
            let id = log.begin(change(&number.to_string()), at(number)).unwrap();
            log.end(id, Ending::default(), at(number + 10)).unwrap();
        }
        let trail = log.read_last(2, |change| change.reason.as_deref() != Some("1"));
        let trail = trail.unwrap();
        let reasons: Vec<_> = trail
            .entries
            .iter()
            .map(|entry| &entry.change.reason)
            .collect();
        assert_eq!(reasons, [&Some("0".to_owned()), &Some("2".to_owned())]);
        assert!(trail.entries.iter().all(|entry| entry.ended_at.is_some()));
        assert_eq!(trail.unreadable_lines, 0);
        let whole = log.read().unwrap();
        assert_eq!((whole.unreadable_lines, whole.cut_off_lines), (100_000, 0));
    }

    #[test]
    fn log_that_becomes_the_predecessor_while_it_is_opened_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        log.begin(change("once"), at(0)).unwrap();
        fs::hard_link(log.path(), log.predecessor()).unwrap();
        assert_eq!(log.read().unwrap().entries.len(), 1);
    }

    #[test]
    fn log_stays_within_its_bound_and_keeps_the_last_changes_whole() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog {
            file_bytes_max: 4_000,
            ..AuditLog::in_folder(folder.path())
        };
        for number in 0..200 {
            let id = log.begin(change(&number.to_string()), at(number)).unwrap();
            log.end(id, Ending::default(), at(number)).unwrap();
            let files = fs::read_dir(folder.path()).unwrap();
            let bytes: u64 = files
                .map(|file| file.unwrap().metadata().unwrap().len())
                .sum();
            assert!(bytes < 14_000, "{bytes}");
        }
        let trail = log.read().unwrap();
        let last = trail.entries.iter().rev().zip((0..200).rev());
        for (entry, number) in last {
            assert_eq!(entry.change.reason, Some(number.to_string()));
            assert_eq!(entry.ended_at, Some(at(number)));
        }
        assert!(trail.entries.len() > 10, "{}", trail.entries.len());
        let dropped = trail.dropped.unwrap();
        assert_eq!(dropped.changes as usize + trail.entries.len(), 200);
        assert_eq!((dropped.from, dropped.unfinished), (at(0), 0));
        assert_eq!(
            dropped.until + chrono::Duration::seconds(1),
            trail.entries[0].begun_at
        );
        let before = log.forgettable(at(1_000)).unwrap();
        assert_eq!(before.changes as usize, trail.entries.len());
        assert_eq!(log.forget(at(1_000)).unwrap(), before);
        let left = log.read().unwrap();
        assert_eq!((left.entries, left.dropped), (Vec::new(), Some(dropped)));
    }

    #[test]
    fn change_without_an_end_outlives_all_others() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog {
            file_bytes_max: 4_000,
            ..AuditLog::in_folder(folder.path())
        };
        let cut_off = log.begin(change("cut off"), at(0)).unwrap();
        let long = log.begin(change("long"), at(1)).unwrap();
        for number in 2..200 {
            let id = log.begin(change("short"), at(number)).unwrap();
            log.end(id, Ending::default(), at(number)).unwrap();
        }
        log.end(long, Ending::default(), at(200)).unwrap();
        let trail = log.read().unwrap();
        let [first, second, ..] = trail.entries.as_slice() else {
            panic!("{trail:?}");
        };
        assert_eq!((first.id, first.ended_at), (cut_off, None));
        assert_eq!((second.id, second.ended_at), (long, Some(at(200))));
        let dropped = trail.dropped.unwrap();
        assert_eq!(dropped.changes as usize + trail.entries.len(), 200);
        assert_eq!((dropped.from, dropped.unfinished), (at(2), 0));
    }

    #[test]
    fn last_changes_are_the_youngest_also_where_older_ones_were_carried_over() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog {
            file_bytes_max: 4_000,
            ..AuditLog::in_folder(folder.path())
        };
        for number in 0..4 {
            log.begin(change("cut off"), at(number)).unwrap();
        }
        for number in 4..100 {
            let id = log.begin(change("short"), at(number)).unwrap();
            log.end(id, Ending::default(), at(number)).unwrap();
            let all = log.read().unwrap().entries;
            for wanted in [1, 3, 8, 20] {
                let last = log.read_last(wanted, |_| true).unwrap().entries;
                assert_eq!(last, all[all.len().saturating_sub(wanted)..]);
            }
        }
    }

    #[test]
    fn crash_while_the_log_becomes_the_predecessor_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog {
            file_bytes_max: 2_000,
            ..AuditLog::in_folder(folder.path())
        };
        log.begin(change("cut off"), at(0)).unwrap();
        let mut rotations = 0;
        for number in 1..60 {
            let predecessor = fs::read(log.predecessor()).unwrap_or_default();
            log.begin(change("short"), at(number))
                .and_then(|id| log.end(id, Ending::default(), at(number)))
                .unwrap();
            if fs::read(log.predecessor()).unwrap_or_default() == predecessor {
                continue;
            }
            rotations += 1;
            // As if the process had been killed before the log was renamed: it is in its old place, with
            // what is carried over. What came after is left out.
            let whole = log.read().unwrap();
            let newer = fs::read(log.path()).unwrap();
            fs::rename(log.predecessor(), log.path()).unwrap();
            fs::write(log.predecessor(), &predecessor).unwrap();
            let crashed = log.read().unwrap();
            let ids = |trail: &AuditTrail| -> std::collections::HashSet<Uuid> {
                trail.entries.iter().map(|entry| entry.id).collect()
            };
            assert_eq!(ids(&crashed).len(), crashed.entries.len());
            log.rotate(&mut log.lock().unwrap()).unwrap();
            fs::write(log.path(), newer).unwrap();
            let again = log.read().unwrap();
            assert_eq!(
                (&again.entries, again.dropped),
                (&whole.entries, whole.dropped)
            );
        }
        assert!(rotations > 3);
        let first = &log.read().unwrap().entries[0];
        assert_eq!((first.begun_at, first.ended_at), (at(0), None));
    }

    #[test]
    fn changes_without_an_end_do_not_fill_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog {
            file_bytes_max: 4_000,
            ..AuditLog::in_folder(folder.path())
        };
        for number in 0..200 {
            log.begin(change("cut off"), at(number)).unwrap();
            let files = fs::read_dir(folder.path()).unwrap();
            let bytes = files.map(|file| file.unwrap().metadata().unwrap().len());
            assert!(bytes.sum::<u64>() < 14_000);
        }
        let trail = log.read().unwrap();
        let dropped = trail.dropped.unwrap();
        assert_eq!(dropped.changes as usize + trail.entries.len(), 200);
        assert_eq!(dropped.changes, dropped.unfinished);
    }

    #[test]
    fn change_with_endless_details_is_recorded_without_them() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        let long = Change {
            details: json!(["x".repeat(2 * LINE_BYTES_MAX)]),
            ..change("long")
        };
        log.begin(long, at(1)).unwrap();
        assert!(fs::metadata(log.path()).unwrap().len() < 1_000);
        let [entry] = log.read().unwrap().entries.try_into().unwrap();
        assert!(entry.change.details["left_out_bytes"].as_u64().unwrap() > 2_000_000);
    }

    #[cfg(unix)]
    #[test]
    fn log_is_readable_only_by_its_user() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        log.begin(change("one"), at(1)).unwrap();
        let mode = fs::metadata(log.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn writers_at_the_same_time_keep_their_lines_whole() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for number in 0..20 {
                        log.begin(change("many"), at(number)).unwrap();
                    }
                });
            }
        });
        let trail = log.read().unwrap();
        assert_eq!((trail.entries.len(), trail.unreadable_lines), (160, 0));
    }
}
