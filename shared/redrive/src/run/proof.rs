//! What became of the events that were sent: in the ledger, or in the dead-letter queue again.
//!
//! Invariant: an event counts as stored only when the ledger has it, and as failed again only when
//! a new dead letter of it was seen; everything else stays unproved. One record proves one message, and
//! others only as duplicates of it, where their events are equal. An event that replaces a record is proved by
//! another record with its text, never by its identity alone.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use chrono::Utc;
use event::{EventKey, RecordId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use crate::control::{RunCommand, Wait};
use crate::error::RedriveError;
use crate::identity::SentEvent;
use crate::ledger;
use crate::limits::{
    CLOCK_SKEW_MAX, LAST_LOOK_MESSAGES_MAX, LAST_LOOK_ROUND, LOOK_FIRST, LOOK_LIMIT,
    LOOK_MESSAGES_MAX, LOOK_VISIBILITY, PROVE_AT_END_LIMIT, PROVE_MEANWHILE, PROVE_POLL_FIRST,
    PROVE_POLL_MAX,
};
use crate::state::State;
use crate::state::fact::{Fact, LookedUp, Proof, Proved};
use pipeline::model::DeadLetter;
use pipeline::{BATCH_ENTRIES_MAX, LeaseSet, PipelineError};

/// Follows events that were sent until each is proved, or until the limit. Without a ledger
/// there is nothing to wait for but one look at the dead letters. Returns where they were looked
/// for: what did not answer does not count.
pub(super) async fn prove(
    context: &Context<'_>,
    range: Range<usize>,
) -> Result<LookedUp, RedriveError> {
    let limit = if context.pipeline.has_ledger() {
        context.options.prove_limit
    } else {
        context.options.prove_limit.min(LOOK_FIRST)
    };
    let mut looked_up = LookedUp::Nothing;
    if limit.is_zero() || context.is_cancelled() {
        return Ok(looked_up);
    }
    let deadline = Instant::now() + limit;
    // The last look begins at the limit.
    let until = Utc::now() + limit + LOOK_LIMIT;
    let is_last = range.end == context.plan.entries.len();
    let _shown = context.control.show_wait(Wait::Proof { until, is_last });
    let mut look_after = LOOK_FIRST;
    let mut next_look = Instant::now() + look_after;
    let mut wait = PROVE_POLL_FIRST;
    loop {
        let is_over = Instant::now() >= deadline;
        if context.is_cancelled() {
            return Ok(looked_up);
        }
        let asked = prove_stored(context, &unproved(context, range.clone())).await?;
        looked_up = looked_up.and(asked);
        let open = unproved(context, range.clone());
        if open.is_empty() {
            // Nothing is left that could have failed again.
            return Ok(looked_up.and(LookedUp::DeadLetters));
        }
        if is_over || Instant::now() >= next_look {
            let look = if is_over { Look::LAST } else { Look::EARLY };
            looked_up = looked_up.and(prove_failed_again(context, &open, look).await?);
            look_after *= 2;
            next_look = Instant::now() + look_after;
        }
        if is_over {
            return Ok(looked_up);
        }
        let rest = deadline.saturating_duration_since(Instant::now());
        tokio::time::sleep(wait.min(rest)).await;
        wait = (wait * 2).min(PROVE_POLL_MAX);
    }
}

/// Looks up what was sent while a paused or slow redrive sends: until its step ends, nobody else does.
/// Returns only when the journal fails.
pub(super) async fn prove_meanwhile(context: &Context<'_>) -> RedriveError {
    let mut rest = PROVE_MEANWHILE;
    loop {
        tokio::time::sleep(rest).await;
        let is_slow = context.control.rate_per_sec().is_some()
            || matches!(context.control.command(), RunCommand::Pause(_));
        if !is_slow || context.options.prove_limit.is_zero() {
            continue;
        }
        let begun = Instant::now();
        let open = unproved(context, 0..context.plan.entries.len());
        if let Err(error) = prove_stored(context, &open).await {
            return error;
        }
        // A ledger that is slow is asked seldom.
        rest = PROVE_MEANWHILE.max(begun.elapsed() * 10);
    }
}

/// One look into the ledger for a redrive that is cancelled: what was sent before may be stored.
pub(super) async fn prove_at_end(context: &Context<'_>) -> Result<LookedUp, RedriveError> {
    let open = unproved(context, 0..context.plan.entries.len());
    if open.is_empty() || context.options.prove_limit.is_zero() {
        return Ok(LookedUp::Nothing);
    }
    let asked = prove_stored(context, &open);
    // Whoever cancels does not wait for a ledger that hangs.
    let asked = tokio::time::timeout(PROVE_AT_END_LIMIT, asked).await;
    asked.unwrap_or(Ok(LookedUp::Nothing))
}

fn unproved(context: &Context<'_>, range: Range<usize>) -> Vec<usize> {
    context.indexes(range, |_, message| {
        message.phase.is_sent() && message.proof.is_none()
    })
}

async fn prove_stored(context: &Context<'_>, open: &[usize]) -> Result<LookedUp, RedriveError> {
    let sent: Vec<Open> = context.recorder.look(|state| Open::all(state, open));
    let replaces = |open: &Open| is_replacing(context, open.index, &open.event);
    let (replacing, sent): (Vec<Open>, Vec<Open>) = sent.into_iter().partition(replaces);
    let wanted: Vec<EventKey> = sent.iter().map(|open| open.event.key.clone()).collect();
    let answer = ledger::look_up(context.pipeline, &wanted).await;
    let proofs = sent.into_iter().filter_map(|open| {
        let stored = answer.stored.get(&open.event.key)?;
        let entries = &context.plan.entries;
        let is_to_be_stored = entries.get(open.index)?.is_to_be_stored();
        if is_to_be_stored && !open.event.can_be_of(stored.occurred_at) {
            return None;
        }
        let holder = open.holder.filter(|_| is_to_be_stored);
        proved(context, open.index, holder, stored.record_id)
    });
    record_proofs(context, proofs.collect()).await?;
    let error = prove_replaced(context, replacing).await?;
    Ok(match answer.error.or(error) {
        Some(error) => {
            tracing::debug!(%error, "the ledger is asked again");
            LookedUp::Nothing
        }
        None if context.pipeline.has_ledger() => LookedUp::LedgerOnly,
        None => LookedUp::Nothing,
    })
}

/// Proves events that replace a record: another record is stored now, with the text that was sent. Returns why
/// not all were looked up.
async fn prove_replaced(
    context: &Context<'_>,
    open: Vec<Open>,
) -> Result<Option<PipelineError>, RedriveError> {
    if open.is_empty() || !context.pipeline.has_ledger() {
        return Ok(None);
    }
    let wanted: Vec<EventKey> = open.iter().map(|open| open.event.key.clone()).collect();
    let answer = context.pipeline.look_up_texts(&wanted).await;
    let proofs = open.into_iter().filter_map(|open| {
        let stored = answer.stored.get(&open.event.key)?;
        let entry = context.plan.entries.get(open.index)?;
        if let Some(planned) = &entry.replaces {
            let record_id = planned.done_by(stored)?;
            return proved(context, open.index, open.holder, record_id);
        }
        // Where the named record itself has the text, the message was a duplicate.
        let is_done = open.event.replacing.as_ref()?.is_text_of(stored);
        let is_new = open.event.replaced_record() != Some(stored.record_id);
        let holder = open.holder.filter(|_| is_new && entry.is_to_be_stored());
        proved(context, open.index, holder, stored.record_id).filter(|_| is_done)
    });
    record_proofs(context, proofs.collect()).await?;
    Ok(answer.error)
}

/// Whether a message replaces a record: by its plan, or by its own attribute.
pub(super) fn is_replacing(context: &Context<'_>, index: usize, event: &SentEvent) -> bool {
    let entry = context.plan.entries.get(index);
    event.replacing.is_some() || entry.is_some_and(|entry| entry.replaces.is_some())
}

/// The proof of a message by a record of its identity. `holder` is the message that the record proves, if it was
/// stored by one of them.
fn proved(
    context: &Context<'_>,
    index: usize,
    holder: Option<usize>,
    record_id: RecordId,
) -> Option<Proved> {
    let proof = match holder {
        Some(holder) if holder == index => Proof::Stored { record_id },
        holder => Proof::AlreadyStored {
            record_id,
            duplicate_of: match holder {
                Some(holder) => Some(context.plan.entries.get(holder)?.message_id.clone()),
                None => None,
            },
        },
    };
    Some(Proved { index, proof })
}

/// A message whose event was sent and is not proved.
struct Open {
    index: usize,
    event: SentEvent,
    /// The message that a record of this identity proves.
    holder: Option<usize>,
}

impl Open {
    fn all(state: &State, indexes: &[usize]) -> Vec<Self> {
        let (contested, holders) = (state.contested(), state.holders());
        let of = |index: &usize| {
            let event = state.messages().get(*index)?.event.clone()?;
            Some(Self {
                index: *index,
                holder: holders.get(&event.key).copied(),
                event,
            })
        };
        let is_provable = |index: &&usize| !contested.contains(*index);
        indexes.iter().filter(is_provable).filter_map(of).collect()
    }
}

/// How many dead letters one look receives, and how many of them at once.
#[derive(Clone, Copy)]
struct Look {
    messages_max: usize,
    round: usize,
}

impl Look {
    const EARLY: Self = Self {
        messages_max: LOOK_MESSAGES_MAX,
        round: BATCH_ENTRIES_MAX,
    };
    const LAST: Self = Self {
        messages_max: LAST_LOOK_MESSAGES_MAX,
        round: LAST_LOOK_ROUND,
    };
}

/// Looks for events among the dead letters, by the message id of their copy, and else by their
/// body: the ingest dead-letters what it refuses as a new message.
async fn prove_failed_again(
    context: &Context<'_>,
    open: &[usize],
    limits: Look,
) -> Result<LookedUp, RedriveError> {
    // What a search received and did not want is hidden from this look too.
    context.source.release_passed().await;
    let mut wanted = context.recorder.look(|state| Wanted::of(state, open));
    let seen = LeaseSet::new(context.pipeline, LOOK_VISIBILITY);
    let mut messages = Vec::new();
    let looked = look(context, limits, &mut wanted, (&seen, &mut messages)).await;
    let looked_up = match looked {
        // What was not looked at may have failed again.
        Ok(Seen::Part) => LookedUp::Nothing,
        Ok(Seen::All) => LookedUp::DeadLetters,
        Err(error) => {
            tracing::debug!(%error, "the dead letters are looked at again");
            LookedUp::Nothing
        }
    };
    seen.release_all().await;
    record_proofs(context, messages).await?;
    Ok(looked_up)
}

/// What a look saw of the dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// All that could be received, or all that were looked for.
    All,
    /// It reached a limit, or was cancelled.
    Part,
}

