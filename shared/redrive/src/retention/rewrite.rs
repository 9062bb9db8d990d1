//! Replaces an export by the lines of it that stay.
//!
//! Invariant: the file is replaced as a whole, on the disk, or stays as it was; it is locked meanwhile, and
//! nothing is replaced that changed since it was found. A file without a line that stays is removed.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::PathBuf;

use tempfile::NamedTempFile;

use super::StateFile;
use super::remove::lock;
use crate::error::RedriveError;
use pipeline::sync_names;

/// A file of lines on its way. Dropped before [`Self::finish`], it leaves the file as it was.
#[derive(Debug)]
pub struct Rewrite {
    path: PathBuf,
    lines: BufReader<File>,
    rest: BufWriter<NamedTempFile>,
    kept: u64,
    /// Held until the end.
    _locked: File,
}

impl Rewrite {
    /// Begins with a file as it was found.
    ///
    /// # Errors
    /// When it changed since, when another process uses it, or when it cannot be read.
    pub fn begin(file: &StateFile) -> Result<Self, RedriveError> {
        let locked = lock(file)?;
        let path = &file.path;
        let failed = RedriveError::file("rewrite", path);
        let folder = path.parent().unwrap_or(std::path::Path::new("."));
        // Made with mode 0600.
        let rest = NamedTempFile::new_in(folder).map_err(&failed)?;
        let lines = File::open(path).map_err(&failed)?;
        Ok(Self {
            lines: BufReader::new(lines),
            rest: BufWriter::new(rest),
            kept: 0,
            _locked: locked,
            path: path.clone(),
        })
    }

    /// The next lines without their line feeds: as many as have `bytes_max` bytes, and at least one; none at
    /// the end.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn next_lines(&mut self, bytes_max: usize) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        let mut bytes = 0;
        while bytes < bytes_max {
            let mut line = String::new();
            if self.lines.read_line(&mut line)? == 0 {
                break;
            }
            if line.ends_with('\n') {
                line.pop();
            }
            bytes += line.len() + 1;
            lines.push(line);
        }
        Ok(lines)
    }

    /// Keeps a line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&mut self, line: &str) -> io::Result<()> {
        self.kept += 1;
        self.rest.write_all(line.as_bytes())?;
        self.rest.write_all(b"\n")
    }

    /// Puts the lines that were kept in the place of the file, or removes it where there are none.
    ///
    /// # Errors
    /// When that is not possible; the file stays as it was then.
    pub fn finish(self) -> Result<(), RedriveError> {
        let Self {
            path, rest, kept, ..
        } = self;
        let finish = || -> io::Result<()> {
            if kept == 0 {
                fs::remove_file(&path)?;
            } else {
                let rest = rest.into_inner().map_err(io::IntoInnerError::into_error)?;
                rest.as_file().sync_all()?;
                rest.persist(&path)?;
            }
            path.parent().map_or(Ok(()), sync_names)
        };
        finish().map_err(RedriveError::file("rewrite", &path))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    fn found(path: &std::path::Path) -> StateFile {
        let metadata = fs::metadata(path).unwrap();
        StateFile {
            path: path.to_owned(),
            bytes: metadata.len(),
            changed_at: DateTime::<Utc>::from(metadata.modified().unwrap()),
        }
    }

    #[test]
    fn lines_that_are_kept_stay_and_a_file_without_any_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.jsonl");
        fs::write(&path, "1\n2\n3\n4").unwrap();
        let before = found(&path);
        let mut rewrite = Rewrite::begin(&before).unwrap();
        assert!(Rewrite::begin(&before).is_err(), "two at once");
        assert_eq!(rewrite.next_lines(3).unwrap(), ["1", "2"]);
        assert_eq!(rewrite.next_lines(100).unwrap(), ["3", "4"]);
        assert_eq!(rewrite.next_lines(100).unwrap(), Vec::<String>::new());
        rewrite.keep("1").unwrap();
        rewrite.keep("4").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n3\n4");
        rewrite.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n4\n");
        let error = Rewrite::begin(&before).unwrap_err().to_string();
        assert!(error.contains("changed meanwhile"), "{error}");
        drop(Rewrite::begin(&found(&path)).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n4\n");
        Rewrite::begin(&found(&path)).unwrap().finish().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
