//! What an earlier process left unsettled: messages that may have been sent, and messages that were
//! sent and not deleted.
//!
//! Invariant: a message in doubt is deleted only when the ledger knows its event and no other message
//! of the redrive can be the one that was stored; otherwise it is sent again, and the ledger makes the
//! second arrival a duplicate. That the ledger knows its event says nothing of one that replaces a record: it is
//! sent again.

use std::collections::HashSet;
use std::time::Duration;

use event::EventKey;

use super::context::Context;
use super::delete::delete;
use super::proof::is_replacing;
use crate::error::RedriveError;
use crate::identity::SentEvent;
use crate::lease::Leases;
use crate::ledger;
use crate::plan::Kind;
use crate::state::Phase;
use crate::state::fact::{Fact, MessageCause, Stored};
use pipeline::BATCH_ENTRIES_MAX;

/// Looks every message in doubt up in the ledger. Returns those that may be sent again: all that the
/// ledger would recognise by their identity and does not know. The others stay in doubt; nothing is
/// lost by that, they are still in the dead-letter queue.
pub(super) async fn settle_doubts(context: &Context<'_>) -> Result<HashSet<usize>, RedriveError> {
    let doubtful: Vec<(usize, SentEvent)> = context.recorder.look(|state| {
        let contested = state.contested();
        state
            .in_phase(Phase::is_doubtful)
            .into_iter()
            .filter(|index| !contested.contains(index))
            .filter_map(|index| Some((index, state.messages().get(index)?.event.clone()?)))
            .collect()
    });
    let keys: Vec<EventKey> = doubtful
        .iter()
        .map(|(_, event)| event.key.clone())
        .collect();
    // Without a database here the pipeline still has its ledger: sending again is safe.
    let answer = ledger::look_up(context.pipeline, &keys).await;
    if let Some(error) = &answer.error {
        tracing::warn!(%error, "messages that may have been sent stay in doubt");
    }
    let mut again = HashSet::new();
    let mut stored = Vec::new();
    for (index, event) in doubtful.into_iter().take(answer.answered) {
        match answer.stored.get(&event.key) {
            // Whether or not it was applied, sending it again changes no more: it names the record.
            _ if is_replacing(context, index, &event) => drop(again.insert(index)),
            // It was stored before the replay, so the ledger does not show whether it was sent.
            Some(_) if is_repeated(context, index) => drop(again.insert(index)),
            Some(known) if event.can_be_of(known.occurred_at) => stored.push(Stored {
                index,
                record_id: known.record_id,
            }),
            // The record is another event's. This one stays where it is.
            Some(_) => {}
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

/// Whether a replay sends an event that was stored when it was planned.
fn is_repeated(context: &Context<'_>, index: usize) -> bool {
    let entry = context.plan.entries.get(index);
    context.plan.kind() == Kind::Replay && entry.is_some_and(|entry| !entry.is_to_be_stored())
}

/// Deletes the messages whose copy is confirmed and that are still in the dead-letter queue, after
/// it received them again. What is not there any more was deleted before its answer came: where the
/// whole queue was received and nobody else hides a message, that is recorded, and a resume has
/// nothing left to look for.
pub(super) async fn finish_deletes(
    context: &Context<'_>,
    leases: &Leases<'_>,
    patience: Duration,
) -> Result<(), RedriveError> {
    let (contested, open): (Vec<usize>, Vec<usize>) = context.recorder.look(|state| {
        let contested = state.contested();
        let open = state.in_phase(Phase::is_deletable).into_iter();
        open.partition(|index| contested.contains(index))
    });
    let cause = "another message of the redrive has its identity and another event: only one of \
                 them was stored";
    record_not_deleted(context, &contested, cause).await?;
    // The leases of a process that crashed may still last.
    for chunk in open.chunks(BATCH_ENTRIES_MAX) {
        leases.secure(chunk).await;
    }
    let is_leased = |index: &usize| leases.has(*index);
    let mut missing: HashSet<usize> = open.iter().copied().filter(|at| !is_leased(at)).collect();
    let mut are_gone = false;
    while context.options.searches && !missing.is_empty() {
        let limits = (missing.len(), patience);
        let found = leases.find(&missing, limits, context.control).await?;
        if found.messages == 0 {
            are_gone = found.is_all(context.plan.is_fifo());
            break;
        }
        missing.retain(|index| !is_leased(index));
    }
    let (leased, gone): (Vec<usize>, Vec<usize>) = open.into_iter().partition(is_leased);
    for chunk in leased.chunks(BATCH_ENTRIES_MAX) {
        leases.secure(chunk).await;
        delete(context, leases, chunk).await?;
    }
    if are_gone && !gone.is_empty() {
        let fact = Fact::Deleted { indexes: gone };
        return context.record(fact).await;
    }
    let cause = "not seen among the dead letters: deleted before, or received by another consumer";
    record_not_deleted(context, &gone, cause).await
}

/// Records messages that are not deleted; one whose delete failed keeps that cause.
async fn record_not_deleted(
    context: &Context<'_>,
    indexes: &[usize],
    cause: &str,
) -> Result<(), RedriveError> {
    let messages: Vec<MessageCause> = context.recorder.look(|state| {
        indexes
            .iter()
            .filter(|index| {
                let message = state.messages().get(**index);
                message.is_some_and(|message| !matches!(message.phase, Phase::NotDeleted(_)))
            })
            .map(|index| MessageCause::passing(*index, cause))
            .collect()
    });
    if messages.is_empty() {
        return Ok(());
    }
    context.record(Fact::NotDeleted { messages }).await
}
