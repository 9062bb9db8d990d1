//! Control requests to a redrive that another process runs: small files beside its journal.
//!
//! Invariant: a control request is applied exactly once, by the process that has the journal.
//! Whether a redrive runs is decided by the lock of its journal and by nothing else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::private_file::replace;
use crate::error::RedriveError;
use crate::limits::CONTROL_REQUEST_BYTES_MAX;
use crate::state::Pause;

/// What another process asks of a redrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlRequest {
    /// Wait between two batches.
    Pause,
    /// Continue.
    Resume,
    /// End after the running batches.
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

    /// Sends a request. One that was not received yet is replaced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn send(&self, request: ControlRequest) -> Result<(), RedriveError> {
        let text = serde_json::to_vec(&request).unwrap_or_default();
        replace(&self.request, &text).map_err(RedriveError::file("write request", &self.request))
    }

    /// Whether a request waits to be received.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.request.exists()
    }

    /// Withdraws a request that nobody received.
    pub fn withdraw(&self) {
        forget(&self.request);
    }

    /// Why the redrive is paused; `None` while it is not. Means nothing when it does not run.
    #[must_use]
    pub fn pause(&self) -> Option<Pause> {
        let text = fs::read_to_string(&self.pause).ok()?;
        // An earlier version wrote the reason alone.
        Some(serde_json::from_str(&text).unwrap_or(Pause::Redrive(text)))
    }

    /// Shows other processes that the redrive is paused, and why, or that it is not.
    pub fn set_pause(&self, why: Option<&Pause>) {
        match why {
            Some(why) => {
                let text = serde_json::to_vec(why).unwrap_or_default();
                if let Err(error) = replace(&self.pause, &text) {
                    tracing::warn!(%error, "other processes cannot see that the redrive is paused");
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

    /// Receives a request that another process sent, if there is one.
    pub(crate) async fn receive(&self) -> Option<ControlRequest> {
        // Renamed first: a request that is sent meanwhile is a new file, and is not lost.
        tokio::fs::rename(&self.request, &self.taken).await.ok()?;
        let size = tokio::fs::metadata(&self.taken).await.ok()?.len();
        let text = if size <= CONTROL_REQUEST_BYTES_MAX {
            tokio::fs::read(&self.taken).await.ok()?
        } else {
            Vec::new()
        };
        forget(&self.taken);
        let request = serde_json::from_slice(&text);
        request
            .inspect_err(|error| tracing::warn!(%error, "a control request is not valid"))
            .ok()
    }
}

fn forget(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "cannot remove a file");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn request_is_received_once_and_nonsense_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let file = ControlFile::beside(&folder.path().join("a.journal"));
        file.send(ControlRequest::Cancel).unwrap();
        file.send(ControlRequest::Pause).unwrap();
        assert_eq!(file.receive().await, Some(ControlRequest::Pause));
        assert_eq!(file.receive().await, None);
        fs::write(&file.request, "nonsense").unwrap();
        assert_eq!(file.receive().await, None);
        assert!(!file.is_waiting());
    }

    #[test]
    fn pause_is_shown_and_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let control_file = ControlFile::beside(&folder.path().join("a.journal"));
        let look = Pause::Redrive("look".to_owned());
        for why in [look.clone(), Pause::OtherProcess, Pause::Operator] {
            control_file.set_pause(Some(&why));
            assert_eq!(control_file.pause(), Some(why));
        }
        fs::write(&control_file.pause, "look").unwrap();
        assert_eq!(
            control_file.pause(),
            Some(look),
            "as an earlier version wrote it"
        );
        control_file.send(ControlRequest::Cancel).unwrap();
        control_file.clear();
        assert_eq!(
            (control_file.pause(), control_file.is_waiting()),
            (None, false)
        );
    }
}
