//! One canary step: its messages in batches, several at once, or in order for FIFO queues.
//!
//! Invariant: every message of the step is tried, or recorded with the cause why not.

use std::collections::HashSet;
use std::ops::Range;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::batch::Sender;
use super::context::Context;
use super::rate_limiter::batch_entries;
use crate::error::RedriveError;
use crate::lease::Found;
use crate::limits::{BATCH_BYTES_MAX, WINDOW};
use crate::plan::Plan;
use crate::state::fact::MessageCause;
use crate::state::{MessageState, Phase};
use pipeline::batches;

/// Moves the messages of one step, and searches for those that were not received.
pub(super) async fn move_step(
    context: &Context<'_>,
    sender: &Sender<'_, '_>,
    step: Range<usize>,
    doubtful: &HashSet<usize>,
) -> Result<(), RedriveError> {
    let is_open = |index: usize, message: &MessageState| {
        message.phase.is_sendable() || (message.phase.is_doubtful() && doubtful.contains(&index))
    };
    let mut round = context.indexes(step.clone(), is_open);
    let patience = context.search_patience;
    let mut missing_before = usize::MAX;
    loop {
        move_round(context, sender, &round, step.end).await?;
        let mut missing = context.indexes(step.clone(), is_open);
        missing.retain(|index| !context.source.has(*index));
        let searches = context.options.searches || context.source.leases().is_none();
        let is_worth_it = searches
            && !context.is_cancelled()
            && !missing.is_empty()
            && missing.len() < missing_before;
        missing_before = missing.len();
        let wanted: HashSet<usize> = missing.iter().copied().collect();
        let found = if is_worth_it {
            let limits = (WINDOW.min(missing.len()), patience);
            let search = context.source.find(&wanted, limits, context.control);
            search.await?
        } else {
            Found::default()
        };
        if found.messages == 0 {
            if context.is_cancelled() {
                return Ok(());
            }
            return give_up(context, &missing, found.is_all(context.plan.is_fifo())).await;
        }
        round = if context.plan.is_fifo() {
            // What was blocked by a message that is received now can be moved too.
            context.indexes(step.clone(), is_open)
        } else {
            missing.retain(|index| context.source.has(*index));
            missing
        };
    }
}

/// Records messages that were not found; those that were tried already keep their cause, unless they
/// are gone.
async fn give_up(
    context: &Context<'_>,
    missing: &[usize],
    are_gone: bool,
) -> Result<(), RedriveError> {
    let is_open = |phase: &Phase| match phase {
        Phase::Waiting => true,
        Phase::NotTried(_) | Phase::Refused(_) => are_gone,
        Phase::Intended
        | Phase::Unsendable(_)
        | Phase::Unanswered(_)
        | Phase::Confirmed
        | Phase::FoundStored(_)
        | Phase::NotDeleted(_)
        | Phase::Deleted
        | Phase::Published => false,
    };
    let open = context.recorder.look(|state| state.in_phase(is_open));
    let open: HashSet<usize> = open.into_iter().collect();
    let messages = missing
        .iter()
        .filter(|index| open.contains(index))
        .map(|index| {
            let cause = context.source.not_found(are_gone);
            match are_gone {
                true => MessageCause::lasting(*index, cause),
                false => MessageCause::passing(*index, cause),
            }
        })
        .collect();
    context.record_not_tried(messages).await
}

async fn move_round(
    context: &Context<'_>,
    sender: &Sender<'_, '_>,
    round: &[usize],
    end: usize,
) -> Result<(), RedriveError> {
    if context.plan.is_fifo() {
        return move_in_order(context, sender, round, end).await;
    }
    let mut leased = round.to_vec();
    leased.retain(|index| context.source.has(*index));
    let sizes: Vec<usize> = leased
        .iter()
        .map(|index| context.source.bytes(*index))
        .collect();
    let bytes_max = context.plan.batch_bytes_max();
    let mut running = FuturesUnordered::new();
    let mut outcome = Ok(());
    for range in batches(&sizes, batch_entries(context.control), bytes_max) {
        while running.len() >= context.options.batches_at_once.max(1) {
            if let Some(Err(error)) = running.next().await {
                outcome = Err(error);
            }
        }
        if outcome.is_err() || context.is_cancelled() {
            break;
        }
        running.push(sender.move_batch(leased.get(range).unwrap_or_default()));
    }
    // What was begun is finished, also when another batch failed.
    while let Some(ended) = running.next().await {
        outcome = outcome.and(ended);
    }
    outcome
}

/// Moves one message of a group after the other: a message that was not sent, in this round or
/// before, blocks the later ones of its group.
async fn move_in_order(
    context: &Context<'_>,
    sender: &Sender<'_, '_>,
    round: &[usize],
    end: usize,
) -> Result<(), RedriveError> {
    let round: HashSet<usize> = round.iter().copied().collect();
    let mut blocked: HashSet<&str> = HashSet::new();
    let mut rest = unsent(context, 0..end);
    while !rest.is_empty() && !context.is_cancelled() {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut later = Vec::new();
        let mut groups: HashSet<&str> = HashSet::new();
        let mut blocked_now = Vec::new();
        for index in rest {
            let group = group(context.plan, index);
            let size = context.source.bytes(index);
            if !round.contains(&index) || !context.source.has(index) {
                blocked.extend(group);
            } else if group.is_some_and(|group| blocked.contains(group)) {
                let cause = "an earlier message of its group was not sent";
                blocked_now.push(MessageCause::passing(index, cause));
            } else if group.is_some_and(|group| groups.contains(group))
                || batch.len() >= batch_entries(context.control)
                || bytes + size > BATCH_BYTES_MAX && !batch.is_empty()
            {
                groups.extend(group);
                later.push(index);
            } else {
                groups.extend(group);
                bytes += size;
                batch.push(index);
            }
        }
        context.record_not_tried(blocked_now).await?;
        sender.move_batch(&batch).await?;
        let failed = batch
            .into_iter()
            .filter(|index| !unsent(context, *index..index + 1).is_empty());
        blocked.extend(failed.filter_map(|index| group(context.plan, index)));
        rest = later;
    }
    Ok(())
}

fn group(plan: &Plan, index: usize) -> Option<&str> {
    plan.entries.get(index)?.group_id.as_deref()
}

fn unsent(context: &Context<'_>, range: Range<usize>) -> Vec<usize> {
    context.indexes(range, |_, message| {
        message.phase.is_unsent() || message.phase.is_doubtful()
    })
}
