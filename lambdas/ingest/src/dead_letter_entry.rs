//! Dead letters as entries of `SendMessageBatch` calls. Pure: nothing is sent here.
//!
//! Invariant: a dead letter has the body and the attributes of the message unchanged, and the reason
//! beside them; nothing is left out to make room. Only characters that SQS refuses are written as
//! escapes of JSON, and the reason names them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use aws_lambda_events::sqs::SqsMessageAttribute;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry,
};
use event::{
    ERROR_CODE_ATTRIBUTE, ERROR_MESSAGE_ATTRIBUTE, FAILURE_ATTRIBUTES, Failure,
    REQUEST_ID_ATTRIBUTE,
};

use crate::batch::Message;

/// Attributes of an SQS message at most (SQS developer guide, message quotas).
const ATTRIBUTES_MAX: usize = 10;
/// Entries of one `SendMessageBatch` at most.
pub(crate) const ENTRIES_MAX: usize = 10;
/// Bytes of one `SendMessageBatch` at most, bodies and attributes.
pub(crate) const CALL_BYTES_MAX: usize = 1_048_576;

/// Characters that the reason names at most.
const REFUSED_NAMED_MAX: usize = 5;

/// A message with its reason, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetter {
    /// Position of the message in its batch; also the id of the entry.
    pub(crate) position: usize,
    pub(crate) entry: SendMessageBatchRequestEntry,
    bytes: usize,
}

impl DeadLetter {
    /// Makes the dead letter; `None` where SQS would refuse it: no body, fewer than three free
    /// attributes, or no room for them or for the escapes.
    pub(crate) fn new(
        position: usize,
        message: &Message,
        failure: &Failure,
        request_id: &str,
    ) -> Option<Self> {
        let body = message.body.as_deref().filter(|body| !body.is_empty())?;
        let mut refused = BTreeSet::new();
        let body = accepted(body, &mut refused);
        let mut attributes: HashMap<String, MessageAttributeValue> = HashMap::new();
        for (name, value) in message.publisher_attributes() {
            // A redriven dead letter that failed again gets its new reason.
            if !FAILURE_ATTRIBUTES.contains(&name.as_str()) {
                attributes.insert(name.clone(), sdk_attribute(&value?, &mut refused)?);
            }
        }
        let failure = naming(failure, &refused);
        for (name, value) in [
            (ERROR_CODE_ATTRIBUTE, failure.code.as_str()),
            (ERROR_MESSAGE_ATTRIBUTE, &failure.attribute_message()),
            (REQUEST_ID_ATTRIBUTE, request_id),
        ] {
            attributes.insert(name.to_owned(), text_attribute(value)?);
        }
        let bytes = body.len() + attributes.iter().map(size).sum::<usize>();
        if attributes.len() > ATTRIBUTES_MAX || bytes > CALL_BYTES_MAX {
            return None;
        }
        let entry = SendMessageBatchRequestEntry::builder()
            .id(position.to_string())
            .message_body(body.into_owned())
            .set_message_attributes(Some(attributes))
            .set_message_system_attributes(trace(message))
            .build()
            .ok()?;
        Some(Self {
            position,
            entry,
            bytes,
        })
    }
}

/// The dead letter stays in the X-Ray trace of its message. The header does not count towards the size
/// (SQS API reference, "`SendMessageBatchRequestEntry`").
fn trace(
    message: &Message,
) -> Option<HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>> {
    let header = message.attributes.trace_header.as_deref()?;
    let value = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value(header)
        .build()
        .ok()?;
    Some(HashMap::from([(
        MessageSystemAttributeNameForSends::AwsTraceHeader,
        value,
    )]))
}

/// Divides dead letters into calls within the limits of SQS.
pub(crate) fn calls(dead_letters: Vec<DeadLetter>) -> Vec<Vec<DeadLetter>> {
    let mut calls: Vec<Vec<DeadLetter>> = Vec::new();
    let mut bytes = 0;
    for dead_letter in dead_letters {
        match calls.last_mut() {
            Some(call)
                if call.len() < ENTRIES_MAX && bytes + dead_letter.bytes <= CALL_BYTES_MAX =>
            {
                bytes += dead_letter.bytes;
                call.push(dead_letter);
            }
            Some(_) | None => {
                bytes = dead_letter.bytes;
                calls.push(vec![dead_letter]);
            }
        }
    }
    calls
}

