//! ControlFile to a redrive that another process runs: small files beside its journal.
//!
//! Invariant: an request is taken whole and once, by the process that has the journal; whether a
//! redrive runs is told by the lock of its journal and by nothing else.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::control::Control;
use super::error::RedriveError;

/// Between two looks for an request.
const POLL: Duration = Duration::from_millis(250);
/// Largest request that is read, in bytes.
const ORDER_BYTES_MAX: u64 = 1024;
/// Why a redrive pauses that was ordered to.
pub const PAUSED_BY_REQUEST: &str = "it was paused from outside";

/// What a redrive is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlRequest {
    /// Wait between two batches.
    Pause,
    /// Go on.
    Resume,
    /// End after the batches that were begun.
    Cancel,
}

/// The files of one redrive.
#[derive(Clone, Debug)]
pub struct ControlFile {
    request: PathBuf,
    taken: PathBuf,
    pause: PathBuf,
}

impl ControlFile {
    /// The files beside a journal.
    #[must_use]
    pub fn beside(journal: &Path) -> Self {
        Self {
            request: journal.with_extension("request"),
            taken: journal.with_extension("request-taken"),
            pause: journal.with_extension("paused"),
        }
    }

    /// Gives an request. One that was not taken yet is replaced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn send(&self, request: ControlRequest) -> Result<(), RedriveError> {
        let text = serde_json::to_vec(&request).unwrap_or_default();
        replace(&self.request, &text).map_err(RedriveError::file("write request", &self.request))
    }

    /// Whether an request waits to be taken.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.request.exists()
    }

    /// Takes an request back that nobody took.
    pub fn withdraw(&self) {
        forget(&self.request);
    }

    /// Why the redrive is paused; `None` while it goes on. Means nothing when it does not run.
    #[must_use]
    pub fn pause(&self) -> Option<String> {
        fs::read_to_string(&self.pause).ok()
    }

    /// Tells others that the redrive is paused, and why, or that it is not.
    pub fn tell_pause(&self, why: Option<&str>) {
        match why {
            Some(why) => {
                if let Err(error) = replace(&self.pause, why.as_bytes()) {
                    tracing::warn!(%error, "others cannot see that the redrive is paused");
                }
            }
            None => forget(&self.pause),
        }
    }

    /// Removes what is left of an earlier run.
    pub fn clear(&self) {
        for path in [&self.request, &self.taken, &self.pause] {
            forget(path);
        }
    }

    /// Follows control_file for as long as it is polled.
    pub async fn obey(&self, control: &Control) {
        let mut interval = tokio::time::interval(POLL);
        loop {
            interval.tick().await;
            match self.next().await {
                Some(ControlRequest::Pause) => control.pause(PAUSED_BY_REQUEST),
                Some(ControlRequest::Resume) => control.resume(),
                Some(ControlRequest::Cancel) => control.cancel(),
                None => {}
            }
        }
    }

    async fn next(&self) -> Option<ControlRequest> {
        // Renamed first: an request that comes meanwhile is a new file, and is not lost.
        tokio::fs::rename(&self.request, &self.taken).await.ok()?;
        let size = tokio::fs::metadata(&self.taken).await.ok()?.len();
        let text = if size <= ORDER_BYTES_MAX {
            tokio::fs::read(&self.taken).await.ok()?
        } else {
            Vec::new()
        };
        forget(&self.taken);
        let request = serde_json::from_slice(&text);
        request
            .inspect_err(|error| tracing::warn!(%error, "an request is not understood"))
            .ok()
    }
}

/// Writes a file that appears with its whole content; a temporary file is made with mode 0600.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

fn forget(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "a file stays");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunCommand;

    #[tokio::test]
    async fn orders_are_obeyed_once_and_nonsense_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let control_file = ControlFile::beside(&folder.path().join("a.journal"));
        let control = Control::new(None);
        let operator = async {
            control_file.send(ControlRequest::Pause).unwrap();
            control
                .wait_for(|command| *command != RunCommand::Run)
                .await;
            assert!(!control_file.is_waiting());
            fs::write(&control_file.request, "nonsense").unwrap();
            while control_file.is_waiting() {
                tokio::task::yield_now().await;
            }
            assert_eq!(
                control.command(),
                RunCommand::Pause(PAUSED_BY_REQUEST.to_owned())
            );
            control_file.send(ControlRequest::Resume).unwrap();
            control
                .wait_for(|command| *command == RunCommand::Run)
                .await;
            control_file.send(ControlRequest::Cancel).unwrap();
            control
                .wait_for(|command| *command == RunCommand::Cancel)
                .await;
        };
        tokio::select! {
            () = control_file.obey(&control) => {}
            done = tokio::time::timeout(Duration::from_secs(20), operator) => done.unwrap(),
        }
    }

    #[test]
    fn pause_is_told_and_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let control_file = ControlFile::beside(&folder.path().join("a.journal"));
        control_file.tell_pause(Some("look"));
        assert_eq!(control_file.pause().as_deref(), Some("look"));
        control_file.send(ControlRequest::Cancel).unwrap();
        control_file.clear();
        assert_eq!(
            (control_file.pause(), control_file.is_waiting()),
            (None, false)
        );
    }
}
