//! Environments that a running process describes in the state folder.
//!
//! Invariant: a file belongs to a live process exactly as long as that process has locked it. The kernel
//! releases the lock when the process ends, so a stale file never counts as a running environment, and no
//! decision depends on a process id. A file is replaced as a whole: the new one is complete and locked
//! before the rename.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::definition::Environment;
use super::error::EnvironmentError;

/// Largest environment file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Time limit of claiming a name. A reader locks the file for a moment, and an owner may be about to end:
/// neither is a reason to refuse.
const CLAIM_LIMIT: Duration = Duration::from_millis(300);
/// Pause between two attempts to claim a name.
const CLAIM_INTERVAL: Duration = Duration::from_millis(10);

#[derive(Serialize, Deserialize)]
struct Description {
    pid: u32,
    /// Absent while the environment is being started.
    environment: Option<Box<Environment>>,
}

/// The content of a file in the state folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunningEnvironment {
    /// Its owner runs and the environment is ready.
    Ready {
        /// The environment.
        environment: Box<Environment>,
        /// Process id of its owner.
        pid: u32,
    },
    /// Its owner runs and is still starting it.
    Starting {
        /// Its name.
        name: String,
        /// Process id of its owner; `None` before it wrote its pid.
        pid: Option<u32>,
    },
    /// Its owner runs, and its file cannot be parsed, e.g. because it is another version of this program.
    Unreadable {
        /// Its name.
        name: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Its owner has ended.
    Stale {
        /// Its name.
        name: String,
        /// The file that was left behind.
        path: PathBuf,
    },
}

impl RunningEnvironment {
    /// The name for `--env`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Ready { environment, .. } => &environment.name,
            Self::Starting { name, .. }
            | Self::Unreadable { name, .. }
            | Self::Stale { name, .. } => name,
        }
    }

    /// The environment, if it is ready.
    ///
    /// # Errors
    /// Why it is not.
    pub fn into_environment(self) -> Result<Environment, EnvironmentError> {
        match self {
            Self::Ready { environment, .. } => Ok(*environment),
            Self::Starting { name, pid } => Err(EnvironmentError::StillStarting { name, pid }),
            Self::Unreadable { path, detail, .. } => Err(EnvironmentError::Invalid {
                path,
                detail: format!("not an environment ({detail}); stop its owner and start it again"),
            }),
            Self::Stale { name, path } => Err(EnvironmentError::Stale { name, path }),
        }
    }
}

/// The name and the state, as in a list of known environments.
impl fmt::Display for RunningEnvironment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Ready { pid, .. } => write!(formatter, "{name} (running, pid {pid})"),
            Self::Starting { pid: Some(pid), .. } => {
                write!(formatter, "{name} (starting, pid {pid})")
            }
            Self::Starting { pid: None, .. } => write!(formatter, "{name} (starting)"),
            Self::Unreadable { .. } => write!(formatter, "{name} (running, unreadable)"),
            Self::Stale { .. } => write!(formatter, "{name} (ended)"),
        }
    }
}

/// Reads every environment file of a folder. A folder that does not exist has none.
///
/// # Errors
/// When the folder or a live file cannot be read.
pub fn running_environments(folder: &Path) -> Result<Vec<RunningEnvironment>, EnvironmentError> {
    each_environment(folder)?.collect()
}

/// As [`running_environments`], with the files that cannot be read one by one.
pub(super) fn each_environment(
    folder: &Path,
) -> Result<impl Iterator<Item = Result<RunningEnvironment, EnvironmentError>>, EnvironmentError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => Some(entries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(cause) => return Err(failed("list environments in", folder, cause)),
    };
    let entries = entries.into_iter().flatten();
    Ok(entries.filter_map(move |entry| {
        let entry = entry.map_err(|cause| failed("list environments in", folder, cause));
        entry.and_then(|entry| in_file(&entry.path())).transpose()
    }))
}

/// `None` also where the file is none of an environment.
fn in_file(path: &Path) -> Result<Option<RunningEnvironment>, EnvironmentError> {
    let name = path.file_stem().and_then(|stem| stem.to_str());
    match name.filter(|_| path.extension().is_some_and(|end| end == "json")) {
        Some(name) => look(name, path),
        None => Ok(None),
    }
}

/// Reads one file; `None` when it is gone.
pub(super) fn look(
    name: &str,
    path: &Path,
) -> Result<Option<RunningEnvironment>, EnvironmentError> {
    let mut file = loop {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(failed("read environment", path, cause)),
        };
        match file.try_lock_shared() {
            Ok(()) if is_at(&file, path) => {
                return Ok(Some(RunningEnvironment::Stale {
                    name: name.to_owned(),
                    path: path.to_owned(),
                }));
            }
            // Its owner has just replaced or removed it. An owner does that two or three times, so
            // this loop ends.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => break file,
            Err(TryLockError::Error(cause)) => {
                return Err(failed("check the lock of", path, cause));
            }
        }
    };
    let name = name.to_owned();
    Ok(Some(match read_description(&mut file, path)? {
        Content::Complete(Description {
            pid,
            environment: Some(environment),
        }) => RunningEnvironment::Ready { environment, pid },
        Content::Complete(Description {
            pid,
            environment: None,
        }) => RunningEnvironment::Starting {
            name,
            pid: Some(pid),
        },
        Content::Unfinished => RunningEnvironment::Starting { name, pid: None },
        Content::Invalid(detail) => RunningEnvironment::Unreadable {
            name,
            path: path.to_owned(),
            detail,
        },
    }))
}

/// The parsed content of a file.
enum Content {
    /// A complete description.
    Complete(Description),
    /// Nothing, or an incomplete description.
    Unfinished,
    /// Not a description, and why.
    Invalid(String),
}

