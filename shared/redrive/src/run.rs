//! A redrive from its first message, or from wherever its journal ends, to its last.
//!
//! Invariant: running a journal again does only what it does not say was done, so a run after a
//! crash is the same as a first run.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::json;
use tokio::sync::watch;

use super::batch::Engine;
use super::control::Control;
use super::error::RedriveError;
use super::fact::{Because, Ending, Fact};
use super::journal::Journal;
use super::lease::{Leases, VISIBILITY_TIMEOUT};
use super::message::BATCH_BYTES_MAX;
use super::plan::Plan;
use super::rate_limiter::RateLimiter;
use super::recorder::Recorder;
use super::report::Report;
use super::state::{Counts, MessageState, Phase, State};
use pipeline::audit::Operation;
use pipeline::model::DeadLetter;
use pipeline::{BATCH_ENTRIES_MAX, Pipeline, PlannedChange, batches};

/// Messages that one search takes before they are moved: bounds the bodies in memory.
const WINDOW: usize = 1_000;
/// Edits that the audit log shows with their bodies; the plan in the journal has them all.
const EDITS_ON_RECORD_MAX: usize = 100;

/// How a redrive runs, beside what its plan says.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Batches in flight at once. FIFO queues take one after the other.
    pub batches_at_once: usize,
    /// Whether messages that the caller does not hold are looked for in the dead-letter queue.
    pub searches: bool,
    /// How long a search waits for messages that somebody holds, such as a process that crashed.
    pub search_patience: Duration,
    /// Whether it may pause by itself and wait for [`Control::resume`]: after a canary step that
    /// was not proved, and when batch after batch is refused.
    pub pauses_by_itself: bool,
    /// How long the events of a canary step, and all of them at the end, may take until they are
    /// proved. Zero proves nothing.
    pub prove_limit: Duration,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            batches_at_once: 8,
            searches: true,
            search_patience: VISIBILITY_TIMEOUT + Duration::from_secs(30),
            pauses_by_itself: true,
            prove_limit: Duration::from_secs(60),
        }
    }
}

/// Runs the redrive of a journal: begins it, or goes on where it ended. `messages` are those that
/// the caller holds; their holds are prolonged and stay the caller's to give back. The rate is that
/// of `control`, which begins with the plan's. `counts` is told after every write.
///
/// # Errors
/// When the environment forbids writes, when the plan is for another environment, when the
/// journal cannot be written, or when the queue cannot be searched. What was done until then is in
/// the journal.
pub async fn run(
    pipeline: &Pipeline,
    journal: (Journal, State),
    messages: &[DeadLetter],
    control: &Control,
    options: &RunOptions,
    counts: watch::Sender<Counts>,
) -> Result<Report, RedriveError> {
    let (journal, state) = journal;
    let plan = state.plan().clone();
    pipeline.check_write(&format!("redrive to {:?}", plan.destination.name))?;
    plan.check_pipeline(pipeline)?;
    counts.send_replace(state.counts());
    let unsettled: Vec<_> = state
        .messages()
        .iter()
        .filter_map(|message| message.unsettled.clone())
        .collect();
    let leases = Leases::new(pipeline, &plan, messages, &unsettled);
    let before = state.counts();
    let change = change(&plan, before.waiting);
    let recorder = Recorder::start(journal, state, counts)?;
    let permit = match pipeline.begin_change(change).await {
        Ok(permit) => permit,
        Err(error) => {
            recorder.close().await;
            return Err(error.into());
        }
    };
    let engine = Engine {
        pipeline,
        permit: &permit,
        plan: &plan,
        recorder: &recorder,
        leases: &leases,
        control,
        options,
        pace: RateLimiter::new(),
        failed_batches: AtomicUsize::new(0),
    };
    let driven = tokio::select! {
        driven = engine.drive() => driven,
        () = leases.heartbeat() => Ok(()),
    };
    leases.release().await;
    let state = recorder.close().await;
    let error = driven.as_ref().err().map(ToString::to_string);
    if let Err(error) = permit.end(counted(state.counts(), before), error).await {
        tracing::warn!(%error, "the end of a redrive is not on record");
    }
    driven?;
    Ok(Report::of(&state))
}

