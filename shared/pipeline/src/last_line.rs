//! The last line of what a command writes, for a message.
//!
//! Invariant: it is short and cannot control a terminal, and the command never waits for a reader.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use crate::printable::printable;

/// Most characters of the last line.
const LINE_CHARS_MAX: usize = 200;
/// Bytes of one line that are looked at.
const LINE_BYTES_MAX: usize = 4_096;

/// What a command wrote last.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastLine(Arc<Mutex<String>>);

impl LastLine {
    pub(crate) fn get(&self) -> String {
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        line.clone()
    }

    fn set(&self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if !text.is_empty() {
            let short: String = text.chars().take(LINE_CHARS_MAX).collect();
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = printable(&short);
        }
    }
}

/// Reads to the end, so that the command never waits for a reader.
pub(crate) async fn keep_last(output: Option<impl AsyncRead + Unpin>, last_line: LastLine) {
    let Some(output) = output else { return };
    let mut reader = BufReader::with_capacity(LINE_BYTES_MAX, output);
    loop {
        // What is there, at most the buffer: a line without an end is as long as it likes.
        let Ok(read) = reader.fill_buf().await else {
            return;
        };
        if read.is_empty() {
            return;
        }
        let length = read.len();
        for line in read.split(|byte| *byte == b'\n') {
            last_line.set(line);
        }
        reader.consume(length);
    }
}
