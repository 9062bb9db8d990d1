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

use super::batch::Engine;
use super::error::RedriveError;
use super::fact::{Fact, Proof, Proved};
use super::message::body_sha256;
use super::resume::KEYS_MAX;
use super::state::{LetterState, State};
use crate::world::observed::DeadLetter;
use crate::world::{BATCH_ENTRIES_MAX, WorldError};

/// First wait between two questions to the ledger; doubles.
const POLL_FIRST: Duration = Duration::from_millis(200);
/// Longest wait.
const POLL_MAX: Duration = Duration::from_secs(2);
/// Events are looked for among the dead letters only after this time, and then this often: every
/// look counts as a receive of the letters it passes.
const LOOK_EVERY: Duration = Duration::from_secs(4);
/// Letters of one look at most.
const LOOK_LETTERS_MAX: usize = 1_000;
/// Hold of letters that are looked at.
const LOOK_HOLD: Duration = Duration::from_secs(30);
/// Clocks of this machine and of SQS differ by less.
const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::seconds(30);

impl Engine<'_> {
    /// Proves a canary step; pauses the redrive when it is not proved.
    pub(super) async fn prove_canary(&self, step: Range<usize>) -> Result<(), RedriveError> {
        self.prove(step.clone()).await?;
        let (sent, open, dead) = self.recorder.look(|state| tally(state, step));
        if let Some((count, reason)) = dead {
            self.pause(format!(
                "{count} of {sent} redriven events failed again: {reason}"
            ))
            .await?;
        } else if open > 0 {
            self.pause(format!(
                "{open} of {sent} redriven events were not proved within {} s",
                self.options.prove_limit.as_secs()
            ))
            .await?;
        }
        self.control.pass().await;
        Ok(())
    }

    /// Follows events that were sent until each is proved, or until the limit.
    pub(super) async fn prove(&self, range: Range<usize>) -> Result<(), RedriveError> {
        let deadline = Instant::now() + self.options.prove_limit;
        let mut next_look = deadline.min(Instant::now() + LOOK_EVERY);
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
                next_look = Instant::now() + LOOK_EVERY;
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
        self.matching(range, |_, letter| is_sent(letter) && letter.proof.is_none())
    }

    async fn prove_stored(&self, open: &[usize]) -> Result<(), RedriveError> {
        if self.world.environment().database_url.is_none() {
            return Ok(());
        }
        for chunk in open.chunks(KEYS_MAX) {
            let keys: Vec<(usize, EventKey)> = self.recorder.look(|state| {
                chunk
                    .iter()
                    .filter_map(|index| Some((*index, state.letters().get(*index)?.key.clone()?)))
                    .collect()
            });
            let wanted: Vec<EventKey> = keys.iter().map(|(_, key)| key.clone()).collect();
            let known = match self.world.stored_keys(&wanted).await {
                Ok(known) => known,
                Err(error) => {
                    tracing::debug!(%error, "the ledger is asked again");
                    return Ok(());
                }
            };
            let letters = keys
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
            self.proved(letters).await?;
        }
        Ok(())
    }

    /// Looks for events among the dead letters, by the message id of their copy, and else by their
    /// body: the ingest dead-letters what it refuses as a new message.
    async fn prove_dead(&self, open: &[usize]) -> Result<(), RedriveError> {
        // What a search passed is hidden from this look too.
        self.leases.release_passed().await;
        let mut wanted = self.recorder.look(|state| Wanted::of(state, open));
        let mut seen = Vec::new();
        let mut letters = Vec::new();
        let looked = self.look(&mut wanted, &mut seen, &mut letters).await;
        if let Err(error) = looked {
            tracing::debug!(%error, "the dead letters are looked at again");
        }
        if let Err(error) = self.world.release_dead_letters(&seen).await {
            tracing::debug!(%error, "letters come back when their hold ends");
        }
        self.proved(letters).await
    }

    async fn look(
        &self,
        wanted: &mut Wanted,
        seen: &mut Vec<String>,
        proved: &mut Vec<Proved>,
    ) -> Result<(), WorldError> {
        while !wanted.is_empty() && seen.len() < LOOK_LETTERS_MAX {
            let letters = self
                .world
                .receive_letters(BATCH_ENTRIES_MAX, LOOK_HOLD)
                .await?;
            if letters.is_empty() {
                break;
            }
            for letter in letters {
                let is_new = !self.leases.is_planned(&letter.message_id)
                    && letter.sent_at >= self.plan.created_at - CLOCK_SKEW_MAX;
                if is_new && let Some(index) = wanted.take(&letter) {
                    let reason = letter.reason.as_ref();
                    let proof = Proof::DeadAgain {
                        reason: reason.map(|reason| format!("{}: {}", reason.code, reason.message)),
                        message_id: letter.message_id,
                    };
                    proved.push(Proved { index, proof });
                }
                seen.push(letter.receipt_handle);
            }
        }
        Ok(())
    }

    async fn proved(&self, letters: Vec<Proved>) -> Result<(), RedriveError> {
        if letters.is_empty() {
            return Ok(());
        }
        self.record(Fact::Proved { letters }).await
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
            let Some(letter) = state.letters().get(*index) else {
                continue;
            };
            wanted.open += 1;
            if let Some(message_id) = &letter.sent_message_id {
                wanted.by_message_id.insert(message_id.clone(), *index);
            }
            let same = wanted.by_body.entry(letter.sent_sha256.clone());
            same.or_default().push(*index);
        }
        wanted
    }

    fn is_empty(&self) -> bool {
        self.open == 0
    }

    fn take(&mut self, letter: &DeadLetter) -> Option<usize> {
        let digest = body_sha256(&letter.body);
        let same = self.by_body.get_mut(&digest)?;
        let place = match self.by_message_id.remove(&letter.message_id) {
            Some(index) => same.iter().position(|other| *other == index)?,
            None => same.len().checked_sub(1)?,
        };
        self.open -= 1;
        Some(same.remove(place))
    }
}

fn is_sent(letter: &LetterState) -> bool {
    !letter.phase.is_unsent() && !letter.phase.is_doubtful()
}

/// Of the letters of a step: sent, sent and unproved, and dead again with the first reason.
fn tally(state: &State, step: Range<usize>) -> (usize, usize, Option<(usize, String)>) {
    let (mut sent, mut open, mut dead) = (0, 0, None);
    for letter in state.letters().get(step).unwrap_or_default() {
        if !is_sent(letter) {
            continue;
        }
        sent += 1;
        match &letter.proof {
            None => open += 1,
            Some(Proof::DeadAgain { reason, .. }) => {
                let first = reason.as_deref().unwrap_or("without a reason");
                let (count, _) = dead.get_or_insert_with(|| (0, first.to_owned()));
                *count += 1;
            }
            Some(Proof::Stored { .. } | Proof::AlreadyStored { .. }) => {}
        }
    }
    (sent, open, dead)
}