/// What the audit log says of a redrive before it begins; the rest is in its journal.
fn change(plan: &Plan, planned: usize) -> PlannedChange {
    let edits: Vec<_> = plan
        .entries
        .iter()
        .filter_map(|entry| Some((&entry.message_id, entry.edit.as_ref()?)))
        .collect();
    let told: Vec<_> = edits
        .iter()
        .take(EDITS_ON_RECORD_MAX)
        .map(|(message_id, edit)| {
            json!({
                "message_id": message_id,
                "before": edit.old_body,
                "after": edit.new_body,
            })
        })
        .collect();
    PlannedChange {
        operation: Operation::Redrive,
        target: plan.destination.name.clone(),
        planned,
        details: json!({ "redrive": plan.id, "edited": edits.len(), "edits": told }),
    }
}

/// What this run did: a run that goes on does not count again what the one before did. Messages
/// that are left in doubt are told as they stand.
fn counted(counts: Counts, before: Counts) -> [(&'static str, usize); 6] {
    [
        ("moved", counts.moved - before.moved.min(counts.moved)),
        ("sent_not_deleted", counts.sent_not_deleted),
        ("unknown", counts.unknown + counts.intended),
        ("not_sent", counts.not_sent),
        ("stored", counts.stored - before.stored.min(counts.stored)),
        (
            "dead_again",
            counts.dead_again - before.dead_again.min(counts.dead_again),
        ),
    ]
}

impl Engine<'_> {
    async fn drive(&self) -> Result<(), RedriveError> {
        let doubtful = self.settle_doubts().await?;
        self.finish_deletes(Duration::ZERO).await?;
        let total = self.plan.entries.len();
        let mut begin = 0;
        for end in self.plan.step_ends() {
            let step = begin..end;
            self.move_step(step.clone(), &doubtful).await?;
            if self.is_cancelled() {
                break;
            }
            if end < total {
                self.prove_canary(step).await?;
            }
            begin = end;
        }
        if !self.is_cancelled() {
            self.finish_deletes(self.options.search_patience).await?;
            self.prove(0..total).await?;
        }
        let how = if self.is_cancelled() {
            Ending::Cancelled
        } else {
            Ending::Finished
        };
        self.record(Fact::Ended { how }).await
    }

    /// Moves the messages of one step, searching for those that are not held.
    async fn move_step(
        &self,
        step: Range<usize>,
        doubtful: &HashSet<usize>,
    ) -> Result<(), RedriveError> {
        let is_open = |index: usize, message: &MessageState| {
            message.phase.is_unsent() || (message.phase.is_doubtful() && doubtful.contains(&index))
        };
        let mut round = self.matching(step.clone(), is_open);
        let patience = self.options.search_patience;
        let mut missing_before = usize::MAX;
        loop {
            self.move_round(&round, step.end).await?;
            let mut missing = self.matching(step.clone(), is_open);
            missing.retain(|index| !self.leases.has(*index));
            let is_worth_it = self.options.searches
                && !self.is_cancelled()
                && !missing.is_empty()
                && missing.len() < missing_before;
            missing_before = missing.len();
            let wanted: HashSet<usize> = missing.iter().copied().collect();
            let found = if is_worth_it {
                self.leases
                    .find(WINDOW.min(missing.len()), patience, self.control, |index| {
                        wanted.contains(&index)
                    })
                    .await?
            } else {
                0
            };
            if found == 0 {
                if self.is_cancelled() {
                    return Ok(());
                }
                return self.give_up(&missing).await;
            }
            round = if self.plan.is_fifo() {
                // What was held back behind a message that is here now gets its turn too.
                self.matching(step.clone(), is_open)
            } else {
                missing.retain(|index| self.leases.has(*index));
                missing
            };
        }
    }

    /// Tells messages that nobody found; those that were tried already keep their reason.
    async fn give_up(&self, missing: &[usize]) -> Result<(), RedriveError> {
        let waiting: HashSet<usize> = self
            .recorder
            .look(|state| state.indexes(|phase| *phase == Phase::Waiting))
            .into_iter()
            .collect();
        let messages = missing
            .iter()
            .filter(|index| waiting.contains(index))
            .map(|index| Because {
                index: *index,
                cause: "not among the dead letters, or held by somebody else".to_owned(),
            })
            .collect();
        self.not_tried(messages).await
    }

    async fn move_round(&self, round: &[usize], end: usize) -> Result<(), RedriveError> {
        if self.plan.is_fifo() {
            return self.move_in_order(round, end).await;
        }
        let mut held = round.to_vec();
        held.retain(|index| self.leases.has(*index));
        let sizes: Vec<usize> = held.iter().map(|index| self.leases.bytes(*index)).collect();
        let mut running = FuturesUnordered::new();
        let mut outcome = Ok(());
        for range in batches(&sizes, self.batch_entries(), BATCH_BYTES_MAX) {
            while running.len() >= self.options.batches_at_once.max(1) {
                if let Some(Err(error)) = running.next().await {
                    outcome = Err(error);
                }
            }
            if outcome.is_err() || self.is_cancelled() {
                break;
            }
            running.push(self.move_batch(held.get(range).unwrap_or_default()));
        }
        // What was begun is brought to its end, also when another batch failed.
        while let Some(ended) = running.next().await {
            outcome = outcome.and(ended);
        }
        outcome
    }

    /// Moves one message of a group after the other: a message that was not sent, in this round or
    /// before, holds back the later ones of its group.
    async fn move_in_order(&self, round: &[usize], end: usize) -> Result<(), RedriveError> {
        let round: HashSet<usize> = round.iter().copied().collect();
        let mut blocked: HashSet<&str> = HashSet::new();
        let mut rest = self.unsent(0..end);
        while !rest.is_empty() && !self.is_cancelled() {
            let mut batch = Vec::new();
            let mut bytes = 0;
            let mut later = Vec::new();
            let mut groups: HashSet<&str> = HashSet::new();
            let mut held_back = Vec::new();
            for index in rest {
                let group = self.group(index);
                let size = self.leases.bytes(index);
                if !round.contains(&index) || !self.leases.has(index) {
                    blocked.extend(group);
                } else if group.is_some_and(|group| blocked.contains(group)) {
                    held_back.push(Because {
                        index,
                        cause: "an earlier message of its group was not sent".to_owned(),
                    });
                } else if group.is_some_and(|group| groups.contains(group))
                    || batch.len() >= self.batch_entries()
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
            self.not_tried(held_back).await?;
            self.move_batch(&batch).await?;
            let failed = batch
                .into_iter()
                .filter(|index| !self.unsent(*index..index + 1).is_empty());
            blocked.extend(failed.filter_map(|index| self.group(index)));
            rest = later;
        }
        Ok(())
    }

    fn group(&self, index: usize) -> Option<&str> {
        self.plan.entries.get(index)?.group_id.as_deref()
    }

    fn unsent(&self, range: Range<usize>) -> Vec<usize> {
        self.matching(range, |_, message| {
            message.phase.is_unsent() || message.phase.is_doubtful()
        })
    }

    /// Messages of a batch: no more than one second's worth, so that a slow rate is an even one.
    fn batch_entries(&self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and 10"
        )]
        let entries = |rate: f64| rate.clamp(1.0, 10.0) as usize;
        self.control
            .rate_per_sec()
            .map_or(BATCH_ENTRIES_MAX, entries)
    }

    pub(super) fn matching(
        &self,
        range: Range<usize>,
        is_wanted: impl Fn(usize, &MessageState) -> bool,
    ) -> Vec<usize> {
        self.recorder.look(|state| {
            let messages = state.messages().get(range.clone()).unwrap_or_default();
            range
                .zip(messages)
                .filter(|(index, message)| is_wanted(*index, message))
                .map(|(index, _)| index)
                .collect()
        })
    }
}
