//! Counts the outcome of every published message.
//!
//! Invariant: each number has a separate source: published messages were acknowledged by the topic, stored
//! events are in the ledger, duplicates were counted by the ingest, dead letters were read one by one,
//! pending messages are in the queue. No number is computed from the others, so that the sum is a test.

use std::collections::{HashMap, HashSet};

use devstack::traffic::{BodyDigest, Remembered, body_digest};
use devstack::{DeadLetters, IngestCounts};
use event::{EventKey, peek_identity, unwrap_envelope};
use serde::Serialize;

use pipeline::model::{QueueDepth, QueueRole};
use pipeline::{Pipeline, PipelineError};

/// The outcomes of all messages of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Account {
    /// Messages that the topic acknowledged.
    pub(super) published: u64,
    /// Published events that are in the ledger.
    pub(super) stored: u64,
    /// Messages whose event was stored before, as the ingest counted them.
    pub(super) duplicates: u64,
    /// Published messages that were found in the dead-letter queue, and dead letters that could not be read
    /// because another consumer has received them.
    pub(super) dead_lettered: u64,
    /// Messages still in the source queue.
    pub(super) pending: u64,
    /// Published messages without an outcome that are not pending: events that are neither in the ledger
    /// nor dead letters, invalid messages that are no dead letters, copies that the ingest never received.
    pub(super) lost: u64,
}

/// The progress of a run at one moment; cheap enough to poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    ended: u64,
    pending: u64,
}

impl Progress {
    /// Reads the current progress. Dead letters are counted and not received.
    pub(super) async fn read(
        pipeline: &Pipeline,
        remembered: &Remembered,
        counts: IngestCounts,
    ) -> Result<Self, PipelineError> {
        let pending = in_queue(pipeline.queue_depth(QueueRole::Source).await?);
        let stored = in_ledger(pipeline, remembered).await?.len();
        let dead_lettered = in_queue(pipeline.queue_depth(QueueRole::DeadLetter).await?);
        Ok(Self {
            ended: count(stored) + counts.duplicates + dead_lettered,
            pending,
        })
    }

    /// Whether the source queue is empty.
    pub(super) const fn is_drained(self) -> bool {
        self.pending == 0
    }

    /// Whether every message has an outcome.
    pub(super) const fn is_settled(self, published: u64) -> bool {
        self.is_drained() && self.ended >= published
    }
}

impl Account {
    /// Counts the outcomes now.
    pub(super) async fn read(
        pipeline: &Pipeline,
        published: u64,
        remembered: &Remembered,
        counts: IngestCounts,
        messages: &DeadLetters,
    ) -> Result<Self, PipelineError> {
        let pending = in_queue(pipeline.queue_depth(QueueRole::Source).await?);
        let stored = in_ledger(pipeline, remembered).await?;
        Ok(Self::count(
            published,
            remembered,
            |key| stored.contains(key),
            counts.duplicates,
            messages,
            pending,
        ))
    }

    fn count(
        published: u64,
        remembered: &Remembered,
        is_stored: impl Fn(&EventKey) -> bool,
        duplicates: u64,
        messages: &DeadLetters,
        pending: u64,
    ) -> Self {
        let dead = Dead::of(&messages.bodies, remembered);
        let (mut stored, mut unseen, mut copies) = (0, 0, 0);
        for (key, number) in &remembered.events {
            let left = number - dead.events.get(key).copied().unwrap_or_default();
            if is_stored(key) {
                stored += 1;
                copies += left.saturating_sub(1);
            } else {
                unseen += left;
            }
        }
        for (digest, (_, number)) in &remembered.faults {
            unseen += number - dead.faults.get(digest).copied().unwrap_or_default();
        }
        unseen += copies.saturating_sub(duplicates);
        Self {
            published,
            stored,
            duplicates,
            dead_lettered: dead.total() + messages.unread,
            pending,
            lost: unseen.saturating_sub(pending + messages.unread),
        }
    }

    /// Outcomes minus published messages. If it is not zero, a source is wrong, SQS delivered a message
    /// twice, or others published too.
    pub(super) const fn surplus(&self) -> i64 {
        let found = self.stored + self.duplicates + self.dead_lettered + self.pending + self.lost;
        found.wrapping_sub(self.published).cast_signed()
    }

    /// Whether every published message has exactly one outcome.
    pub(super) const fn is_right(&self) -> bool {
        self.lost == 0 && self.surplus() == 0
    }
}

/// Published messages among the dead letters, never more of one than were published.
#[derive(Default)]
struct Dead {
    events: HashMap<EventKey, u64>,
    faults: HashMap<BodyDigest, u64>,
}

