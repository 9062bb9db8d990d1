//! Durability of the names of files.
//!
//! Invariant: a file that was created before [`sync_names`] returned is found after a power cut.

use std::fs::File;
use std::io;
use std::path::Path;

/// Writes the names of the files in a folder to the disk.
///
/// # Errors
/// When the folder cannot be opened or written.
pub fn sync_names(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
