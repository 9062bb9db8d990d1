//! Reads the audit log from its end.
//!
//! Invariant: no more of the files is read than the changes that are asked for, those that were carried
//! over behind them, and the block in which the first of them begins.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use super::{AuditEntry, AuditError, AuditLog, AuditTrail, Change, Line, LineEvent, SCHEMA};

/// Bytes that are read together. Grows with a line that is longer.
const BLOCK_BYTES: usize = 64 * 1024;

impl AuditLog {
    /// Reads all changes; see [`Self::read_last`].
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(&self) -> Result<AuditTrail, AuditError> {
        self.read_last(usize::MAX, |_| true)
    }

    /// Reads the last changes that are wanted, oldest first. A log that does not exist is empty.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read_last(
        &self,
        changes_max: usize,
        is_wanted: impl Fn(&Change) -> bool,
    ) -> Result<AuditTrail, AuditError> {
        let mut trail = AuditTrail::default();
        let mut endings = HashMap::new();
        let mut seen = HashSet::new();
        let mut carried = Vec::new();
        let files = self
            .open_both()
            .map_err(|cause| self.failed("read", cause))?;
        'files: for lines in files {
            let mut carried_until = None;
            for line in lines {
                if trail.entries.len() >= changes_max {
                    break 'files;
                }
                let line = line.map_err(|cause| self.failed("read", cause))?;
                let known = serde_json::from_slice::<Line>(&line);
                trail.cut_off_lines +=
                    usize::from(known.as_ref().is_err_and(serde_json::Error::is_eof));
                let Some(line) = known.ok().filter(|line| line.schema == SCHEMA) else {
                    trail.unreadable_lines += 1;
                    continue;
                };
                match line.event {
                    LineEvent::Ended(ending) => {
                        endings.insert(line.id, (line.at, ending));
                    }
                    LineEvent::Dropped(dropped) => {
                        trail.dropped.get_or_insert(dropped);
                    }
                    LineEvent::CarriedOver { until } => {
                        carried_until = carried_until.max(Some(until))
                    }
                    LineEvent::Begun(change) => {
                        // It may have been carried over and be in both files.
                        if !seen.insert(line.id) {
                            continue;
                        }
                        let (ended_at, ending) = endings.remove(&line.id).unzip();
                        if is_wanted(&change) {
                            let entries = if Some(line.at) <= carried_until {
                                &mut carried
                            } else {
                                &mut trail.entries
                            };
                            entries.push(AuditEntry {
                                id: line.id,
                                begun_at: line.at,
                                change: *change,
                                ended_at,
                                ending,
                            });
                        }
                    }
                }
            }
        }
        // Those that were carried over are older than all others.
        let room = changes_max.saturating_sub(trail.entries.len());
        trail.entries.extend(carried.into_iter().take(room));
        trail.entries.reverse();
        trail.entries.sort_by_key(|entry| entry.begun_at);
        Ok(trail)
    }

    /// The log and its predecessor. Both are open before a line is read: where the log becomes the
    /// predecessor meanwhile, it is still read once.
    fn open_both(&self) -> io::Result<Vec<LinesFromEnd>> {
        let log = LinesFromEnd::open(self.path())?;
        let predecessor = LinesFromEnd::open(&self.predecessor())?;
        if log.is_same_file(&predecessor)? {
            return Ok(vec![log]);
        }
        Ok(vec![log, predecessor])
    }
}

/// The lines of a file, the last one first; empty ones are left out.
struct LinesFromEnd {
    file: Option<File>,
    /// Bytes of the file that are not read.
    unread: u64,
    /// What was read and not returned.
    text: Vec<u8>,
}

impl LinesFromEnd {
    /// A file that does not exist has no lines.
    fn open(path: &Path) -> io::Result<Self> {
        let file = match File::open(path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let metadata = file.as_ref().map(File::metadata).transpose()?;
        Ok(Self {
            file,
            unread: metadata.map_or(0, |metadata| metadata.len()),
            text: Vec::new(),
        })
    }

    fn is_same_file(&self, other: &Self) -> io::Result<bool> {
        let (Some(file), Some(other)) = (&self.file, &other.file) else {
            return Ok(false);
        };
        let (metadata, other) = (file.metadata()?, other.metadata()?);
        Ok((metadata.dev(), metadata.ino()) == (other.dev(), other.ino()))
    }

    /// Reads the block before what was read.
    fn read_block(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let wanted = BLOCK_BYTES.max(self.text.len()) as u64;
        let begin = self.unread.saturating_sub(wanted);
        let bytes = usize::try_from(self.unread - begin).map_err(io::Error::other)?;
        let mut text = vec![0; bytes];
        file.read_exact_at(&mut text, begin)?;
        text.append(&mut self.text);
        self.text = text;
        self.unread = begin;
        Ok(())
    }
}

impl Iterator for LinesFromEnd {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line_break = self.text.iter().rposition(|byte| *byte == b'\n');
            let line = match line_break {
                Some(at) => {
                    let line = self.text.split_off(at + 1);
                    self.text.truncate(at);
                    line
                }
                None if self.unread == 0 => {
                    let line = std::mem::take(&mut self.text);
                    return (!line.is_empty()).then_some(Ok(line));
                }
                None => {
                    if let Err(error) = self.read_block() {
                        self.file = None;
                        self.unread = 0;
                        self.text.clear();
                        return Some(Err(error));
                    }
                    continue;
                }
            };
            if !line.is_empty() {
                return Some(Ok(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_come_back_from_the_end(
            lines in prop::collection::vec(prop_oneof![
                9 => "[a-z]{0,20}",
                1 => "[a-z]{1,3}".prop_map(|text| text.repeat(BLOCK_BYTES)),
            ], 0..9),
            ends_whole in any::<bool>(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("lines");
            let mut text = lines.join("\n");
            if ends_whole {
                text.push('\n');
            }
            std::fs::write(&path, text).unwrap();
            let mut read: Vec<String> = LinesFromEnd::open(&path)
                .unwrap()
                .map(|line| String::from_utf8(line.unwrap()).unwrap())
                .collect();
            read.reverse();
            let expected: Vec<_> = lines.into_iter().filter(|line| !line.is_empty()).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
