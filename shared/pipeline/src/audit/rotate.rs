//! Replaces the predecessor of the audit log by the log, when that is long enough.
//!
//! Invariant: a change without an end is carried over, and what is dropped is counted in the log. Both are
//! written to the log before it takes the predecessor's place, so that a crash between the two loses
//! nothing; what is written twice then is the same.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write as _};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::forget::{lines, read_file};
use super::{AuditLog, Line, LineEvent, SCHEMA, bytes_of, ends_in_incomplete_line};

/// What the log does not have any more, since its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Changes, with those without an end.
    pub changes: u64,
    /// Changes without an end: more than half of the log consisted of such.
    pub unfinished: u64,
    /// When the first of them began.
    pub from: DateTime<Utc>,
    /// When the last of them began.
    pub until: DateTime<Utc>,
}

impl Dropped {
    fn add(&mut self, begun_at: DateTime<Utc>, is_unfinished: bool) {
        self.changes += 1;
        self.unfinished += u64::from(is_unfinished);
        self.from = self.from.min(begun_at);
        self.until = self.until.max(begun_at);
    }
}

impl AuditLog {
    /// Puts the log, which is locked, in the place of its predecessor.
    pub(super) fn rotate(&self, file: &mut File) -> io::Result<()> {
        let predecessor = read_file(&self.predecessor())?;
        let log = read_file(self.path())?;
        let mut bytes = self.carried_over(&predecessor, &log)?;
        if !bytes.is_empty() {
            if ends_in_incomplete_line(file)? {
                bytes.insert(0, b'\n');
            }
            file.write_all(&bytes)?;
            file.sync_data()?;
        }
        fs::rename(self.path(), self.predecessor())
    }

    /// What the log needs of a predecessor that it replaces: the changes without an end, and a line about
    /// the others.
    fn carried_over(&self, predecessor: &[u8], log: &[u8]) -> io::Result<Vec<u8>> {
        let (mut known, mut ended) = (HashSet::new(), HashSet::new());
        for (_, line) in lines(log) {
            match line.map(|line| (line.id, line.event)) {
                Some((id, LineEvent::Begun(_))) => known.insert(id),
                Some((id, LineEvent::Ended(_))) => ended.insert(id),
                Some((_, LineEvent::Dropped(_) | LineEvent::CarriedOver { .. })) | None => false,
            };
        }
        let mut begun = Vec::new();
        let mut dropped = None;
        for (bytes, line) in lines(predecessor) {
            let Some(line) = line else { continue };
            match line.event {
                LineEvent::Begun(_) if !known.contains(&line.id) => {
                    begun.push((line.id, line.at, bytes));
                }
                LineEvent::Begun(_) => {}
                LineEvent::Ended(_) => {
                    ended.insert(line.id);
                }
                LineEvent::Dropped(before) => dropped = Some(before),
                LineEvent::CarriedOver { .. } => {}
            }
        }
        let mut room = usize::try_from(self.file_bytes_max / 2).unwrap_or(usize::MAX);
        let mut carried = Vec::new();
        let mut carried_until: Option<DateTime<Utc>> = None;
        // The newest ones, if not all have room.
        for (id, at, bytes) in begun.into_iter().rev() {
            let is_unfinished = !ended.contains(&id);
            if is_unfinished && bytes.len() <= room {
                room -= bytes.len();
                carried.push(bytes);
                carried_until = carried_until.max(Some(at));
                continue;
            }
            let dropped = dropped.get_or_insert(Dropped {
                changes: 0,
                unfinished: 0,
                from: at,
                until: at,
            });
            dropped.add(at, is_unfinished);
        }
        let mut text = Vec::new();
        if let Some(dropped) = dropped {
            text = bytes_of(&Line {
                schema: SCHEMA,
                id: Uuid::now_v7(),
                at: dropped.until,
                event: LineEvent::Dropped(dropped),
            })?;
        }
        for bytes in carried.into_iter().rev() {
            text.extend_from_slice(bytes);
        }
        if let Some(until) = carried_until {
            text.extend(bytes_of(&Line {
                schema: SCHEMA,
                id: Uuid::now_v7(),
                at: until,
                event: LineEvent::CarriedOver { until },
            })?);
        }
        Ok(text)
    }
}
