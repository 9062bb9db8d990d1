//! Messages whose events have the same identity, source and id.
//!
//! Invariant: the ledger stores the first arrival of an identity and drops every later one. So of
//! messages with one identity only the first and true copies of it may be sent: any other event would
//! be deleted from the dead-letter queue and stored nowhere. Copies were equal before any edit and are
//! equal now: an edit that makes two events equal loses one of them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use event::{EventKey, NamedRecord, RecordId};
use pipeline::Replacing;
use sha2::{Digest as _, Sha256};

/// The way out, for people.
const OWN_IDS: &str = "give each its own id, such as with the patch .id = .data.tag";

/// What the ingest would read from a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentEvent {
    /// Its identity.
    pub key: EventKey,
    /// CloudEvents `time`, by which the ledger knows it too.
    pub time: DateTime<Utc>,
    /// SHA-256 of the event before and after the edit, without the envelope: two deliveries of one
    /// event have two envelopes.
    content: [u8; 32],
    /// What a dead letter replaces that replaces a record.
    pub(crate) replacing: Option<Replacing>,
}

impl SentEvent {
    /// The event of a message with a body in the queue, and what is sent instead of it, which may be
    /// the same; `None` for what the ingest would refuse. `own` is what the attributes of the message name.
    pub(crate) fn of(
        original_body: &str,
        sent_body: &str,
        own: Option<NamedRecord>,
    ) -> Option<Self> {
        let event = event::parse_body(sent_body).ok()?;
        let original = event::unwrap_envelope(original_body);
        let replacing = Replacing::of(own, sent_body);
        let mut content: Vec<u8> = [original.as_bytes(), event.json.as_bytes()]
            .map(Sha256::digest)
            .concat();
        // Copies of one event are no copies where they replace another record, or one of them none.
        if let Some(NamedRecord::Record(record_id)) = replacing.as_ref().map(|one| one.named) {
            content.extend_from_slice(&record_id.0.to_be_bytes());
        }
        Some(Self {
            key: event.key(),
            time: event.time,
            content: Sha256::digest(content).into(),
            replacing,
        })
    }

    /// Whether the record of its identity can be its own: one with another time is another event's.
    pub(crate) fn can_be_of(&self, occurred_at: DateTime<Utc>) -> bool {
        self.time == occurred_at
    }

    /// The record that a dead letter replaces by its attribute.
    pub(crate) fn replaced_record(&self) -> Option<RecordId> {
        self.replacing.as_ref()?.named.record_id()
    }

    /// Whether both are one event, that of two deliveries.
    pub(crate) fn is_copy_of(&self, other: &Self) -> bool {
        self.key == other.key && self.content == other.content
    }
}

/// Who has an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The message that claims it: its event can be stored.
    Own,
    /// A message before it, with the same event: one is stored, the other is its duplicate.
    Copy(usize),
    /// A message before it, with another event: only one of the two would be stored.
    Taken(usize),
}

/// The identities of messages, each with the first message that has it, by its place.
#[derive(Debug, Default)]
pub(crate) struct Claims(HashMap<EventKey, (usize, [u8; 32])>);

impl Claims {
    /// Claims an identity for a message. A message may claim its own again.
    pub(crate) fn claim(&mut self, index: usize, event: &SentEvent) -> Claim {
        let Some((holder, content)) = self.0.get(&event.key) else {
            self.0.insert(event.key.clone(), (index, event.content));
            return Claim::Own;
        };
        if *content != event.content {
            Claim::Taken(*holder)
        } else if *holder == index {
            Claim::Own
        } else {
            Claim::Copy(*holder)
        }
    }
}

/// Why a message stays whose identity another message of the redrive has, with another event.
pub(crate) fn taken_reason(key: &EventKey, holder: &str) -> String {
    format!(
        "its event would get the identity of message {holder}, {} / {}: only one of them would be \
         stored; {OWN_IDS}",
        key.source, key.id
    )
}

/// Why an edited message stays whose identity the ledger knows.
pub(crate) fn stored_reason(key: &EventKey) -> String {
    format!(
        "an event with the identity {} / {} is stored already: the edited one would be dropped as \
         its duplicate; {OWN_IDS}, or undo the edit",
        key.source, key.id
    )
}

