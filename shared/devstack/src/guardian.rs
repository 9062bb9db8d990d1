//! Child processes that cannot outlive this process, not even after `kill -9`.
//!
//! Invariant: a child runs its program only after the guardian has registered it. The guardian is a shell
//! that reads from a pipe whose other end only this process has open. When this process ends, the shell
//! reads end-of-file, ends the children's process groups and removes their folder.
//!
//! Own code, because no crate that was looked at works after `kill -9`: tokio's `kill_on_drop`,
//! `process-wrap` and `command-group` run in the process that is gone. `PR_SET_PDEATHSIG` (`rustix`)
//! exists on Linux alone, follows the thread that forked, and reaches neither the processes that
//! PostgreSQL forks nor the folder.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::time::Instant;

use crate::DevstackError;
use crate::search_path;

const SCRIPT: &str = include_str!("guardian.sh");
/// Interval of checking whether a child has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Folders and logs are for their account alone: logs quote statements, and whoever reaches the
/// socket in a folder reaches the server behind it.
const FOLDER_MODE: u32 = 0o700;
const LOG_MODE: u32 = 0o600;
/// Lines of a log that an error quotes.
const LOG_LINES_QUOTED: usize = 12;

/// The signal with which the guardian ends a child after this process has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// For PostgreSQL: immediate shutdown, which also releases its shared memory.
    Quit,
    /// For programs that leave nothing outside of their folder.
    Kill,
}

impl Ending {
    const fn name(self) -> &'static str {
        match self {
            Self::Quit => "QUIT",
            Self::Kill => "KILL",
        }
    }

    const fn signal(self) -> Signal {
        match self {
            Self::Quit => Signal::QUIT,
            Self::Kill => Signal::KILL,
        }
    }
}

/// Another user as which a child runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// A program to run under a guardian.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Environment variables that the child does not inherit; an entry that ends in `*` is a prefix.
    pub(crate) hidden_variables: &'static [&'static str],
    pub(crate) current_dir: PathBuf,
    pub(crate) account: Option<Account>,
    pub(crate) ending: Ending,
    /// File for standard error, and for standard output unless that is piped.
    pub(crate) log: PathBuf,
    pub(crate) is_output_piped: bool,
}

impl Program {
    pub(crate) fn new(path: impl Into<PathBuf>, guardian: &Guardian, log_name: &str) -> Self {
        Self {
            path: path.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            hidden_variables: &[],
            current_dir: guardian.folder().to_owned(),
            account: None,
            ending: Ending::Kill,
            log: guardian.folder().join(log_name),
            is_output_piped: false,
        }
    }

    pub(crate) fn arguments<T: Into<OsString>>(
        mut self,
        arguments: impl IntoIterator<Item = T>,
    ) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.into(), value.as_ref().to_owned()));
        self
    }

    fn command(&self) -> io::Result<Command> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(LOG_MODE)
            .open(&self.log)?;
        let mut command = Command::new("/bin/sh");
        // The program starts only after a line on standard input; if this process dies before, it
        // never starts.
        command
            .args([
                "-c",
                r#"read -r go || exit 125; exec "$@" </dev/null"#,
                "sh",
            ])
            .arg(&self.path)
            .args(&self.arguments)
            .current_dir(&self.current_dir)
            .process_group(0)
            .stdin(Stdio::piped())
            .stderr(log.try_clone()?);
        if self.is_output_piped {
            command.stdout(Stdio::piped());
        } else {
            command.stdout(log);
        }
        for (name, _) in std::env::vars_os() {
            let is_hidden = self.hidden_variables.iter().any(|hidden| {
                match (hidden.strip_suffix('*'), name.to_str()) {
                    (Some(prefix), Some(name)) => name.starts_with(prefix),
                    (None, Some(name)) => name == *hidden,
                    (_, None) => false,
                }
            });
            if is_hidden {
                command.env_remove(&name);
            }
        }
        command.env("PATH", search_path::variable());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(account) = self.account {
            command.uid(account.uid).gid(account.gid);
        }
        Ok(command)
    }
}

/// Id of a process group that a guardian watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupId(u32);

struct Watched {
    child: Child,
    ending: Ending,
}

/// A folder, the processes that work in it, and the shell that ends and removes them.
pub(crate) struct Guardian {
    folder: PathBuf,
    shell: Child,
    commands: Mutex<Option<ChildStdin>>,
    watched: Mutex<Vec<Watched>>,
}

