//! Every letter of the dead-letter queue, round by round.
//!
//! Invariant: the bodies of one round are in memory and no more; every letter is given once, and
//! all of them stay held until the take is left, which is due also after an error.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use chrono::TimeDelta;
use indicatif::ProgressBar;

use crate::cli::holding::LeaseSet;
use crate::cli::selection::{ProgramFailures, SelectionArguments};
use crate::cli::{CommandError, Exit, Interrupt, Session, progress};
use crate::text::letters_in_words;
use pipeline::model::{DeadLetter, QueueRole};
use pipeline::printable;
use redrive::PLAN_ENTRIES_MAX;

/// Hold of each letter. It is prolonged while a take lasts longer; after a crash the letters are
/// hidden for as long.
const HOLD: Duration = Duration::from_secs(600);
/// Letters of one round.
const ROUND_LETTERS_MAX: usize = 1_000;
/// Letters that are held at once: SQS takes about 120,000 in flight, and others need some of them
/// (Amazon SQS quotas).
const LETTERS_MAX: usize = PLAN_ENTRIES_MAX;
/// A take ends at this many times as many letters as there were when it began, and some more:
/// letters go on dying meanwhile, and SQS gives them in no order.
const LETTERS_PER_LETTER_MAX: usize = 2;
/// The number of letters is an approximate one.
const LETTERS_MORE: usize = 100;
/// Rounds in a row that bring nothing new, after which a take ends.
const BARREN_ROUNDS_MAX: usize = 3;
/// What is done with a hold must be done by its end.
const HOLD_MARGIN: TimeDelta = TimeDelta::seconds(30);

/// A selection of letters on its way through the whole queue.
pub(crate) struct Take<'a> {
    session: &'a Session,
    selection: &'a SelectionArguments,
    sweep: LeaseSet<'a>,
    bar: ProgressBar,
    letters_max: usize,
    taken: usize,
    barren_rounds: usize,
    /// Letters of a FIFO queue that wait behind others of their groups, which are held.
    blocked: u64,
    causes: BTreeSet<String>,
    failures: ProgramFailures,
    /// Message ids that were named and did not come yet.
    missing: HashSet<&'a str>,
}

impl<'a> Take<'a> {
    /// Begins; nothing is held yet.
    pub(crate) async fn begin(
        session: &'a Session,
        selection: &'a SelectionArguments,
        doing: &'static str,
        interrupt: &mut Interrupt,
    ) -> Result<Self, CommandError> {
        let depth = tokio::select! {
            depth = session.pipeline.queue_depth(QueueRole::DeadLetter) => depth?,
            () = interrupt.received() => return Err(CommandError::Interrupted),
        };
        Ok(Self {
            session,
            selection,
            sweep: LeaseSet::new(session, HOLD),
            bar: progress::bar(depth.visible, doing),
            letters_max: letters_max(depth.visible),
            taken: 0,
            barren_rounds: 0,
            blocked: 0,
            causes: BTreeSet::new(),
            failures: ProgramFailures::default(),
            missing: selection.message_ids.iter().map(String::as_str).collect(),
        })
    }

    /// The selected letters of one more round, which may be none; `None` when there are no more.
    pub(crate) async fn next(
        &mut self,
        interrupt: &mut Interrupt,
    ) -> Result<Option<Vec<DeadLetter>>, CommandError> {
        let wanted = (self.letters_max - self.taken).min(ROUND_LETTERS_MAX);
        let is_all_found = self.selection.names_letters() && self.missing.is_empty();
        let is_over = wanted == 0 || is_all_found || self.barren_rounds >= BARREN_ROUNDS_MAX;
        let round = match is_over {
            true => None,
            false => self.sweep.next(wanted, interrupt).await?,
        };
        let Some(letters) = round else {
            self.bar.finish_and_clear();
            self.selection.filter.check_code(&self.causes)?;
            self.look_for_blocked(interrupt).await?;
            return Ok(None);
        };
        self.barren_rounds = if letters.is_empty() {
            self.barren_rounds + 1
        } else {
            0
        };
        self.taken = self.letters_max.min(self.taken + letters.len());
        self.bar.set_position(self.taken as u64);
        if self.selection.filter.code.is_some() {
            self.causes.extend(letters.iter().map(DeadLetter::cause));
        }
        let parted = self.selection.parted(letters, interrupt).await?;
        self.failures.add(parted.failures);
        for letter in &parted.chosen {
            self.missing.remove(letter.message_id.as_str());
        }
        Ok(Some(parted.chosen))
    }

