//! The questions that were asked from this machine.
//!
//! Invariant: the file is for this user alone, bounded and replaced as a whole; no question fails for its sake.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Name of the file in the state folder.
const FILE_NAME: &str = "sql-history.json";
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
pub(super) fn read(state: &Path) -> io::Result<Vec<Asked>> {
    let file = match File::open(state.join(FILE_NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

/// Keeps a question, once; one that was asked before becomes the newest.
pub(super) fn keep(state: &Path, mut asked: Asked) -> io::Result<()> {
    asked.sql = asked.sql.chars().take(SQL_CHARS_MAX).collect();
    // What cannot be read is not kept for ever.
    let mut questions = read(state).unwrap_or_default();
    questions.retain(|other| (&other.environment, &other.sql) != (&asked.environment, &asked.sql));
    questions.push(asked);
    let surplus = questions.len().saturating_sub(QUESTIONS_MAX);
    questions.drain(..surplus);
    fs::create_dir_all(state)?;
    let mut file = tempfile::NamedTempFile::new_in(state)?;
    serde_json::to_writer_pretty(&mut file, &questions)?;
    file.write_all(b"\n")?;
    file.persist(state.join(FILE_NAME))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(sql: &str) -> Asked {
        Asked {
            at: DateTime::UNIX_EPOCH,
            environment: "demo".into(),
            sql: sql.into(),
        }
    }

    #[test]
    fn newest_questions_are_kept_once_each() {
        let folder = tempfile::tempdir().unwrap();
        let state = &folder.path().join("state");
        assert_eq!(read(state).unwrap(), []);
        for sql in ["a", "b", "a"] {
            keep(state, asked(sql)).unwrap();
        }
        assert_eq!(read(state).unwrap(), [asked("b"), asked("a")]);
        for number in 0..QUESTIONS_MAX {
            keep(state, asked(&number.to_string())).unwrap();
        }
        let all = read(state).unwrap();
        assert_eq!((all.len(), all[0].sql.as_str()), (QUESTIONS_MAX, "0"));
        keep(state, asked(&"x".repeat(20_000))).unwrap();
        let last = read(state).unwrap().pop().unwrap();
        assert_eq!(last.sql.len(), SQL_CHARS_MAX);
    }

    #[test]
    fn file_that_cannot_be_read_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), "no JSON").unwrap();
        assert!(read(folder.path()).is_err());
        keep(folder.path(), asked("a")).unwrap();
        assert_eq!(read(folder.path()).unwrap(), [asked("a")]);
    }

    #[cfg(unix)]
    #[test]
    fn file_is_for_this_user_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        keep(folder.path(), asked("a")).unwrap();
        let metadata = fs::metadata(folder.path().join(FILE_NAME)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }
}