/// The text as SQS takes it, which takes what XML 1.0 does (SQS API reference, "`SendMessage`"): other
/// characters as escapes of JSON. In a string of JSON, which has no control characters, that is the
/// text that was meant. After a backslash it becomes an escape that JSON does not have: a body that is
/// not JSON does not become another event.
fn accepted<'a>(text: &'a str, refused: &mut BTreeSet<char>) -> Cow<'a, str> {
    let is_refused = |c: &char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    if !text.chars().any(|c| is_refused(&c)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut is_after_backslash = false;
    for c in text.chars() {
        if is_refused(&c) {
            refused.insert(c);
            let escape = if is_after_backslash { "x" } else { "\\u" };
            // Writing to a String cannot fail.
            let _ = write!(escaped, "{escape}{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
        is_after_backslash = c == '\\' && !is_after_backslash;
    }
    Cow::Owned(escaped)
}

/// The failure, and which characters had to be escaped.
fn naming<'a>(failure: &'a Failure, refused: &BTreeSet<char>) -> Cow<'a, Failure> {
    if refused.is_empty() {
        return Cow::Borrowed(failure);
    }
    let named = refused.iter().take(REFUSED_NAMED_MAX);
    let mut names: Vec<String> = named.map(|c| format!("U+{:04X}", u32::from(*c))).collect();
    if refused.len() > REFUSED_NAMED_MAX {
        names.push("others".to_owned());
    }
    let mut failure = failure.clone();
    let _ = write!(
        failure.detail,
        "; SQS refuses {}, so this message has JSON escapes in their place",
        names.join(", ")
    );
    Cow::Owned(failure)
}

fn sdk_attribute(
    attribute: &SqsMessageAttribute,
    refused: &mut BTreeSet<char>,
) -> Option<MessageAttributeValue> {
    let is_binary = attribute.binary_value.is_some();
    let default_type = if is_binary { "Binary" } else { "String" };
    let text = attribute.string_value.as_deref().filter(|_| !is_binary);
    let text = text.map(|text| accepted(text, refused).into_owned());
    MessageAttributeValue::builder()
        .data_type(attribute.data_type.as_deref().unwrap_or(default_type))
        .set_string_value(text)
        .set_binary_value(
            attribute
                .binary_value
                .as_ref()
                .map(|data| Blob::new(data.0.clone())),
        )
        .build()
        .ok()
}

/// SQS refuses an empty value. A failure's text has no control characters.
fn text_attribute(value: &str) -> Option<MessageAttributeValue> {
    let value = if value.is_empty() { "unknown" } else { value };
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}"))
        .build()
        .ok()
}

fn size((name, value): (&String, &MessageAttributeValue)) -> usize {
    name.len()
        + value.data_type().len()
        + value.string_value().map_or(0, str::len)
        + value.binary_value().map_or(0, |blob| blob.as_ref().len())
}

#[cfg(test)]
mod tests {
    use event::FailureCode;
    use serde_json::json;

    use super::*;

    fn message(body: &str, attributes: &[(&str, &str)]) -> Message {
        let mut message = Message {
            body: Some(body.to_owned()),
            ..Message::default()
        };
        for (name, value) in attributes {
            let attribute = json!({"dataType": "String", "stringValue": value});
            let attribute = serde_json::value::to_raw_value(&attribute).unwrap();
            message
                .message_attributes
                .insert((*name).to_owned(), attribute);
        }
        message
    }

    fn dead_letter(position: usize, message: &Message) -> Option<DeadLetter> {
        let failure = Failure::new(FailureCode::NotJson, "no \u{ffff}");
        DeadLetter::new(position, message, &failure, "request-1")
    }

