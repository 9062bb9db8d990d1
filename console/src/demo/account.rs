//! Counts the outcome of every published message.
//!
//! Invariant: each number has a separate source: published messages were acknowledged by the topic, stored
//! events are in the ledger, duplicates were counted by the ingest, dead letters were read one by one,
//! pending messages are in the queue. No number is computed from the others, so that the sum is a test;
//! duplicates alone are counted at most once for each copy, because SQS may deliver a message again. What
//! could not be read is unknown, with the reason, and never zero.

use std::collections::{BTreeMap, HashMap, HashSet};

use devstack::traffic::{BodyDigest, Remembered, body_digest};
use devstack::{DeadLetters, IngestCounts};
use event::{EventKey, peek_identity, unwrap_envelope};
use serde::Serialize;

use pipeline::model::QueueRole;
use pipeline::{Pipeline, PipelineError};

/// What was read of the parts after a run, or why it could not be read.
#[derive(Debug)]
pub(super) struct Evidence {
    /// Published events that are in the ledger.
    pub(super) stored: Result<HashSet<EventKey>, String>,
    /// What the ingest logged.
    pub(super) counts: Result<IngestCounts, String>,
    pub(super) dead_letters: Result<DeadLetters, String>,
    /// Messages in the source queue.
    pub(super) pending: Result<u64, String>,
}

