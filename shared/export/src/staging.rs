//! A folder of this machine for files on their way to a bucket, or from one.
//!
//! Invariant: the files have whole records, so they go with their process, and where it was killed, with the next one
//! that opens a bucket: an export, or an erasure, which would not find them otherwise.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tempfile::TempDir;

const PREFIX: &str = "opsconsole-export-";
/// Locked by the process that uses the folder.
const LOCK: &str = "lock";

pub(crate) struct Staging {
    folder: TempDir,
    /// Locked until it is dropped.
    _lock: File,
}

impl Staging {
    /// Creates a folder, and removes those that nobody uses any more.
    pub(crate) fn create() -> io::Result<Self> {
        Self::create_in(&std::env::temp_dir())
    }

    fn create_in(parent: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        // It gets its name when it is locked, so that it is never seen without its lock.
        let unnamed = folder.path().join("lock.new");
        let lock = File::create_new(&unnamed)?;
        lock.lock()?;
        fs::rename(&unnamed, folder.path().join(LOCK))?;
        remove_abandoned(parent, folder.path().metadata()?.uid())?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders of this user whose processes have ended.
fn remove_abandoned(parent: &Path, user: u32) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let is_staging = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry
                .metadata()
                .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user);
        if !is_staging {
            continue;
        }
        let lock = OpenOptions::new().write(true).open(entry.path().join(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            // Another process may remove it at the same time.
            match fs::remove_dir_all(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_of_a_process_that_was_killed_is_removed_and_one_in_use_stays() {
        let parent = tempfile::tempdir().unwrap();
        let create = || Staging::create_in(parent.path()).unwrap();
        let used = create();
        fs::write(used.path().join("fetched"), "a record").unwrap();
        // The lock ends with its process.
        let Staging {
            folder,
            _lock: lock,
        } = create();
        let abandoned = folder.keep();
        fs::write(abandoned.join("fetched"), "a record").unwrap();
        drop(lock);
        let other = parent.path().join("opsconsole-export-of-someone");
        fs::create_dir(&other).unwrap();

        let next = create();
        assert!(!abandoned.exists());
        for kept in [used.path(), next.path(), &other] {
            assert!(kept.exists(), "{}", kept.display());
        }
        let path = used.path().to_owned();
        drop(used);
        assert!(!path.exists());
    }
}
