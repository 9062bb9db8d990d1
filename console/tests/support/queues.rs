//! The two queues on an emulator of their own, without functions and without a database.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use devstack::Emulator;
use pipeline::Pipeline;
use pipeline::environment::Environment;
use pipeline::model::QueueRole;

/// Both queues, and the console's view of them.
pub(crate) struct Queues {
    _emulator: Emulator,
    pub(crate) sqs: Client,
    pub(crate) pipeline: Pipeline,
}

impl Queues {
    pub(crate) async fn start() -> Self {
        let emulator = Emulator::start_for_tests().await.unwrap();
        let endpoint_url = emulator.endpoint_url().to_owned();
        let sqs = Client::new(&devstack::sdk_config(&endpoint_url));
        let mut urls = Vec::new();
        for name in ["source", "dead-letters"] {
            let queue = sqs.create_queue().queue_name(name).send().await.unwrap();
            urls.push(queue.queue_url.unwrap());
        }
        let environment = Environment {
            endpoint_url: Some(endpoint_url),
            queue_url: urls[0].clone(),
            dead_letter_queue_url: urls[1].clone(),
            ..Environment::example()
        };
        Self {
            _emulator: emulator,
            sqs,
            pipeline: Pipeline::connect(&environment).unwrap(),
        }
    }

    pub(crate) async fn kill(&self, body: &str, attributes: &[(&str, MessageAttributeValue)]) {
        let mut send = self
            .sqs
            .send_message()
            .queue_url(self.pipeline.queue_url(QueueRole::DeadLetter))
            .message_body(body);
        for (name, value) in attributes {
            send = send.message_attributes(*name, value.clone());
        }
        send.send().await.unwrap();
    }

    /// Puts many messages without attributes into the dead-letter queue.
    pub(crate) async fn kill_all(&self, bodies: &[String]) {
        for batch in bodies.chunks(10) {
            let entries = batch.iter().enumerate().map(|(index, body)| {
                SendMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message_body(body)
                    .build()
                    .unwrap()
            });
            let sent = self
                .sqs
                .send_message_batch()
                .queue_url(self.pipeline.queue_url(QueueRole::DeadLetter))
                .set_entries(Some(entries.collect()))
                .send()
                .await
                .unwrap();
            assert_eq!(sent.successful().len(), batch.len());
        }
    }

    /// Messages that can be received, and messages that somebody holds.
    pub(crate) async fn depth(&self, role: QueueRole) -> (usize, usize) {
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(self.pipeline.queue_url(role))
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .unwrap();
        let attributes = answer.attributes.unwrap();
        let of = |name| attributes[&name].parse().unwrap();
        (
            of(QueueAttributeName::ApproximateNumberOfMessages),
            of(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        )
    }

    pub(crate) async fn count(&self, role: QueueRole) -> usize {
        let (visible, held) = self.depth(role).await;
        visible + held
    }

    pub(crate) async fn received(&self) -> Vec<Message> {
        let answer = self
            .sqs
            .receive_message()
            .queue_url(self.pipeline.queue_url(QueueRole::Source))
            .max_number_of_messages(10)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .unwrap();
        answer.messages.unwrap_or_default()
    }
}
