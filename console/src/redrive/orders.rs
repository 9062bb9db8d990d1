//! Orders to a redrive that another process runs: small files beside its journal.
//!
//! Invariant: an order is taken whole and once, by the process that has the journal; whether a
//! redrive runs is told by the lock of its journal and by nothing else.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::control::Control;
use super::error::RedriveError;

/// Between two looks for an order.
const POLL: Duration = Duration::from_millis(250);
/// Largest order that is read, in bytes.
const ORDER_BYTES_MAX: u64 = 1024;
/// Why a redrive pauses that was ordered to.
pub const PAUSED_BY_ORDER: &str = "it was paused from outside";

/// What a redrive is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Wait between two batches.
    Pause,
    /// Go on.
    Resume,
    /// End after the batches that were begun.
    Cancel,
}

/// The files of one redrive.
#[derive(Clone, Debug)]
pub struct Orders {
    order: PathBuf,
    taken: PathBuf,
    pause: PathBuf,
}

impl Orders {
    /// The files beside a journal.
    #[must_use]
    pub fn beside(journal: &Path) -> Self {
        Self {
            order: journal.with_extension("order"),
            taken: journal.with_extension("order-taken"),
            pause: journal.with_extension("paused"),
        }
    }

    /// Gives an order. One that was not taken yet is replaced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn send(&self, order: Order) -> Result<(), RedriveError> {
        let text = serde_json::to_vec(&order).unwrap_or_default();
        replace(&self.order, &text).map_err(RedriveError::file("write order", &self.order))
    }

    /// Whether an order waits to be taken.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.order.exists()
    }

    /// Takes an order back that nobody took.
    pub fn withdraw(&self) {
        forget(&self.order);
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
        for path in [&self.order, &self.taken, &self.pause] {
            forget(path);
        }
    }

    /// Follows orders for as long as it is polled.
    pub async fn obey(&self, control: &Control) {
        let mut interval = tokio::time::interval(POLL);
        loop {
            interval.tick().await;
            match self.next().await {
                Some(Order::Pause) => control.pause(PAUSED_BY_ORDER),
                Some(Order::Resume) => control.resume(),
                Some(Order::Cancel) => control.cancel(),
                None => {}
            }
        }
    }

    async fn next(&self) -> Option<Order> {
        // Renamed first: an order that comes meanwhile is a new file, and is not lost.
        tokio::fs::rename(&self.order, &self.taken).await.ok()?;
        let size = tokio::fs::metadata(&self.taken).await.ok()?.len();
        let text = if size <= ORDER_BYTES_MAX {
            tokio::fs::read(&self.taken).await.ok()?
        } else {
            Vec::new()
        };
        forget(&self.taken);
        let order = serde_json::from_slice(&text);
        order
            .inspect_err(|error| tracing::warn!(%error, "an order is not understood"))
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
    use crate::redrive::Wish;

    #[tokio::test]
    async fn orders_are_obeyed_once_and_nonsense_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let orders = Orders::beside(&folder.path().join("a.journal"));
        let control = Control::new(None);
        let operator = async {
            orders.send(Order::Pause).unwrap();
            control.wait_for(|wish| *wish != Wish::Run).await;
            assert!(!orders.is_waiting());
            fs::write(&orders.order, "nonsense").unwrap();
            while orders.is_waiting() {
                tokio::task::yield_now().await;
            }
            assert_eq!(control.wish(), Wish::Pause(PAUSED_BY_ORDER.to_owned()));
            orders.send(Order::Resume).unwrap();
            control.wait_for(|wish| *wish == Wish::Run).await;
            orders.send(Order::Cancel).unwrap();
            control.wait_for(|wish| *wish == Wish::Cancel).await;
        };
        tokio::select! {
            () = orders.obey(&control) => {}
            done = tokio::time::timeout(Duration::from_secs(20), operator) => done.unwrap(),
        }
    }

    #[test]
    fn pause_is_told_and_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let orders = Orders::beside(&folder.path().join("a.journal"));
        orders.tell_pause(Some("look"));
        assert_eq!(orders.pause().as_deref(), Some("look"));
        orders.send(Order::Cancel).unwrap();
        orders.clear();
        assert_eq!((orders.pause(), orders.is_waiting()), (None, false));
    }
}