fn read_description(file: &mut File, path: &Path) -> Result<Content, EnvironmentError> {
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|cause| failed("read environment", path, cause))?;
    Ok(match serde_json::from_slice(&bytes) {
        Ok(description) => Content::Complete(description),
        Err(error) if error.is_eof() => Content::Unfinished,
        Err(error) => Content::Invalid(error.to_string()),
    })
}

/// A claimed name in the state folder. Dropping it removes the file.
#[derive(Debug)]
pub struct EnvironmentClaim {
    name: String,
    path: PathBuf,
    file: File,
}

impl EnvironmentClaim {
    /// Claims the name, so that no second process starts the same environment. The file of an ended process is
    /// reused.
    ///
    /// # Errors
    /// When a live process has claimed it (the error names that process), or the file cannot be written.
    pub async fn take(name: &str, folder: &Path) -> Result<Self, EnvironmentError> {
        fs::create_dir_all(folder).map_err(|cause| failed("create folder", folder, cause))?;
        let path = folder.join(format!("{name}.json"));
        let deadline = Instant::now() + CLAIM_LIMIT;
        loop {
            let mut file =
                open_private(&path).map_err(|cause| failed("write environment", &path, cause))?;
            let is_over = Instant::now() >= deadline;
            match file.try_lock() {
                // Between opening and locking, its owner may have replaced or removed the file; then
                // this lock is on a file without a name.
                Ok(()) if is_at(&file, &path) => {
                    let name = name.to_owned();
                    let mut claim = Self { name, path, file };
                    claim.write(None)?;
                    return Ok(claim);
                }
                Ok(()) if is_over => {
                    let cause =
                        io::Error::other("other processes claim and release it all the time");
                    return Err(failed("lock", &path, cause));
                }
                Err(TryLockError::WouldBlock) if is_over => {
                    return Err(EnvironmentError::AlreadyRunning {
                        name: name.to_owned(),
                        pid: match read_description(&mut file, &path)? {
                            Content::Complete(description) => Some(description.pid),
                            Content::Unfinished | Content::Invalid(_) => None,
                        },
                    });
                }
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(cause)) => return Err(failed("lock", &path, cause)),
            }
            tokio::time::sleep(CLAIM_INTERVAL).await;
        }
    }

    /// The file that describes the environment.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Publishes the description for other processes: the environment is ready.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn publish(&mut self, environment: &Environment) -> Result<(), EnvironmentError> {
        debug_assert_eq!(self.name, environment.name);
        self.write(Some(environment))
    }

    /// Releases the name and removes the file.
    pub fn release(self) {
        drop(self);
    }

    fn write(&mut self, environment: Option<&Environment>) -> Result<(), EnvironmentError> {
        let description = Description {
            pid: std::process::id(),
            environment: environment.cloned().map(Box::new),
        };
        let replaced = serde_json::to_vec_pretty(&description)
            .map_err(io::Error::other)
            .and_then(|bytes| replace(&self.path, &bytes));
        // The old file and its lock are dropped only after the new file has replaced it.
        self.file = replaced.map_err(|cause| failed("write environment", &self.path, cause))?;
        Ok(())
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

/// Replaces a file by one with this content that is locked and readable only by this user.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut successor = tempfile::NamedTempFile::new_in(folder)?;
    successor.write_all(bytes)?;
    successor.as_file().sync_data()?;
    successor.as_file().try_lock()?;
    Ok(successor.persist(path)?)
}

/// Whether the path still leads to the opened file.
#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(opened), Ok(found)) => opened.dev() == found.dev() && opened.ino() == found.ino(),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// Whether the path still leads to the opened file. Here an open file cannot be removed.
#[cfg(not(unix))]
pub(crate) fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// Opens the file, readable only by this user because it may contain the URL of a private database.
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

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn demo() -> Environment {
        Environment {
            name: "demo".to_owned(),
            ..Environment::example()
        }
    }

    #[tokio::test]
    async fn name_is_claimed_while_another_process_reads_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let looking = File::create(folder.path().join("demo.json")).unwrap();
        looking.try_lock_shared().unwrap();
        // The first attempt comes while the file is still locked by the reader.
        let (claim, ()) = tokio::join!(EnvironmentClaim::take("demo", folder.path()), async {
            drop(looking);
        });
        claim.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn one_of_many_claims_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut takers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let folder = folder.path().to_owned();
            takers.spawn(async move { EnvironmentClaim::take("demo", &folder).await });
        }
        let claims = takers.join_all().await;
        assert_eq!(claims.iter().filter(|claim| claim.is_ok()).count(), 1);
        for error in claims.into_iter().filter_map(Result::err) {
            assert!(
                matches!(error, EnvironmentError::AlreadyRunning { pid: Some(pid), .. }
                    if pid == std::process::id()),
                "{error}"
            );
        }
        assert!(
            fs::read_dir(folder.path()).unwrap().next().is_none(),
            "nothing is left behind"
        );
    }

    #[tokio::test]
    async fn file_that_is_being_replaced_is_always_whole_and_owned() {
        let folder = tempfile::tempdir().unwrap();
        let mut claim = EnvironmentClaim::take("demo", folder.path()).await.unwrap();
        claim.publish(&demo()).unwrap();
        thread::scope(|scope| {
            let writing = scope.spawn(move || {
                for _ in 0..50 {
                    claim.publish(&demo()).unwrap();
                }
                claim
            });
            while !writing.is_finished() {
                let ready = RunningEnvironment::Ready {
                    environment: Box::new(demo()),
                    pid: std::process::id(),
                };
                assert_eq!(running_environments(folder.path()).unwrap(), [ready]);
            }
            drop(writing.join().unwrap());
        });
    }
}
