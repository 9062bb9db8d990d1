//! Messages out of the queue for good.
//!
//! Invariant: nothing is deleted before a copy of every message is on the disk.

use serde_json::json;

use super::redrives::blocking;
use super::shared::fault;
use crate::tui::fault::Fault;
use crate::tui::request::Deleted;
use pipeline::audit::Operation;
use pipeline::model::{DeadLetter, QueueRole};
use pipeline::{DELETE_MESSAGES_MAX, Pipeline, PlannedChange};
use redrive::triage::Spool;

/// Deletes messages that the screen holds.
pub(super) async fn delete(
    pipeline: &Pipeline,
    messages: Vec<DeadLetter>,
) -> Result<Deleted, Fault> {
    pipeline
        .check_write("delete dead letters")
        .map_err(|error| fault(&error))?;
    let queue = pipeline.queue_name(QueueRole::DeadLetter).to_owned();
    let not_exported = |error: String| Fault {
        message: format!("nothing was deleted: no copy could be written: {error}"),
        hint: None,
    };
    let path = Spool::path_of_user(&queue).map_err(|error| not_exported(error.to_string()))?;
    let (file, messages) = blocking(move || {
        let mut spool = Spool::begin(&path)?;
        for message in &messages {
            spool.message(message)?;
        }
        spool.finish()?;
        Ok::<_, std::io::Error>((path, messages))
    })
    .await?
    .map_err(|error| not_exported(error.to_string()))?;
    let permit = pipeline
        .begin_change(PlannedChange {
            operation: Operation::Delete,
            target: queue,
            planned: messages.len(),
            details: json!({ "export": file }),
        })
        .await
        .map_err(|error| fault(&error))?;
    let mut deleted = Deleted {
        file,
        message_ids: Vec::new(),
        failed: 0,
        cause: None,
    };
    for block in messages.chunks(DELETE_MESSAGES_MAX) {
        let handles: Vec<String> = block
            .iter()
            .map(|message| message.receipt_handle.clone())
            .collect();
        let outcomes = pipeline.delete_dead_letters(&permit, &handles).await;
        for (message, outcome) in block.iter().zip(outcomes) {
            match outcome {
                Ok(()) => deleted.message_ids.push(message.message_id.clone()),
                Err(cause) => {
                    deleted.failed += 1;
                    deleted.cause.get_or_insert(cause);
                }
            }
        }
    }
    let counts = [
        ("deleted", deleted.message_ids.len()),
        ("failed", deleted.failed),
    ];
    if let Err(error) = permit.end(counts, deleted.cause.clone()).await {
        tracing::warn!(%error, "the end of a deletion is not on record");
    }
    Ok(deleted)
}
