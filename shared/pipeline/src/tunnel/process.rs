//! One run of a tunnel's command, in a session and a process group of its own.
//!
//! Invariant: the group ends when this value is dropped, and also when this process is killed: a shell in the group
//! reads from a pipe whose other end only this process has. The command has no terminal, so it asks nothing on this
//! program's. Of what it writes, the last line is kept.
//!
//! Own code for the same reason as the guardian of the local stack: what runs in the process that is gone cannot end
//! anything (tokio's `kill_on_drop`, `process-wrap`, which only begins the session here), and `PR_SET_PDEATHSIG`
//! exists on Linux alone.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessSession};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpid};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::ChildStdin;
use tokio::task::JoinHandle;

use crate::printable::printable;

const GUARD: &str = include_str!("guard.sh");
/// Most characters of the last line.
const LINE_CHARS_MAX: usize = 200;
/// Bytes of one line that are looked at.
const LINE_BYTES_MAX: usize = 4_096;

/// What the command wrote last.
#[derive(Clone, Debug, Default)]
pub(super) struct LastLine(Arc<Mutex<String>>);

impl LastLine {
    pub(super) fn get(&self) -> String {
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        line.clone()
    }

    fn set(&self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if !text.is_empty() {
            let short: String = text.chars().take(LINE_CHARS_MAX).collect();
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = printable(&short);
        }
    }
}

/// A running command.
pub(super) struct TunnelProcess {
    child: Box<dyn ChildWrapper>,
    group: Option<Pid>,
    /// A line tells the shell to end the group; its end says that this process is gone.
    alive: Option<ChildStdin>,
    readers: [JoinHandle<()>; 2],
    pub(super) last_line: LastLine,
}

impl TunnelProcess {
    /// Starts the command; the words are the program and its arguments. Where this process is killed, the folder is
    /// removed.
    pub(super) fn start(folder: &Path, words: &[String]) -> io::Result<Self> {
        let mut command = CommandWrap::with_new("/bin/sh", |command| {
            command
                .args(["-c", GUARD, "opsconsole-tunnel"])
                .arg(folder)
                .args(words)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
        });
        // The child itself: the group is waited for and ended here.
        let mut child = command.wrap(ProcessSession).spawn()?.into_inner();
        let last_line = LastLine::default();
        let readers = [
            tokio::spawn(keep_last(child.stdout().take(), last_line.clone())),
            tokio::spawn(keep_last(child.stderr().take(), last_line.clone())),
        ];
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Ok(Self {
            group: id.and_then(Pid::from_raw),
            alive: child.stdin().take(),
            child,
            readers,
            last_line,
        })
    }

    /// Waits for the end of the command and for its last line.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        // What it started may still run, and has its output open.
        self.signal(Signal::KILL);
        for reader in &mut self.readers {
            let _ = reader.await;
        }
        self.group = None;
        Ok(status)
    }

    /// An error is ignored: the group has ended already.
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for TunnelProcess {
    /// Blocks until the command has ended, at most for the two seconds that the shell gives it.
    fn drop(&mut self) {
        for reader in &self.readers {
            reader.abort();
        }
        let Some(group) = self.group else { return };
        if let Some(alive) = self.alive.take() {
            // The pipe is empty, so this does not wait. An error is ignored: the shell has ended already.
            let _ = rustix::io::write(&alive, b"\n");
        }
        // The shell, which leads the group, ends after the command.
        let _ = waitpid(Some(group), WaitOptions::empty());
        self.signal(Signal::KILL);
    }
}

/// Reads to the end, so that the command never waits for a reader.
async fn keep_last(output: Option<impl AsyncRead + Unpin>, last_line: LastLine) {
    let Some(output) = output else { return };
    let mut reader = BufReader::with_capacity(LINE_BYTES_MAX, output);
    loop {
        // What is there, at most the buffer: a line without an end is as long as it likes.
        let Ok(read) = reader.fill_buf().await else {
            return;
        };
        if read.is_empty() {
            return;
        }
        let length = read.len();
        for line in read.split(|byte| *byte == b'\n') {
            last_line.set(line);
        }
        reader.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::getsid;

    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[tokio::test]
    async fn last_line_of_either_output_is_kept_without_control_characters() {
        for redirect in ["", ">&2"] {
            let script =
                format!("{{ echo first; printf 'the \\033[2Jlast\\n\\n'; }} {redirect}; exit 3");
            let folder = tempfile::tempdir().unwrap();
            let words = words(&["sh", "-c", &script]);
            let mut process = TunnelProcess::start(folder.path(), &words).unwrap();
            let status = process.ended().await.unwrap();
            assert_eq!(status.code(), Some(3));
            assert_eq!(process.last_line.get(), "the \\u001b[2Jlast");
        }
    }

    /// A process of the session of the console could open its terminal, and ask there.
    #[tokio::test]
    async fn command_has_no_terminal() {
        let folder = tempfile::tempdir().unwrap();
        let words = words(&["sh", "-c", "echo $$; exec sleep 600"]);
        let process = TunnelProcess::start(folder.path(), &words).unwrap();
        let pid = loop {
            if let Ok(pid) = process.last_line.get().parse() {
                break Pid::from_raw(pid);
            }
            tokio::task::yield_now().await;
        };
        let session = getsid(pid).unwrap();
        assert_ne!(session, getsid(None).unwrap());
        assert_eq!(Some(session), process.group, "it leads its own");
    }

    #[tokio::test]
    async fn group_ends_with_the_value_also_what_the_command_started_and_what_ignores_signals() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids");
        let script = format!(
            "trap '' TERM; sleep 600 & echo $$ $! >{0}.new; mv {0}.new {0}; while :; do sleep 600; done",
            file.display()
        );
        let words = words(&["sh", "-c", &script]);
        let process = TunnelProcess::start(folder.path(), &words).unwrap();
        let pids = loop {
            if let Ok(text) = std::fs::read_to_string(&file) {
                break text;
            }
            tokio::task::yield_now().await;
        };
        drop(process);
        for pid in pids.split_whitespace() {
            let is_alive = || {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
                stat.is_ok_and(|stat| !stat.contains(") Z "))
            };
            // The kernel ends what was killed in its own time.
            while is_alive() {
                tokio::task::yield_now().await;
            }
        }
    }
}
