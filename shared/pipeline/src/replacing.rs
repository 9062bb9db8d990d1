//! Dead letters that replace a record: what they name, and what would happen to them now.
//!
//! Invariant: the attribute is read as the ingest reads it, and such a message is judged by the record that it names
//! and by its text; that its identity is stored says nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use event::{
    EventKey, Failure, NamedRecord, REPLACES_ATTRIBUTE, StoredInstead, Verdict, expired,
    invalid_replacement, parse_body, stale_replacement, stored_sha256,
};

use super::model::AttributeValue;
use super::records::{StoredText, TextAnswer};

/// An event that replaces a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacing {
    /// What its message names.
    pub named: NamedRecord,
    /// Its identity.
    pub key: EventKey,
    /// CloudEvents `time`.
    pub time: DateTime<Utc>,
    /// Digest of its text, see [`event::stored_sha256`].
    pub sha256: String,
}

/// What the attributes of a message name; `None` for an ordinary message, unless an SNS envelope in its body names a
/// record, see [`NamedRecord::of_message`].
#[must_use]
pub fn named_record(attributes: &BTreeMap<String, AttributeValue>) -> Option<NamedRecord> {
    Some(match attributes.get(REPLACES_ATTRIBUTE)? {
        AttributeValue::Text { value, .. } => NamedRecord::of_value(Some(value)),
        AttributeValue::Binary { .. } => NamedRecord::of_value(None),
    })
}

impl Replacing {
    /// The event of a message with this body; `None` for an ordinary message and for what is no valid event. `own` is
    /// what the attributes of the message name.
    #[must_use]
    pub fn of(own: Option<NamedRecord>, body: &str) -> Option<Self> {
        let named = NamedRecord::of_message(own, body)?;
        let event = parse_body(body).ok()?;
        Some(Self {
            named,
            key: event.key(),
            time: event.time,
            sha256: stored_sha256(&event.json),
        })
    }

    /// Whether this record has its text: the ingest drops it as a duplicate then, whatever record it names.
    #[must_use]
    pub fn is_text_of(&self, stored: &StoredText) -> bool {
        stored.sha256.as_ref() == Some(&self.sha256)
    }

    /// What would happen to it now, and why the ingest would not apply it. It counts as ready where nobody can be
    /// asked, and where the answer does not have it because of an error.
    #[must_use]
    pub fn judge(&self, answer: Option<&TextAnswer>) -> (Verdict, Option<Failure>) {
        let refused = |failure| (Verdict::StillInvalid, Some(failure));
        let ready = (Verdict::Ready, None);
        let NamedRecord::Record(named) = self.named else {
            return refused(invalid_replacement());
        };
        let Some(answer) = answer else {
            return ready;
        };
        if let Some(failure) = expired(self.time, answer.horizon) {
            return refused(failure);
        }
        let instead = match answer.stored.get(&self.key) {
            None if answer.error.is_some() => return ready,
            None => StoredInstead::Unknown,
            Some(stored) if self.is_text_of(stored) => return (Verdict::AlreadyStored, None),
            Some(stored)
                if stored.sha256.is_none()
                    || expired(stored.occurred_at, answer.horizon).is_some() =>
            {
                StoredInstead::Gone
            }
            Some(stored) if stored.record_id == named => return ready,
            Some(stored) => StoredInstead::Other(stored.record_id),
        };
        refused(stale_replacement(named, instead))
    }
}

#[cfg(test)]
mod tests {
    use event::RecordId;

    use super::*;
    use crate::PipelineError;

    const BODY: &str =
        r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-01-01T00:00:00Z"}"#;

    fn replacing(value: &str) -> Replacing {
        Replacing::of(Some(NamedRecord::of_value(Some(value))), BODY).unwrap()
    }

    fn answer(one: &Replacing, record_id: i64, sha256: Option<&str>) -> TextAnswer {
        let stored = StoredText {
            record_id: RecordId(record_id),
            occurred_at: one.time,
            sha256: sha256.map(str::to_owned),
        };
        TextAnswer {
            stored: [(one.key.clone(), stored)].into(),
            answered: 1,
            ..TextAnswer::default()
        }
    }

    #[test]
    fn named_record_and_the_text_decide_and_not_the_identity() {
        let one = replacing("17");
        let judged = |record_id, sha256| {
            let (verdict, failure) = one.judge(Some(&answer(&one, record_id, sha256)));
            (verdict, failure.map(|failure| failure.detail))
        };
        let own = one.sha256.as_str();
        assert_eq!(judged(17, Some("other")), (Verdict::Ready, None));
        assert_eq!(judged(17, Some(own)), (Verdict::AlreadyStored, None));
        assert_eq!(judged(18, Some(own)), (Verdict::AlreadyStored, None));
        for (record_id, sha256, expected) in [
            (18, Some("other"), "and record 18, which has another text"),
            (17, None, "was erased or has expired"),
        ] {
            let (verdict, detail) = judged(record_id, sha256);
            assert_eq!(verdict, Verdict::StillInvalid);
            assert!(detail.unwrap().contains(expected), "{expected}");
        }
        let nothing = one.judge(Some(&TextAnswer::default()));
        assert_eq!(nothing.0, Verdict::StillInvalid);
        let invalid = replacing("x");
        let same = answer(&invalid, 17, Some(own));
        assert_eq!(invalid.judge(Some(&same)).0, Verdict::StillInvalid);
    }

    #[test]
    fn what_is_behind_the_horizon_is_refused_and_what_is_unknown_is_ready() {
        let one = replacing("17");
        let expired = TextAnswer {
            horizon: Some(one.time + chrono::TimeDelta::days(1)),
            ..answer(&one, 17, Some("other"))
        };
        let (verdict, failure) = one.judge(Some(&expired));
        assert_eq!(verdict, Verdict::StillInvalid);
        assert!(failure.unwrap().detail.contains("retention horizon"));
        let error = PipelineError::not_configured("look up", String::new(), "");
        let unanswered = TextAnswer {
            error: Some(error),
            ..TextAnswer::default()
        };
        assert_eq!(one.judge(Some(&unanswered)), (Verdict::Ready, None));
        assert_eq!(one.judge(None), (Verdict::Ready, None));
    }

    #[test]
    fn attributes_name_a_record_as_the_ingest_reads_them() {
        let named = |value| {
            let attributes = [(REPLACES_ATTRIBUTE.to_owned(), value)];
            named_record(&attributes.into())
        };
        let text = |value: &str| AttributeValue::Text {
            data_type: "Number".to_owned(),
            value: value.to_owned(),
        };
        let seventeen = NamedRecord::Record(RecordId(17));
        assert_eq!(named(text("17")), Some(seventeen));
        assert_eq!(named(text("seventeen")), Some(NamedRecord::Invalid));
        let binary = AttributeValue::Binary {
            data_type: "Binary".to_owned(),
            value: b"17".to_vec(),
        };
        assert_eq!(named(binary), Some(NamedRecord::Invalid));
        assert_eq!(named_record(&BTreeMap::new()), None);
        assert_eq!(Replacing::of(None, BODY), None);
        assert_eq!(Replacing::of(Some(seventeen), "{}"), None);
    }
}
