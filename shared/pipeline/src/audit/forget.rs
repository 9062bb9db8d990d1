//! Removes old changes from the audit log.
//!
//! Invariant: a change without an end stays, and so does a line that cannot be read. The log is
//! replaced as a whole while it is locked, so that no line of another process is lost.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{AuditError, AuditLog, Line, LineEvent, SCHEMA, sync_names};

/// What was removed from the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Forgotten {
    /// Changes.
    pub changes: u64,
    /// Bytes of their lines.
    pub bytes: u64,
    /// Bytes that stay.
    pub kept_bytes: u64,
}

impl AuditLog {
    /// Counts what [`Self::forget`] would remove.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn forgettable(&self, before: DateTime<Utc>) -> Result<Forgotten, AuditError> {
        let texts = self.texts().map_err(|cause| self.failed("read", cause))?;
        Ok(divide(&texts, before).0)
    }

    /// Removes the changes that ended before a time.
    ///
    /// # Errors
    /// When the log cannot be read or replaced; each of its files stays as it was or is replaced.
    pub fn forget(&self, before: DateTime<Utc>) -> Result<Forgotten, AuditError> {
        self.lock()
            .and_then(|locked| {
                let texts = self.texts()?;
                let (forgotten, kept) = divide(&texts, before);
                let paths = [self.predecessor(), self.path().to_owned()];
                for ((path, text), kept) in paths.iter().zip(&texts).zip(kept) {
                    if text.len() != kept.len() {
                        replace(path, &kept)?;
                    }
                }
                drop(locked);
                Ok(forgotten)
            })
            .map_err(|cause| self.failed("shorten", cause))
    }

    /// The files, oldest first; what does not exist is empty.
    pub(super) fn texts(&self) -> io::Result<[Vec<u8>; 2]> {
        Ok([read_file(&self.predecessor())?, read_file(self.path())?])
    }
}

/// A file of the log; what does not exist is empty.
pub(super) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        text => text,
    }
}

/// What goes, and the texts that stay.
fn divide(texts: &[Vec<u8>; 2], before: DateTime<Utc>) -> (Forgotten, [Vec<u8>; 2]) {
    let ended: HashSet<Uuid> = texts
        .iter()
        .flat_map(|text| lines(text))
        .filter_map(|(_, line)| line)
        .filter(|line| matches!(line.event, LineEvent::Ended(_)) && line.at < before)
        .map(|line| line.id)
        .collect();
    let kept = texts.each_ref().map(|text| {
        let mut kept = Vec::with_capacity(text.len());
        for (bytes, line) in lines(text) {
            if !line.is_some_and(|line| ended.contains(&line.id)) {
                kept.extend_from_slice(bytes);
            }
        }
        kept
    });
    let bytes = |texts: &[Vec<u8>; 2]| texts.iter().map(|text| text.len() as u64).sum::<u64>();
    let forgotten = Forgotten {
        changes: ended.len() as u64,
        bytes: bytes(texts) - bytes(&kept),
        kept_bytes: bytes(&kept),
    };
    (forgotten, kept)
}

/// The lines with their line feeds, and what they say where that is understood.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = (&[u8], Option<Line>)> {
    text.split_inclusive(|byte| *byte == b'\n').map(|bytes| {
        let line = serde_json::from_slice::<Line>(bytes)
            .ok()
            .filter(|line| line.schema == SCHEMA);
        (bytes, line)
    })
}

/// Puts a file, made with mode 0600, in the place of the log.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut successor = tempfile::NamedTempFile::new_in(folder)?;
    successor.write_all(bytes)?;
    successor.as_file().sync_data()?;
    successor.persist(path)?;
    sync_names(folder)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::audit::{Change, Ending, Operation};

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    fn begin(log: &AuditLog, reason: &str, secs: i64) -> Uuid {
        let change = Change {
            operation: Operation::Tidy,
            environment: String::new(),
            is_production: false,
            target: "state".to_owned(),
            caller: None,
            user: None,
            reason: Some(reason.to_owned()),
            planned: 1,
            details: Value::Null,
        };
        log.begin(change, at(secs)).unwrap()
    }

    fn reasons(log: &AuditLog) -> Vec<String> {
        let entries = log.read().unwrap().entries;
        let reasons = entries.into_iter().map(|entry| entry.change.reason);
        reasons.map(Option::unwrap).collect()
    }

    #[test]
    fn changes_that_ended_before_go_and_all_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        let old = begin(&log, "old", 1);
        let long = begin(&log, "long", 2);
        begin(&log, "cut off", 3);
        log.end(old, Ending::default(), at(4)).unwrap();
        let mut text = fs::read(log.path()).unwrap();
        text.extend_from_slice(b"{\"schema\":9}\n");
        fs::write(log.path(), &text).unwrap();
        log.end(long, Ending::default(), at(20)).unwrap();
        let size = fs::metadata(log.path()).unwrap().len();
        let expected = log.forgettable(at(10)).unwrap();
        assert_eq!(expected.changes, 1);
        assert_eq!(expected.bytes + expected.kept_bytes, size);
        assert_eq!(reasons(&log), ["old", "long", "cut off"]);
        assert_eq!(log.forget(at(10)).unwrap(), expected);
        assert_eq!(reasons(&log), ["long", "cut off"]);
        assert_eq!(log.read().unwrap().unreadable_lines, 1);
        assert_eq!(fs::metadata(log.path()).unwrap().len(), expected.kept_bytes);
        assert_eq!(log.forget(at(10)).unwrap().changes, 0);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(log.path()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn log_that_does_not_exist_has_nothing_to_forget() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        assert_eq!(log.forgettable(at(1)).unwrap(), Forgotten::default());
        assert!(!log.path().exists());
    }

    #[test]
    fn writers_lose_no_line_while_the_log_is_shortened() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..20 {
                        let id = begin(&log, "many", number);
                        if number % 2 == 0 {
                            log.end(id, Ending::default(), at(number)).unwrap();
                        }
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..20 {
                    log.forget(at(100)).unwrap();
                }
            });
        });
        log.forget(at(100)).unwrap();
        let trail = log.read().unwrap();
        assert_eq!((trail.entries.len(), trail.unreadable_lines), (40, 0));
    }
}
