//! Deletes received messages from the dead-letter queue.
//!
//! Invariant: a message is deleted only after its copy is on the disk, unless none was wanted, and
//! only while it stays hidden for longer than a block of deletes takes; every message ends as
//! deleted, failed or left.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Exported, OperationError, Progress, Selection};
use pipeline::audit::{AuditError, Operation};
use pipeline::model::QueueRole;
use pipeline::{DELETE_MESSAGES_MAX, LeaseSet, NotDeleted, Pipeline, PlannedChange, WritePermit};

/// Limit of one block of deletes, retries included.
const BLOCK_LIMIT: Duration = Duration::from_secs(25);
/// A message is deleted only when it stays hidden for longer than this.
const MARGIN: Duration = Duration::from_secs(30);
/// Timeouts that end within this are extended.
const EXTENDED_BELOW: Duration = Duration::from_secs(90);
/// Between two extensions of all messages that wait for their turn.
const EXTENSION_INTERVAL: Duration = Duration::from_secs(20);
/// Limit of one extension of them.
const EXTENSION_LIMIT: Duration = Duration::from_secs(14);

const _: () = assert!(
    MARGIN.as_secs() > BLOCK_LIMIT.as_secs()
        && EXTENDED_BELOW.as_secs()
            > MARGIN.as_secs()
                + EXTENSION_INTERVAL.as_secs()
                + BLOCK_LIMIT.as_secs()
                + EXTENSION_LIMIT.as_secs(),
    "a message must outlast its block, and the time until it is extended again"
);

/// What became of the messages of a deletion.
#[derive(Debug, Default)]
pub struct Deleted {
    /// Ids of the messages that SQS confirmed.
    pub message_ids: Vec<String>,
    /// Messages whose deletion SQS did not confirm.
    pub failures: Vec<Failure>,
    /// Messages whose turn did not come: it was cancelled, or nothing could be deleted any more.
    pub left: usize,
    /// Whether it was cancelled before its end.
    pub is_cancelled: bool,
    /// Why the end is not in the audit log.
    pub audit_error: Option<AuditError>,
}

/// A message whose deletion SQS did not confirm. The JSON fields are published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its id.
    pub message_id: String,
    /// Why.
    #[serde(rename = "error")]
    pub cause: String,
    /// Whether it may be deleted all the same, because no answer came.
    pub may_be_deleted: bool,
}

impl Deleted {
    /// Of the failures, messages that may be deleted all the same.
    #[must_use]
    pub fn unconfirmed(&self) -> usize {
        let failures = self.failures.iter();
        failures.filter(|failure| failure.may_be_deleted).count()
    }

    /// What became of the messages, for the audit log, each counted once: those `unconfirmed` may be deleted, those
    /// `failed` are not.
    fn counts(&self) -> Vec<(&'static str, usize)> {
        let unconfirmed = self.unconfirmed();
        let mut counts = vec![
            ("deleted", self.message_ids.len()),
            ("failed", self.failures.len() - unconfirmed),
            ("left", self.left),
        ];
        if unconfirmed > 0 {
            counts.push(("unconfirmed", unconfirmed));
        }
        counts
    }
}

/// Deletes messages of a set, whose copies are kept. What is not deleted stays in the set.
///
/// # Errors
/// When the environment forbids it, or when it cannot be recorded; nothing is deleted then.
pub async fn delete(
    pipeline: &Pipeline,
    leases: &LeaseSet,
    exported: &Exported,
    selection: Option<&Selection>,
    cancel: &CancellationToken,
    on_progress: impl Fn(Progress),
) -> Result<Deleted, OperationError> {
    let change = PlannedChange {
        operation: Operation::Delete,
        target: pipeline.queue_name(QueueRole::DeadLetter).to_owned(),
        planned: exported.messages().len(),
        details: details(exported, selection),
    };
    let permit = pipeline.begin_change(change).await?;
    let mut deletion = Deletion {
        pipeline,
        leases,
        permit: &permit,
        deleted: Deleted::default(),
    };
    deletion.run(exported, cancel, on_progress).await;
    let mut deleted = deletion.deleted;
    let error = deleted.failures.first().map(|first| first.cause.clone());
    let error = error.or_else(|| deleted.is_cancelled.then(|| "interrupted".to_owned()));
    deleted.audit_error = permit.end(deleted.counts(), error).await.err();
    Ok(deleted)
}

