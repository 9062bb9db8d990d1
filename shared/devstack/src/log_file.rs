//! The file to which a function logs.
//!
//! Invariant: a line that is being written is left for the next time.

use std::io::{ErrorKind, SeekFrom};
use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::DevstackError;

/// The complete lines after `offset`, at most `bytes_max` of them. There is no file before the first invocation.
pub(crate) async fn whole_lines(
    log: &Path,
    offset: u64,
    bytes_max: u64,
) -> Result<Vec<u8>, DevstackError> {
    match read(log, offset, bytes_max).await {
        Ok(lines) => Ok(lines),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(DevstackError::io(format!("read {}", log.display()))(error)),
    }
}

async fn read(log: &Path, offset: u64, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(log).await?;
    file.seek(SeekFrom::Start(offset)).await?;
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes).await?;
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    bytes.truncate(whole);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn incomplete_line_is_left_for_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("function.log");
        assert_eq!(whole_lines(&log, 0, 99).await.unwrap(), b"");
        std::fs::write(&log, "one\ntwo\nthr").unwrap();
        assert_eq!(whole_lines(&log, 0, 99).await.unwrap(), b"one\ntwo\n");
        assert_eq!(whole_lines(&log, 0, 6).await.unwrap(), b"one\n");
        assert_eq!(whole_lines(&log, 4, 99).await.unwrap(), b"two\n");
        assert_eq!(whole_lines(&log, 8, 99).await.unwrap(), b"");
    }
}
