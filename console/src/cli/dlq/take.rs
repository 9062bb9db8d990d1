//! Every message of the dead-letter queue, round by round.
//!
//! Invariant: the bodies of one round are in memory and no more; every message is given once, and
//! all of them stay held until the take is left, which is due also after an error.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use chrono::TimeDelta;
use indicatif::ProgressBar;

use crate::cli::holding::LeaseSet;
use crate::cli::selection::{ProgramFailures, SelectionArguments};
use crate::cli::{CommandError, Exit, Interrupt, Session, progress};
use crate::text::messages_in_words;
use pipeline::model::{DeadLetter, QueueRole};
use pipeline::printable;
use redrive::PLAN_ENTRIES_MAX;

/// Hold of each message. It is prolonged while a take lasts longer; after a crash the messages are
/// hidden for as long.
const HOLD: Duration = Duration::from_secs(600);
/// Messages of one round.
const ROUND_MESSAGES_MAX: usize = 1_000;
/// Messages that are held at once: SQS takes about 120,000 in flight, and others need some of them
/// (Amazon SQS quotas).
const MESSAGES_MAX: usize = PLAN_ENTRIES_MAX;
/// A take ends at this many times as many messages as there were when it began, and some more:
/// messages go on dying meanwhile, and SQS gives them in no order.
const MESSAGES_PER_MESSAGE_MAX: usize = 2;
/// The number of messages is an approximate one.
const MESSAGES_MORE: usize = 100;
/// Rounds in a row that bring nothing new, after which a take ends.
const BARREN_ROUNDS_MAX: usize = 3;
/// What is done with a hold must be done by its end.
const HOLD_MARGIN: TimeDelta = TimeDelta::seconds(30);

/// A selection of messages on its way through the whole queue.
pub(crate) struct Take<'a> {
    session: &'a Session,
    selection: &'a SelectionArguments,
    sweep: LeaseSet<'a>,
    bar: ProgressBar,
    messages_max: usize,
    taken: usize,
    barren_rounds: usize,
    /// Messages of a FIFO queue that wait behind others of their groups, which are held.
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
            messages_max: messages_max(depth.visible),
            taken: 0,
            barren_rounds: 0,
            blocked: 0,
            causes: BTreeSet::new(),
            failures: ProgramFailures::default(),
            missing: selection.message_ids.iter().map(String::as_str).collect(),
        })
    }

    /// The selected messages of one more round, which may be none; `None` when there are no more.
    pub(crate) async fn next(
        &mut self,
        interrupt: &mut Interrupt,
    ) -> Result<Option<Vec<DeadLetter>>, CommandError> {
        let wanted = (self.messages_max - self.taken).min(ROUND_MESSAGES_MAX);
        let is_all_found = self.selection.names_messages() && self.missing.is_empty();
        let is_over = wanted == 0 || is_all_found || self.barren_rounds >= BARREN_ROUNDS_MAX;
        let round = match is_over {
            true => None,
            false => self.sweep.next(wanted, interrupt).await?,
        };
        let Some(messages) = round else {
            self.bar.finish_and_clear();
            self.selection.filter.check_code(&self.causes)?;
            self.look_for_blocked(interrupt).await?;
            return Ok(None);
        };
        self.barren_rounds = if messages.is_empty() {
            self.barren_rounds + 1
        } else {
            0
        };
        self.taken = self.messages_max.min(self.taken + messages.len());
        self.bar.set_position(self.taken as u64);
        if self.selection.filter.code.is_some() {
            self.causes.extend(messages.iter().map(DeadLetter::cause));
        }
        let parted = self.selection.parted(messages, interrupt).await?;
        self.failures.add(parted.failures);
        for message in &parted.chosen {
            self.missing.remove(message.message_id.as_str());
        }
        Ok(Some(parted.chosen))
    }

    /// A FIFO queue gives nothing of a group of which somebody holds a message.
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

    /// Handle of a message that is held for long enough.
    pub(crate) fn handle(&self, message_id: &str) -> Option<String> {
        self.sweep.handle(message_id, HOLD_MARGIN)
    }

    /// Messages that somebody else holds, by the queue's own approximate count.
    pub(crate) fn held_elsewhere(&self) -> usize {
        self.sweep.held_elsewhere
    }

    /// Message ids that were named and did not come.
    pub(crate) fn missing(&self) -> Vec<String> {
        let is_missing = |id: &&String| self.missing.contains(id.as_str());
        let named = self.selection.message_ids.iter();
        named.filter(is_missing).cloned().collect()
    }

    /// Whether messages wait that were not seen, although all were asked for.
    pub(crate) fn is_truncated(&self) -> bool {
        (self.sweep.is_truncated || self.blocked > 0) && !self.selection.names_messages()
    }

    /// Says what was not seen, or not as it seems.
    pub(crate) fn remarks(&self) {
        let output = &self.session.output;
        self.failures.remark(self.session);
        if self.is_truncated() && self.taken >= MESSAGES_MAX {
            output.note(&format!(
                "{MESSAGES_MAX} messages were taken, and no more are held at once; more wait"
            ));
        } else if self.is_truncated() && self.taken >= self.messages_max {
            output.note(&format!(
                "{} messages were taken, far more than there were at the start: messages go on \
                 dying; more wait",
                self.taken
            ));
        } else {
            self.sweep.remarks();
        }
        if self.blocked > 0 {
            output.note(&format!(
                "{} behind others of their message groups, not looked at",
                messages_in_words(self.blocked)
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

fn messages_max(waiting: u64) -> usize {
    usize::try_from(waiting)
        .unwrap_or(MESSAGES_MAX)
        .saturating_mul(MESSAGES_PER_MESSAGE_MAX)
        .saturating_add(MESSAGES_MORE)
        .min(MESSAGES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn take_of_a_queue_that_is_being_filled_has_an_end() {
        assert_eq!(messages_max(0), 100);
        assert_eq!(messages_max(10), 120);
        assert_eq!(messages_max(80_000), MESSAGES_MAX);
        assert_eq!(messages_max(u64::MAX), MESSAGES_MAX);
    }
}
