//! The source queue as a test sets it up: its redrive policy, its messages, and whether the ingest reads it.

use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use devstack::{Endpoints, services};
use pipeline::model::QueueRole;
use serde_json::json;

use super::queues::Queues;

/// What one call sends at most (Amazon SQS quotas).
const BATCH: usize = 10;

impl Queues {
    /// Lets SQS move messages of the source queue to the dead-letter queue.
    pub(crate) async fn set_max_receive_count(&self, max_receive_count: u64) {
        let attributes = self
            .sqs
            .get_queue_attributes()
            .queue_url(self.pipeline.queue_url(QueueRole::DeadLetter))
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .unwrap();
        let arn = &attributes.attributes.unwrap()[&QueueAttributeName::QueueArn];
        let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": max_receive_count});
        self.sqs
            .set_queue_attributes()
            .queue_url(self.pipeline.queue_url(QueueRole::Source))
            .attributes(QueueAttributeName::RedrivePolicy, policy.to_string())
            .send()
            .await
            .unwrap();
    }

    /// Sends messages to the source queue.
    pub(crate) async fn send(&self, bodies: &[String]) {
        for batch in bodies.chunks(BATCH) {
            let entries = batch.iter().enumerate().map(|(index, body)| {
                let entry = SendMessageBatchRequestEntry::builder();
                entry
                    .id(index.to_string())
                    .message_body(body)
                    .build()
                    .unwrap()
            });
            let sent = self
                .sqs
                .send_message_batch()
                .queue_url(self.pipeline.queue_url(QueueRole::Source))
                .set_entries(Some(entries.collect()))
                .send()
                .await
                .unwrap();
            assert_eq!(sent.successful().len(), batch.len());
        }
    }

    /// Makes a message of the source queue visible.
    pub(crate) async fn release(&self, receipt_handle: &str) {
        self.sqs
            .change_message_visibility()
            .queue_url(self.pipeline.queue_url(QueueRole::Source))
            .receipt_handle(receipt_handle)
            .visibility_timeout(0)
            .send()
            .await
            .unwrap();
    }
}

/// Whether the ingest of a running stack reads the queue.
pub(crate) async fn let_ingest_read(endpoints: &Endpoints, reads: bool) {
    let url = &endpoints.endpoint_url;
    let path = "/2015-03-31/event-source-mappings";
    let of_ingest = format!("{path}?FunctionName={}", endpoints.ingest_function);
    let listed = services::lambda(url, "GET", &of_ingest, &json!(null)).await;
    let listed = listed.unwrap();
    let mappings = listed["EventSourceMappings"].as_array().unwrap();
    let mut mappings = mappings.iter();
    let mapping = mappings
        .find(|mapping| mapping["EventSourceArn"] == endpoints.queue_arn)
        .unwrap();
    let path = format!("{path}/{}", mapping["UUID"].as_str().unwrap());
    let change = json!({ "Enabled": reads });
    services::lambda(url, "PUT", &path, &change).await.unwrap();
}
