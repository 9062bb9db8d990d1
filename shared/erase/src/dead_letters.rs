//! Finds dead letters and deletes them.
//!
//! Invariant: what was received is released, or deleted; only the chosen ones stay hidden while the operator
//! decides.

use std::time::Duration;

use pipeline::text::{in_words, was_or_were};
use pipeline::{Body, LeaseSet, Pipeline};
use redrive::operations::{self, Export, OnProgress, OperationError, Selection, Walk, WalkOptions};
use tokio_util::sync::CancellationToken;

use crate::error::EraseError;
use crate::finding::{Action, Finding, Place};
use crate::matcher::{Answer, Matcher};
use pipeline::model::QueueRole;

/// While messages are decided about, timeouts that end within [`KEPT_BELOW`] are extended this often.
const EXTENSION_INTERVAL: Duration = Duration::from_secs(20);
const KEPT_BELOW: Duration = Duration::from_secs(90);

/// The dead letters of a request, which are hidden from others.
pub(crate) struct DeadLetters {
    walk: Walk,
    export: Export,
    found: u64,
    /// Messages that are no event, and were left.
    pub(crate) unreadable: u64,
}

impl DeadLetters {
    /// Receives the whole queue and keeps what is chosen.
    pub(crate) async fn find(
        pipeline: &Pipeline,
        matcher: &mut Matcher,
        cancel: &CancellationToken,
        on_progress: OnProgress,
    ) -> Result<Self, EraseError> {
        let options = WalkOptions::default();
        let all = Selection::default();
        let walk = Walk::begin(pipeline, all, options, cancel.clone(), on_progress).await?;
        let mut letters = Self {
            walk,
            // Copies would keep what is erased.
            export: Export::begin(None)?,
            found: 0,
            unreadable: 0,
        };
        let receiving = cancel.run_until_cancelled(letters.receive(matcher));
        let received = receiving.await.unwrap_or(Err(EraseError::Cancelled));
        if received.is_err() {
            letters.walk.leases.release_all().await;
        }
        received.map(|()| letters)
    }

    async fn receive(&mut self, matcher: &mut Matcher) -> Result<(), EraseError> {
        let mut others = Vec::new();
        while let Some(messages) = self.walk.next().await? {
            let bodies: Vec<Body> = messages
                .iter()
                .map(|message| message.body.clone())
                .collect();
            let answers = tokio::select! {
                answers = matcher.messages(&bodies) => answers?,
                never = self.walk.leases.keep(EXTENSION_INTERVAL, KEPT_BELOW) => match never {},
            };
            let mut chosen = Vec::new();
            for (message, answer) in messages.into_iter().zip(answers) {
                match answer {
                    Answer::Yes => {
                        chosen.push(message);
                        continue;
                    }
                    Answer::No => {}
                    Answer::Unreadable => self.unreadable += 1,
                }
                others.push(message.message_id);
            }
            self.found += chosen.len() as u64;
            self.export.add(chosen).await?;
        }
        self.walk
            .leases
            .release(others.iter().map(String::as_str))
            .await;
        Ok(())
    }

    pub(crate) fn leases(&self) -> &LeaseSet {
        &self.walk.leases
    }

    pub(crate) fn finding(&self, pipeline: &Pipeline) -> Finding {
        let queue = pipeline.queue_name(QueueRole::DeadLetter);
        Finding::new(Place::DeadLetters, queue, self.found, Action::Delete)
    }

    /// What the search did not see.
    pub(crate) fn unseen(&self) -> Option<String> {
        let elsewhere = self.walk.leases.in_flight_elsewhere();
        if self.walk.truncation().is_some() {
            Some("more dead letters wait than were received; erase again".to_owned())
        } else if elsewhere > 0 {
            Some(format!(
                "{} received by others {} not searched; erase again when they are released",
                in_words(elsewhere as u64, "dead letter"),
                was_or_were(elsewhere as u64)
            ))
        } else {
            None
        }
    }

    /// Deletes what was found.
    pub(crate) async fn delete(
        self,
        pipeline: &Pipeline,
        cancel: &CancellationToken,
        finding: &mut Finding,
    ) -> Result<(), OperationError> {
        let exported = self.export.finish().await?;
        if exported.messages().is_empty() {
            return Ok(());
        }
        let leases = &self.walk.leases;
        let deleting = operations::delete(pipeline, leases, &exported, None, cancel, |_| {});
        let deleted = deleting.await;
        leases.release_all().await;
        let deleted = deleted?;
        finding.erased = deleted.message_ids.len() as u64;
        let failed = deleted
            .failures
            .first()
            .map(|failure| failure.cause.clone());
        let left = (deleted.left > 0)
            .then(|| "interrupted, or nothing could be deleted any more".to_owned());
        finding.error = failed.or(left);
        Ok(())
    }
}
