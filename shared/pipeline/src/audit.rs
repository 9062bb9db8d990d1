//! The audit log: who changed what from this machine, when, where and why.
//!
//! Invariant: a change is written down, and on the disk, before it begins. Nothing is overwritten;
//! only [`AuditLog::forget`] removes changes, and only ones that ended. A change without an end was
//! cut off, and is shown so.

mod forget;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::environment::is_at;
pub use forget::Forgotten;

/// Version of the line format.
const SCHEMA: u32 = 1;
/// Name of the file in the state folder.
const FILE_NAME: &str = "audit.jsonl";

/// Kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Events were published to the topic.
    Publish,
    /// Dead letters were sent back to the source queue.
    Redrive,
    /// Dead letters were deleted.
    Delete,
    /// The whole dead-letter queue was purged.
    Purge,
    /// A native move task of SQS was started or cancelled.
    MoveTask,
    /// Files of this program were removed from this machine; no pipeline was changed.
    Tidy,
}

impl Operation {
    /// The published name, in kebab-case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Redrive => "redrive",
            Self::Delete => "delete",
            Self::Purge => "purge",
            Self::MoveTask => "move-task",
            Self::Tidy => "tidy",
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
}

impl AuditLog {
    /// The log in a state folder. The file is created with the first entry.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE_NAME),
        }
    }

    /// Path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
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

    /// Reads the log. A log that does not exist is empty.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self) -> Result<AuditTrail, AuditError> {
        let text = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(cause) => return Err(self.failed("read", cause)),
        };
        let mut trail = AuditTrail::default();
        let mut positions = BTreeMap::new();
        for line in text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let known = serde_json::from_slice::<Line>(line)
                .ok()
                .filter(|line| line.schema == SCHEMA);
            let Some(line) = known else {
                trail.unreadable_lines += 1;
                continue;
            };
            match line.event {
                LineEvent::Begun(change) => {
                    positions.insert(line.id, trail.entries.len());
                    trail.entries.push(AuditEntry {
                        id: line.id,
                        begun_at: line.at,
                        change: *change,
                        ended_at: None,
                        ending: None,
                    });
                }
                LineEvent::Ended(ending) => {
                    let entry = positions
                        .get(&line.id)
                        .and_then(|position| trail.entries.get_mut(*position));
                    match entry {
                        Some(entry) => {
                            entry.ended_at = Some(line.at);
                            entry.ending = Some(ending);
                        }
                        None => trail.unreadable_lines += 1,
                    }
                }
            }
        }
        Ok(trail)
    }

    fn append(&self, line: &Line) -> Result<(), AuditError> {
        self.lock()
            .and_then(|mut file| {
                let mut bytes = serde_json::to_vec(line).map_err(io::Error::other)?;
                bytes.push(b'\n');
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
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        options.open(&self.path)
    }

    fn failed(&self, operation: &'static str, cause: io::Error) -> AuditError {
        AuditError {
            operation,
            path: self.path.clone(),
            cause,
        }
    }
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
        }
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
