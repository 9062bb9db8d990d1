//! The messages of a redrive, counted.
//!
//! Invariant: every message is counted in exactly one phase.

use super::fact::Proof;
use super::phase::Phase;

/// Messages by phase; their sum is the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Nothing was done with these.
    pub waiting: usize,
    /// Being sent, or unknown since a process ended.
    pub intended: usize,
    /// Not sent: they are where they were.
    pub not_sent: usize,
    /// SQS gave no answer: each may have been sent, and is still where it was.
    pub unknown: usize,
    /// Sent, and still in the dead-letter queue too.
    pub sent_not_deleted: usize,
    /// Sent and deleted, or found stored and deleted.
    pub moved: usize,
    /// Of those sent, events that the ledger knows.
    pub stored: usize,
    /// Of those sent, events that failed again.
    pub dead_again: usize,
}

impl Counts {
    /// Messages that have an outcome.
    #[must_use]
    pub fn done(&self) -> usize {
        self.not_sent + self.unknown + self.sent_not_deleted + self.moved
    }

    pub(super) fn of(&mut self, phase: &Phase) -> &mut usize {
        match phase {
            Phase::Waiting => &mut self.waiting,
            Phase::Intended => &mut self.intended,
            Phase::Refused(_) | Phase::NotTried(_) => &mut self.not_sent,
            Phase::Unanswered(_) => &mut self.unknown,
            Phase::Confirmed | Phase::FoundStored(_) | Phase::NotDeleted(_) => {
                &mut self.sent_not_deleted
            }
            Phase::Deleted => &mut self.moved,
        }
    }

    pub(super) fn of_proof(&mut self, proof: &Proof) -> &mut usize {
        match proof {
            Proof::Stored { .. } | Proof::AlreadyStored { .. } => &mut self.stored,
            Proof::DeadAgain { .. } => &mut self.dead_again,
        }
    }
}
