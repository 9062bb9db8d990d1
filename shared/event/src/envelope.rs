//! The SNS envelope, which SQS receives when a subscription does not use raw delivery.
//!
//! Invariant: an event is never mistaken for an envelope.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The fields that distinguish an SNS notification from an event (SNS developer guide, "Amazon SNS
/// message and JSON formats"). CloudEvents attribute names are lower case, so no event has them.
#[derive(Deserialize)]
struct Notification<'a> {
    #[serde(rename = "Type", borrow)]
    kind: Cow<'a, str>,
    #[serde(rename = "TopicArn", borrow)]
    _topic_arn: Cow<'a, str>,
    #[serde(rename = "Message", borrow)]
    message: Cow<'a, str>,
}

/// Returns the text that was published: the `Message` of an SNS notification, else the body itself
/// (raw delivery).
#[must_use]
pub fn unwrap_envelope(body: &str) -> Cow<'_, str> {
    // A cheap test first: every notification contains this field, few events do.
    if body.contains("\"TopicArn\"")
        && let Ok(notification) = serde_json::from_str::<Notification<'_>>(body)
        && notification.kind == "Notification"
    {
        return notification.message;
    }
    Cow::Borrowed(body)
}

/// The attributes of a notification, each as it is.
#[derive(Deserialize)]
struct Attributes<'a> {
    #[serde(rename = "MessageAttributes", borrow)]
    attributes: HashMap<Cow<'a, str>, &'a RawValue>,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "Value")]
    value: String,
}

/// The value of a message attribute that an SNS notification carries: without raw delivery, the message in the
/// queue has none itself.
pub(crate) fn envelope_attribute(body: &str, name: &str) -> Option<String> {
    if !body.contains("\"TopicArn\"") || !body.contains(name) {
        return None;
    }
    let notification: Notification<'_> = serde_json::from_str(body).ok()?;
    if notification.kind != "Notification" {
        return None;
    }
    let Attributes { attributes } = serde_json::from_str(body).ok()?;
    let attribute: Attribute = serde_json::from_str(attributes.get(name)?.get()).ok()?;
    Some(attribute.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notification_is_unwrapped_and_any_other_body_is_unchanged() {
        let envelope = r#"{"Type":"Notification","MessageId":"1","TopicArn":"arn:aws:sns:x","Message":"{\"id\":\"1\"}"}"#;
        assert_eq!(unwrap_envelope(envelope), r#"{"id":"1"}"#);
        let raw = r#"{"id":"1","data":"\"TopicArn\""}"#;
        assert_eq!(unwrap_envelope(raw), raw);
        let other = r#"{"Type":"SubscriptionConfirmation","TopicArn":"a","Message":"m"}"#;
        assert_eq!(unwrap_envelope(other), other);
    }
}
