//! One receive of a dead letter, read from what SQS gave.
//!
//! Invariant: nothing of the message is changed or left out but what is not a message at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use chrono::{DateTime, TimeDelta, Utc};
use event::{
    Assessment, ERROR_CODE_ATTRIBUTE, ERROR_MESSAGE_ATTRIBUTE, NamedRecord, PartialIdentity,
    REQUEST_ID_ATTRIBUTE,
};

use super::model::{AttributeValue, DeadLetter, Reason};
use super::replacing::{Replacing, named_record};
use super::{Body, BodyError};

/// A message as it was received, before it was judged.
#[derive(Debug)]
pub(super) struct Receive {
    pub(super) message_id: String,
    pub(super) receipt_handle: String,
    pub(super) body: Body,
    sent_at: DateTime<Utc>,
    attributes: BTreeMap<String, AttributeValue>,
    first_received_at: Option<DateTime<Utc>>,
    receive_count: u32,
    pub(super) hidden_until: DateTime<Utc>,
    asked_at: DateTime<Utc>,
    group_id: Option<String>,
    trace_header: Option<String>,
    identity: PartialIdentity,
    assessment: Assessment,
    replaces: Option<NamedRecord>,
    replacing: Option<Replacing>,
}

/// A message before the ledger was asked: its verdict is that of an event that the ledger does not know.
pub(super) struct Unjudged {
    pub(super) message: DeadLetter,
    /// What the validator says of its event.
    pub(super) assessment: Assessment,
    /// Its event, if it replaces a record.
    pub(super) replacing: Option<Replacing>,
}

impl Receive {
    /// A message without id or handle can neither be named nor released; SQS sends none.
    pub(super) fn read(
        message: Message,
        now: DateTime<Utc>,
        hidden_until: DateTime<Utc>,
    ) -> Option<Self> {
        let system = message.attributes.unwrap_or_default();
        let time = |name| -> Option<DateTime<Utc>> {
            let milliseconds: &String = system.get(&name)?;
            DateTime::from_timestamp_millis(milliseconds.parse().ok()?)
        };
        let receive_count = system
            .get(&MessageSystemAttributeName::ApproximateReceiveCount)
            .and_then(|count| count.parse().ok())
            .unwrap_or(1);
        let body = message.body.unwrap_or_default();
        let attributes: BTreeMap<String, AttributeValue> = message
            .message_attributes
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, value)| Some((name, attribute(value)?)))
            .collect();
        let own = named_record(&attributes);
        Some(Self {
            replaces: NamedRecord::of_message(own, &body),
            replacing: Replacing::of(own, &body),
            identity: event::peek_identity(&body),
            assessment: event::assess(&body),
            message_id: message.message_id?,
            receipt_handle: message.receipt_handle?,
            body: body.into(),
            sent_at: time(MessageSystemAttributeName::SentTimestamp).unwrap_or(now),
            first_received_at: time(MessageSystemAttributeName::ApproximateFirstReceiveTimestamp),
            attributes,
            receive_count,
            hidden_until,
            asked_at: now,
            group_id: system
                .get(&MessageSystemAttributeName::MessageGroupId)
                .cloned(),
            trace_header: system
                .get(&MessageSystemAttributeName::AwsTraceHeader)
                .cloned(),
        })
    }

    pub(super) fn into_message(self, retention: TimeDelta) -> Unjudged {
        let message = DeadLetter {
            reason: reason(&self.attributes).map(Arc::new),
            identity: self.identity,
            replaces: self.replaces,
            verdict: self.assessment.verdict(false),
            judged_at: self.asked_at,
            failure: None,
            stored_as: None,
            expires_at: self
                .sent_at
                .checked_add_signed(retention)
                .unwrap_or(self.sent_at),
            message_id: self.message_id,
            receipt_handle: self.receipt_handle,
            body: self.body,
            attributes: self.attributes,
            sent_at: self.sent_at,
            first_received_at: self.first_received_at,
            receive_count: self.receive_count,
            hidden_until: self.hidden_until,
            group_id: self.group_id,
            trace_header: self.trace_header,
        };
        Unjudged {
            message,
            assessment: self.assessment,
            replacing: self.replacing,
        }
    }
}

impl Unjudged {
    /// Of a message that was received before.
    pub(super) fn again(message: DeadLetter) -> Result<Self, BodyError> {
        let body = message.body.text()?;
        Ok(Self {
            assessment: event::assess(&body),
            replacing: Replacing::of(named_record(&message.attributes), &body),
            message: message.clone(),
        })
    }
}

fn attribute(value: MessageAttributeValue) -> Option<AttributeValue> {
    let data_type = value.data_type;
    if data_type.starts_with("Binary") {
        return Some(AttributeValue::Binary {
            data_type,
            value: value.binary_value?.into_inner(),
        });
    }
    Some(AttributeValue::Text {
        data_type,
        value: value.string_value?,
    })
}

/// The ingest's reason; there is one as soon as there is a code.
fn reason(attributes: &BTreeMap<String, AttributeValue>) -> Option<Reason> {
    let text = |name: &str| match attributes.get(name)? {
        AttributeValue::Text { value, .. } => Some(value.clone()),
        AttributeValue::Binary { .. } => None,
    };
    Some(Reason {
        code: text(ERROR_CODE_ATTRIBUTE)?,
        message: text(ERROR_MESSAGE_ATTRIBUTE).unwrap_or_default(),
        request_id: text(REQUEST_ID_ATTRIBUTE),
    })
}

/// A span of whole seconds.
pub(super) fn seconds(seconds: u64) -> TimeDelta {
    i64::try_from(seconds)
        .ok()
        .and_then(TimeDelta::try_seconds)
        .unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_becomes_a_message_with_its_reason_and_expiry() {
        let attribute = |value: &str| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .unwrap()
        };
        let message = Message::builder()
            .message_id("m")
            .receipt_handle("h")
            .body("{}")
            .message_attributes(ERROR_CODE_ATTRIBUTE, attribute("missing-attribute"))
            .message_attributes(ERROR_MESSAGE_ATTRIBUTE, attribute("\"id\" is required"))
            .attributes(MessageSystemAttributeName::SentTimestamp, "1000")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "2")
            .attributes(MessageSystemAttributeName::AwsTraceHeader, "Root=1")
            .build();
        let now = DateTime::from_timestamp(100, 0).unwrap();
        let message = Receive::read(message, now, now).unwrap();
        let message = message.into_message(seconds(60)).message;
        assert_eq!(message.receive_count, 2);
        assert_eq!(message.expires_at, DateTime::from_timestamp(61, 0).unwrap());
        assert_eq!(message.cause(), "missing-attribute");
        assert_eq!(message.first_received_at, None);
        assert_eq!(message.trace_header.as_deref(), Some("Root=1"));
    }
}