/// Why a message stays whose identity the ledger knows only since the plan was made.
pub(crate) fn stored_since_reason(key: &EventKey) -> String {
    format!(
        "an event with the identity {} / {} was stored after this message was judged: it would be \
         dropped as a duplicate, whether or not it is the same event; compare it with the record, then \
         delete it or {OWN_IDS}",
        key.source, key.id
    )
}

/// Why an event is no correction that an edit gave the identity of another event.
pub(crate) fn other_event_reason(key: &EventKey) -> String {
    format!(
        "its edit changes source or id, and another event, {} / {}, is stored: a correction keeps the identity of its \
         event, or {OWN_IDS}",
        key.source, key.id
    )
}

/// Why a message stays whose record was replaced by another one since the plan was made; `again` is what to do.
pub(crate) fn other_record(planned: RecordId, now: RecordId, again: &str) -> String {
    format!(
        "it would replace record {planned}, and now record {now} is stored for its identity: {again}"
    )
}

/// Why a message stays whose record is not known any more; `again` is what to do.
pub(crate) fn no_record(planned: RecordId, again: &str) -> String {
    format!(
        "it would replace record {planned}, and now no event with its identity is stored: {again}"
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn body(id: &str, tag: u32) -> String {
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"/s","type":"t","time":"2026-01-01T00:00:00Z","data":{{"tag":{tag}}}}}"#
        )
    }

    #[test]
    fn identity_belongs_to_its_first_message_and_to_copies_of_its_event() {
        let event = |id, tag| SentEvent::of(&body(id, tag), &body(id, tag), None).unwrap();
        let mut claims = Claims::default();
        assert_eq!(claims.claim(0, &event("a", 0)), Claim::Own);
        assert_eq!(claims.claim(0, &event("a", 0)), Claim::Own);
        assert_eq!(claims.claim(1, &event("a", 0)), Claim::Copy(0));
        assert_eq!(claims.claim(2, &event("a", 1)), Claim::Taken(0));
        assert_eq!(claims.claim(0, &event("a", 1)), Claim::Taken(0));
        assert_eq!(claims.claim(3, &event("b", 1)), Claim::Own);
    }

    #[test]
    fn envelopes_of_two_deliveries_have_one_event() {
        let delivery = |id: &str| {
            let message = serde_json::to_string(&body("a", 0)).unwrap();
            format!(
                r#"{{"Type":"Notification","MessageId":"{id}","TopicArn":"arn:aws:sns:r:1:t","Message":{message},"Timestamp":"2026-01-01T00:00:00Z"}}"#
            )
        };
        let unedited = |body: &str| SentEvent::of(body, body, None).unwrap();
        let first = unedited(&delivery("1"));
        assert!(first.is_copy_of(&unedited(&delivery("2"))));
        assert!(first.is_copy_of(&unedited(&body("a", 0))));
        assert!(!first.is_copy_of(&unedited(&body("a", 1))));
        assert_eq!(SentEvent::of(&body("a", 0), "{}", None), None);
    }

    #[test]
    fn events_that_replace_other_records_are_no_copies() {
        let replacing = |record_id: Option<i64>| {
            let own = record_id.map(|id| NamedRecord::Record(RecordId(id)));
            SentEvent::of(&body("a", 0), &body("a", 0), own).unwrap()
        };
        let first = replacing(Some(17));
        assert!(first.is_copy_of(&replacing(Some(17))));
        assert!(!first.is_copy_of(&replacing(Some(18))));
        assert!(!first.is_copy_of(&replacing(None)));
    }

    #[test]
    fn events_that_an_edit_makes_equal_are_no_copies() {
        let edited = |original: &str| SentEvent::of(original, &body("a", 0), None).unwrap();
        let first = edited("{}");
        assert!(first.is_copy_of(&edited("{}")));
        assert!(!first.is_copy_of(&edited("{\"id\":\"b\"}")));
        assert!(!first.is_copy_of(&edited(&body("a", 0))));
    }
}
