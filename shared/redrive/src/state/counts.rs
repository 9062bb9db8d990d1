//! The messages of a redrive, counted.
//!
//! Invariant: every message is counted in exactly one phase; what was not looked up is not counted
//! as 0, unless every sent event was proved to be something else. The JSON form is published.

use serde::{Deserialize, Serialize};

use super::fact::{LookedUp, Proof};
use super::phase::Phase;

/// Messages by phase; their sum is the plan. Equal where they are published alike.
#[derive(Clone, Copy, Debug, Default, Eq, Serialize, Deserialize)]
#[serde(into = "CountsJson", from = "CountsJson")]
pub struct Counts {
    /// Nothing was done with these.
    pub waiting: usize,
    /// Being sent, or unknown since a process ended.
    pub intended: usize,
    /// Not sent: they are where they were.
    pub not_sent: usize,
    /// Of these, messages that a resume cannot send either: gone, too large, or changed.
    pub unsendable: usize,
    /// No answer came: each may have been sent, and is still where it was.
    pub unknown: usize,
    /// Sent, and still in the dead-letter queue too; 0 in a replay.
    pub sent_not_deleted: usize,
    /// Sent and deleted, or found stored and deleted; in a replay sent.
    pub moved: usize,
    /// Of those sent, events that were seen in the ledger; see [`Self::stored`].
    pub stored: usize,
    /// Of these, messages without a record of their own: the ledger knew their event before, or
    /// another message of the redrive carried the same one.
    pub duplicates: usize,
    /// Of those sent, events that were seen to fail again; see [`Self::dead_again`].
    pub dead_again: usize,
    /// Where the events were looked for.
    pub looked_up: LookedUp,
}

/// [`Counts`] as they are published: `stored` and `dead_again` are null where nothing was looked
/// up.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct CountsJson {
    waiting: usize,
    intended: usize,
    not_sent: usize,
    #[serde(default, skip_serializing_if = "is_zero")]
    unsendable: usize,
    unknown: usize,
    sent_not_deleted: usize,
    moved: usize,
    stored: Option<usize>,
    #[serde(default, skip_serializing_if = "is_zero")]
    duplicates: usize,
    dead_again: Option<usize>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl From<Counts> for CountsJson {
    fn from(counts: Counts) -> Self {
        Self {
            waiting: counts.waiting,
            intended: counts.intended,
            not_sent: counts.not_sent,
            unsendable: counts.unsendable,
            unknown: counts.unknown,
            sent_not_deleted: counts.sent_not_deleted,
            moved: counts.moved,
            stored: counts.stored(),
            duplicates: counts.duplicates,
            dead_again: counts.dead_again(),
        }
    }
}

impl From<CountsJson> for Counts {
    fn from(json: CountsJson) -> Self {
        Self {
            waiting: json.waiting,
            intended: json.intended,
            not_sent: json.not_sent,
            unsendable: json.unsendable,
            unknown: json.unknown,
            sent_not_deleted: json.sent_not_deleted,
            moved: json.moved,
            stored: json.stored.unwrap_or(0),
            duplicates: json.duplicates,
            dead_again: json.dead_again.unwrap_or(0),
            looked_up: match (json.stored, json.dead_again) {
                (Some(_), Some(_)) => LookedUp::Ledger,
                (Some(_), None) => LookedUp::LedgerOnly,
                (None, Some(_)) => LookedUp::DeadLetters,
                (None, None) => LookedUp::Nothing,
            },
        }
    }
}

impl PartialEq for Counts {
    fn eq(&self, other: &Self) -> bool {
        CountsJson::from(*self) == CountsJson::from(*other)
    }
}

impl Counts {
    /// Messages that have an outcome.
    #[must_use]
    pub fn done(&self) -> usize {
        self.not_sent + self.unknown + self.sent()
    }

