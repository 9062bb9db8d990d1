//! What became of every published message.
//!
//! Invariant: each number is counted where the message is: acknowledged by the topic, a row of the
//! ledger, a message in a queue. Only duplicates are told from what the topic acknowledged: further
//! copies of keys that the ledger holds.

use devstack::traffic::{Remembered, TrafficReport};
use event::EventKey;
use serde::Serialize;

use crate::world::observed::{QueueDepth, QueueRole};
use crate::world::{World, WorldError};

/// Keys of one look into the ledger.
const KEYS_PER_QUESTION: usize = 5_000;

/// The fate of all messages of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Account {
    /// Messages that the topic acknowledged.
    pub(super) published: u64,
    /// Published events that are rows of the ledger.
    pub(super) stored: u64,
    /// Further copies of events that the ledger holds.
    pub(super) duplicates: u64,
    /// Messages in the dead-letter queue.
    pub(super) dead_lettered: u64,
    /// Messages still in the source queue.
    pub(super) pending: u64,
    /// What is nowhere. Below zero when more arrived than was acknowledged.
    pub(super) lost: i64,
}

impl Account {
    /// Counts now.
    pub(super) async fn take(world: &World, report: &TrafficReport) -> Result<Self, WorldError> {
        let pending = in_queue(world.queue_depth(QueueRole::Source).await?);
        let (stored, duplicates) = match &report.remembered {
            Some(remembered) => in_ledger(world, remembered).await?,
            None => (0, 0),
        };
        let dead_lettered = in_queue(world.queue_depth(QueueRole::DeadLetter).await?);
        Ok(Self::balance(
            report.counts.accepted,
            stored,
            duplicates,
            dead_lettered,
            pending,
        ))
    }

    fn balance(
        published: u64,
        stored: u64,
        duplicates: u64,
        dead_lettered: u64,
        pending: u64,
    ) -> Self {
        let found = stored + duplicates + dead_lettered + pending;
        Self {
            published,
            stored,
            duplicates,
            dead_lettered,
            pending,
            lost: published.wrapping_sub(found).cast_signed(),
        }
    }

    /// Whether every message is at its end.
    pub(super) fn is_settled(&self) -> bool {
        self.pending == 0 && self.lost == 0
    }
}

fn in_queue(depth: QueueDepth) -> u64 {
    depth.visible + depth.in_flight + depth.delayed
}

/// Events of the ledger, and further copies of them.
async fn in_ledger(world: &World, remembered: &Remembered) -> Result<(u64, u64), WorldError> {
    let events: Vec<(&EventKey, u64)> = remembered
        .events
        .iter()
        .map(|(key, copies)| (key, *copies))
        .collect();
    let (mut stored, mut duplicates) = (0, 0);
    for chunk in events.chunks(KEYS_PER_QUESTION) {
        let keys: Vec<EventKey> = chunk.iter().map(|(key, _)| (*key).clone()).collect();
        let found = world.stored_keys(&keys).await?;
        for (key, copies) in chunk {
            if found.contains_key(key) {
                stored += 1;
                duplicates += copies.saturating_sub(1);
            }
        }
    }
    Ok((stored, duplicates))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_is_what_is_nowhere() {
        let account = Account::balance(100, 90, 3, 5, 1);
        assert_eq!(account.lost, 1);
        assert!(!account.is_settled());
        assert!(Account::balance(100, 92, 3, 5, 0).is_settled());
        assert_eq!(Account::balance(10, 11, 0, 0, 0).lost, -1);
    }
}
