//! A folder of this machine.
//!
//! Invariant: one process at a time writes to it; its files are readable by their owner only.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use pipeline::sync_names;

use crate::chunk::{DAY_PREFIX, Staged};
use crate::error::ExportError;

const LOCK: &str = "_opsconsole_export.lock";
/// In the same file system as the files, so that they are moved and not copied.
const STAGING: &str = "_opsconsole_staging";

pub(crate) struct Folder {
    path: PathBuf,
    staging: PathBuf,
    /// Locked until it is dropped.
    _lock: File,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self, ExportError> {
        create_folder(path)?;
        let lock = path.join(LOCK);
        let failed = |cause| ExportError::write("lock", lock.display().to_string(), cause);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ExportError::InUse(path.display().to_string()));
            }
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let staging = path.join(STAGING);
        remove_folder(&staging)?;
        create_folder(&staging)?;
        Ok(Self {
            path: path.to_owned(),
            staging,
            _lock: file,
        })
    }

    /// Whether files are being written into a folder, or were when their process was killed.
    pub(crate) fn has_staging(path: &Path) -> bool {
        path.join(STAGING).is_dir()
    }

    pub(crate) fn staging(&self) -> &Path {
        &self.staging
    }

    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ExportError> {
        match fs::read(self.path.join(name)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read", name, error)),
        }
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) -> Result<(), ExportError> {
        let staged = self.staging.join(name);
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&staged)?;
            file.write_all(content)?;
            file.sync_all()?;
            self.place(&staged, name)
        };
        write().map_err(|cause| self.failed("write", name, cause))
    }

    pub(crate) fn publish(&self, staged: &Staged) -> Result<(), ExportError> {
        self.place(&staged.path, &staged.name)
            .map_err(|cause| self.failed("write", &staged.name, cause))
    }

    fn place(&self, from: &Path, name: &str) -> io::Result<()> {
        let place = self.path.join(name);
        let folder = place.parent().unwrap_or(&self.path);
        let is_new = !folder.is_dir();
        if is_new {
            folder_builder().create(folder)?;
        }
        fs::rename(from, &place)?;
        sync_names(folder)?;
        if is_new {
            sync_names(&self.path)?;
        }
        Ok(())
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), ExportError> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("remove", name, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The files in the folders of the days. Symbolic links are left out.
    pub(crate) fn list(&self) -> Result<Vec<String>, ExportError> {
        let list = || {
            let mut names = Vec::new();
            for day in fs::read_dir(&self.path)? {
                let day = day?;
                let Some(folder) = day.file_name().to_str().map(str::to_owned) else {
                    continue;
                };
                if !folder.starts_with(DAY_PREFIX) || !day.file_type()?.is_dir() {
                    continue;
                }
                for file in fs::read_dir(day.path())? {
                    let file = file?;
                    if let Some(name) = file.file_name().to_str()
                        && file.file_type()?.is_file()
                    {
                        names.push(format!("{folder}/{name}"));
                    }
                }
            }
            Ok(names)
        };
        list().map_err(|cause| self.failed("list", "", cause))
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn failed(&self, operation: &'static str, name: &str, cause: io::Error) -> ExportError {
        ExportError::write(operation, self.path.join(name).display().to_string(), cause)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays is removed by the next export.
        let _ = fs::remove_dir_all(&self.staging);
    }
}

fn folder_builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
}

fn create_folder(path: &Path) -> Result<(), ExportError> {
    folder_builder()
        .create(path)
        .map_err(|cause| ExportError::write("create", path.display().to_string(), cause))
}

fn remove_folder(path: &Path) -> Result<(), ExportError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ExportError::write(
            "remove",
            path.display().to_string(),
            error,
        )),
        Ok(()) | Err(_) => Ok(()),
    }
}