    /// A FIFO queue gives nothing of a group of which somebody holds a letter.
    async fn look_for_blocked(&mut self, interrupt: &mut Interrupt) -> Result<(), CommandError> {
        let pipeline = &self.session.pipeline;
        if pipeline
            .queue_name(QueueRole::DeadLetter)
            .ends_with(".fifo")
        {
            self.blocked = tokio::select! {
                depth = pipeline.queue_depth(QueueRole::DeadLetter) => depth?.visible,
                () = interrupt.received() => return Err(CommandError::Interrupted),
            };
        }
        Ok(())
    }

    /// Gives back everything that is held.
    pub(crate) async fn leave(&mut self, interrupt: &mut Interrupt) {
        self.bar.finish_and_clear();
        self.sweep.leave(interrupt).await;
    }

    /// Prolongs what ends soon.
    pub(crate) async fn prolong(&mut self) {
        self.sweep.prolong().await;
    }

    /// The holds themselves, for whoever waits for an answer meanwhile.
    pub(crate) fn sweep(&mut self) -> &mut LeaseSet<'a> {
        &mut self.sweep
    }

    /// Handle of a letter that is held for long enough.
    pub(crate) fn handle(&self, message_id: &str) -> Option<&str> {
        self.sweep.handle(message_id, HOLD_MARGIN)
    }

    /// Letters that somebody else holds, by the queue's own approximate count.
    pub(crate) fn held_elsewhere(&self) -> usize {
        self.sweep.held_elsewhere
    }

    /// Message ids that were named and did not come.
    pub(crate) fn missing(&self) -> Vec<String> {
        let is_missing = |id: &&String| self.missing.contains(id.as_str());
        let named = self.selection.message_ids.iter();
        named.filter(is_missing).cloned().collect()
    }

    /// Whether letters wait that were not seen, although all were asked for.
    pub(crate) fn is_truncated(&self) -> bool {
        (self.sweep.is_truncated || self.blocked > 0) && !self.selection.names_letters()
    }

    /// Says what was not seen, or not as it seems.
    pub(crate) fn remarks(&self) {
        let output = &self.session.output;
        self.failures.remark(self.session);
        if self.is_truncated() && self.taken >= LETTERS_MAX {
            output.note(&format!(
                "{LETTERS_MAX} letters were taken, and no more are held at once; more wait"
            ));
        } else if self.is_truncated() && self.taken >= self.letters_max {
            output.note(&format!(
                "{} letters were taken, far more than there were at the start: letters go on \
                 dying; more wait",
                self.taken
            ));
        } else {
            self.sweep.remarks();
        }
        if self.blocked > 0 {
            output.note(&format!(
                "{} behind others of their message groups, not looked at",
                letters_in_words(self.blocked)
            ));
        }
        for message_id in self.missing() {
            let missing = format!("{message_id}: not among the dead letters, or held elsewhere");
            output.note(&printable(&missing));
        }
    }

    /// How a command ends that did all that it could with what was taken.
    pub(crate) fn exit(&self) -> Exit {
        if self.missing.is_empty() && !self.is_truncated() {
            self.sweep.exit()
        } else {
            Exit::Failed
        }
    }
}

fn letters_max(waiting: u64) -> usize {
    usize::try_from(waiting)
        .unwrap_or(LETTERS_MAX)
        .saturating_mul(LETTERS_PER_LETTER_MAX)
        .saturating_add(LETTERS_MORE)
        .min(LETTERS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn take_of_a_queue_that_is_being_filled_has_an_end() {
        assert_eq!(letters_max(0), 100);
        assert_eq!(letters_max(10), 120);
        assert_eq!(letters_max(80_000), LETTERS_MAX);
        assert_eq!(letters_max(u64::MAX), LETTERS_MAX);
    }
}