/// What explains a removal in the audit log.
pub(super) fn details(exported: &Exported, selection: Option<&Selection>) -> serde_json::Value {
    let mut details = json!({ "export": exported.file(), "verdicts": exported.verdicts() });
    if let (Some(selection), Some(details)) = (selection, details.as_object_mut()) {
        details.insert("selection".to_owned(), selection.to_string().into());
    }
    details
}

struct Deletion<'a> {
    pipeline: &'a Pipeline,
    leases: &'a LeaseSet,
    permit: &'a WritePermit,
    deleted: Deleted,
}

impl Deletion<'_> {
    /// Deletes block by block. A block of which nothing can be deleted is the last one.
    async fn run(
        &mut self,
        exported: &Exported,
        cancel: &CancellationToken,
        on_progress: impl Fn(Progress),
    ) {
        let total = exported.messages().len();
        let mut done = 0;
        let mut extended_at = None;
        for block in exported.messages().chunks(DELETE_MESSAGES_MAX) {
            self.deleted.is_cancelled = cancel.is_cancelled();
            if self.deleted.is_cancelled {
                break;
            }
            if extended_at.is_none_or(|at: Instant| at.elapsed() >= EXTENSION_INTERVAL) {
                extended_at = Some(Instant::now());
                self.extend(cancel).await;
                self.deleted.is_cancelled = cancel.is_cancelled();
                if self.deleted.is_cancelled {
                    break;
                }
            }
            let ids: Vec<&str> = block.iter().map(|(id, _)| id.as_str()).collect();
            let is_stuck = self.delete_block(&ids).await;
            done += block.len();
            on_progress(Progress { done, total });
            if is_stuck {
                break;
            }
        }
        self.deleted.left = total - done;
    }

    /// Extends what waits for its turn. What is not reached in time is not deleted when its own
    /// timeout ends too soon.
    async fn extend(&self, cancel: &CancellationToken) {
        let extending = self.leases.extend_all(EXTENDED_BELOW);
        let extending = tokio::time::timeout(EXTENSION_LIMIT, extending);
        match cancel.run_until_cancelled(extending).await {
            None | Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => tracing::warn!(%error, "messages are not extended"),
            Some(Err(_)) => tracing::warn!("not all messages are extended in time"),
        }
    }

    /// Returns whether nothing can be deleted any more.
    async fn delete_block(&mut self, message_ids: &[&str]) -> bool {
        let mut ids = Vec::new();
        let mut handles = Vec::new();
        for message_id in message_ids {
            match self.leases.handle(message_id, MARGIN) {
                Some(handle) => {
                    ids.push(*message_id);
                    handles.push(handle);
                }
                None => self.fail(
                    message_id,
                    NotDeleted::stays("its visibility timeout has ended"),
                ),
            }
        }
        let deleting = self.pipeline.delete_dead_letters(self.permit, &handles);
        let outcomes = tokio::time::timeout(BLOCK_LIMIT, deleting).await;
        let outcomes = outcomes.unwrap_or_else(|_| {
            vec![Err(NotDeleted::in_doubt("no answer in time")); handles.len()]
        });
        let before = self.deleted.message_ids.len();
        for (message_id, outcome) in ids.iter().zip(outcomes) {
            match outcome {
                Ok(()) => self.deleted.message_ids.push((*message_id).to_owned()),
                Err(why) => self.fail(message_id, why),
            }
        }
        let gone = self.deleted.message_ids.iter().skip(before);
        self.leases.forget(gone.map(String::as_str));
        !handles.is_empty() && self.deleted.message_ids.len() == before
    }

    fn fail(&mut self, message_id: &str, why: NotDeleted) {
        self.deleted.failures.push(Failure {
            message_id: message_id.to_owned(),
            cause: why.cause,
            may_be_deleted: why.may_be_deleted,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletions_without_an_answer_are_among_those_that_failed_in_the_audit_log() {
        let failure = |may_be_deleted| Failure {
            message_id: "m".to_owned(),
            cause: "cause".to_owned(),
            may_be_deleted,
        };
        let mut deleted = Deleted {
            message_ids: vec!["gone".to_owned()],
            failures: vec![failure(true), failure(false), failure(true)],
            left: 4,
            ..Deleted::default()
        };
        assert_eq!(
            deleted.counts(),
            [
                ("deleted", 1),
                ("failed", 1),
                ("left", 4),
                ("unconfirmed", 2)
            ]
        );
        deleted.failures.clear();
        assert_eq!(
            deleted.counts(),
            [("deleted", 1), ("failed", 0), ("left", 4)]
        );
    }
}
