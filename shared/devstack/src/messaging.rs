//! Creates the topic, the queue and its dead-letter queue.
//!
//! Invariant: only the topic may send to the queue, and the queue's visibility timeout is at least
//! six times the function's timeout and the batching window.

use aws_config::SdkConfig;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;

use crate::access::create_role;
use crate::endpoints::{API, BATCH_WINDOW_SECS, FUNCTION_TIMEOUT_SECS, INGEST, MIGRATE};
use crate::{DevstackError, Endpoints};

const TOPIC: &str = "events";
const QUEUE: &str = "events-queue";
const DEAD_LETTER_QUEUE: &str = "events-dead-letters";
const RECEIVES_MAX: u32 = 3;
const DEAD_LETTER_RETENTION_SECS: u32 = 14 * 24 * 3_600;
/// Six times the function's timeout and the batching window (AWS Lambda developer guide, "Using Lambda with Amazon
/// SQS").
const VISIBILITY_TIMEOUT_SECS: u32 = 6 * FUNCTION_TIMEOUT_SECS + BATCH_WINDOW_SECS;

/// Topic and queues.
#[derive(Clone)]
pub(crate) struct Queues {
    topic_arn: String,
    queue_url: String,
    pub(crate) queue_arn: String,
    pub(crate) dead_letter_queue_url: String,
    dead_letter_queue_arn: String,
}

impl Queues {
    pub(crate) fn endpoints(
        &self,
        config: &SdkConfig,
        endpoint_url: &str,
        api_url: String,
        database_url: String,
    ) -> Endpoints {
        Endpoints {
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            endpoint_url: endpoint_url.to_owned(),
            topic_arn: self.topic_arn.clone(),
            queue_url: self.queue_url.clone(),
            queue_arn: self.queue_arn.clone(),
            dead_letter_queue_url: self.dead_letter_queue_url.clone(),
            dead_letter_queue_arn: self.dead_letter_queue_arn.clone(),
            api_url,
            database_url,
            ingest_function: INGEST.to_owned(),
            api_function: API.to_owned(),
            migrate_function: MIGRATE.to_owned(),
        }
    }
}

/// Creates the topic, the queue with its dead-letter queue, the subscription and the roles.
pub(crate) async fn create_queues(
    config: &SdkConfig,
    endpoint_url: &str,
) -> Result<Queues, DevstackError> {
    let sqs = aws_sdk_sqs::Client::new(config);
    let sns = aws_sdk_sns::Client::new(config);
    let topic = async {
        let topic = sns.create_topic().name(TOPIC).send().await;
        DevstackError::present(
            DevstackError::aws("create the topic", topic)?.topic_arn,
            "topic ARN",
        )
    };
    let retention = DEAD_LETTER_RETENTION_SECS.to_string();
    let dead_letters = create_queue(
        &sqs,
        DEAD_LETTER_QUEUE,
        vec![(QueueAttributeName::MessageRetentionPeriod, retention)],
    );
    let (topic_arn, (dead_letter_queue_url, dead_letter_queue_arn)) =
        tokio::try_join!(topic, dead_letters)?;

    let redrive = json!({
        "deadLetterTargetArn": dead_letter_queue_arn,
        "maxReceiveCount": RECEIVES_MAX,
    });
    let (queue_url, queue_arn) = create_queue(
        &sqs,
        QUEUE,
        vec![
            (
                QueueAttributeName::VisibilityTimeout,
                VISIBILITY_TIMEOUT_SECS.to_string(),
            ),
            (QueueAttributeName::RedrivePolicy, redrive.to_string()),
        ],
    )
    .await?;
    let queues = Queues {
        topic_arn,
        queue_url,
        queue_arn,
        dead_letter_queue_url,
        dead_letter_queue_arn,
    };
    set_policies(&sqs, &queues).await?;
    subscribe(&sns, &queues).await?;
    create_roles(endpoint_url, &queues).await?;
    Ok(queues)
}

/// Only the topic may send to the queue, and only the queue may use the dead-letter queue.
async fn set_policies(sqs: &aws_sdk_sqs::Client, queues: &Queues) -> Result<(), DevstackError> {
    let Queues {
        topic_arn,
        queue_url,
        queue_arn,
        dead_letter_queue_url,
        ..
    } = queues;
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
    let outcome = sqs
        .set_queue_attributes()
        .queue_url(queue_url)
        .attributes(QueueAttributeName::Policy, policy.to_string())
        .send()
        .await;
    DevstackError::aws("allow the topic to send to the queue", outcome)?;
    let allowed = json!({"redrivePermission": "byQueue", "sourceQueueArns": [queue_arn]});
    let outcome = sqs
        .set_queue_attributes()
        .queue_url(dead_letter_queue_url)
        .attributes(QueueAttributeName::RedriveAllowPolicy, allowed.to_string())
        .send()
        .await;
    DevstackError::aws("let one queue use the dead-letter queue", outcome)?;
    Ok(())
}

async fn subscribe(sns: &aws_sdk_sns::Client, queues: &Queues) -> Result<(), DevstackError> {
    let undelivered = json!({"deadLetterTargetArn": queues.dead_letter_queue_arn});
    let outcome = sns
        .subscribe()
        .topic_arn(&queues.topic_arn)
        .protocol("sqs")
        .endpoint(&queues.queue_arn)
        .attributes("RawMessageDelivery", "true")
        .attributes("RedrivePolicy", undelivered.to_string())
        .send()
        .await;
    DevstackError::aws("subscribe the queue to the topic", outcome)?;
    Ok(())
}

async fn create_roles(endpoint_url: &str, queues: &Queues) -> Result<(), DevstackError> {
    let ingest_policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                "Resource": queues.queue_arn,
            },
            {
                "Effect": "Allow",
                "Action": "sqs:SendMessage",
                "Resource": queues.dead_letter_queue_arn,
            },
        ],
    })
    .to_string();
    tokio::try_join!(
        create_role(endpoint_url, INGEST, Some(&ingest_policy)),
        create_role(endpoint_url, API, None),
        create_role(endpoint_url, MIGRATE, None),
    )?;
    Ok(())
}

/// Creates a queue and returns its URL and ARN.
async fn create_queue(
    sqs: &aws_sdk_sqs::Client,
    name: &str,
    attributes: Vec<(QueueAttributeName, String)>,
) -> Result<(String, String), DevstackError> {
    let operation = format!("create the queue {name:?}");
    let queue = sqs
        .create_queue()
        .queue_name(name)
        .set_attributes(Some(attributes.into_iter().collect()))
        .send()
        .await;
    let url = DevstackError::present(
        DevstackError::aws(&operation, queue)?.queue_url,
        "queue URL",
    )?;
    let attributes = sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await;
    let arn = DevstackError::aws(&operation, attributes)?
        .attributes
        .and_then(|mut attributes| attributes.remove(&QueueAttributeName::QueueArn));
    Ok((url, DevstackError::present(arn, "queue ARN")?))
}
