//! Small files for this user alone.
//!
//! Invariant: a file appears with its whole content or not at all. Temporary files are made with
//! mode 0600 and keep it.

use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// Writes a new file; it is on the disk when this returns, and nothing is overwritten.
pub(super) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = filled(path, bytes)?;
    file.as_file().sync_data()?;
    file.persist_noclobber(path)?;
    Ok(())
}

/// Writes a file, in place of an older one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    filled(path, bytes)?.persist(path)?;
    Ok(())
}

fn filled(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    Ok(file)
}
