//! What Lambda hands over, as far as it is needed.
//!
//! Invariant: where a text is missing, or something else stands in its place, only that message is
//! reported, never its batch. What nobody reads is skipped and not kept: the receipt, the
//! digests and the names of the queue would be ten texts and two maps for each message.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lambda_events::sqs::SqsMessageAttribute;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The messages of an invocation (Lambda developer guide, "Using Lambda with Amazon SQS").
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Batch {
    /// In the order of delivery.
    #[serde(rename = "Records")]
    pub messages: Vec<Message>,
}

/// One message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// By which it is reported.
    #[serde(default, deserialize_with = "text")]
    pub message_id: Option<String>,
    /// What was published.
    #[serde(default, deserialize_with = "text")]
    pub body: Option<String>,
    /// What SQS says of it.
    #[serde(default, deserialize_with = "null_is_default")]
    pub attributes: SystemAttributes,
    /// What its publisher says of it; read only where it is to go on with a dead letter.
    #[serde(default, deserialize_with = "null_is_default")]
    pub message_attributes: HashMap<String, Box<RawValue>>,
}

/// What SQS says of a message.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SystemAttributes {
    /// Milliseconds since 1970 when the queue took it.
    #[serde(rename = "SentTimestamp", default, deserialize_with = "number")]
    sent_ms: Option<u64>,
    /// The X-Ray trace that it belongs to (SQS developer guide, "Message system attributes").
    #[serde(rename = "AWSTraceHeader", default, deserialize_with = "text")]
    pub trace_header: Option<String>,
}

impl Message {
    /// When the queue took it, if that is told.
    #[must_use]
    pub fn sent_at(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.attributes.sent_ms?))
    }

    /// What its publisher says of it, by name; `None` in place of what is no attribute.
    pub(crate) fn publisher_attributes(
        &self,
    ) -> impl Iterator<Item = (&String, Option<SqsMessageAttribute>)> {
        self.message_attributes
            .iter()
            .map(|(name, json)| (name, serde_json::from_str(json.get()).ok()))
    }
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A text, or nothing in place of anything else.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(TextVisitor(|text| Some(text.to_owned())))
}

/// A number that is written as a text, or nothing in place of anything else.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    deserializer.deserialize_any(TextVisitor(|text| text.parse().ok()))
}

struct TextVisitor<T>(fn(&str) -> Option<T>);

impl<'de, T> Visitor<'de> for TextVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok((self.0)(text))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn message(value: &Value) -> Message {
        let text = json!({ "Records": [value] }).to_string();
        let batch: Batch = serde_json::from_str(&text).unwrap();
        batch.messages.into_iter().next().unwrap()
    }

    #[test]
    fn message_is_read_as_sqs_writes_it() {
        let message = message(&json!({
            "messageId": "m", "receiptHandle": "r", "body": "b\n\u{e4}",
            "attributes": {"SentTimestamp": "1500", "AWSTraceHeader": "Root=1", "SenderId": "x"},
            "messageAttributes": {"a": {"dataType": "String", "stringValue": "v"}},
            "md5OfBody": "0", "eventSource": "aws:sqs", "awsRegion": "us-east-1",
        }));
        assert_eq!(message.message_id.as_deref(), Some("m"));
        assert_eq!(message.body.as_deref(), Some("b\n\u{e4}"));
        let sent = UNIX_EPOCH.checked_add(Duration::from_millis(1_500));
        assert_eq!(message.sent_at(), sent);
        assert_eq!(message.attributes.trace_header.as_deref(), Some("Root=1"));
        let attributes: Vec<_> = message.publisher_attributes().collect();
        let (name, attribute) = &attributes[0];
        let value = attribute.as_ref().unwrap().string_value.as_deref();
        assert_eq!((name.as_str(), value), ("a", Some("v")));
    }

    #[test]
    fn what_is_no_text_is_nothing_and_costs_nothing_else() {
        for other in [
            json!(null),
            json!(7),
            json!(-1),
            json!(1.5),
            json!(true),
            json!([1, {"a": "b"}]),
            json!({"a": 1}),
        ] {
            let message = message(&json!({
                "messageId": other, "body": "b",
                "attributes": {"SentTimestamp": other, "AWSTraceHeader": other},
                "messageAttributes": {"a": other},
            }));
            assert_eq!(message.message_id, None);
            assert_eq!(message.sent_at(), None);
            assert_eq!(message.attributes.trace_header, None);
            assert_eq!(message.body.as_deref(), Some("b"));
            assert_eq!(message.message_attributes.len(), 1);
        }
        for sent in ["", "soon", "-1"] {
            let message = message(&json!({"attributes": {"SentTimestamp": sent}}));
            assert_eq!(message.sent_at(), None, "{sent}");
        }
        let empty = message(&json!({"attributes": null, "messageAttributes": null, "body": null}));
        assert_eq!((empty.body, empty.message_attributes.len()), (None, 0));
    }
}