async fn look(
    context: &Context<'_>,
    limits: Look,
    wanted: &mut Wanted,
    (seen, proved): (&LeaseSet, &mut Vec<Proved>),
) -> Result<Seen, PipelineError> {
    let deadline = Instant::now() + LOOK_LIMIT;
    let mut receives = 0;
    // A look that outlasts its visibility timeout receives messages again.
    let mut message_ids = HashSet::new();
    while !wanted.is_empty() {
        if receives >= limits.messages_max || Instant::now() >= deadline || context.is_cancelled() {
            return Ok(Seen::Part);
        }
        let poll = seen.poll(limits.round, &CancellationToken::new()).await;
        if poll.messages.is_empty() {
            return poll.failure.map_or(Ok(Seen::All), Err);
        }
        receives += poll.messages.len();
        for message in poll.messages {
            if !message_ids.insert(message.message_id.clone()) {
                continue;
            }
            let is_new = !context.source.is_planned(&message.message_id)
                && message.sent_at >= context.plan.created_at - CLOCK_SKEW_MAX;
            if is_new && let Some(index) = wanted.take(&message) {
                let reason = message.reason.as_ref();
                let proof = Proof::DeadAgain {
                    reason: reason.map(|reason| format!("{}: {}", reason.code, reason.message)),
                    message_id: message.message_id,
                };
                proved.push(Proved { index, proof });
            }
        }
    }
    Ok(Seen::All)
}