/// The outcomes of all messages of a run; null where they are not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Account {
    /// Messages that the topic acknowledged.
    pub(super) published: u64,
    /// Published events that are in the ledger.
    pub(super) stored: Option<u64>,
    /// Copies of stored events that the ingest recognised.
    pub(super) duplicates: Option<u64>,
    /// Published messages that were found in the dead-letter queue, and dead letters that could not be read
    /// because another consumer has received them.
    pub(super) dead_lettered: Option<u64>,
    /// Messages still in the source queue.
    pub(super) pending: Option<u64>,
    /// Published messages without an outcome that are not pending: events that are neither in the ledger
    /// nor dead letters, invalid messages that are no dead letters, copies that the ingest never received.
    pub(super) lost: Option<u64>,
    /// Deliveries of messages whose event was stored by an earlier delivery of the same message.
    pub(super) redelivered: Option<u64>,
    /// Why a number is not known, by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) unknown: BTreeMap<&'static str, String>,
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
        let pending = pipeline.queue_depth(QueueRole::Source).await?.total();
        let stored = in_ledger(pipeline, remembered).await?;
        let dead_lettered = pipeline.queue_depth(QueueRole::DeadLetter).await?.total();
        let copies = remembered.events.iter();
        let copies = copies.filter(|(key, _)| stored.contains(key));
        let copies: u64 = copies.map(|(_, number)| number.saturating_sub(1)).sum();
        Ok(Self {
            ended: count(stored.len()) + counts.duplicates.min(copies) + dead_lettered,
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
    /// Counts the outcomes.
    pub(super) fn of(published: u64, remembered: &Remembered, evidence: &Evidence) -> Self {
        let messages = evidence.dead_letters.as_ref().ok();
        let bodies = messages.map_or(&[][..], |messages| &messages.bodies);
        let dead = Dead::of(bodies, remembered);
        let is_stored = |key| {
            evidence
                .stored
                .as_ref()
                .is_ok_and(|keys| keys.contains(key))
        };
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
        let mut account = Self {
            published,
            pending: evidence.pending.as_ref().ok().copied(),
            dead_lettered: messages.map(|messages| dead.total() + messages.unread),
            stored: evidence.stored.is_ok().then_some(stored),
            unknown: evidence.unknown(),
            ..Self::default()
        };
        // Which deliveries were copies is only known of events that are known to be stored.
        if let (Some(_), Ok(counts)) = (account.stored, &evidence.counts) {
            let duplicates = counts.duplicates.min(copies);
            account.duplicates = Some(duplicates);
            account.redelivered = Some(counts.duplicates - duplicates);
            unseen += copies - duplicates;
        }
        if let (Some(_), Some(messages), Some(pending)) =
            (account.duplicates, messages, account.pending)
        {
            account.lost = Some(unseen.saturating_sub(pending + messages.unread));
        }
        account
    }

    /// Which numbers are not known, and why.
    pub(super) fn unknown_texts(&self) -> impl Iterator<Item = String> {
        let unknown = self.unknown.iter();
        unknown.map(|(name, why)| format!("not known: {name}, because {why}"))
    }

    /// Outcomes minus published messages; `None` where one is not known. If it is not zero, a source is
    /// wrong, or others published too.
    pub(super) fn surplus(&self) -> Option<i64> {
        let outcomes = [
            self.stored,
            self.duplicates,
            self.dead_lettered,
            self.pending,
            self.lost,
        ];
        let found: u64 = outcomes.into_iter().sum::<Option<u64>>()?;
        Some(found.wrapping_sub(self.published).cast_signed())
    }

    /// Whether every published message is known to have exactly one outcome.
    pub(super) fn is_right(&self) -> bool {
        self.lost == Some(0) && self.surplus() == Some(0)
    }
}

/// Why a number that is computed with these is not known.
fn follows_from(unknown: &BTreeMap<&str, String>) -> Option<String> {
    let names: Vec<_> = unknown.keys().copied().collect();
    (!names.is_empty()).then(|| format!("{} could not be read", names.join(" and ")))
}

impl Evidence {
    /// The names of the numbers that are not known, and why.
    fn unknown(&self) -> BTreeMap<&'static str, String> {
        let stored = self.stored.as_ref().err();
        let counts = self.counts.as_ref().err();
        let dead_letters = self.dead_letters.as_ref().err();
        let pending = self.pending.as_ref().err();
        let read = [
            ("stored", stored),
            ("dead_lettered", dead_letters),
            ("pending", pending),
        ];
        let mut unknown: BTreeMap<&str, String> = read
            .into_iter()
            .filter_map(|(name, why)| Some((name, why?.clone())))
            .collect();
        let needed = counts.cloned().or_else(|| follows_from(&unknown));
        if let Some(why) = needed {
            if counts.or(stored).is_some() {
                unknown.insert("duplicates", why.clone());
                unknown.insert("redelivered", why.clone());
            }
            unknown.insert("lost", why);
        }
        unknown
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
pub(super) async fn in_ledger(
    pipeline: &Pipeline,
    remembered: &Remembered,
) -> Result<HashSet<EventKey>, PipelineError> {
    let keys: Vec<EventKey> = remembered.events.keys().cloned().collect();
    let stored = pipeline.stored_keys(&keys).await?;
    Ok(stored.into_keys().collect())
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

    fn evidence(
        stored: &[&str],
        duplicates: u64,
        messages: &DeadLetters,
        pending: u64,
    ) -> Evidence {
        Evidence {
            stored: Ok(stored.iter().map(|id| key(id)).collect()),
            counts: Ok(IngestCounts {
                duplicates,
                ..IngestCounts::default()
            }),
            dead_letters: Ok(messages.clone()),
            pending: Ok(pending),
        }
    }

    fn account_of(
        stored: &[&str],
        duplicates: u64,
        messages: &DeadLetters,
        pending: u64,
    ) -> Account {
        let evidence = evidence(stored, duplicates, messages, pending);
        Account::of(6, &published(), &evidence)
    }

    #[test]
    fn account_is_right_when_every_message_has_an_outcome() {
        let account = account_of(&["thrice", "once"], 2, &messages(&[FAULT, FAULT]), 0);
        let right = Account {
            published: 6,
            stored: Some(2),
            duplicates: Some(2),
            dead_lettered: Some(2),
            pending: Some(0),
            lost: Some(0),
            redelivered: Some(0),
            unknown: BTreeMap::new(),
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
            (
                "event, and a message that was delivered twice",
                account_of(&["thrice"], 3, &both, 0),
            ),
        ] {
            assert_eq!(account.lost, Some(1), "{what}");
            assert_eq!(account.surplus(), Some(0), "{what}");
            assert!(!account.is_right(), "{what}");
        }
    }

    #[test]
    fn pending_message_is_not_lost() {
        let account = account_of(&["thrice"], 2, &messages(&[FAULT, FAULT]), 1);
        assert_eq!((account.pending, account.lost), (Some(1), Some(0)));
        assert_eq!(account.surplus(), Some(0));
        let hidden = DeadLetters {
            unread: 1,
            ..messages(&[FAULT])
        };
        let account = account_of(&["thrice", "once"], 2, &hidden, 0);
        assert_eq!((account.dead_lettered, account.lost), (Some(2), Some(0)));
    }

    #[test]
    fn valid_event_in_the_dead_letter_queue_is_counted_as_dead_lettered() {
        let (thrice, once) = (body("thrice"), body("once"));
        let dead = messages(&[FAULT, FAULT, &thrice, &once]);
        let account = account_of(&["thrice"], 1, &dead, 0);
        assert_eq!((account.dead_lettered, account.lost), (Some(4), Some(0)));
        assert!(account.is_right());
    }

    /// The database stored a batch and its answer was lost: SQS delivers the batch again, and the ingest
    /// finds all of it stored.
    #[test]
    fn redelivery_is_not_a_second_outcome_of_a_message() {
        let account = account_of(&["thrice", "once"], 5, &messages(&[FAULT, FAULT]), 0);
        assert_eq!(
            (account.duplicates, account.redelivered),
            (Some(2), Some(3))
        );
        assert_eq!(account.surplus(), Some(0));
        assert!(account.is_right());
    }

    #[test]
    fn number_that_could_not_be_read_is_unknown_and_the_others_are_known() {
        let why = || "keep PostgreSQL running: signal: 9".to_owned();
        let both = messages(&[FAULT, FAULT]);
        let whole = || evidence(&["thrice", "once"], 2, &both, 1);
        let without_database = Evidence {
            stored: Err(why()),
            ..whole()
        };
        let account = Account::of(6, &published(), &without_database);
        let json = serde_json::to_value(&account).unwrap();
        let expected = serde_json::json!({
            "published": 6, "stored": null, "duplicates": null, "dead_lettered": 2,
            "pending": 1, "lost": null, "redelivered": null,
            "unknown": {
                "stored": why(), "duplicates": "stored could not be read", "redelivered": "stored could not be read",
                "lost": "stored could not be read",
            },
        });
        assert_eq!(json, expected);
        assert!(!account.is_right());
        let without_queues = Evidence {
            dead_letters: Err(why()),
            pending: Err(why()),
            ..whole()
        };
        let account = Account::of(6, &published(), &without_queues);
        assert_eq!((account.stored, account.duplicates), (Some(2), Some(2)));
        assert_eq!((account.dead_lettered, account.lost), (None, None));
        let names: Vec<_> = account.unknown.keys().copied().collect();
        assert_eq!(names, ["dead_lettered", "lost", "pending"]);
        let because = "not known: lost, because dead_lettered and pending could not be read";
        assert!(account.unknown_texts().any(|text| text == because));
        assert!(!account.is_right());
    }
}
