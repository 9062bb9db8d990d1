//! The topic and the subscriptions of the source queue.

use std::collections::HashMap;
use std::future::Future;

use aws_sdk_sns::error::SdkError;
use aws_sdk_sns::operation::get_subscription_attributes::GetSubscriptionAttributesError;
use aws_sdk_sns::types::Subscription;

use crate::lint::facts::{SubscriptionFacts, TopicFacts};
use crate::{Attempt, Pipeline, PipelineError};

/// Most pages of subscriptions, 100 each.
const PAGES_MAX: usize = 20;
/// Most subscriptions of the queue whose attributes are read: SNS keeps one for each protocol and endpoint.
const READ_MAX: usize = 5;
/// What SNS writes in place of the ARN of one that is not confirmed.
const PENDING: &str = "PendingConfirmation";
/// The end of the ARN of a subscription that SNS never made.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

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
        let attempt = &self.subscriptions_attempt();
        let found = self.queue_subscriptions(queue_arn).await?;
        let mut facts = Vec::new();
        for subscription in found.into_iter().take(READ_MAX) {
            facts.push(self.subscription(subscription, attempt).await?);
        }
        Ok(facts)
    }

    fn subscriptions_attempt(&self) -> Attempt {
        let operation = format!("list the subscriptions of {:?}", self.topic_name());
        Attempt::start(operation, self.aws_address("sns"))
    }

    pub(super) async fn queue_subscriptions(
        &self,
        queue_arn: &str,
    ) -> Result<Vec<Subscription>, PipelineError> {
        let attempt = &self.subscriptions_attempt();
        let sns = &self.aws().await.sns;
        let found = listed(queue_arn, |next| {
            let request = sns.list_subscriptions_by_topic();
            let request = request.topic_arn(&self.environment().topic_arn);
            let request = request.set_next_token(next);
            async move {
                let page = request.send().await.map_err(|error| attempt.sdk(&error))?;
                let subscriptions = page.subscriptions.unwrap_or_default();
                Ok((subscriptions, page.next_token))
            }
        })
        .await?;
        found.ok_or_else(|| {
            let cause = format!("the topic has more than {PAGES_MAX} pages of subscriptions");
            attempt.refused(cause)
        })
    }

    /// Reads the attributes of a subscription, where none can be listed of one that does not exist: SNS looks at the
    /// permission first.
    pub(super) async fn try_subscription(&self, queue_arn: &str) -> Result<(), PipelineError> {
        let listed = self.queue_subscriptions(queue_arn).await;
        let mut arns = listed.into_iter().flatten();
        let arn = arns.find_map(|one| one.subscription_arn.filter(|arn| arn != PENDING));
        let arn = arn.unwrap_or_else(|| format!("{}:{NOBODY}", self.environment().topic_arn));
        let attempt = Attempt::start("read a subscription", self.aws_address("sns"));
        let sns = &self.aws().await.sns;
        let request = sns.get_subscription_attributes();
        match request.subscription_arn(arn).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_not_found(&error) => Ok(()),
            Err(error) => Err(attempt.sdk(&error)),
        }
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

fn is_not_found(error: &SdkError<GetSubscriptionAttributesError>) -> bool {
    let answer = error.as_service_error();
    answer.is_some_and(GetSubscriptionAttributesError::is_not_found_exception)
}

/// Those of the endpoint; `None` where there are more pages than are read and none of them has one.
async fn listed<F>(
    endpoint: &str,
    mut page: impl FnMut(Option<String>) -> F,
) -> Result<Option<Vec<Subscription>>, PipelineError>
where
    F: Future<Output = Result<(Vec<Subscription>, Option<String>), PipelineError>>,
{
    let mut found = Vec::new();
    let mut next = None;
    for _ in 0..PAGES_MAX {
        let (subscriptions, following) = page(next.take()).await?;
        let all = subscriptions.into_iter();
        found.extend(all.filter(|one| one.endpoint() == Some(endpoint)));
        next = following.filter(|token| !token.is_empty());
        if next.is_none() || found.len() >= READ_MAX {
            return Ok(Some(found));
        }
    }
    Ok((!found.is_empty()).then_some(found))
}

fn text(attributes: &HashMap<String, String>, name: &str) -> Option<String> {
    attributes
        .get(name)
        .filter(|value| !value.is_empty())
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages with one subscription each, of which one is the queue's.
    async fn found(pages: usize, own: usize) -> Option<usize> {
        let mut number = 0;
        let listed = listed("queue", |_| {
            number += 1;
            let endpoint = if number == own { "queue" } else { "other" };
            let one = Subscription::builder().endpoint(endpoint).build();
            let next = (number < pages).then(|| number.to_string());
            async move { Ok((vec![one], next)) }
        });
        listed.await.unwrap().map(|found| found.len())
    }

    #[tokio::test]
    async fn queue_behind_more_pages_than_are_read_is_not_taken_for_one_without_a_subscription() {
        assert_eq!(found(3, 2).await, Some(1));
        assert_eq!(found(PAGES_MAX, 0).await, Some(0));
        assert_eq!(found(PAGES_MAX + 1, 3).await, Some(1));
        assert_eq!(found(PAGES_MAX + 1, PAGES_MAX + 1).await, None);
    }
}
