//! The file to which a function logs, and those who read it.
//!
//! Invariant: a line that is being written is left for the next time, and each reader gets each line once. The functions
//! hold the file open and append to it at any time, so it is neither cut nor renamed: what all readers have passed is
//! freed in place (on Linux; elsewhere it stays until the end of the stack), and places in it stay what they are.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::DevstackError;

/// Least part of a log that is freed at once.
const FREED_AT_ONCE: u64 = 1_024 * 1_024;
/// How far a reader may be behind. Then it leaves out the oldest lines: what it sends to does not answer, and the log
/// must not grow for ever.
const BEHIND_MAX: u64 = 64 * 1_024 * 1_024;

/// The log of a function.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    /// The places of its readers.
    places: Vec<Arc<AtomicU64>>,
    /// What is before this place is freed.
    freed: AtomicU64,
}

/// A reader of a log.
#[derive(Debug)]
pub(crate) struct LogReader {
    path: PathBuf,
    place: Arc<AtomicU64>,
    behind_max: Option<u64>,
}

impl LogFile {
    /// One that does not have to be there yet.
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self {
            path,
            places: Vec::new(),
            freed: AtomicU64::new(0),
        }
    }

    /// A reader that gets each line.
    pub(crate) fn reader(&mut self) -> LogReader {
        let place = Arc::new(AtomicU64::new(0));
        self.places.push(Arc::clone(&place));
        LogReader {
            path: self.path.clone(),
            place,
            behind_max: None,
        }
    }

    /// A reader that leaves out lines where it is too far behind.
    pub(crate) fn sender(&mut self) -> LogReader {
        LogReader {
            behind_max: Some(BEHIND_MAX),
            ..self.reader()
        }
    }

    /// What of it is kept, as text.
    pub(crate) fn kept(&self) -> Result<String, DevstackError> {
        let freed = self.freed.load(Ordering::Acquire);
        let bytes = read(&self.path, freed, u64::MAX);
        let bytes = bytes.map_err(|error| failed(&self.path, error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Frees the space of what all readers have passed.
    pub(crate) fn free(&self) -> Result<(), DevstackError> {
        let places = self
            .places
            .iter()
            .map(|place| place.load(Ordering::Acquire));
        let passed = places.min().unwrap_or(0);
        let freed = self.freed.load(Ordering::Acquire);
        if passed < freed + FREED_AT_ONCE {
            return Ok(());
        }
        let operation = format!("free a part of {}", self.path.display());
        free(&self.path, passed).map_err(DevstackError::io(operation))?;
        self.freed.store(passed, Ordering::Release);
        Ok(())
    }
}

impl LogReader {
    /// The complete lines behind its place, at most `bytes_max` of them; what is longer than that is cut there. There is
    /// no file before the first invocation.
    pub(crate) fn lines(&self, bytes_max: u64) -> Result<Vec<u8>, DevstackError> {
        self.catch_up().map_err(|error| failed(&self.path, error))?;
        let place = self.place.load(Ordering::Acquire);
        let read = read(&self.path, place, bytes_max);
        let mut bytes = read.map_err(|error| failed(&self.path, error))?;
        let end = bytes.iter().rposition(|byte| *byte == b'\n');
        let is_full = bytes.len() as u64 >= bytes_max;
        match end {
            Some(end) => bytes.truncate(end + 1),
            None if is_full => {
                tracing::warn!(log = %self.path.display(), "a line is too long, and was cut");
            }
            None => bytes.clear(),
        }
        Ok(bytes)
    }

    /// Moves its place behind what was read.
    pub(crate) fn pass(&self, bytes: usize) {
        self.place.fetch_add(bytes as u64, Ordering::AcqRel);
    }

    /// Leaves out the oldest lines where it is too far behind.
    fn catch_up(&self) -> std::io::Result<()> {
        let Some(behind_max) = self.behind_max else {
            return Ok(());
        };
        let length = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let place = self.place.load(Ordering::Acquire);
        let behind = length.saturating_sub(place);
        if behind > behind_max {
            let bytes = behind - behind_max;
            tracing::warn!(log = %self.path.display(), bytes, "log lines were left out");
            self.place.store(length - behind_max, Ordering::Release);
        }
        Ok(())
    }
}

fn failed(path: &Path, error: std::io::Error) -> DevstackError {
    DevstackError::io(format!("read {}", path.display()))(error)
}

fn read(log: &Path, place: u64, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = match File::open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(bytes),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(place))?;
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes a hole of the beginning of a file: its length stays, and the space of whole blocks is free again. A file system
/// that cannot keeps it.
#[cfg(target_os = "linux")]
fn free(log: &Path, end: u64) -> std::io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};

    let file = File::options().write(true).open(log)?;
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match fallocate(&file, flags, 0, end) {
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn free(_log: &Path, _end: u64) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn log() -> (tempfile::TempDir, LogFile) {
        let folder = tempfile::tempdir().unwrap();
        let log = LogFile::new(folder.path().join("function.log"));
        (folder, log)
    }

    /// As a function does, which holds it open.
    fn append(log: &LogFile) -> File {
        let mut options = File::options();
        options.append(true).create(true).open(&log.path).unwrap()
    }

    #[test]
    fn incomplete_line_is_left_for_the_next_time() {
        let (_folder, mut log) = log();
        let reader = log.reader();
        assert_eq!(reader.lines(99).unwrap(), b"");
        let mut file = append(&log);
        file.write_all(b"one\ntwo\nthr").unwrap();
        assert_eq!(reader.lines(99).unwrap(), b"one\ntwo\n");
        assert_eq!(reader.lines(6).unwrap(), b"one\n");
        reader.pass(4);
        assert_eq!(reader.lines(99).unwrap(), b"two\n");
        reader.pass(4);
        assert_eq!(reader.lines(99).unwrap(), b"");
        file.write_all(b"ee\n").unwrap();
        assert_eq!(reader.lines(99).unwrap(), b"three\n");
    }

    #[test]
    fn line_that_is_too_long_is_cut_and_hides_no_other() {
        let (_folder, mut log) = log();
        let reader = log.reader();
        append(&log).write_all(b"abcdef\nx\n").unwrap();
        let mut parts = Vec::new();
        loop {
            let part = reader.lines(3).unwrap();
            if part.is_empty() {
                break;
            }
            reader.pass(part.len());
            parts.push(String::from_utf8(part).unwrap());
        }
        assert_eq!(parts, ["abc", "def", "\nx\n"]);
    }

    #[test]
    fn reader_that_is_too_far_behind_leaves_out_the_oldest_lines() {
        let (_folder, mut log) = log();
        let (every, mut newest) = (log.reader(), log.sender());
        newest.behind_max = Some(8);
        append(&log).write_all(b"one\ntwo\nthree\n").unwrap();
        assert_eq!(newest.lines(99).unwrap(), b"o\nthree\n");
        assert_eq!(every.lines(99).unwrap(), b"one\ntwo\nthree\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_all_readers_have_passed_takes_no_space_and_the_rest_stays() {
        use std::os::unix::fs::MetadataExt as _;

        const MIB: usize = 1_024 * 1_024;
        let (_folder, mut log) = log();
        let (first, second) = (log.reader(), log.reader());
        let mut function = append(&log);
        let line = [[b'x'; 1_023].as_slice(), b"\n"].concat();
        function.write_all(&line.repeat(8 * 1_024)).unwrap();
        function.sync_all().unwrap();
        let bytes = || std::fs::metadata(&log.path).unwrap().blocks() * 512;
        let all = bytes();
        assert!(all >= 8 * MIB as u64, "{all}");
        first.pass(8 * MIB);
        log.free().unwrap();
        assert_eq!(bytes(), all, "the other has not read it");
        second.pass(6 * MIB);
        log.free().unwrap();
        assert!(bytes() <= all / 2, "{} of {all}", bytes());
        // Places stay, for those who write and for those who read.
        function.write_all(b"last\n").unwrap();
        assert_eq!(first.lines(99).unwrap(), b"last\n");
        assert_eq!(second.lines(1_024).unwrap(), line);
        let kept = log.kept().unwrap();
        assert!(kept.starts_with('x') && kept.ends_with("last\n"));
    }
}