impl Dead {
    fn of(bodies: &[String], remembered: &Remembered) -> Self {
        let mut dead = Self::default();
        for body in bodies {
            let text = unwrap_envelope(body);
            let digest = body_digest(&text);
            if let Some((_, copies)) = remembered.faults.get(&digest) {
                let found = dead.faults.entry(digest).or_default();
                *found = (*found + 1).min(*copies);
                continue;
            }
            let identity = peek_identity(&text);
            if let (Some(source), Some(id)) = (identity.source, identity.id) {
                let key = EventKey { source, id };
                if let Some(copies) = remembered.events.get(&key) {
                    let found = dead.events.entry(key).or_default();
                    *found = (*found + 1).min(*copies);
                }
            }
        }
        dead
    }

    fn total(&self) -> u64 {
        self.events.values().chain(self.faults.values()).sum()
    }
}

/// The published events that are in the ledger.
async fn in_ledger(
    pipeline: &Pipeline,
    remembered: &Remembered,
) -> Result<HashSet<EventKey>, PipelineError> {
    let keys: Vec<EventKey> = remembered.events.keys().cloned().collect();
    let stored = pipeline.stored_keys(&keys).await?;
    Ok(stored.into_keys().collect())
}

fn in_queue(depth: QueueDepth) -> u64 {
    depth.visible + depth.in_flight + depth.delayed
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use devstack::Fault;

    use super::*;

    const FAULT: &str = "ERROR connection reset by peer";

    fn key(id: &str) -> EventKey {
        EventKey {
            source: "/tests".to_owned(),
            id: id.to_owned(),
        }
    }

    fn body(id: &str) -> String {
        format!(r#"{{"source":"/tests","id":"{id}"}}"#)
    }

    /// Three of one event, one of another, two of a fault: six messages.
    fn published() -> Remembered {
        Remembered {
            events: HashMap::from([(key("thrice"), 3), (key("once"), 1)]),
            faults: HashMap::from([(body_digest(FAULT), (Fault::PlainText, 2))]),
        }
    }

    fn messages(bodies: &[&str]) -> DeadLetters {
        DeadLetters {
            bodies: bodies.iter().map(|body| (*body).to_owned()).collect(),
            unread: 0,
        }
    }

    fn account_of(
        stored: &[&str],
        duplicates: u64,
        messages: &DeadLetters,
        pending: u64,
    ) -> Account {
        let stored: Vec<EventKey> = stored.iter().map(|id| key(id)).collect();
        let is_stored = |key: &EventKey| stored.contains(key);
        Account::count(6, &published(), is_stored, duplicates, messages, pending)
    }

    #[test]
    fn account_is_right_when_every_message_has_an_outcome() {
        let account = account_of(&["thrice", "once"], 2, &messages(&[FAULT, FAULT]), 0);
        let right = Account {
            published: 6,
            stored: 2,
            duplicates: 2,
            dead_lettered: 2,
            pending: 0,
            lost: 0,
        };
        assert_eq!(account, right);
        assert!(account.is_right());
    }

    #[test]
    fn message_without_an_outcome_is_lost() {
        let both = messages(&[FAULT, FAULT]);
        for (what, account) in [
            ("event", account_of(&["thrice"], 2, &both, 0)),
            (
                "copy of a stored event",
                account_of(&["thrice", "once"], 1, &both, 0),
            ),
            (
                "fault",
                account_of(&["thrice", "once"], 2, &messages(&[FAULT]), 0),
            ),
            (
                "fault, and a message of another publisher",
                account_of(&["thrice", "once"], 2, &messages(&[FAULT, "other"]), 0),
            ),
        ] {
            assert_eq!((account.lost, account.surplus()), (1, 0), "{what}");
            assert!(!account.is_right(), "{what}");
        }
        // A message too many elsewhere does not hide it.
        let masked = account_of(&["thrice"], 3, &both, 0);
        assert_eq!((masked.lost, masked.surplus()), (1, 1));
    }

    #[test]
    fn pending_message_is_not_lost() {
        let account = account_of(&["thrice"], 2, &messages(&[FAULT, FAULT]), 1);
        assert_eq!(
            (account.pending, account.lost, account.surplus()),
            (1, 0, 0)
        );
        let hidden = DeadLetters {
            unread: 1,
            ..messages(&[FAULT])
        };
        let account = account_of(&["thrice", "once"], 2, &hidden, 0);
        assert_eq!((account.dead_lettered, account.lost), (2, 0));
    }

    #[test]
    fn valid_event_in_the_dead_letter_queue_is_counted_as_dead_lettered() {
        let (thrice, once) = (body("thrice"), body("once"));
        let dead = messages(&[FAULT, FAULT, &thrice, &once]);
        let account = account_of(&["thrice"], 1, &dead, 0);
        assert_eq!((account.dead_lettered, account.lost), (4, 0));
        assert!(account.is_right());
    }

    #[test]
    fn surplus_duplicate_makes_the_account_wrong() {
        let account = account_of(&["thrice", "once"], 3, &messages(&[FAULT, FAULT]), 0);
        assert_eq!((account.lost, account.surplus()), (0, 1));
        assert!(!account.is_right());
    }
}
