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
use crate::plan::Plan;
use crate::state::Summary;
use crate::state::fact::Fact;

/// Version of the journal's form that this program writes; it reads the earlier ones too.
pub(super) const SCHEMA_VERSION: u32 = 2;
/// Since this version every receive is in the journal.
pub(super) const SCHEMA_VERSION_WITH_RECEIVES: u32 = 2;
/// `llllllll cccccccc `: length and CRC-32 of the JSON text, in hex.
const PREFIX_BYTES: usize = 18;

/// One frame of a journal.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Frame {
    /// Counted from 0 without a gap.
    pub(super) sequence: u64,
    /// When it was written.
    pub(super) at: DateTime<Utc>,
    pub(super) fact: Fact,
    /// The redrive up to here; only in its last frame, where it ended.
    #[serde(default)]
    pub(super) summary: Option<Summary>,
}

/// A frame that is written: a plan with its edits is not copied for it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct FrameToWrite<'a, F> {
    pub(super) sequence: u64,
    /// When it is written.
    pub(super) at: DateTime<Utc>,
    pub(super) fact: &'a F,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<&'a Summary>,
}

/// The first fact, [`Fact::Planned`].
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "planned")]
pub(super) struct PlannedToWrite<'a> {
    pub(super) schema_version: u32,
    pub(super) plan: &'a Plan,
}

/// Why the bytes are no journal.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("read journal: {0}")]
    Io(#[from] io::Error),
    #[error("damaged at byte {offset}: {detail}")]
    Damaged { offset: u64, detail: String },
    /// The frame is whole, and its fact is none that this version knows.
    #[error("a fact of another version: {0}")]
    UnknownFact(String),
}

/// The line of one frame; an error if the frame has more than `bytes_max`.
pub(super) fn encode<F: Serialize>(
    frame: &FrameToWrite<'_, F>,
    bytes_max: usize,
) -> io::Result<Vec<u8>> {
    let mut line = vec![0; PREFIX_BYTES];
    serde_json::to_writer(&mut line, frame)?;
    let (front, json) = line.split_at_mut(PREFIX_BYTES);
    if json.len() > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("{} are more than one frame can have", megabytes(json.len())),
        ));
    }
    front.copy_from_slice(prefix(json).as_bytes());
    line.push(b'\n');
    Ok(line)
}

/// `513 MB`
pub(super) fn megabytes(bytes: usize) -> String {
    format!("{} MB", bytes.div_ceil(1024 * 1024))
}

/// The summary in the last line of a journal. `last` is the end of the file; `None` where it has no
/// whole last line, or one without a summary.
pub(super) fn last_summary(last: &[u8]) -> Option<Summary> {
    let line = last.strip_suffix(b"\n")?;
    let begin = line.iter().rposition(|byte| *byte == b'\n')? + 1;
    let (front, json) = line.get(begin..)?.split_at_checked(PREFIX_BYTES)?;
    if front != prefix(json).as_bytes() {
        return None;
    }
    serde_json::from_slice::<Frame>(json).ok()?.summary
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
        // Its checksum is right, so these are the bytes that somebody wrote.
        let frame: Frame = serde_json::from_slice(json)
            .map_err(|error| FrameError::UnknownFact(error.to_string()))?;
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
    use crate::plan::example;
    use crate::state::State;
    use crate::state::fact::{Confirmed, MessageCause};

    fn written_at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_000, 0).unwrap()
    }

    fn frames(texts: &[String]) -> Vec<Frame> {
        texts
            .iter()
            .enumerate()
            .map(|(number, text)| Frame {
                sequence: number as u64,
                at: written_at(),
                summary: None,
                fact: if number % 2 == 0 {
                    Fact::Refused {
                        messages: vec![MessageCause::passing(number, text.clone())],
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

    fn line(frame: &Frame) -> Vec<u8> {
        let frame = FrameToWrite {
            sequence: frame.sequence,
            at: frame.at,
            fact: &frame.fact,
            summary: frame.summary.as_ref(),
        };
        encode(&frame, FRAME_BYTES_MAX).unwrap()
    }

    fn bytes(frames: &[Frame]) -> Vec<u8> {
        frames.iter().flat_map(line).collect()
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
        #[derive(Deserialize)]
        struct Time {
            at: DateTime<Utc>,
        }
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/journal-1.journal"
        );
        let old = std::fs::read(path).unwrap();
        let (frames, ..) = read(&old).unwrap();
        assert_eq!(frames.len(), 12);
        for (frame, old) in frames
            .iter()
            .zip(old.split_inclusive(|byte| *byte == b'\n'))
        {
            let Time { at } = serde_json::from_slice(&old[PREFIX_BYTES..]).unwrap();
            let (sequence, summary) = (frame.sequence, frame.summary.as_ref());
            let written = if let Fact::Planned {
                schema_version,
                plan,
            } = &frame.fact
            {
                let fact = &PlannedToWrite {
                    schema_version: *schema_version,
                    plan,
                };
                let frame = FrameToWrite {
                    sequence,
                    at,
                    fact,
                    summary,
                };
                encode(&frame, FRAME_BYTES_MAX)
            } else {
                let frame = FrameToWrite {
                    sequence,
                    at,
                    fact: &frame.fact,
                    summary,
                };
                encode(&frame, FRAME_BYTES_MAX)
            };
            assert_eq!(written.unwrap(), old);
        }
    }

    #[test]
    fn last_line_has_the_summary_and_a_spoilt_one_has_none() {
        let mut frames = frames(&["a".to_owned(), "b".to_owned()]);
        assert_eq!(last_summary(&bytes(&frames)), None);
        let summary = Summary::of(&State::new(example(3)));
        frames[1].summary = Some(summary.clone());
        let mut bytes = bytes(&frames);
        assert_eq!(last_summary(&bytes), Some(summary));
        let last = bytes.len() - 5;
        bytes[last] ^= 1;
        assert_eq!(last_summary(&bytes), None);
        assert_eq!(last_summary(&bytes[..last]), None);
    }

    #[test]
    fn missing_and_repeated_frames_are_damage() {
        let frames = frames(&["a".to_owned(), "b".to_owned(), "c".to_owned()]);
        let lines: Vec<Vec<u8>> = frames.iter().map(line).collect();
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