async fn record_proofs(context: &Context<'_>, messages: Vec<Proved>) -> Result<(), RedriveError> {
    if messages.is_empty() {
        return Ok(());
    }
    context.record(Fact::Proved { messages }).await
}

/// Events that are looked for among the dead letters.
struct Wanted {
    by_message_id: HashMap<String, usize>,
    by_body: HashMap<String, Vec<usize>>,
    open: usize,
}

impl Wanted {
    fn of(state: &State, indexes: &[usize]) -> Self {
        let mut wanted = Self {
            by_message_id: HashMap::new(),
            by_body: HashMap::new(),
            open: 0,
        };
        for index in indexes {
            let Some(message) = state.messages().get(*index) else {
                continue;
            };
            wanted.open += 1;
            if let Some(message_id) = &message.sent_message_id {
                wanted.by_message_id.insert(message_id.clone(), *index);
            }
            let same = wanted.by_body.entry(message.sent_sha256.clone());
            same.or_default().push(*index);
        }
        wanted
    }

    fn is_empty(&self) -> bool {
        self.open == 0
    }

    fn take(&mut self, message: &DeadLetter) -> Option<usize> {
        let digest = message.body.sha256();
        let same = self.by_body.get_mut(&digest)?;
        let place = match self.by_message_id.remove(&message.message_id) {
            Some(index) => same.iter().position(|other| *other == index)?,
            None => same.len().checked_sub(1)?,
        };
        self.open -= 1;
        Some(same.remove(place))
    }
}
