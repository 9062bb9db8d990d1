//! Empties the whole dead-letter queue in one call.
//!
//! Invariant: where copies are kept it is purged only when every message that it had, by its own
//! counts, is in the file; what is dead-lettered during the purge itself cannot be.

use tokio_util::sync::CancellationToken;

use super::delete::details;
use super::{Export, Exported, OperationError, Selection};
use pipeline::audit::{AuditError, Operation};
use pipeline::model::{QueueDepth, QueueRole};
use pipeline::text::messages_in_words;
use pipeline::{LeaseSet, Pipeline, PlannedChange};

/// Messages that the queue has now, by its own approximate counts.
///
/// # Errors
/// When the queue does not answer, or when copies are kept and it has others too.
pub async fn messages_before_purge(
    pipeline: &Pipeline,
    export: &Export,
) -> Result<u64, OperationError> {
    let depth = pipeline.queue_depth(QueueRole::DeadLetter).await?;
    if export.keeps_copies() {
        check_whole(depth, export.verdicts().len())?;
    }
    Ok(depth.visible + depth.in_flight + depth.delayed)
}

/// Purges the queue and forgets the exported messages. Once SQS is asked it cannot be cancelled.
/// Returns why its end is not in the audit log, if it is not.
///
/// # Errors
/// When the environment forbids it, when it cannot be recorded, when it is cancelled before, or
/// when SQS does not confirm it.
pub async fn purge(
    pipeline: &Pipeline,
    leases: &LeaseSet,
    exported: &Exported,
    messages_before: u64,
    cancel: &CancellationToken,
) -> Result<Option<AuditError>, OperationError> {
    let change = PlannedChange {
        operation: Operation::Purge,
        target: pipeline.queue_name(QueueRole::DeadLetter).to_owned(),
        planned: usize::try_from(messages_before).unwrap_or(usize::MAX),
        details: details(exported, Some(&Selection::default())),
    };
    let permit = pipeline.begin_change(change).await?;
    let purged = match cancel.is_cancelled() {
        true => Err(OperationError::Cancelled),
        false => pipeline
            .purge_dead_letters(&permit)
            .await
            .map_err(Into::into),
    };
    let error = purged.as_ref().err().map(ToString::to_string);
    let counts = [("exported", exported.copies())];
    let audit_error = permit.end(counts, error).await.err();
    purged?;
    leases.forget(exported.messages().iter().map(|(id, _)| id.as_str()));
    Ok(audit_error)
}

/// Refuses where the queue has, by its own approximate counts, what is not in the file.
fn check_whole(depth: QueueDepth, exported: usize) -> Result<(), OperationError> {
    let elsewhere = depth.in_flight.saturating_sub(exported as u64);
    let unseen = depth.visible + depth.delayed;
    if elsewhere + unseen == 0 {
        return Ok(());
    }
    Err(OperationError::Incomplete(format!(
        "{} received by others and {unseen} more waiting, and no file has them; try again later, \
         remove what can be received with `dlq delete --all`, or purge without a copy: --no-export",
        messages_in_words(elsewhere)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purge_wants_every_message_in_the_file() {
        let depth = |visible, in_flight, delayed| QueueDepth {
            visible,
            in_flight,
            delayed,
        };
        assert!(check_whole(depth(0, 3, 0), 3).is_ok());
        assert!(check_whole(depth(0, 0, 0), 0).is_ok());
        for (unseen, expected) in [
            (depth(0, 4, 0), "1 message received by others"),
            (depth(1, 3, 0), "1 more wait"),
            (depth(0, 3, 1), "1 more wait"),
        ] {
            let error = check_whole(unseen, 3).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
