//! What became of the events that were sent: in the ledger, or dead again.
//!
//! Invariant: an event counts as stored only when the ledger has it, and as dead again only when
//! a dead letter of it was seen; everything else stays unproved.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use chrono::TimeDelta;
use event::{EventKey, Verdict};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::batch::Engine;
use super::error::RedriveError;
use super::fact::{Fact, Proof, Proved};
use super::resume::KEYS_MAX;
use super::state::{MessageState, State};
use pipeline::model::DeadLetter;
use pipeline::text::messages_in_words;
use pipeline::{BATCH_ENTRIES_MAX, LeaseSet, PipelineError};

/// First wait between two questions to the ledger; doubles.
const POLL_FIRST: Duration = Duration::from_millis(200);
/// Longest wait.
const POLL_MAX: Duration = Duration::from_secs(2);
/// Events are looked for among the dead letters only after this time, then after twice as long, and
/// so on: every look counts as a receive of the messages it passes.
const LOOK_FIRST: Duration = Duration::from_secs(4);
/// Messages of one look at most.
const LOOK_MESSAGES_MAX: usize = 1_000;
/// Visibility timeout of messages that are looked at.
const LOOK_TIMEOUT: Duration = Duration::from_secs(30);
/// Clocks of this machine and of SQS differ by less.
const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::seconds(30);

