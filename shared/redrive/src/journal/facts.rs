//! The facts of a journal, each with the time at which it was written.
//!
//! Invariant: one frame is in memory at a time. A text that a [`Clue`] rules out is nowhere in a file, however the
//! bodies there are escaped.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{DateTime, Utc};

use super::frame::{Frames, SCHEMA_VERSION};
use super::unread::unread;
use crate::error::RedriveError;
use crate::limits::FRAME_BYTES_MAX;
use crate::plan::Plan;
use crate::state::fact::Fact;

/// Reads a journal fact by fact; its redrive may be running.
pub(crate) struct Facts {
    frames: Frames<BufReader<File>>,
    path: PathBuf,
    /// What the journal is of.
    pub(crate) plan: Plan,
}

impl Facts {
    /// Begins with the plan.
    ///
    /// # Errors
    /// When it is no journal, is of a later version or cannot be read.
    pub(crate) fn open(path: &Path) -> Result<Self, RedriveError> {
        let file = File::open(path).map_err(RedriveError::file("read journal", path))?;
        let mut frames = Frames::new(BufReader::new(file));
        let Some(header) = frames.next_frame().map_err(unread(path))? else {
            return Err(RedriveError::Empty(path.to_owned()));
        };
        let Fact::Planned {
            schema_version,
            plan,
        } = header.fact
        else {
            return Err(RedriveError::Damaged {
                path: path.to_owned(),
                offset: 0,
                detail: "the first frame is no plan".to_owned(),
            });
        };
        if schema_version > SCHEMA_VERSION {
            return Err(RedriveError::Newer {
                path: path.to_owned(),
                detail: format!("schema version {schema_version}"),
            });
        }
        Ok(Self {
            frames,
            path: path.to_owned(),
            plan: *plan,
        })
    }

    /// The next fact; `None` at the end.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<(DateTime<Utc>, Fact)>, RedriveError> {
        let frame = self.frames.next_frame().map_err(unread(&self.path))?;
        Ok(frame.map(|frame| (frame.at, frame.fact)))
    }
}

/// Texts that show cheaply that a line of JSON has nothing that is looked for.
pub(crate) struct Clue(Vec<String>);

impl Clue {
    /// Of any of these texts, which may be values in JSON that is itself a value in the line.
    pub(crate) fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        Self(texts.map(plain_part).map(str::to_owned).collect())
    }

    /// Whether the line may have one of the texts. Every character of JSON can be written as `\u` and its number.
    fn may_be_in(&self, line: &[u8]) -> bool {
        // What is no UTF-8 is damaged, and whoever reads it says so.
        std::str::from_utf8(line).map_or(true, |line| {
            line.contains("\\u") || self.0.iter().any(|part| line.contains(part.as_str()))
        })
    }

    /// Whether a line of the file may have one of the texts; `None` where the time was over before.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn may_be_in_file(&self, path: &Path, until: Instant) -> io::Result<Option<bool>> {
        let mut reader = BufReader::new(File::open(path)?);
        let mut line = Vec::new();
        loop {
            if Instant::now() >= until {
                return Ok(None);
            }
            line.clear();
            let limit = FRAME_BYTES_MAX as u64 + 1_024;
            (&mut reader).take(limit).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(Some(false));
            }
            if self.may_be_in(&line) {
                return Ok(Some(true));
            }
        }
    }
}

/// The longest part of a text that JSON can write in no other way than as it is, or by numbers.
fn plain_part(text: &str) -> &str {
    let parts = text.split(|c: char| matches!(c, '"' | '\\' | '/') || c.is_control());
    parts.max_by_key(|part| part.len()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn clue_rules_out_no_line_that_has_the_text(
            text in "[a-z/\"\\\\\n\u{e9}\u{2028}\u{7f}]{0,6}",
            around in ".{0,9}",
            is_escaped in any::<bool>(),
        ) {
            let mut body = serde_json::json!({ "id": text, "data": around }).to_string();
            if is_escaped {
                body = body.replace('a', "\\u0061").replace('/', "\\/");
            }
            let line = serde_json::json!({ "body": body }).to_string();
            prop_assert!(Clue::of([text.as_str()].into_iter()).may_be_in(line.as_bytes()));
        }
    }

    #[test]
    fn clue_rules_out_what_has_none_of_its_texts() {
        let clue = Clue::of(["a/bc", "xyz"].into_iter());
        assert!(!clue.may_be_in(b"{\"body\":\"{\\\"id\\\":\\\"other\\\"}\"}"));
        assert!(clue.may_be_in(b"{\"message_id\":\"xyz\"}"));
    }

    #[test]
    fn reading_ends_with_its_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "one\ntwo\n").unwrap();
        let clue = Clue::of(["two"].into_iter());
        let now = Instant::now();
        assert_eq!(clue.may_be_in_file(file.path(), now).unwrap(), None);
        let later = now + std::time::Duration::from_secs(3_600);
        assert_eq!(clue.may_be_in_file(file.path(), later).unwrap(), Some(true));
        let other = Clue::of(["six"].into_iter());
        assert_eq!(
            other.may_be_in_file(file.path(), later).unwrap(),
            Some(false)
        );
    }
}
