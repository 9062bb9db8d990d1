//! The part of a Lambda event for SQS that the function reads.
//!
//! Invariant: a field of a message that is absent or of another JSON type fails at most that
//! message, never its batch. Fields that nobody reads are skipped while parsing: receipt, digests
//! and queue names would cost ten strings and two maps per message.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lambda_events::sqs::SqsMessageAttribute;
use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An invocation's messages (Lambda developer guide, "Using Lambda with Amazon SQS").
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Batch {
    /// In the order of delivery.
    #[serde(rename = "Records")]
    pub messages: Vec<Message>,
}

/// One message of a batch.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Identifies the message in the list of batch item failures.
    #[serde(default, deserialize_with = "text")]
    pub message_id: Option<String>,
    /// The published event, raw or in an SNS envelope.
    #[serde(default, deserialize_with = "text")]
    pub body: Option<String>,
    /// System attributes that SQS sets.
    #[serde(default, deserialize_with = "object")]
    pub attributes: SystemAttributes,
    /// Attributes that the publisher set. Their values are parsed only for a dead letter.
    #[serde(default, deserialize_with = "object")]
    pub message_attributes: HashMap<String, Box<RawValue>>,
}

/// The system attributes of a message that the function reads.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SystemAttributes {
    /// When the queue accepted the message, in milliseconds since 1970.
    #[serde(rename = "SentTimestamp", default, deserialize_with = "number")]
    sent_ms: Option<u64>,
    /// The message's X-Ray trace (SQS developer guide, "Message system attributes").
    #[serde(rename = "AWSTraceHeader", default, deserialize_with = "text")]
    pub trace_header: Option<String>,
}

impl Message {
    /// When the queue accepted the message; `None` where `SentTimestamp` is absent or no number.
    #[must_use]
    pub fn sent_at(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.attributes.sent_ms?))
    }

    /// The publisher's attributes by name; `None` for a value that is no SQS attribute.
    pub(crate) fn publisher_attributes(
        &self,
    ) -> impl Iterator<Item = (&String, Option<SqsMessageAttribute>)> {
        self.message_attributes
            .iter()
            .map(|(name, json)| (name, serde_json::from_str(json.get()).ok()))
    }
}

/// Reads an object; any other JSON value gives the default.
fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    deserializer.deserialize_any(ObjectVisitor(PhantomData))
}

/// Reads a string; any other JSON value gives `None`.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(TextVisitor(|text| Some(text.to_owned())))
}

/// Reads a number that is written as a string; any other JSON value gives `None`.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    deserializer.deserialize_any(TextVisitor(|text| text.parse().ok()))
}

/// Visits for JSON values of a type that the field does not have.
macro_rules! default_for {
    ($($visit:ident: $scalar:ty),+) => {
        $(fn $visit<E>(self, _: $scalar) -> Result<Self::Value, E> {
            Ok(Default::default())
        })+

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Default::default())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Default::default())
        }
    };
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }

    default_for!(visit_str: &str, visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_bool: bool);
}

struct TextVisitor<T>(fn(&str) -> Option<T>);

impl<'de, T> Visitor<'de> for TextVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok((self.0)(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    default_for!(visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_bool: bool);
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
    fn field_of_another_type_is_absent_and_costs_no_other_field() {
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
            let without_body = self::message(&json!({"messageId": "m", "body": other}));
            assert_eq!(without_body.body, None);
            assert_eq!(without_body.message_id.as_deref(), Some("m"));
        }
        for sent in ["", "soon", "-1"] {
            let message = message(&json!({"attributes": {"SentTimestamp": sent}}));
            assert_eq!(message.sent_at(), None, "{sent}");
        }
    }

    #[test]
    fn attributes_that_are_no_object_are_none_and_cost_no_other_field() {
        for other in [
            json!(null),
            json!("text"),
            json!(7),
            json!(-1),
            json!(1.5),
            json!(true),
            json!(["1500", {"a": "b"}]),
        ] {
            let message = message(&json!({
                "messageId": "m", "body": "b", "attributes": other, "messageAttributes": other,
            }));
            assert_eq!(message.message_id.as_deref(), Some("m"), "{other}");
            assert_eq!(message.body.as_deref(), Some("b"), "{other}");
            assert_eq!(message.sent_at(), None, "{other}");
            assert_eq!(message.attributes.trace_header, None, "{other}");
            assert!(message.message_attributes.is_empty(), "{other}");
        }
    }
}
