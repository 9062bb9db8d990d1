//! The topic and the subscriptions of the source queue.

use std::collections::HashMap;

use aws_sdk_sns::types::Subscription;

use crate::lint::facts::{SubscriptionFacts, TopicFacts};
use crate::{Attempt, Pipeline, PipelineError};

/// Most pages of subscriptions, 100 each.
const PAGES_MAX: usize = 20;
/// Most subscriptions of the queue whose attributes are read; a second one is a finding already.
const READ_MAX: usize = 5;
/// What SNS writes in place of the ARN of one that is not confirmed.
const PENDING: &str = "PendingConfirmation";

impl Pipeline {
    pub(super) async fn topic_facts(&self) -> Result<TopicFacts, PipelineError> {
        let operation = format!("read the settings of {:?}", self.topic_name());
        let attempt = Attempt::start(operation, self.aws_address("sns"));
        let sns = &self.aws().await.sns;
        let request = sns.get_topic_attributes();
        let answer = request
            .topic_arn(&self.environment().topic_arn)
            .send()
            .await;
        let answer = answer.map_err(|error| attempt.sdk(&error))?;
        let attributes = answer.attributes.unwrap_or_default();
        Ok(TopicFacts {
            policy: text(&attributes, "Policy"),
            is_encrypted: text(&attributes, "KmsMasterKeyId").is_some(),
        })
    }

    /// The subscriptions of the queue with this ARN.
    pub(super) async fn subscription_facts(
        &self,
        queue_arn: &str,
    ) -> Result<Vec<SubscriptionFacts>, PipelineError> {
        let operation = format!("list the subscriptions of {:?}", self.topic_name());
        let attempt = Attempt::start(operation, self.aws_address("sns"));
        let sns = &self.aws().await.sns;
        let mut found: Vec<Subscription> = Vec::new();
        let mut next = None;
        for _ in 0..PAGES_MAX {
            let request = sns.list_subscriptions_by_topic();
            let request = request.topic_arn(&self.environment().topic_arn);
            let page = request.set_next_token(next.take()).send().await;
            let page = page.map_err(|error| attempt.sdk(&error))?;
            let all = page.subscriptions.unwrap_or_default().into_iter();
            found.extend(all.filter(|one| one.endpoint() == Some(queue_arn)));
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() || found.len() >= READ_MAX {
                break;
            }
        }
        let mut facts = Vec::new();
        for subscription in found.into_iter().take(READ_MAX) {
            facts.push(self.subscription(subscription, &attempt).await?);
        }
        Ok(facts)
    }

    async fn subscription(
        &self,
        listed: Subscription,
        attempt: &Attempt,
    ) -> Result<SubscriptionFacts, PipelineError> {
        let arn = listed.subscription_arn.unwrap_or_default();
        if arn == PENDING {
            return Ok(SubscriptionFacts {
                arn,
                is_pending: true,
                ..SubscriptionFacts::default()
            });
        }
        let sns = &self.aws().await.sns;
        let request = sns.get_subscription_attributes();
        let answer = request.subscription_arn(&arn).send().await;
        let answer = answer.map_err(|error| attempt.sdk(&error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let is = |name| text(&attributes, name).as_deref() == Some("true");
        // An empty filter lets everything through.
        let filter = text(&attributes, "FilterPolicy").filter(|policy| policy != "{}");
        Ok(SubscriptionFacts {
            is_pending: is("PendingConfirmation"),
            is_raw: is("RawMessageDelivery"),
            filter_policy: filter,
            has_dead_letter_queue: text(&attributes, "RedrivePolicy").is_some(),
            arn,
        })
    }
}

fn text(attributes: &HashMap<String, String>, name: &str) -> Option<String> {
    attributes
        .get(name)
        .filter(|value| !value.is_empty())
        .cloned()
}
