//! Environments that a running process describes in the state folder.
//!
//! Invariant: a file belongs to a live process exactly as long as that process holds its lock; the
//! kernel drops the lock with the process, however that ends, so a stale file is never taken for a
//! running environment and no process id is ever guessed at. A file changes as a whole: its
//! successor is complete and locked before it takes the name.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Environment, EnvironmentError};

/// Largest environment file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Limit of taking a name. Who only looks at a file holds its lock for an instant, and an owner may
/// be just leaving: neither is a reason to refuse.
const TAKE_LIMIT: Duration = Duration::from_millis(300);
/// Pause between two attempts to take a name.
const TAKE_INTERVAL: Duration = Duration::from_millis(10);

#[derive(Serialize, Deserialize)]
struct Description {
    pid: u32,
    /// Absent while the environment is being started.
    environment: Option<Box<Environment>>,
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
        /// Its owner; `None` before it has written a word.
        pid: Option<u32>,
    },
    /// Its owner runs, and what it wrote cannot be understood: it is another version of this
    /// program, say.
    Unreadable {
        /// Its name.
        name: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Its owner is gone.
    Stale {
        /// Its name.
        name: String,
        /// The file that was left behind.
        path: PathBuf,
    },
}

impl RunningEnvironment {
    /// Its name, as `--env` takes it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Ready { environment, .. } => &environment.name,
            Self::Starting { name, .. }
            | Self::Unreadable { name, .. }
            | Self::Stale { name, .. } => name,
        }
    }

    /// The environment, where one can connect to it.
    ///
    /// # Errors
    /// Why one cannot.
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

/// Its name and its state, as a choice is offered.
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
            Self::Stale { .. } => write!(formatter, "{name} (gone)"),
        }
    }
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
            // Its owner has just replaced it or is leaving. An owner does that twice or thrice in
            // its life, so this ends.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => break file,
            Err(TryLockError::Error(cause)) => {
                return Err(failed("look at the lock of", path, cause));
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
        Content::Other(detail) => RunningEnvironment::Unreadable {
            name,
            path: path.to_owned(),
            detail,
        },
    }))
}

/// What stands in a file.
enum Content {
    /// Whatever its owner had to say.
    Complete(Description),
    /// Nothing, or the beginning of something.
    Unfinished,
    /// Something else, and why it is not understood.
    Other(String),
}

fn read_description(file: &mut File, path: &Path) -> Result<Content, EnvironmentError> {
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|cause| failed("read environment", path, cause))?;
    Ok(match serde_json::from_slice(&bytes) {
        Ok(description) => Content::Complete(description),
        Err(error) if error.is_eof() => Content::Unfinished,
        Err(error) => Content::Other(error.to_string()),
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
    pub async fn take(name: &str, folder: &Path) -> Result<Self, EnvironmentError> {
        fs::create_dir_all(folder).map_err(|cause| failed("create folder", folder, cause))?;
        let path = folder.join(format!("{name}.json"));
        let deadline = Instant::now() + TAKE_LIMIT;
        loop {
            let mut file =
                open_private(&path).map_err(|cause| failed("write environment", &path, cause))?;
            let is_over = Instant::now() >= deadline;
            match file.try_lock() {
                // Between the opening and the lock its owner may have replaced or removed the
                // file; the lock is then on a file that nobody finds.
                Ok(()) if is_at(&file, &path) => {
                    let name = name.to_owned();
                    let mut claim = Self { name, path, file };
                    claim.write(None)?;
                    return Ok(claim);
                }
                Ok(()) if is_over => {
                    let cause = io::Error::other("others keep taking and leaving it");
                    return Err(failed("lock", &path, cause));
                }
                Err(TryLockError::WouldBlock) if is_over => {
                    return Err(EnvironmentError::AlreadyRunning {
                        name: name.to_owned(),
                        pid: match read_description(&mut file, &path)? {
                            Content::Complete(description) => Some(description.pid),
                            Content::Unfinished | Content::Other(_) => None,
                        },
                    });
                }
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(cause)) => return Err(failed("lock", &path, cause)),
            }
            tokio::time::sleep(TAKE_INTERVAL).await;
        }
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
            environment: environment.cloned().map(Box::new),
        };
        let replaced = serde_json::to_vec_pretty(&description)
            .map_err(io::Error::other)
            .and_then(|bytes| replace(&self.path, &bytes));
        // The old file, and with it its lock, goes only when the new one is in its place.
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

/// Puts a file with this content, locked and readable for this user alone, in the place of another.
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

/// Whether the path still leads to the opened file; an open file cannot be removed here.
#[cfg(not(unix))]
pub(crate) fn is_at(_file: &File, path: &Path) -> bool {
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
    async fn name_is_taken_although_somebody_is_looking() {
        let folder = tempfile::tempdir().unwrap();
        let looking = File::create(folder.path().join("demo.json")).unwrap();
        looking.try_lock_shared().unwrap();
        // The first attempt comes before the look is over.
        let (claim, ()) = tokio::join!(EnvironmentClaim::take("demo", folder.path()), async {
            drop(looking);
        });
        claim.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn one_of_many_takes_the_name() {
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