    fn attribute<'a>(dead_letter: &'a DeadLetter, name: &str) -> Option<&'a str> {
        dead_letter
            .entry
            .message_attributes()
            .and_then(|attributes| attributes.get(name))
            .and_then(MessageAttributeValue::string_value)
    }

    #[test]
    fn reason_of_an_earlier_failure_is_replaced_and_own_attributes_stay() {
        let message = message("x", &[("ErrorCode", "too-large"), ("tenant", "a")]);
        let dead_letter = dead_letter(3, &message).unwrap();
        assert_eq!(attribute(&dead_letter, "ErrorCode"), Some("not-json"));
        assert_eq!(attribute(&dead_letter, "ErrorMessage"), Some("no \u{fffd}"));
        assert_eq!(attribute(&dead_letter, "RequestID"), Some("request-1"));
        assert_eq!(attribute(&dead_letter, "tenant"), Some("a"));
        assert_eq!(dead_letter.entry.id(), "3");
    }

    #[test]
    fn characters_that_sqs_refuses_are_escaped_and_named() {
        let message = message(
            "{\"id\":\"a\u{1}\t\u{ffff}\",\n\"x\":\"\u{7f}\u{fffd}\u{10ffff}\"}",
            &[("tenant", "\u{8}")],
        );
        let failure = Failure::at(FailureCode::NotJson, "no", "/id");
        let dead_letter = DeadLetter::new(0, &message, &failure, "request-1").unwrap();
        assert_eq!(
            dead_letter.entry.message_body(),
            "{\"id\":\"a\\u0001\t\\uffff\",\n\"x\":\"\u{7f}\u{fffd}\u{10ffff}\"}"
        );
        assert_eq!(attribute(&dead_letter, "tenant"), Some("\\u0008"));
        assert_eq!(
            attribute(&dead_letter, "ErrorMessage"),
            Some(
                "no; SQS refuses U+0001, U+0008, U+FFFF, so this message has JSON escapes in their \
                 place (at /id)"
            )
        );
        let many = (0..0x20).filter_map(char::from_u32).collect::<String>();
        let named = naming(&failure, &{
            let mut refused = BTreeSet::new();
            accepted(&many, &mut refused);
            refused
        });
        assert!(
            named.detail.contains("U+0004, others, so"),
            "{}",
            named.detail
        );
    }

    #[test]
    fn escapes_make_no_event_of_a_body_that_is_none() {
        for (body, expected) in [
            ("[\"a\\\u{1}b\"]", "[\"a\\x0001b\"]"),
            ("[\"a\\\\\u{1}b\"]", "[\"a\\\\\\u0001b\"]"),
        ] {
            let dead_letter = dead_letter(0, &message(body, &[])).unwrap();
            assert_eq!(dead_letter.entry.message_body(), expected);
        }
        assert!(serde_json::from_str::<serde_json::Value>("[\"a\\x0001b\"]").is_err());
    }

    #[test]
    fn dead_letter_has_the_trace_of_its_message() {
        let mut message = message("x", &[]);
        assert_eq!(
            dead_letter(0, &message)
                .unwrap()
                .entry
                .message_system_attributes(),
            None
        );
        message.attributes.trace_header = Some("Root=1-2-3".to_owned());
        let dead_letter = dead_letter(0, &message).unwrap();
        let kept = dead_letter.entry.message_system_attributes().unwrap();
        let value = &kept[&MessageSystemAttributeNameForSends::AwsTraceHeader];
        assert_eq!(value.string_value(), Some("Root=1-2-3"));
    }

    #[test]
    fn message_without_room_for_its_reason_is_no_dead_letter() {
        let names: Vec<String> = (0..8).map(|number| format!("a{number}")).collect();
        let attributes: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
        assert!(dead_letter(0, &message("x", &attributes[..7])).is_some());
        assert!(dead_letter(0, &message("x", &attributes)).is_none());
        assert!(dead_letter(0, &message(&"x".repeat(CALL_BYTES_MAX), &[])).is_none());
        assert!(dead_letter(0, &message("", &[])).is_none());
    }

    #[test]
    fn calls_keep_both_limits_and_every_dead_letter() {
        let large = "x".repeat(400_000);
        let dead_letters: Vec<DeadLetter> = (0..25)
            .map(|position| {
                let body = if position < 5 { large.as_str() } else { "x" };
                dead_letter(position, &message(body, &[])).unwrap()
            })
            .collect();
        let calls = calls(dead_letters);
        let ids: Vec<&str> = calls.iter().flatten().map(|one| one.entry.id()).collect();
        let expected: Vec<String> = (0..25).map(|position| position.to_string()).collect();
        assert_eq!(ids, expected);
        for call in &calls {
            assert!(call.len() <= ENTRIES_MAX);
            assert!(call.iter().map(|one| one.bytes).sum::<usize>() <= CALL_BYTES_MAX);
        }
    }
}