impl Engine<'_> {
    /// Proves a canary step; pauses the redrive when it is not proved.
    pub(super) async fn prove_canary(&self, step: Range<usize>) -> Result<(), RedriveError> {
        self.prove(step.clone()).await?;
        let tally = self.recorder.look(|state| Tally::of(state, step));
        if let Some(trouble) = tally.trouble(self.options.prove_limit) {
            self.pause(trouble).await?;
        }
        self.control.pass().await;
        Ok(())
    }

    /// Follows events that were sent until each is proved, or until the limit. Without a ledger
    /// there is nothing to wait for but one look at the dead letters.
    pub(super) async fn prove(&self, range: Range<usize>) -> Result<(), RedriveError> {
        let limit = match self.pipeline.environment().database_url {
            Some(_) => self.options.prove_limit,
            None => self.options.prove_limit.min(LOOK_FIRST),
        };
        let deadline = Instant::now() + limit;
        let mut look_after = LOOK_FIRST;
        let mut next_look = Instant::now() + look_after;
        let mut wait = POLL_FIRST;
        loop {
            let is_over = Instant::now() >= deadline;
            if self.options.prove_limit.is_zero() || self.is_cancelled() {
                return Ok(());
            }
            self.prove_stored(&self.unproved(range.clone())).await?;
            let open = self.unproved(range.clone());
            if open.is_empty() {
                return Ok(());
            }
            if is_over || Instant::now() >= next_look {
                self.prove_dead(&open).await?;
                look_after *= 2;
                next_look = Instant::now() + look_after;
            }
            if is_over {
                return Ok(());
            }
            let rest = deadline.saturating_duration_since(Instant::now());
            tokio::time::sleep(wait.min(rest)).await;
            wait = (wait * 2).min(POLL_MAX);
        }
    }

    fn unproved(&self, range: Range<usize>) -> Vec<usize> {
        self.matching(range, |_, message| {
            is_sent(message) && message.proof.is_none()
        })
    }

    async fn prove_stored(&self, open: &[usize]) -> Result<(), RedriveError> {
        if self.pipeline.environment().database_url.is_none() {
            return Ok(());
        }
        for chunk in open.chunks(KEYS_MAX) {
            let keys: Vec<(usize, EventKey)> = self.recorder.look(|state| {
                chunk
                    .iter()
                    .filter_map(|index| Some((*index, state.messages().get(*index)?.key.clone()?)))
                    .collect()
            });
            let wanted: Vec<EventKey> = keys.iter().map(|(_, key)| key.clone()).collect();
            let known = match self.pipeline.stored_keys(&wanted).await {
                Ok(known) => known,
                Err(error) => {
                    tracing::debug!(%error, "the ledger is asked again");
                    return Ok(());
                }
            };
            let messages = keys
                .iter()
                .filter_map(|(index, key)| {
                    let record_id = known.get(key)?.record_id;
                    let proof = match self.plan.entries.get(*index)?.verdict {
                        Verdict::AlreadyStored => Proof::AlreadyStored { record_id },
                        Verdict::Ready | Verdict::StillInvalid | Verdict::Unreadable => {
                            Proof::Stored { record_id }
                        }
                    };
                    Some(Proved {
                        index: *index,
                        proof,
                    })
                })
                .collect();
            self.proved(messages).await?;
        }
        Ok(())
    }

    /// Looks for events among the dead letters, by the message id of their copy, and else by their
    /// body: the ingest dead-letters what it refuses as a new message.
    async fn prove_dead(&self, open: &[usize]) -> Result<(), RedriveError> {
        // What a search passed is hidden from this look too.
        self.leases.release_passed().await;
        let mut wanted = self.recorder.look(|state| Wanted::of(state, open));
        let seen = LeaseSet::new(self.pipeline, LOOK_TIMEOUT);
        let mut messages = Vec::new();
        let looked = self.look(&mut wanted, &seen, &mut messages).await;
        if let Err(error) = looked {
            tracing::debug!(%error, "the dead letters are looked at again");
        }
        seen.release_all().await;
        self.proved(messages).await
    }

    async fn look(
        &self,
        wanted: &mut Wanted,
        seen: &LeaseSet,
        proved: &mut Vec<Proved>,
    ) -> Result<(), PipelineError> {
        while !wanted.is_empty() && seen.len() < LOOK_MESSAGES_MAX {
            let poll = seen
                .poll(BATCH_ENTRIES_MAX, &CancellationToken::new())
                .await;
            if poll.messages.is_empty() {
                return poll.failure.map_or(Ok(()), Err);
            }
            for message in poll.messages {
                let is_new = !self.leases.is_planned(&message.message_id)
                    && message.sent_at >= self.plan.created_at - CLOCK_SKEW_MAX;
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
        Ok(())
    }

    async fn proved(&self, messages: Vec<Proved>) -> Result<(), RedriveError> {
        if messages.is_empty() {
            return Ok(());
        }
        self.record(Fact::Proved { messages }).await
    }
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

fn is_sent(message: &MessageState) -> bool {
    !message.phase.is_unsent() && !message.phase.is_doubtful()
}

/// What became of the messages of a step.
#[derive(Debug, Default)]
struct Tally {
    messages: usize,
    sent: usize,
    unproved: usize,
    dead_again: usize,
    /// Why the first of them died.
    reason: Option<String>,
}

impl Tally {
    fn of(state: &State, step: Range<usize>) -> Self {
        let mut tally = Self::default();
        for message in state.messages().get(step).unwrap_or_default() {
            tally.messages += 1;
            if !is_sent(message) {
                continue;
            }
            tally.sent += 1;
            match &message.proof {
                None => tally.unproved += 1,
                Some(Proof::DeadAgain { reason, .. }) => {
                    tally.dead_again += 1;
                    tally.reason = tally.reason.or_else(|| reason.clone());
                }
                Some(Proof::Stored { .. } | Proof::AlreadyStored { .. }) => {}
            }
        }
        tally
    }

    /// Why the next step must not begin by itself.
    fn trouble(&self, limit: Duration) -> Option<String> {
        let Self { messages, sent, .. } = self;
        if self.dead_again > 0 {
            let reason = self.reason.as_deref().unwrap_or("without a reason");
            return Some(format!(
                "{} of {sent} redriven events failed again: {reason}",
                self.dead_again
            ));
        }
        if self.unproved > 0 {
            return Some(format!(
                "{} of {sent} redriven events were not proved within {} s",
                self.unproved,
                limit.as_secs()
            ));
        }
        (sent < messages).then(|| {
            format!(
                "only {sent} of the step's {} sent",
                messages_in_words(*messages as u64)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_step_that_is_all_stored_goes_on_by_itself() {
        let limit = Duration::from_secs(60);
        let good = Tally {
            messages: 10,
            sent: 10,
            ..Tally::default()
        };
        assert_eq!(good.trouble(limit), None);
        for (tally, expected) in [
            (
                Tally {
                    dead_again: 2,
                    unproved: 1,
                    ..good
                },
                "2 of 10 redriven events failed again: without a reason",
            ),
            (
                Tally {
                    unproved: 3,
                    ..Tally {
                        messages: 10,
                        sent: 10,
                        ..Tally::default()
                    }
                },
                "3 of 10 redriven events were not proved within 60 s",
            ),
            (
                Tally {
                    messages: 10,
                    ..Tally::default()
                },
                "only 0 of the step's 10 messages sent",
            ),
        ] {
            assert_eq!(tally.trouble(limit).unwrap(), expected);
        }
    }
}
