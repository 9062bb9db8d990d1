//! The two queues of a pipeline, and the console's view of them.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use chrono::{DateTime, Utc};
use devstack::Emulator;
use pipeline::environment::Environment;
use pipeline::model::{QueueRole, ReceivedMessages};
use pipeline::{LeaseSet, Pipeline};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// What one call sends or receives at most (Amazon SQS quotas).
const BATCH: usize = 10;

/// The emulator of all tests of a binary that name their queues themselves.
static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

pub(crate) async fn emulator() -> &'static Emulator {
    EMULATOR
        .get_or_try_init(Emulator::start_for_tests)
        .await
        .unwrap()
}

pub(crate) struct Queues {
    /// Where no other test uses it.
    _emulator: Option<Emulator>,
    pub(crate) sqs: Client,
    pub(crate) pipeline: Pipeline,
}

impl Queues {
    /// "source" and "dead-letters" on an emulator of their own.
    pub(crate) async fn start() -> Self {
        let emulator = Emulator::start_for_tests().await.unwrap();
        let names = ["source", "dead-letters"];
        Self {
            pipeline: Self::create(&emulator, names, false, None).await.pipeline,
            sqs: Client::new(&devstack::sdk_config(emulator.endpoint_url())),
            _emulator: Some(emulator),
        }
    }

    /// New queues on an emulator that others use too.
    pub(crate) async fn create(
        emulator: &Emulator,
        names: [&str; 2],
        is_fifo: bool,
        database_url: Option<String>,
    ) -> Self {
        let sqs = Client::new(&devstack::sdk_config(emulator.endpoint_url()));
        let mut urls = Vec::new();
        for name in names {
            let create = if is_fifo {
                let name = format!("{name}.fifo");
                let create = sqs.create_queue().queue_name(name);
                create.attributes(QueueAttributeName::FifoQueue, "true")
            } else {
                sqs.create_queue().queue_name(name)
            };
            urls.push(create.send().await.unwrap().queue_url.unwrap());
        }
        Self::of(&Environment {
            endpoint_url: Some(emulator.endpoint_url().to_owned()),
            queue_url: urls[0].clone(),
            dead_letter_queue_url: urls[1].clone(),
            api_url: None,
            database_url,
            ..Environment::example()
        })
    }

    /// The queues of an environment that exists.
    pub(crate) fn of(environment: &Environment) -> Self {
        let endpoint_url = environment.endpoint_url.as_deref().unwrap();
        Self {
            _emulator: None,
            sqs: Client::new(&devstack::sdk_config(endpoint_url)),
            pipeline: Pipeline::connect(environment).unwrap(),
        }
    }

    /// The same queues over another endpoint.
    pub(crate) fn over(&self, endpoint_url: &str) -> Self {
        Self::of(&Environment {
            endpoint_url: Some(endpoint_url.to_owned()),
            ..self.pipeline.environment().clone()
        })
    }

    pub(crate) fn endpoint_url(&self) -> &str {
        let environment = self.pipeline.environment();
        environment.endpoint_url.as_deref().unwrap()
    }

    /// Source queue and dead-letter queue.
    pub(crate) fn urls(&self) -> [&str; 2] {
        [QueueRole::Source, QueueRole::DeadLetter].map(|role| self.pipeline.queue_url(role))
    }

    /// Adds one dead letter; returns its message id.
    pub(crate) async fn add_dead_letter(
        &self,
        body: &str,
        attributes: &[(&str, MessageAttributeValue)],
    ) -> String {
        let mut send = self
            .sqs
            .send_message()
            .queue_url(self.pipeline.queue_url(QueueRole::DeadLetter))
            .message_body(body);
        for (name, value) in attributes {
            send = send.message_attributes(*name, value.clone());
        }
        send.send().await.unwrap().message_id.unwrap()
    }

    /// Adds many dead letters with the same attributes.
    pub(crate) async fn add_dead_letters(
        &self,
        bodies: &[String],
        attributes: &[(&str, MessageAttributeValue)],
    ) {
        for batch in bodies.chunks(BATCH) {
            let entries = batch.iter().enumerate().map(|(index, body)| {
                let entry = SendMessageBatchRequestEntry::builder();
                let entry = entry.id(index.to_string()).message_body(body);
                let entry = attributes.iter().fold(entry, |entry, (name, value)| {
                    entry.message_attributes(*name, value.clone())
                });
                entry.build().unwrap()
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

    /// Messages that can be received, and messages that are hidden because somebody received them.
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

    /// All messages of a queue.
    pub(crate) async fn count(&self, role: QueueRole) -> usize {
        let (visible, hidden) = self.depth(role).await;
        visible + hidden
    }

    /// Up to ten messages with all their attributes, hidden for half a minute.
    pub(crate) async fn receive(&self, role: QueueRole) -> Vec<Message> {
        let answer = self
            .sqs
            .receive_message()
            .queue_url(self.pipeline.queue_url(role))
            .max_number_of_messages(10)
            .visibility_timeout(30)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .unwrap();
        answer.messages.unwrap_or_default()
    }

    pub(crate) async fn delete(&self, role: QueueRole, receipt_handle: &str) {
        self.sqs
            .delete_message()
            .queue_url(self.pipeline.queue_url(role))
            .receipt_handle(receipt_handle)
            .send()
            .await
            .unwrap();
    }
}

/// Receives dead letters for a test that has the handles itself.
pub(crate) async fn receive_dead_letters(
    pipeline: &Pipeline,
    count: usize,
    visibility_timeout: Duration,
) -> ReceivedMessages {
    let leases = LeaseSet::new(pipeline, visibility_timeout);
    let received = leases.receive(count, &CancellationToken::new()).await;
    received.unwrap().unwrap()
}

/// Makes dead letters visible. Returns how many were hidden.
pub(crate) async fn release_dead_letters(pipeline: &Pipeline, handles: &[String]) -> usize {
    let leases = LeaseSet::new(pipeline, Duration::ZERO);
    for handle in handles {
        leases.adopt(handle, handle, DateTime::<Utc>::MAX_UTC);
    }
    handles.len() - leases.release_all().await.messages_max
}

pub(crate) fn text(data_type: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type(data_type)
        .string_value(value)
        .build()
        .unwrap()
}

pub(crate) fn binary(data_type: &str, value: &[u8]) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type(data_type)
        .binary_value(Blob::new(value))
        .build()
        .unwrap()
}
