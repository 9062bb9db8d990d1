//! The message attribute by which an event replaces a stored record.
//!
//! Invariant: it names the record that its sender saw. Whoever applies it does so only while that very record
//! is the one stored for the identity of the event.

use crate::envelope::envelope_attribute;
use crate::record_id::RecordId;

/// Message attribute with the id of the record that the event replaces. A name of the publishers' own would be
/// met by chance.
pub const REPLACES_ATTRIBUTE: &str = "OpsConsole.Replaces";

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
