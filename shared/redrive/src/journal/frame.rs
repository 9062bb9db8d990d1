//! The bytes of a journal: one line per frame, its length and checksum first.
//!
//! Invariant: an unfinished last write is told apart from damage. A line with a line feed must be
//! right in every byte; a last line without one was never acknowledged, and is cut.
//!
//! Own code, because a journal is one file that `less` and `grep` can read, is locked by its writer
//! alone and must be readable by every later version. `okaywal` warns against production use and
//! recycles segments of a folder, `simple_wal` (last release 2020) stores binary entries, and a
//! database (`redb`, `sled`, SQLite) would hide a few thousand appended lines behind a binary format.

use std::io::{self, BufRead, Read as _};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::limits::FRAME_BYTES_MAX;
use crate::state::fact::Fact;

/// Version of the journal's form that this program writes and reads.
pub(super) const SCHEMA_VERSION: u32 = 1;
/// `llllllll cccccccc `: length and CRC-32 of the JSON text, in hex.
const PREFIX_BYTES: usize = 18;

/// One frame of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Frame {
    /// Counted from 0 without a gap.
    pub(super) sequence: u64,
    /// When it was written.
    pub(super) at: DateTime<Utc>,
    pub(super) fact: Fact,
}

/// Why the bytes are no journal.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("read journal: {0}")]
    Io(#[from] io::Error),
    #[error("damaged at byte {offset}: {detail}")]
    Damaged { offset: u64, detail: String },
}

/// The line of one frame; an error if the frame is too large.
pub(super) fn encode(frame: &Frame) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(frame)?;
    if json.len() > FRAME_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("a frame of {} bytes is too large", json.len()),
        ));
    }
    let mut line = prefix(&json).into_bytes();
    line.extend_from_slice(&json);
    line.push(b'\n');
    Ok(line)
}

fn prefix(json: &[u8]) -> String {
    format!("{:08x} {:08x} ", json.len(), crc32fast::hash(json))
}

/// Reads frames one after the other.
#[derive(Debug)]
pub(super) struct Frames<R> {
    reader: R,
    sequence: u64,
    good_bytes: u64,
    is_torn: bool,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            sequence: 0,
            good_bytes: 0,
            is_torn: false,
        }
    }

    /// Length of everything that was read and is whole.
    pub(super) fn good_bytes(&self) -> u64 {
        self.good_bytes
    }

    /// Whether the file ended in the middle of a frame.
    pub(super) fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// Number of the next frame.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The next frame; `None` at the end, which may be torn.
    pub(super) fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let mut line = Vec::new();
        let limit = (PREFIX_BYTES + FRAME_BYTES_MAX + 1) as u64;
        (&mut self.reader)
            .take(limit)
            .read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        let Some((b'\n', line)) = line.split_last() else {
            if is_whole_but_for_its_end(&line) {
                return Err(self.damaged("the last byte is not a line feed"));
            }
            self.is_torn = true;
            return Ok(None);
        };
        let Some((front, json)) = line.split_at_checked(PREFIX_BYTES) else {
            return Err(self.damaged("the line is too short"));
        };
        if front != prefix(json).as_bytes() {
            return Err(self.damaged("length or checksum do not fit"));
        }
        let frame: Frame = serde_json::from_slice(json)
            .map_err(|error| self.damaged(&format!("unknown kind of fact: {error}")))?;
        if frame.sequence != self.sequence {
            return Err(self.damaged(&format!(
                "frame {} follows frame {}",
                frame.sequence,
                self.sequence.wrapping_sub(1)
            )));
        }
        self.sequence += 1;
        self.good_bytes += (line.len() + 1) as u64;
        Ok(Some(frame))
    }

    fn damaged(&self, detail: &str) -> FrameError {
        FrameError::Damaged {
            offset: self.good_bytes,
            detail: detail.to_owned(),
        }
    }
}

/// Whether a line without its line feed is a whole frame and one byte more: no torn write
/// leaves that.
fn is_whole_but_for_its_end(line: &[u8]) -> bool {
    line.split_last().is_some_and(|(_, line)| {
        line.split_at_checked(PREFIX_BYTES)
            .is_some_and(|(front, json)| front == prefix(json).as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::state::fact::{Confirmed, MessageCause};

    fn frames(texts: &[String]) -> Vec<Frame> {
        texts
            .iter()
            .enumerate()
            .map(|(number, text)| Frame {
                sequence: number as u64,
                at: DateTime::<Utc>::from_timestamp(1_000, 0).unwrap(),
                fact: if number % 2 == 0 {
                    Fact::Refused {
                        messages: vec![MessageCause {
                            index: number,
                            cause: text.clone(),
                        }],
                    }
                } else {
                    Fact::Confirmed {
                        messages: vec![Confirmed {
                            index: number,
                            sent_message_id: text.clone(),
                        }],
                    }
                },
            })
            .collect()
    }

    fn bytes(frames: &[Frame]) -> Vec<u8> {
        frames
            .iter()
            .flat_map(|frame| encode(frame).unwrap())
            .collect()
    }

    fn read(bytes: &[u8]) -> Result<(Vec<Frame>, u64, bool), FrameError> {
        let mut reader = Frames::new(bytes);
        let mut frames = Vec::new();
        while let Some(frame) = reader.next_frame()? {
            frames.push(frame);
        }
        Ok((frames, reader.good_bytes(), reader.is_torn()))
    }

    #[test]
    fn every_frame_of_an_old_journal_is_written_as_the_same_bytes() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/journal-1.journal"
        );
        let old = std::fs::read(path).unwrap();
        let (frames, ..) = read(&old).unwrap();
        assert_eq!((frames.len(), bytes(&frames)), (12, old));
    }

    #[test]
    fn missing_and_repeated_frames_are_damage() {
        let frames = frames(&["a".to_owned(), "b".to_owned(), "c".to_owned()]);
        let lines: Vec<Vec<u8>> = frames.iter().map(|frame| encode(frame).unwrap()).collect();
        for order in [[0, 2], [0, 0], [1, 2]] {
            let bytes: Vec<u8> = order.iter().flat_map(|at| lines[*at].clone()).collect();
            assert!(matches!(read(&bytes), Err(FrameError::Damaged { .. })));
        }
    }

    proptest! {
        #[test]
        fn any_prefix_is_a_prefix_of_the_frames(
            texts in proptest::collection::vec(".{0,40}", 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let frames = frames(&texts);
            let bytes = bytes(&frames);
            let cut = cut.index(bytes.len() + 1);
            let (read, good_bytes, is_torn) = read(&bytes[..cut]).unwrap();
            prop_assert_eq!(&read[..], &frames[..read.len()]);
            prop_assert_eq!(is_torn, good_bytes < cut as u64);
            // What was whole before the cut is not lost.
            let whole = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(read.len(), whole);
        }

        #[test]
        fn any_flipped_byte_is_detected(
            texts in proptest::collection::vec(".{0,40}", 1..6),
            at in any::<prop::sample::Index>(),
            flip in 1_u8..=255,
        ) {
            let mut bytes = bytes(&frames(&texts));
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let error = read(&bytes).unwrap_err();
            let begin = bytes[..at]
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |end| end + 1) as u64;
            prop_assert!(
                matches!(error, FrameError::Damaged { offset, .. } if offset == begin),
                "{:?}",
                error
            );
        }
    }
}
