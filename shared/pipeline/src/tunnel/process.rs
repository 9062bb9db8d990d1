//! One run of a tunnel's command.
//!
//! Invariant: the command ends within two seconds after this value. Of what it writes, the last line is kept.

use std::io;
use std::path::Path;
use std::process::ExitStatus;

use tokio::task::JoinHandle;

use crate::guarded::Guarded;
use crate::last_line::{LastLine, keep_last};

/// A running command.
pub(super) struct TunnelProcess {
    command: Guarded,
    readers: [JoinHandle<()>; 2],
    pub(super) last_line: LastLine,
}

impl TunnelProcess {
    /// Starts the command; the words are the program and its arguments. Where this process is killed, the folder is
    /// removed.
    pub(super) fn start(folder: &Path, words: &[String]) -> io::Result<Self> {
        let mut command = Guarded::start(folder.as_os_str(), words)?;
        let last_line = LastLine::default();
        let (stdout, stderr) = command.outputs();
        let readers = [
            tokio::spawn(keep_last(stdout, last_line.clone())),
            tokio::spawn(keep_last(stderr, last_line.clone())),
        ];
        Ok(Self {
            command,
            readers,
            last_line,
        })
    }

    /// Waits for the end of the command and for its last line.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.command.ended().await?;
        for reader in &mut self.readers {
            let _ = reader.await;
        }
        Ok(status)
    }

    /// Ends the command, and waits until it has ended.
    pub(super) async fn end(&mut self) {
        self.command.end().await;
    }
}

impl Drop for TunnelProcess {
    fn drop(&mut self) {
        for reader in &self.readers {
            reader.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Pid, Signal, getsid, kill_process_group};

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
        // Its leader is the first process of the command. This process's own session is not asked for: its leader
        // may be in another namespace, and has no id here.
        assert_eq!(getsid(pid).ok(), process.command.group());
    }

    fn is_alive(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// Runs a command that ignores the signal to end, and has started another one; returns the ids of both.
    async fn stubborn(folder: &Path) -> (TunnelProcess, String) {
        let file = folder.join("pids");
        let script = format!(
            "trap '' TERM; sleep 600 & echo $$ $! >{0}.new; mv {0}.new {0}; while :; do sleep 600; done",
            file.display()
        );
        let process = TunnelProcess::start(folder, &words(&["sh", "-c", &script])).unwrap();
        loop {
            if let Ok(text) = std::fs::read_to_string(&file) {
                return (process, text);
            }
            tokio::task::yield_now().await;
        }
    }

    async fn until_gone(pids: &str) {
        for pid in pids.split_whitespace() {
            // The kernel ends what was killed in its own time.
            while is_alive(pid) {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn group_ends_with_the_value_also_what_the_command_started_and_what_ignores_signals() {
        let folder = tempfile::tempdir().unwrap();
        let (process, pids) = stubborn(folder.path()).await;
        drop(process);
        until_gone(&pids).await;
    }

    /// A stopped process ends when it goes on: a drop that waited for the end would wait for ever.
    #[tokio::test]
    async fn drop_does_not_wait_for_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (process, pids) = stubborn(folder.path()).await;
        let group = process.command.group().unwrap();
        kill_process_group(group, Signal::STOP).unwrap();
        drop(process);
        assert!(pids.split_whitespace().all(is_alive));
        kill_process_group(group, Signal::CONT).unwrap();
        until_gone(&pids).await;
    }

    #[tokio::test]
    async fn end_waits_until_the_command_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let (mut process, pids) = stubborn(folder.path()).await;
        process.end().await;
        assert_eq!(process.command.group(), None, "the guard has ended");
        until_gone(&pids).await;
    }

    /// The command ends at once, and what it has started ignores the signal.
    #[tokio::test]
    async fn what_the_command_left_behind_ends_after_a_drop_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!(
            "sh -c \"trap '' TERM; echo \\$\\$ >{0}.new; mv {0}.new {0}; while :; do sleep 600; done\" & exec sleep 600",
            file.display()
        );
        let process = TunnelProcess::start(folder.path(), &words(&["sh", "-c", &script])).unwrap();
        let pid = loop {
            if let Ok(text) = std::fs::read_to_string(&file) {
                break text;
            }
            tokio::task::yield_now().await;
        };
        drop(process);
        until_gone(&pid).await;
    }
}
