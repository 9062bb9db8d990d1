//! Environments that a running process describes in the state folder.
//!
//! Invariant: a file belongs to a live process exactly as long as that process holds its lock; the
//! kernel drops the lock with the process, however that ends, so a stale file is never taken for a
//! running environment and no process id is ever guessed at.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Environment, EnvironmentError};

/// Largest environment file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Attempts to take a name whose owner is just leaving.
const TAKE_ATTEMPTS_MAX: usize = 3;

#[derive(Serialize, Deserialize)]
struct Description {
    pid: u32,
    /// Absent while the environment is being started.
    environment: Option<Environment>,
}

/// What a file in the state folder says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunningEnvironment {
    /// Its owner runs and everything is up.
    Ready {
        /// The environment.
        environment: Box<Environment>,
        /// Its owner.
        pid: u32,
    },
    /// Its owner runs and is still starting it.
    Starting {
        /// Its name.
        name: String,
        /// Its owner.
        pid: u32,
    },
    /// Its owner is gone.
    Stale {
        /// Its name.
        name: String,
        /// The file that was left behind.
        path: PathBuf,
    },
}

/// Reads every environment file of a folder. A folder that does not exist has none.
///
/// # Errors
/// When the folder or a live file cannot be read.
pub fn running_environments(folder: &Path) -> Result<Vec<RunningEnvironment>, EnvironmentError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(failed("list environments in", folder, cause)),
    };
    let mut environments = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|cause| failed("list environments in", folder, cause))?
            .path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
            && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
            && let Some(environment) = look(name, &path)?
        {
            environments.push(environment);
        }
    }
    Ok(environments)
}

/// Reads one file; `None` when it vanished meanwhile.
fn look(name: &str, path: &Path) -> Result<Option<RunningEnvironment>, EnvironmentError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(failed("read environment", path, cause)),
    };
    match file.try_lock_shared() {
        Ok(()) => {
            return Ok(Some(RunningEnvironment::Stale {
                name: name.to_owned(),
                path: path.to_owned(),
            }));
        }
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(cause)) => return Err(failed("look at the lock of", path, cause)),
    }
    let description = read_description(&mut file, path)?;
    Ok(Some(match description.environment {
        Some(environment) => RunningEnvironment::Ready {
            environment: Box::new(environment),
            pid: description.pid,
        },
        None => RunningEnvironment::Starting {
            name: name.to_owned(),
            pid: description.pid,
        },
    }))
}

fn read_description(file: &mut File, path: &Path) -> Result<Description, EnvironmentError> {
    let mut text = String::new();
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|cause| failed("read environment", path, cause))?;
    serde_json::from_str(&text).map_err(|error| EnvironmentError::Invalid {
        path: path.to_owned(),
        detail: format!("not an environment ({error}); stop its owner and start it again"),
    })
}

/// A name in the state folder that this process owns. Dropping it removes the file.
#[derive(Debug)]
pub struct EnvironmentClaim {
    name: String,
    path: PathBuf,
    file: File,
}

impl EnvironmentClaim {
    /// Takes the name, so that no second process starts the same environment. A file that a dead
    /// process left behind is taken over.
    ///
    /// # Errors
    /// When a live process has it, naming that process; when the file cannot be written.
    pub fn take(name: &str, folder: &Path) -> Result<Self, EnvironmentError> {
        fs::create_dir_all(folder).map_err(|cause| failed("create folder", folder, cause))?;
        let path = folder.join(format!("{name}.json"));
        for _ in 0..TAKE_ATTEMPTS_MAX {
            let mut file =
                open_private(&path).map_err(|cause| failed("write environment", &path, cause))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(EnvironmentError::AlreadyRunning {
                        name: name.to_owned(),
                        pid: read_description(&mut file, &path)?.pid,
                    });
                }
                Err(TryLockError::Error(cause)) => return Err(failed("lock", &path, cause)),
            }
            // Between the opening and the lock its owner may have ended and removed the file; the
            // lock is then on a file that nobody finds.
            if is_at(&file, &path) {
                let mut claim = Self {
                    name: name.to_owned(),
                    path,
                    file,
                };
                claim.write(None)?;
                return Ok(claim);
            }
        }
        let cause = io::Error::other("others keep taking and leaving it");
        Err(failed("lock", &path, cause))
    }

    /// The file that describes the environment.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells other processes that the environment is up.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn publish(&mut self, environment: &Environment) -> Result<(), EnvironmentError> {
        debug_assert_eq!(self.name, environment.name);
        self.write(Some(environment))
    }

    /// Gives the name back and removes the file.
    pub fn release(self) {
        drop(self);
    }

    fn write(&mut self, environment: Option<&Environment>) -> Result<(), EnvironmentError> {
        let description = Description {
            pid: std::process::id(),
            environment: environment.cloned(),
        };
        // One write in place: replacing the file would lose the lock. Readers of a half-written
        // file get an error for an instant, never a wrong environment.
        let written = serde_json::to_vec_pretty(&description)
            .map_err(io::Error::other)
            .and_then(|bytes| {
                self.file.rewind()?;
                self.file.set_len(0)?;
                self.file.write_all(&bytes)?;
                self.file.sync_data()
            });
        written.map_err(|cause| failed("write environment", &self.path, cause))
    }
}

impl Drop for EnvironmentClaim {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "environment file is left behind");
        }
    }
}

/// Whether the path still leads to the opened file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(opened), Ok(found)) => opened.dev() == found.dev() && opened.ino() == found.ino(),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// Whether the path still leads to the opened file; an open file cannot be removed here.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// Opens for this user alone: the file may hold the URL of a private database.
fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

fn failed(operation: &'static str, path: &Path, cause: io::Error) -> EnvironmentError {
    EnvironmentError::File {
        operation,
        path: path.to_owned(),
        cause,
    }
}
