//! Letters out of the queue for good.
//!
//! Invariant: nothing is deleted before a copy of every letter is on the disk.

use serde_json::json;

use super::fault;
use super::redrives::blocking;
use crate::tui::message::{Deleted, Fault};
use pipeline::audit::Operation;
use pipeline::model::{DeadLetter, QueueRole};
use pipeline::{DELETE_LETTERS_MAX, Pipeline, PlannedChange};
use redrive::triage::Spool;

/// Deletes letters that the screen holds.
pub(super) async fn delete(
    pipeline: &Pipeline,
    letters: Vec<DeadLetter>,
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
    let (file, letters) = blocking(move || {
        let mut spool = Spool::begin(&path)?;
        for letter in &letters {
            spool.letter(letter)?;
        }
        spool.finish()?;
        Ok::<_, std::io::Error>((path, letters))
    })
    .await?
    .map_err(|error| not_exported(error.to_string()))?;
    let permit = pipeline
        .begin_change(PlannedChange {
            operation: Operation::Delete,
            target: queue,
            planned: letters.len(),
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
    for block in letters.chunks(DELETE_LETTERS_MAX) {
        let handles: Vec<String> = block
            .iter()
            .map(|letter| letter.receipt_handle.clone())
            .collect();
        let outcomes = pipeline.delete_dead_letters(&permit, &handles).await;
        for (letter, outcome) in block.iter().zip(outcomes) {
            match outcome {
                Ok(()) => deleted.message_ids.push(letter.message_id.clone()),
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
