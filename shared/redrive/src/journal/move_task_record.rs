//! The move tasks that were started from this machine. SQS forgets a handle when its task ends, and
//! a task when ten more were started.
//!
//! Invariant: one file a task, for this user alone, that is replaced as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::private_file::replace;
use crate::error::RedriveError;
use crate::limits::MOVE_TASK_RECORD_BYTES_MAX;
use pipeline::{MoveTask, MoveTaskStatus};

/// Version of the files.
const SCHEMA_VERSION: u32 = 1;
const FILE_END: &str = "move-task.json";

/// A move task that was started from this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveTaskRecord {
    schema_version: u32,
    /// Its id here; sorts by time.
    pub id: Uuid,
    /// Name of the environment.
    pub environment: String,
    /// When it was requested.
    pub asked_at: DateTime<Utc>,
    /// Its newest known state, always with its handle.
    pub task: MoveTask,
    /// When that state was read.
    pub seen_at: DateTime<Utc>,
}

impl MoveTaskRecord {
    /// A task that SQS just accepted.
    #[must_use]
    pub fn new(environment: &str, task: MoveTask, now: DateTime<Utc>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            id: Uuid::now_v7(),
            environment: environment.to_owned(),
            asked_at: now,
            task,
            seen_at: now,
        }
    }

    /// Takes over the first state that SQS reports, also when the task is over already.
    pub fn begin(&mut self, task: &MoveTask, now: DateTime<Utc>) {
        let handle = self.task.handle.take();
        self.task = MoveTask {
            handle,
            ..task.clone()
        };
        self.seen_at = now;
    }

    /// Takes over the state that SQS reports, if the task is among `tasks`. Returns its place there.
    pub fn see(&mut self, tasks: &[MoveTask], now: DateTime<Utc>) -> Option<usize> {
        let place = tasks.iter().position(|task| self.is_of(task))?;
        self.begin(tasks.get(place)?, now);
        Some(place)
    }

    /// A running task is known by its handle, and from then on by the time of its start.
    fn is_of(&self, task: &MoveTask) -> bool {
        match &task.handle {
            Some(handle) => self.task.handle.as_ref() == Some(handle),
            None => {
                task.source_arn == self.task.source_arn
                    && task.started_at.is_some()
                    && task.started_at == self.task.started_at
            }
        }
    }

    /// The task as far as it is known, when SQS does not list it any more.
    #[must_use]
    pub fn forgotten(&self) -> MoveTask {
        let mut task = self.task.clone();
        if !task.status.is_over() {
            task.status = MoveTaskStatus::Unknown;
        }
        task
    }

    /// Writes it into a folder, which is made if it is missing. Returns the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_in(&self, folder: &Path) -> Result<PathBuf, RedriveError> {
        let path = folder.join(format!("{}.{FILE_END}", self.id));
        let write = || -> io::Result<()> {
            fs::create_dir_all(folder)?;
            replace(&path, &serde_json::to_vec_pretty(self)?)
        };
        write().map_err(RedriveError::file("write", &path))?;
        Ok(path)
    }

    /// The recorded tasks of an environment, newest first. A file that cannot be read hides no other.
    ///
    /// # Errors
    /// When the folder cannot be read. One that does not exist is empty.
    pub fn list(folder: &Path, environment: &str) -> Result<Vec<Self>, RedriveError> {
        let failed = RedriveError::file("list move tasks in", folder);
        let names = match fs::read_dir(folder) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut records = Vec::new();
        for name in names {
            let path = name.map_err(&failed)?.path();
            if !path.to_string_lossy().ends_with(FILE_END) {
                continue;
            }
            match read(&path) {
                Ok(record) if record.environment == environment => records.push(record),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "a record of a move task is unreadable")
                }
            }
        }
        records.sort_unstable_by_key(|record| std::cmp::Reverse(record.id));
        Ok(records)
    }
}

pub(crate) fn read(path: &Path) -> io::Result<MoveTaskRecord> {
    if fs::metadata(path)?.len() > MOVE_TASK_RECORD_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let record: MoveTaskRecord = serde_json::from_slice(&fs::read(path)?)?;
    if record.schema_version == SCHEMA_VERSION {
        Ok(record)
    } else {
        Err(io::Error::other(format!(
            "schema version {}; this opsconsole reads {SCHEMA_VERSION}",
            record.schema_version
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    fn task(handle: Option<&str>, started_secs: Option<i64>, moved: u64) -> MoveTask {
        MoveTask {
            handle: handle.map(str::to_owned),
            status: MoveTaskStatus::Running,
            moved,
            to_move: Some(9),
            rate_per_sec: None,
            source_arn: "arn:aws:sqs:us-east-1:000000000000:dead".to_owned(),
            destination_arn: None,
            started_at: started_secs.map(at),
            failure_reason: None,
        }
    }

    #[test]
    fn task_is_known_by_its_handle_and_after_its_end_by_its_start() {
        let mut record = MoveTaskRecord::new("pilot", task(Some("mine"), None, 0), at(1));
        // Nothing but time links it to a task that was over at the first look.
        assert_eq!(record.see(&[task(None, Some(2), 9)], at(3)), None);
        let tasks = [
            task(Some("other"), Some(2), 1),
            task(Some("mine"), Some(4), 2),
        ];
        assert_eq!(record.see(&tasks, at(5)), Some(1));
        assert_eq!((record.task.moved, record.seen_at), (2, at(5)));
        let ended = MoveTask {
            status: MoveTaskStatus::Completed,
            ..task(None, Some(4), 9)
        };
        assert_eq!(record.see(&[ended], at(6)), Some(0));
        assert_eq!(record.task.handle.as_deref(), Some("mine"), "it is kept");
        assert_eq!(record.forgotten().status, MoveTaskStatus::Completed);
    }

    #[test]
    fn task_that_was_not_seen_to_end_is_not_reported_as_running() {
        let record = MoveTaskRecord::new("pilot", task(Some("mine"), None, 0), at(1));
        assert_eq!(record.forgotten().status, MoveTaskStatus::Unknown);
    }

    #[test]
    fn records_are_for_their_user_and_environment_and_survive_nonsense() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("redrives");
        assert_eq!(MoveTaskRecord::list(&folder, "pilot").unwrap(), []);
        let first = MoveTaskRecord::new("pilot", task(Some("1"), None, 0), at(1));
        let other = MoveTaskRecord::new("local", task(Some("2"), None, 0), at(2));
        let mut last = MoveTaskRecord::new("pilot", task(Some("3"), None, 0), at(3));
        let mut path = PathBuf::new();
        for record in [&first, &other, &last] {
            path = record.write_in(&folder).unwrap();
        }
        fs::write(folder.join(format!("a.{FILE_END}")), "nonsense").unwrap();
        last.seen_at = at(4);
        last.write_in(&folder).unwrap();
        assert_eq!(
            MoveTaskRecord::list(&folder, "pilot").unwrap(),
            [last, first]
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
