//! A command of the operator, in a session and a process group of its own.
//!
//! Invariant: the group ends within two seconds after this value is dropped, and also when this process is killed: a
//! shell in the group reads from a pipe whose other end only this process has. Whoever can wait calls [`Guarded::end`].
//! The command has no terminal, so it asks nothing on this program's.
//!
//! Own code for the same reason as the guardian of the local stack: what runs in the process that is gone cannot end
//! anything (tokio's `kill_on_drop`, `process-wrap`, which only begins the session here), and `PR_SET_PDEATHSIG`
//! exists on Linux alone.

use std::ffi::OsStr;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessSession};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpid};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::timeout;

/// How long an end is waited for: the shell gives the command two seconds.
const END_LIMIT: Duration = Duration::from_secs(4);

const GUARD: &str = include_str!("guard.sh");

/// A running command.
pub(crate) struct Guarded {
    child: Box<dyn ChildWrapper>,
    group: Option<Pid>,
    /// A line tells the shell to end the group; its end says that this process is gone.
    alive: Option<ChildStdin>,
}

impl Guarded {
    /// Starts the command; the words are the program and its arguments. Where this process is killed, the folder is
    /// removed; without one it is empty.
    pub(crate) fn start(folder: &OsStr, words: &[String]) -> io::Result<Self> {
        let mut command = CommandWrap::with_new("/bin/sh", |command| {
            command
                .args(["-c", GUARD, "opsconsole-guard"])
                .arg(folder)
                .args(words)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
        });
        // The child itself: the group is waited for and ended here.
        let mut child = command.wrap(ProcessSession).spawn()?.into_inner();
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Ok(Self {
            group: id.and_then(Pid::from_raw),
            alive: child.stdin().take(),
            child,
        })
    }

    /// What it writes, for the first caller.
    pub(crate) fn outputs(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout().take(), self.child.stderr().take())
    }

    /// Waits for the end of the command. What it started and left behind ends with it.
    pub(crate) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.signal(Signal::KILL);
        self.group = None;
        Ok(status)
    }

    /// Ends the command with everything that it started, and waits until it has ended.
    pub(crate) async fn end(&mut self) {
        self.tell_to_end();
        if timeout(END_LIMIT, self.ended()).await.is_err() {
            self.signal(Signal::KILL);
            self.group = None;
        }
    }

    fn tell_to_end(&mut self) {
        if let Some(alive) = self.alive.take() {
            // The pipe is empty, so this does not wait. An error is ignored: the shell has ended already.
            let _ = rustix::io::write(&alive, b"\n");
        }
    }

    #[cfg(test)]
    pub(crate) fn group(&self) -> Option<Pid> {
        self.group
    }

    /// An error is ignored: the group has ended already.
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Guarded {
    /// Waits for nothing: this may run on a thread of the runtime.
    fn drop(&mut self) {
        let Some(group) = self.group else { return };
        self.tell_to_end();
        // Where the shell has ended already, it ends nothing any more.
        if let Ok(Some(_)) = waitpid(Some(group), WaitOptions::NOHANG) {
            self.signal(Signal::KILL);
        }
    }
}
