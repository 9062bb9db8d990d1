//! What Lambda hands over, as far as it is needed.
//!
//! Invariant: a message that lacks anything, or holds it in another form, is still a message: only
//! itself is reported, never its batch. What nobody reads is skipped and not kept: the receipt, the
//! digests and the names of the queue would be ten texts and two maps for each message.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lambda_events::sqs::SqsMessageAttribute;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

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
    #[serde(default)]
    pub message_id: Option<String>,
    /// What was published.
    #[serde(default)]
    pub body: Option<String>,
    /// What SQS says of it.
    #[serde(default, deserialize_with = "null_is_default")]
    pub attributes: SystemAttributes,
    /// What its publisher says of it.
    #[serde(default, deserialize_with = "null_is_default")]
    pub message_attributes: HashMap<String, SqsMessageAttribute>,
}

/// What SQS says of a message.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SystemAttributes {
    /// When the queue took it.
    #[serde(rename = "SentTimestamp", default)]
    sent: Moment,
    /// The X-Ray trace that it belongs to (SQS developer guide, "Message system attributes").
    #[serde(rename = "AWSTraceHeader", default)]
    pub trace_header: Option<String>,
}

impl Message {
    /// When the queue took it, if that is told.
    #[must_use]
    pub fn sent_at(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.attributes.sent.0?))
    }
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Milliseconds since 1970, which SQS writes as a text. Anything else is unknown.
#[derive(Clone, Copy, Debug, Default)]
struct Moment(Option<u64>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MomentVisitor).map(Self)
    }
}

struct MomentVisitor;

impl<'de> Visitor<'de> for MomentVisitor {
    type Value = Option<u64>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("milliseconds since 1970")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.parse().ok())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number))
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

    fn message(value: Value) -> Message {
        let batch: Batch = serde_json::from_value(json!({ "Records": [value] })).unwrap();
        batch.messages.into_iter().next().unwrap()
    }

    #[test]
    fn message_is_read_as_sqs_writes_it() {
        let message = message(json!({
            "messageId": "m", "receiptHandle": "r", "body": "b",
            "attributes": {"SentTimestamp": "1500", "AWSTraceHeader": "Root=1", "SenderId": "x"},
            "messageAttributes": {"a": {"dataType": "String", "stringValue": "v"}},
            "md5OfBody": "0", "eventSource": "aws:sqs", "awsRegion": "us-east-1",
        }));
        assert_eq!(message.message_id.as_deref(), Some("m"));
        assert_eq!(message.body.as_deref(), Some("b"));
        assert_eq!(
            message.sent_at(),
            UNIX_EPOCH.checked_add(Duration::from_millis(1_500))
        );
        assert_eq!(message.attributes.trace_header.as_deref(), Some("Root=1"));
        assert_eq!(message.message_attributes.len(), 1);
    }

    #[test]
    fn moment_that_is_none_is_unknown_and_costs_nothing_else() {
        for sent in [
            json!(null),
            json!(""),
            json!("soon"),
            json!(-1),
            json!(1.5),
            json!([1]),
            json!({"a": 1}),
        ] {
            let message = message(json!({"body": "b", "attributes": {"SentTimestamp": sent}}));
            assert_eq!(message.sent_at(), None);
            assert_eq!(message.body.as_deref(), Some("b"));
        }
        let empty = message(json!({"attributes": null, "messageAttributes": null, "body": null}));
        assert_eq!(empty.sent_at(), None);
    }
}
