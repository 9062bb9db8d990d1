//! The message attribute by which an event replaces a stored record.
//!
//! Invariant: it names the record that its sender saw. Whoever applies it does so only while that very record
//! is the one stored for the identity of the event.

use crate::envelope::envelope_attribute;
use crate::failure::{Failure, FailureCode};
use crate::record_id::RecordId;

/// Message attribute with the id of the record that the event replaces. A name of the publishers' own would be
/// met by chance.
pub const REPLACES_ATTRIBUTE: &str = "OpsConsole.Replaces";

/// What a message names by [`REPLACES_ATTRIBUTE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedRecord {
    /// The record that its event replaces.
    Record(RecordId),
    /// The value is not the id of a record: the ingest refuses the message.
    Invalid,
}

impl NamedRecord {
    /// What a value of the attribute names; `None` for one that is no text.
    #[must_use]
    pub fn of_value(value: Option<&str>) -> Self {
        value
            .and_then(replaced_record)
            .map_or(Self::Invalid, Self::Record)
    }

    /// What a message with this body names, `None` for an ordinary one. Its own attribute counts before the one in an
    /// SNS envelope.
    #[must_use]
    pub fn of_message(own: Option<Self>, body: &str) -> Option<Self> {
        own.or_else(|| Some(Self::of_value(Some(&replaces_in_envelope(body)?))))
    }

    /// The record, if there is one.
    #[must_use]
    pub const fn record_id(self) -> Option<RecordId> {
        match self {
            Self::Record(record_id) => Some(record_id),
            Self::Invalid => None,
        }
    }
}

/// What is stored for the identity of an event instead of the record that its message names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredInstead {
    /// Another record, with another text.
    Other(RecordId),
    /// No event with this identity.
    Unknown,
    /// The identity alone: its record was erased, or has expired.
    Gone,
}

/// Why a message does not replace the record that it names.
#[must_use]
pub fn stale_replacement(named: RecordId, instead: StoredInstead) -> Failure {
    let instead = match instead {
        StoredInstead::Other(record_id) => {
            format!("record {record_id}, which has another text, is stored for this identity")
        }
        StoredInstead::Unknown => "no event with this identity is stored".to_owned(),
        StoredInstead::Gone => "the record of this identity was erased or has expired".to_owned(),
    };
    Failure::new(
        FailureCode::ReplacementStale,
        format!("it replaces record {named}, and {instead}; nothing was changed"),
    )
}

/// Why a message whose attribute names no record replaces none.
#[must_use]
pub fn invalid_replacement() -> Failure {
    Failure::new(
        FailureCode::ReplacementStale,
        format!("the attribute {REPLACES_ATTRIBUTE} is not the id of a record"),
    )
}

/// The record that is named by a value of [`REPLACES_ATTRIBUTE`]; `None` where it names none.
#[must_use]
pub fn replaced_record(value: &str) -> Option<RecordId> {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_digit());
    let id = value.parse().ok().filter(|id| is_plain && *id > 0)?;
    Some(RecordId(id))
}

/// The value of [`REPLACES_ATTRIBUTE`] in an SNS envelope; `None` where the body has no such envelope or
/// attribute.
#[must_use]
pub fn replaces_in_envelope(body: &str) -> Option<String> {
    envelope_attribute(body, REPLACES_ATTRIBUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_number_names_a_record() {
        assert_eq!(replaced_record("17"), Some(RecordId(17)));
        assert_eq!(
            replaced_record("9223372036854775807"),
            Some(RecordId(i64::MAX))
        );
        for value in [
            "",
            "0",
            "-1",
            "+1",
            " 1",
            "1.0",
            "x",
            "9223372036854775808",
            "１",
        ] {
            assert_eq!(replaced_record(value), None, "{value:?}");
        }
    }

    #[test]
    fn attribute_of_the_message_counts_before_that_of_its_envelope() {
        let envelope = r#"{"Type":"Notification","TopicArn":"a","Message":"{}","MessageAttributes":{"OpsConsole.Replaces":{"Type":"String","Value":"17"}}}"#;
        let record = |id| Some(NamedRecord::Record(RecordId(id)));
        let own = |value| Some(NamedRecord::of_value(value));
        assert_eq!(NamedRecord::of_message(None, envelope), record(17));
        assert_eq!(NamedRecord::of_message(own(Some("7")), envelope), record(7));
        assert_eq!(NamedRecord::of_message(own(Some("7")), "{}"), record(7));
        for other in [None, Some("x")] {
            let named = NamedRecord::of_message(own(other), envelope);
            assert_eq!(named, Some(NamedRecord::Invalid), "{other:?}");
        }
        assert_eq!(NamedRecord::of_message(None, "{}"), None);
    }

    #[test]
    fn attribute_is_found_in_an_envelope_and_nowhere_else() {
        let body = |attributes: &str| {
            format!(
                r#"{{"Type":"Notification","TopicArn":"a","Message":"{{}}","MessageAttributes":{attributes}}}"#
            )
        };
        let found = body(
            r#"{"a":{"Type":"String","Value":"1"},"OpsConsole.Replaces":{"Type":"String","Value":"17"}}"#,
        );
        assert_eq!(replaces_in_envelope(&found).as_deref(), Some("17"));
        for other in [
            body(r#"{"OpsConsole.Replaces":null}"#),
            body(r#"{"other":{"Type":"String","Value":"1"}}"#),
            body("null"),
            body("7"),
            found.replace("Notification", "Other"),
            r#"{"OpsConsole.Replaces":{"Type":"String","Value":"17"}}"#.to_owned(),
            "OpsConsole.Replaces TopicArn".to_owned(),
        ] {
            assert_eq!(replaces_in_envelope(&other), None, "{other}");
        }
        let odd = body(r#"{"OpsConsole.Replaces":{"Type":"Binary","Value":"AP8="}}"#);
        assert_eq!(replaces_in_envelope(&odd).as_deref(), Some("AP8="));
    }
}