    /// Messages whose copy was sent, or whose event the ledger knew.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.moved + self.sent_not_deleted
    }

    /// Messages that a resume would work on.
    #[must_use]
    pub fn left(&self) -> usize {
        let not_sent = self.not_sent.saturating_sub(self.unsendable);
        self.waiting + self.intended + not_sent + self.unknown + self.sent_not_deleted
    }

    /// Messages that are known not to be sent: they are where they were.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.waiting + self.not_sent
    }

    /// Messages that may have been sent.
    #[must_use]
    pub fn in_doubt(&self) -> usize {
        self.unknown + self.intended
    }

    /// Whether every message is known to be sent, and gone from the dead-letter queue: nothing is left to do or to
    /// find out, but what became of their events.
    #[must_use]
    pub fn is_all_moved(&self) -> bool {
        self.left() == 0 && self.unsendable == 0
    }

    /// Of those sent, events that the ledger knows; `None` where it was not asked about all of them.
    #[must_use]
    pub fn stored(&self) -> Option<usize> {
        let is_known = self.looked_up.has_ledger() || self.stored > 0 || self.is_proved();
        is_known.then_some(self.stored)
    }

    /// Of those sent, events that failed again; `None` where they were not looked for.
    #[must_use]
    pub fn dead_again(&self) -> Option<usize> {
        let is_known = self.looked_up.has_dead_letters() || self.dead_again > 0 || self.is_proved();
        is_known.then_some(self.dead_again)
    }

    /// Whether every event that was sent was seen stored or dead-lettered.
    fn is_proved(&self) -> bool {
        self.sent() > 0 && self.unproved() == 0
    }

    /// Of those sent, events that were seen neither stored nor dead-lettered.
    #[must_use]
    pub fn unproved(&self) -> usize {
        self.sent().saturating_sub(self.stored + self.dead_again)
    }

    pub(super) fn of(&mut self, phase: &Phase) -> &mut usize {
        match phase {
            Phase::Waiting => &mut self.waiting,
            Phase::Intended => &mut self.intended,
            Phase::Refused(_) | Phase::NotTried(_) | Phase::Unsendable(_) => &mut self.not_sent,
            Phase::Unanswered(_) => &mut self.unknown,
            Phase::Confirmed | Phase::FoundStored(_) | Phase::NotDeleted(_) => {
                &mut self.sent_not_deleted
            }
            Phase::Deleted | Phase::Published => &mut self.moved,
        }
    }

    pub(super) fn of_proof(&mut self, proof: &Proof) -> &mut usize {
        match proof {
            Proof::Stored { .. } | Proof::AlreadyStored { .. } => &mut self.stored,
            Proof::DeadAgain { .. } => &mut self.dead_again,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_moved_only_where_no_message_is_left_or_in_doubt() {
        let all = Counts {
            moved: 3,
            ..Counts::default()
        };
        assert!(all.is_all_moved());
        let with = |change: fn(&mut Counts)| {
            let mut counts = all;
            change(&mut counts);
            counts.is_all_moved()
        };
        assert!(!with(|counts| counts.waiting = 1));
        assert!(!with(|counts| counts.intended = 1));
        assert!(!with(|counts| counts.not_sent = 1));
        assert!(!with(|counts| (counts.not_sent, counts.unsendable) = (1, 1)));
        assert!(!with(|counts| counts.unknown = 1));
        assert!(!with(|counts| counts.sent_not_deleted = 1));
    }

    #[test]
    fn where_every_sent_event_was_proved_none_is_anything_else() {
        let counts = |stored, dead_again| Counts {
            moved: 3,
            stored,
            dead_again,
            waiting: 2,
            ..Counts::default()
        };
        for (stored, dead_again) in [(3, 0), (0, 3)] {
            let all = counts(stored, dead_again);
            let known = (Some(stored), Some(dead_again));
            assert_eq!((all.stored(), all.dead_again()), known);
            let read = serde_json::from_value(serde_json::to_value(all).unwrap());
            assert_eq!(all, read.unwrap());
        }
        let some = counts(2, 0);
        assert_eq!((some.stored(), some.dead_again()), (Some(2), None));
        let nothing_sent = Counts::default();
        assert_eq!(nothing_sent.dead_again(), None);
    }

    #[test]
    fn events_that_were_not_looked_up_are_null_and_not_0() {
        let json = |counts: Counts| serde_json::to_value(counts).unwrap();
        let mut counts = Counts {
            moved: 3,
            ..Counts::default()
        };
        let published = json(counts);
        assert!(published["stored"].is_null() && published["dead_again"].is_null());
        counts.looked_up = LookedUp::DeadLetters;
        let published = json(counts);
        assert!(published["stored"].is_null());
        assert_eq!(published["dead_again"], 0);
        counts.looked_up = LookedUp::LedgerOnly;
        let published = json(counts);
        assert_eq!(published["stored"], 0);
        assert!(published["dead_again"].is_null());
        assert_eq!(serde_json::from_value::<Counts>(published).unwrap(), counts);
        counts.looked_up = LookedUp::LedgerOnly.and(LookedUp::DeadLetters);
        assert_eq!(counts.looked_up, LookedUp::Ledger);
        let published = json(counts);
        assert_eq!(
            (&published["stored"], &published["dead_again"]),
            (&0.into(), &0.into())
        );
        assert_eq!(serde_json::from_value::<Counts>(published).unwrap(), counts);
    }
}
