//! Deletes what was sent.
//!
//! Invariant: only messages whose copy is confirmed in the journal, or whose event is in the ledger,
//! are deleted.

use std::collections::HashMap;

use super::context::Context;
use super::sqs;
use crate::error::RedriveError;
use crate::lease::Leases;
use crate::limits::DELETE_ATTEMPTS_MAX;
use crate::state::fact::{Fact, MessageCause};
use pipeline::BATCH_ENTRIES_MAX;

/// Deletes messages whose copy is confirmed in the journal.
pub(super) async fn delete(
    context: &Context<'_>,
    leases: &Leases<'_>,
    indexes: &[usize],
) -> Result<(), RedriveError> {
    for chunk in indexes.chunks(BATCH_ENTRIES_MAX) {
        delete_chunk(context, leases, chunk).await?;
    }
    Ok(())
}

async fn delete_chunk(
    context: &Context<'_>,
    leases: &Leases<'_>,
    indexes: &[usize],
) -> Result<(), RedriveError> {
    let mut open = Vec::new();
    let mut failures: HashMap<usize, String> = HashMap::new();
    for index in indexes {
        match leases.handle(*index) {
            Some(handle) => open.push((*index, handle)),
            None => drop(failures.insert(*index, "its lease was lost".to_owned())),
        }
    }
    let mut deleted = Vec::new();
    for _ in 0..DELETE_ATTEMPTS_MAX {
        if open.is_empty() {
            break;
        }
        for (index, answer) in sqs::delete(context.pipeline, context.permit, &open).await {
            match answer {
                Ok(()) => {
                    failures.remove(&index);
                    deleted.push(index);
                }
                Err(cause) => drop(failures.insert(index, cause)),
            }
        }
        open.retain(|(index, _)| failures.contains_key(index));
    }
    let mut facts = Vec::new();
    if !deleted.is_empty() {
        facts.push(Fact::Deleted {
            indexes: deleted.clone(),
        });
    }
    if !failures.is_empty() {
        let messages = failures
            .into_iter()
            .map(|(index, cause)| MessageCause::passing(index, cause))
            .collect();
        facts.push(Fact::NotDeleted { messages });
    }
    context.recorder.record(facts).await?;
    for index in deleted {
        leases.forget(index);
    }
    Ok(())
}
