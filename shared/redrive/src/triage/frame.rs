//! What a host and its worker say to each other: frames of a length and as many bytes.
//!
//! Invariant: a frame is read whole or not at all, and none is longer than [`FRAME_BYTES_MAX`].

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Sent by a worker when it can take events. Whatever its process printed before does not count.
pub(super) const READY: &[u8] = b"\0redrive worker 1\n";
/// Longest frame, in bytes: some events of the largest size that SQS has.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of the length.
const LENGTH_BYTES: usize = 4;

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Task {
    /// Whether it selects the event: `bool`.
    Select,
    /// What it makes of the event: `Option<String>`, `None` for no change.
    Patch,
}

/// The first frame: what a worker does with all events that follow.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Assignment {
    pub(super) task: Task,
    /// Whether each answer is sent before the next event is looked at, so that the host knows on which
    /// one a worker ended.
    pub(super) is_careful: bool,
    /// Text of the jq program.
    pub(super) program: String,
}

/// Adds a frame to a buffer.
///
/// # Errors
/// When it is too long.
pub(super) fn append(buffer: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len())
        .ok()
        .filter(|_| bytes.len() <= FRAME_BYTES_MAX)
        .ok_or_else(|| io::Error::other("the event is too long for a program"))?;
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(bytes);
    Ok(())
}

/// Writes a frame with one call.
pub(super) fn write(output: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(LENGTH_BYTES + bytes.len());
    append(&mut frame, bytes)?;
    output.write_all(&frame)
}

/// The next frame; `None` at the end of the input.
pub(super) fn read(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; LENGTH_BYTES];
    match input.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = vec![0; length_of(length)?];
    input.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

/// The next frame, for a host.
///
/// # Errors
/// At the end of the input too: a worker answers each event.
pub(super) async fn next(input: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut length = [0; LENGTH_BYTES];
    input.read_exact(&mut length).await?;
    let mut bytes = vec![0; length_of(length)?];
    input.read_exact(&mut bytes).await?;
    Ok(bytes)
}

fn length_of(bytes: [u8; LENGTH_BYTES]) -> io::Result<usize> {
    usize::try_from(u32::from_le_bytes(bytes))
        .ok()
        .filter(|length| *length <= FRAME_BYTES_MAX)
        .ok_or_else(|| io::Error::other("a frame is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_come_back_whole_and_a_torn_one_does_not() {
        let mut bytes = Vec::new();
        for frame in ["", "{}", "event"] {
            append(&mut bytes, frame.as_bytes()).unwrap();
        }
        let mut input = bytes.as_slice();
        for frame in ["", "{}", "event"] {
            assert_eq!(read(&mut input).unwrap().as_deref(), Some(frame.as_bytes()));
        }
        assert_eq!(read(&mut input).unwrap(), None);
        let torn = bytes.get(..bytes.len() - 1).unwrap();
        let mut input = torn;
        for _ in 0..2 {
            next(&mut input).await.unwrap();
        }
        assert!(next(&mut input).await.is_err());
        assert!(read(&mut [255; 8].as_slice()).is_err());
        assert!(append(&mut bytes, &vec![0; FRAME_BYTES_MAX + 1]).is_err());
    }
}
