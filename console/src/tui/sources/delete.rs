//! Deletes messages that the screen received.
//!
//! Invariant: as in [`redrive::operations::delete`]: a copy of every message is on the disk before,
//! and only what stays hidden is deleted.

use std::time::Duration;

use super::leases::Reserved;
use crate::tui::fault::Fault;
use crate::tui::limits::VISIBILITY_TIMEOUT;
use crate::tui::request::Deleted;
use pipeline::Pipeline;
use pipeline::model::{DeadLetter, QueueRole};
use redrive::operations::{self, Export, OnProgress, OperationError};
use redrive::triage::Spool;
use tokio_util::sync::CancellationToken;

/// Between two extensions of messages whose copies are being written.
const EXTENSION_INTERVAL: Duration = Duration::from_secs(20);

pub(super) async fn delete(
    pipeline: &Pipeline,
    reserved: &Reserved,
    messages: Vec<DeadLetter>,
    cancel: &CancellationToken,
    on_progress: OnProgress,
) -> Result<Deleted, Fault> {
    pipeline
        .check_write("delete dead letters")
        .map_err(|error| Fault::from(&error))?;
    let queue = pipeline.queue_name(QueueRole::DeadLetter);
    let file = Spool::path_of_user(queue).map_err(|error| no_copy(&error.to_string()))?;
    let exported = async {
        let mut export = Export::begin(Some(&file))?;
        export.add(messages).await?;
        export.finish().await
    };
    let leases = &reserved.set;
    let exported = tokio::select! {
        exported = cancel.run_until_cancelled(exported) => exported,
        never = leases.keep(EXTENSION_INTERVAL, VISIBILITY_TIMEOUT / 2) => match never {},
    };
    let exported = exported
        .unwrap_or(Err(OperationError::Cancelled))
        .map_err(|error| no_copy(&error.to_string()))?;
    let deleted = operations::delete(pipeline, leases, &exported, None, cancel, on_progress).await;
    let deleted = deleted.map_err(|error| failed(&error))?;
    if let Some(error) = &deleted.audit_error {
        tracing::warn!(%error, "the end of a deletion is not in the audit log");
    }
    let unconfirmed = deleted.unconfirmed();
    Ok(Deleted {
        file,
        message_ids: deleted.message_ids,
        failed: deleted.failures.len() - unconfirmed,
        unconfirmed,
        left: deleted.left,
        cause: deleted
            .failures
            .into_iter()
            .next()
            .map(|failure| failure.cause),
    })
}

fn no_copy(cause: &str) -> Fault {
    Fault {
        message: format!("nothing was deleted: no copy could be written: {cause}"),
        hint: None,
        ..Fault::default()
    }
}

fn failed(error: &OperationError) -> Fault {
    let hint = match error {
        OperationError::Pipeline(error) => Some(error.hint()),
        OperationError::Export { .. }
        | OperationError::UnknownCode { .. }
        | OperationError::Incomplete(_)
        | OperationError::Plan(_)
        | OperationError::Program(_)
        | OperationError::Cancelled
        | OperationError::Task(_) => None,
    };
    Fault {
        message: error.to_string(),
        hint,
        ..Fault::default()
    }
}
