//! The questions that were asked from this machine.
//!
//! Invariant: no question fails for the sake of this file.

use std::io;

use chrono::{DateTime, Utc};
use pipeline::environment::Folders;
use serde::{Deserialize, Serialize};

use crate::kept_lines;

/// Questions that are kept, the newest.
const QUESTIONS_MAX: usize = 100;
/// Characters of one that are kept.
const SQL_CHARS_MAX: usize = 10_000;
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) at: DateTime<Utc>,
    pub(super) environment: String,
    pub(super) sql: String,
}

/// The questions, the newest last.
pub(super) fn read(folders: &Folders) -> io::Result<Vec<Asked>> {
    kept_lines::read(&folders.sql_history(), FILE_BYTES_MAX)
}

/// Keeps a question, once; one that was asked before becomes the newest.
pub(super) fn keep(folders: &Folders, mut asked: Asked) -> io::Result<()> {
    asked.sql = asked.sql.chars().take(SQL_CHARS_MAX).collect();
    // What cannot be read is not kept for ever.
    let mut questions = read(folders).unwrap_or_default();
    questions.retain(|other| (&other.environment, &other.sql) != (&asked.environment, &asked.sql));
    questions.push(asked);
    let surplus = questions.len().saturating_sub(QUESTIONS_MAX);
    questions.drain(..surplus);
    kept_lines::write(&folders.sql_history(), &questions)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folders() -> (tempfile::TempDir, Folders) {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::at(folder.path().join("config"), folder.path().join("state"));
        (folder, folders)
    }

    fn asked(sql: &str) -> Asked {
        Asked {
            at: DateTime::UNIX_EPOCH,
            environment: "demo".into(),
            sql: sql.into(),
        }
    }

    #[test]
    fn newest_questions_are_kept_once_each() {
        let (_folder, folders) = folders();
        let folders = &folders;
        assert_eq!(read(folders).unwrap(), []);
        for sql in ["a", "b", "a"] {
            keep(folders, asked(sql)).unwrap();
        }
        assert_eq!(read(folders).unwrap(), [asked("b"), asked("a")]);
        for number in 0..QUESTIONS_MAX {
            keep(folders, asked(&number.to_string())).unwrap();
        }
        let all = read(folders).unwrap();
        assert_eq!((all.len(), all[0].sql.as_str()), (QUESTIONS_MAX, "0"));
        keep(folders, asked(&"x".repeat(20_000))).unwrap();
        let last = read(folders).unwrap().pop().unwrap();
        assert_eq!(last.sql.len(), SQL_CHARS_MAX);
    }

    #[test]
    fn file_that_cannot_be_read_is_replaced() {
        let (_folder, folders) = folders();
        fs::create_dir(folders.state()).unwrap();
        fs::write(folders.sql_history(), "no JSON").unwrap();
        assert!(read(&folders).is_err());
        keep(&folders, asked("a")).unwrap();
        assert_eq!(read(&folders).unwrap(), [asked("a")]);
    }
}
