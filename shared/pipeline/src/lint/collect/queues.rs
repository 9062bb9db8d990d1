//! Settings of the queues.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::lint::facts::QueueFacts;
use crate::model::QueueRole;
use crate::{Pipeline, PipelineError};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: Option<String>,
    /// SQS writes a number, other tools a string.
    max_receive_count: Option<Value>,
}

impl Pipeline {
    pub(super) async fn queue_facts(&self, role: QueueRole) -> Result<QueueFacts, PipelineError> {
        let attributes = self.queue_attributes(self.aws().await, role).await?;
        Ok(queue(self.queue_url(role), &attributes))
    }
}

fn queue(url: &str, attributes: &BTreeMap<String, String>) -> QueueFacts {
    let text = |name: &str| {
        attributes
            .get(name)
            .filter(|value| !value.is_empty())
            .cloned()
    };
    let number = |name: &str| attributes.get(name).and_then(|value| value.parse().ok());
    let count = |name: &str| number(name).unwrap_or(0);
    let redrive = text("RedrivePolicy");
    let redrive: Option<RedrivePolicy> =
        redrive.and_then(|policy| serde_json::from_str(&policy).ok());
    let is_managed = text("SqsManagedSseEnabled").map(|value| value == "true");
    let has_key = text("KmsMasterKeyId").is_some();
    let arn = text("QueueArn").unwrap_or_default();
    QueueFacts {
        name: arn.rsplit(':').next().unwrap_or_default().to_owned(),
        url: url.to_owned(),
        messages: count("ApproximateNumberOfMessages")
            + count("ApproximateNumberOfMessagesNotVisible"),
        // The defaults of SQS (Amazon SQS API reference, CreateQueue).
        visibility_timeout_secs: number("VisibilityTimeout").unwrap_or(30),
        retention_secs: number("MessageRetentionPeriod").unwrap_or(345_600),
        receive_wait_secs: count("ReceiveMessageWaitTimeSeconds"),
        message_bytes_max: number("MaximumMessageSize").unwrap_or(1_048_576),
        redrive_target_arn: redrive
            .as_ref()
            .and_then(|policy| policy.dead_letter_target_arn.clone()),
        max_receive_count: redrive.and_then(|policy| {
            let count = policy.max_receive_count?;
            count.as_u64().or_else(|| count.as_str()?.parse().ok())
        }),
        has_allow_policy: text("RedriveAllowPolicy").is_some(),
        policy: text("Policy"),
        is_encrypted: if has_key { Some(true) } else { is_managed },
        arn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_become_facts_and_what_is_absent_is_not_made_up() {
        let attributes: BTreeMap<String, String> = [
            ("QueueArn", "arn:aws:sqs:us-east-1:0:q"),
            ("VisibilityTimeout", "60"),
            (
                "RedrivePolicy",
                r#"{"deadLetterTargetArn":"d","maxReceiveCount":"4"}"#,
            ),
            ("RedriveAllowPolicy", ""),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let facts = queue("u", &attributes);
        assert_eq!(
            (facts.name.as_str(), facts.visibility_timeout_secs),
            ("q", 60)
        );
        assert_eq!(facts.redrive_target_arn.as_deref(), Some("d"));
        assert_eq!(facts.max_receive_count, Some(4));
        assert!(!facts.has_allow_policy);
        assert_eq!((facts.is_encrypted, facts.policy), (None, None));
    }
}
