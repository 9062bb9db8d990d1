//! The SNS envelope: what SQS receives when a subscription does not use raw delivery.

use std::borrow::Cow;

use serde::Deserialize;

/// The fields of an SNS notification by which it is told from an event (SNS developer guide,
/// "Amazon SNS message and JSON formats"). CloudEvents attribute names are lower case, so an event
/// can never look like this.
#[derive(Deserialize)]
struct Notification<'a> {
    #[serde(rename = "Type", borrow)]
    kind: Cow<'a, str>,
    #[serde(rename = "TopicArn", borrow)]
    _topic_arn: Cow<'a, str>,
    #[serde(rename = "Message", borrow)]
    message: Cow<'a, str>,
}

/// The text that was published: the `Message` of an SNS notification, or the body itself where it
/// is no notification (raw delivery).
#[must_use]
pub fn unwrap_envelope(body: &str) -> Cow<'_, str> {
    // A cheap look first: every notification names its topic, few events contain the word.
    if body.contains("\"TopicArn\"")
        && let Ok(notification) = serde_json::from_str::<Notification<'_>>(body)
        && notification.kind == "Notification"
    {
        return notification.message;
    }
    Cow::Borrowed(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notification_gives_its_message_and_anything_else_itself() {
        let envelope = r#"{"Type":"Notification","MessageId":"1","TopicArn":"arn:aws:sns:x","Message":"{\"id\":\"1\"}"}"#;
        assert_eq!(unwrap_envelope(envelope), r#"{"id":"1"}"#);
        let raw = r#"{"id":"1","data":"\"TopicArn\""}"#;
        assert_eq!(unwrap_envelope(raw), raw);
        let other = r#"{"Type":"SubscriptionConfirmation","TopicArn":"a","Message":"m"}"#;
        assert_eq!(unwrap_envelope(other), other);
    }
}