impl Guardian {
    /// Creates a new folder in `parent` and a guardian for it.
    pub(crate) fn start(parent: &Path, name: &str) -> Result<Self, DevstackError> {
        let operation = || format!("create a working folder in {}", parent.display());
        let folder = tempfile::Builder::new()
            .prefix(&format!("opsconsole-{name}-"))
            .permissions(Permissions::from_mode(FOLDER_MODE))
            .tempdir_in(parent)
            .map_err(DevstackError::io(operation()))?;
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "opsconsole-guardian"])
            .arg(folder.path())
            // A separate process group, so that Ctrl-C or a closed terminal does not end it first.
            .process_group(0)
            .env("PATH", search_path::variable())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(DevstackError::io("start the guardian with /bin/sh"))?;
        let commands = Mutex::new(shell.stdin.take());
        Ok(Self {
            folder: folder.keep(),
            shell,
            commands,
            watched: Mutex::default(),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes the file at the end, too. The path is absolute and has no line break, because the
    /// guardian reads it as one line.
    pub(crate) fn remove_at_end(&self, path: &Path) -> Result<(), DevstackError> {
        let bytes = path.as_os_str().as_bytes();
        if !path.is_absolute() || bytes.contains(&b'\n') {
            return Err(DevstackError::Failed {
                operation: format!("remove {path:?} at the end"),
                detail: "its path is relative or has a line break".to_owned(),
            });
        }
        self.command(&[b"remove\n", bytes].concat())
    }

    /// Starts a program. Returns also its standard output, where that is piped.
    pub(crate) fn spawn(
        &self,
        program: &Program,
    ) -> Result<(GroupId, Option<std::process::ChildStdout>), DevstackError> {
        let failed = || DevstackError::io(format!("start {}", program.path.display()));
        let mut child = program
            .command()
            .and_then(|mut command| command.spawn())
            .map_err(failed())?;
        let group = GroupId(child.id());
        let go_ahead = child.stdin.take();
        let output = child.stdout.take();
        let ending = program.ending;
        lock(&self.watched).push(Watched { child, ending });
        self.command(format!("watch {} {}", ending.name(), group.0).as_bytes())?;
        go_ahead
            .ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))
            .and_then(|mut pipe| pipe.write_all(b"go\n"))
            .map_err(failed())?;
        Ok((group, output))
    }

    /// Runs a program and waits for its end.
    pub(crate) async fn run(
        &self,
        operation: &str,
        program: &Program,
        limit: Duration,
    ) -> Result<(), DevstackError> {
        let (group, _) = self.spawn(program)?;
        match self.wait(group, limit).await {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(DevstackError::Failed {
                operation: operation.to_owned(),
                detail: format!("{status}: {}", last_lines(&program.log)),
            }),
            None => {
                self.signal(group, Signal::KILL);
                Err(DevstackError::Timeout {
                    operation: operation.to_owned(),
                    limit,
                    detail: last_lines(&program.log),
                })
            }
        }
    }

    /// The exit status of the process; `None` while it runs.
    pub(crate) fn exit_status(&self, group: GroupId) -> Option<ExitStatus> {
        let mut watched = lock(&self.watched);
        let position = watched
            .iter()
            .position(|entry| entry.child.id() == group.0)?;
        let status = watched.get_mut(position)?.child.try_wait().ok().flatten()?;
        Some(status)
    }

    /// Waits until a process ends, then kills its group and stops watching it.
    pub(crate) async fn wait(&self, group: GroupId, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.exit_status(group) {
                // Children of the process may still run.
                signal_group(group.0, Signal::KILL);
                lock(&self.watched).retain(|entry| entry.child.id() != group.0);
                self.command(format!("forget {}", group.0).as_bytes()).ok();
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Sends a signal to a process group that is still watched.
    pub(crate) fn signal(&self, group: GroupId, signal: Signal) {
        if lock(&self.watched)
            .iter()
            .any(|entry| entry.child.id() == group.0)
        {
            signal_group(group.0, signal);
        }
    }

    /// Ends a process: sends each signal in turn, with its time limit.
    pub(crate) async fn end(
        &self,
        group: GroupId,
        force: &[(Signal, Duration)],
    ) -> Result<(), DevstackError> {
        for (signal, limit) in force {
            self.signal(group, *signal);
            if self.wait(group, *limit).await.is_some() {
                return Ok(());
            }
        }
        Err(DevstackError::Timeout {
            operation: format!("end the process group {}", group.0),
            limit: force.iter().map(|(_, limit)| *limit).sum(),
            detail: String::new(),
        })
    }

    /// Sends one command to the shell, in one write.
    fn command(&self, command: &[u8]) -> Result<(), DevstackError> {
        let mut commands = lock(&self.commands);
        commands
            .as_mut()
            .ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))
            .and_then(|pipe| pipe.write_all(&[command, b"\n"].concat()))
            .map_err(DevstackError::io("send a command to the guardian"))
    }
}

impl Drop for Guardian {
    /// Blocks until all processes ended, at most for the guardian's limit of five seconds.
    fn drop(&mut self) {
        let is_guardian_gone = self.shell.try_wait().ok().flatten().is_some();
        let mut watched = lock(&self.watched);
        for entry in watched.iter_mut() {
            if entry.child.try_wait().ok().flatten().is_none() {
                let signal = if is_guardian_gone {
                    Signal::KILL
                } else {
                    entry.ending.signal()
                };
                signal_group(entry.child.id(), signal);
            }
        }
        *lock(&self.commands) = None;
        for entry in watched.iter_mut() {
            entry.child.wait().ok();
        }
        self.shell.wait().ok();
        if is_guardian_gone {
            fs::remove_dir_all(&self.folder).ok();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error is ignored: the group has ended already.
fn signal_group(group: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        kill_process_group(pid, signal).ok();
    }
}

/// The last lines of a log, for an error; empty when it cannot be read.
pub(crate) fn last_lines(log: &Path) -> String {
    let text = File::open(log)
        .and_then(io::read_to_string)
        .unwrap_or_default();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let first = lines.len().saturating_sub(LOG_LINES_QUOTED);
    lines.get(first..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_with_blanks_is_removed_as_a_whole_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let (removed, kept) = (folder.path().join("a  b c"), folder.path().join("a"));
        for path in [&removed, &kept] {
            fs::write(path, "").unwrap();
        }
        let guardian = Guardian::start(folder.path(), "two  blanks").unwrap();
        let own = guardian.folder().to_owned();
        guardian.remove_at_end(&removed).unwrap();
        for refused in ["relative", "/with\nline break"] {
            guardian.remove_at_end(Path::new(refused)).unwrap_err();
        }
        drop(guardian);
        assert!(!removed.exists() && !own.exists());
        assert!(kept.exists());
    }

    #[test]
    fn folder_is_for_its_account_alone() {
        let parent = tempfile::tempdir().unwrap();
        let guardian = Guardian::start(parent.path(), "private").unwrap();
        let mode = fs::metadata(guardian.folder())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, FOLDER_MODE);
    }
}
