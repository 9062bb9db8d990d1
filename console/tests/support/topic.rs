//! Subscriptions of queues to a topic.

use aws_sdk_sqs::types::QueueAttributeName;
use pipeline::Pipeline;
use serde_json::json;

/// Lets a topic send to a queue, raw. Returns the ARN of the subscription.
pub(crate) async fn subscribe(pipeline: &Pipeline, topic_arn: &str, queue_url: &str) -> String {
    let aws = pipeline.aws().await;
    let attributes = aws
        .sqs
        .get_queue_attributes()
        .queue_url(queue_url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .unwrap();
    let queue_arn = &attributes.attributes.unwrap()[&QueueAttributeName::QueueArn];
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "sns.amazonaws.com" },
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": { "ArnEquals": { "aws:SourceArn": topic_arn } },
        }],
    });
    aws.sqs
        .set_queue_attributes()
        .queue_url(queue_url)
        .attributes(QueueAttributeName::Policy, policy.to_string())
        .send()
        .await
        .unwrap();
    let subscribe = aws.sns.subscribe();
    subscribe
        .topic_arn(topic_arn)
        .protocol("sqs")
        .endpoint(queue_arn)
        .attributes("RawMessageDelivery", "true")
        .send()
        .await
        .unwrap()
        .subscription_arn
        .unwrap()
}
