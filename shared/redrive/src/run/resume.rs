//! What an earlier process left unsettled: messages that may have been sent, and messages that were
//! sent and not deleted.
//!
//! Invariant: a message in doubt is deleted only when the ledger knows its event; otherwise it is
//! sent again, and the ledger makes the second arrival a duplicate.

use std::collections::HashSet;
use std::time::Duration;

use event::EventKey;

use super::context::Context;
use super::delete::delete;
use crate::error::RedriveError;
use crate::ledger;
use crate::state::Phase;
use crate::state::fact::{Fact, MessageCause, Stored};
use pipeline::BATCH_ENTRIES_MAX;

/// Looks every message in doubt up in the ledger. Returns those that may be sent again: all that the
/// ledger would recognise by their identity and does not know. The others stay in doubt; nothing is
/// lost by that, they are still in the dead-letter queue.
pub(super) async fn settle_doubts(context: &Context<'_>) -> Result<HashSet<usize>, RedriveError> {
    let doubtful: Vec<(usize, EventKey)> = context.recorder.look(|state| {
        state
            .in_phase(Phase::is_doubtful)
            .into_iter()
            .filter_map(|index| Some((index, state.messages().get(index)?.key.clone()?)))
            .collect()
    });
    let keys: Vec<EventKey> = doubtful.iter().map(|(_, key)| key.clone()).collect();
    // Without a database here the pipeline still has its ledger: sending again is safe.
    let answer = ledger::look_up(context.pipeline, &keys).await;
    if let Some(error) = &answer.error {
        tracing::warn!(%error, "messages that may have been sent stay in doubt");
    }
    let mut again = HashSet::new();
    let mut stored = Vec::new();
    for (index, key) in doubtful.into_iter().take(answer.answered) {
        match answer.stored.get(&key).map(|stored| stored.record_id) {
            Some(record_id) => stored.push(Stored { index, record_id }),
            None => drop(again.insert(index)),
        }
    }
    if !stored.is_empty() {
        context
            .record(Fact::FoundStored { messages: stored })
            .await?;
    }
    Ok(again)
}

/// Deletes the messages whose copy is confirmed and that are still in the dead-letter queue, after
/// it received them again. What is not there any more was deleted before its answer came.
pub(super) async fn finish_deletes(
    context: &Context<'_>,
    patience: Duration,
) -> Result<(), RedriveError> {
    let open = context
        .recorder
        .look(|state| state.in_phase(Phase::is_deletable));
    // The leases of a process that crashed may still last.
    for chunk in open.chunks(BATCH_ENTRIES_MAX) {
        context.leases.secure(chunk).await;
    }
    let is_leased = |index: &usize| context.leases.has(*index);
    let mut missing: HashSet<usize> = open.iter().copied().filter(|at| !is_leased(at)).collect();
    while context.options.searches && !missing.is_empty() {
        let limits = (missing.len(), patience);
        let found = context
            .leases
            .find(&missing, limits, context.control)
            .await?;
        if found.messages == 0 {
            break;
        }
        missing.retain(|index| !is_leased(index));
    }
    let (leased, gone): (Vec<usize>, Vec<usize>) = open.into_iter().partition(is_leased);
    for chunk in leased.chunks(BATCH_ENTRIES_MAX) {
        context.leases.secure(chunk).await;
        delete(context, chunk).await?;
    }
    record_not_found(context, &gone).await
}

/// Records messages that are not there; one whose delete failed keeps that cause.
async fn record_not_found(context: &Context<'_>, indexes: &[usize]) -> Result<(), RedriveError> {
    let messages: Vec<MessageCause> = context.recorder.look(|state| {
        indexes
            .iter()
            .filter(|index| {
                let message = state.messages().get(**index);
                message.is_some_and(|message| !matches!(message.phase, Phase::NotDeleted(_)))
            })
            .map(|index| {
                let cause = "not seen among the dead letters: deleted before, or received by \
                             another consumer";
                MessageCause::passing(*index, cause)
            })
            .collect()
    });
    if messages.is_empty() {
        return Ok(());
    }
    context.record(Fact::NotDeleted { messages }).await
}
