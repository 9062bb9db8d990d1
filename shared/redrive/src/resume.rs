//! What an earlier process left unsettled: messages that may have been sent, and messages that were
//! sent and not deleted.
//!
//! Invariant: a message in doubt is deleted only when the ledger knows its event; otherwise it is
//! sent again, and the ledger makes the second arrival a duplicate.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use event::EventKey;
use tokio::sync::watch;

use super::batch::Engine;
use super::control::Control;
use super::error::RedriveError;
use super::fact::{Because, Fact, Stored};
use super::journal::Journal;
use super::report::Report;
use super::run::{RunOptions, run};
use super::state::{Counts, Phase};
use pipeline::model::DeadLetter;
use pipeline::{BATCH_ENTRIES_MAX, Pipeline};

/// Keys of one question to the ledger.
pub(super) const KEYS_MAX: usize = 1_000;

/// Goes on with a redrive after its process ended, however it ended.
///
/// # Errors
/// See [`Journal::open`] and [`run`].
pub async fn resume(
    pipeline: &Pipeline,
    path: &Path,
    messages: &[DeadLetter],
    control: &Control,
    options: &RunOptions,
    counts: watch::Sender<Counts>,
) -> Result<Report, RedriveError> {
    let path = path.to_owned();
    // A journal holds every body that was sent: reading it takes time.
    let journal = tokio::task::spawn_blocking(move || Journal::open(&path))
        .await
        .map_err(|error| RedriveError::Stopped(error.to_string()))??;
    run(pipeline, journal, messages, control, options, counts).await
}

impl Engine<'_> {
    /// Asks the ledger for every message in doubt. Gives those that may be sent again: all that the
    /// ledger can tell from their first copy and does not know. The others stay in doubt; nothing
    /// is lost by that, they are still in the dead-letter queue.
    pub(super) async fn settle_doubts(&self) -> Result<HashSet<usize>, RedriveError> {
        let doubtful: Vec<(usize, EventKey)> = self.recorder.look(|state| {
            state
                .indexes(Phase::is_doubtful)
                .into_iter()
                .filter_map(|index| Some((index, state.messages().get(index)?.key.clone()?)))
                .collect()
        });
        let mut again = HashSet::new();
        for chunk in doubtful.chunks(KEYS_MAX) {
            let keys: Vec<EventKey> = chunk.iter().map(|(_, key)| key.clone()).collect();
            // Without a database here the pipeline still has its ledger: sending again is safe.
            let known = if self.pipeline.environment().database_url.is_some() {
                match self.pipeline.stored_keys(&keys).await {
                    Ok(known) => known,
                    Err(error) => {
                        tracing::warn!(%error, "messages that may have been sent stay in doubt");
                        continue;
                    }
                }
            } else {
                HashMap::new()
            };
            let mut stored = Vec::new();
            for (index, key) in chunk {
                match known.get(key) {
                    Some(found) => stored.push(Stored {
                        index: *index,
                        record_id: found.record_id,
                    }),
                    None => drop(again.insert(*index)),
                }
            }
            if !stored.is_empty() {
                self.record(Fact::FoundStored { messages: stored }).await?;
            }
        }
        Ok(again)
    }

    /// Deletes the messages whose copy is confirmed and that still stand in the dead-letter queue,
    /// taking them again by their message id. What is not there any more was deleted before its
    /// answer came.
    pub(super) async fn finish_deletes(&self, patience: Duration) -> Result<(), RedriveError> {
        let open = self
            .recorder
            .look(|state| state.indexes(Phase::is_deletable));
        // The holds of a process that crashed may last still.
        for chunk in open.chunks(BATCH_ENTRIES_MAX) {
            self.leases.secure(chunk).await;
        }
        let is_held = |index: &usize| self.leases.has(*index);
        let missing: HashSet<usize> = open.iter().copied().filter(|at| !is_held(at)).collect();
        if self.options.searches && !missing.is_empty() {
            self.leases
                .find(missing.len(), patience, self.control, |index| {
                    missing.contains(&index)
                })
                .await?;
        }
        let (held, gone): (Vec<usize>, Vec<usize>) = open.into_iter().partition(is_held);
        for chunk in held.chunks(BATCH_ENTRIES_MAX) {
            self.leases.secure(chunk).await;
            self.delete(chunk).await?;
        }
        self.not_found(&gone).await
    }

    /// Tells messages that are not there; one whose delete failed keeps that reason.
    async fn not_found(&self, indexes: &[usize]) -> Result<(), RedriveError> {
        let messages: Vec<Because> = self.recorder.look(|state| {
            indexes
                .iter()
                .filter(|index| {
                    let message = state.messages().get(**index);
                    message.is_some_and(|message| !matches!(message.phase, Phase::NotDeleted(_)))
                })
                .map(|index| Because {
                    index: *index,
                    cause: "not seen among the dead letters: deleted before, or held by somebody \
                            else"
                        .to_owned(),
                })
                .collect()
        });
        if messages.is_empty() {
            return Ok(());
        }
        self.record(Fact::NotDeleted { messages }).await
    }
}
