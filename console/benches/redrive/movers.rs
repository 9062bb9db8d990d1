//! The ways to move dead letters that are compared.
//!
//! Invariant: a mover is timed from its first call to its last, and only when every message is in
//! the source queue and none is left.

use std::path::Path;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, SendMessageBatchRequestEntry,
};
use futures::StreamExt as _;
use pipeline::Pipeline;
use pipeline::model::{DeadLetter, QueueRole};
use redrive::operations::freeze;
use redrive::{Control, Counts, Journal, Plan, PlanOptions, RunOptions, run};
use tokio::sync::watch;

use crate::support::queues::{Queues, receive_dead_letters, text};
use crate::support::redrive_fixture::{Fixture, VISIBILITY};

/// Messages in the queue of each mover: the emulator is slower on a long queue.
const MESSAGES: usize = 2_000;
/// Messages of a mover that moves one at a time; its rate does not change.
const FEW: usize = 60;
/// Messages of a mover that makes one call after the other.
const SOME: usize = 600;
/// Messages of one call (Amazon SQS quotas).
const BATCH: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mover {
    /// Receive one, send it, delete it: a loop around the AWS command line.
    Sequential,
    /// The same with ten at a time.
    SequentialBatches,
    /// The calls of the engine, as many at once, and nothing else: what the emulator can do.
    Ceiling,
    /// The engine on messages that were received: journal, confirmations, deletes.
    Engine,
    /// The engine on a plan that was made before: it searches its messages.
    Search,
    /// All that an operator waits for: receive and assess the messages, plan, journal, run.
    Redrive,
}

impl Mover {
    pub(crate) const ALL: [Self; 6] = [
        Self::Sequential,
        Self::SequentialBatches,
        Self::Ceiling,
        Self::Engine,
        Self::Search,
        Self::Redrive,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::SequentialBatches => "sequential_batches",
            Self::Ceiling => "ceiling",
            Self::Engine => "engine",
            Self::Search => "engine_searching",
            Self::Redrive => "redrive",
        }
    }

    /// Moves messages over an endpoint. Returns messages per second.
    pub(crate) async fn rate(self, fixture: &Fixture<'_>, endpoint_url: &str) -> f64 {
        fixture.add_dead_letters(0..MESSAGES).await;
        let queues = fixture.queues.over(endpoint_url);
        let pipeline = &queues.pipeline;
        // The first call of a client has to connect.
        pipeline.queue_snapshot(QueueRole::Source).await.unwrap();
        assert_eq!(queues.count(QueueRole::Source).await, 0);
        let (moved, elapsed) = match self {
            Self::Sequential => (FEW, sequential(&queues, FEW, 1).await),
            Self::SequentialBatches => (SOME, sequential(&queues, SOME, BATCH).await),
            Self::Ceiling => {
                let messages = receive(pipeline).await;
                (MESSAGES, ceiling(&queues, &messages).await)
            }
            Self::Engine => {
                let messages = receive(pipeline).await;
                let begun = Instant::now();
                let plan = plan(pipeline, &messages).await;
                redrive(pipeline, &plan, &messages).await;
                (MESSAGES, begun.elapsed())
            }
            Self::Search => {
                let messages = receive(pipeline).await;
                let plan = plan(pipeline, &messages).await;
                fixture.release(&messages).await;
                let begun = Instant::now();
                redrive(pipeline, &plan, &[]).await;
                (MESSAGES, begun.elapsed())
            }
            Self::Redrive => {
                let begun = Instant::now();
                let messages = receive(pipeline).await;
                let plan = plan(pipeline, &messages).await;
                redrive(pipeline, &plan, &messages).await;
                (MESSAGES, begun.elapsed())
            }
        };
        let left = fixture.queues.count(QueueRole::DeadLetter).await;
        assert_eq!(left, MESSAGES - moved);
        assert_eq!(fixture.queues.count(QueueRole::Source).await, moved);
        clear(&fixture.queues).await;
        moved as f64 / elapsed.as_secs_f64()
    }
}

async fn receive(pipeline: &Pipeline) -> Vec<DeadLetter> {
    let received = receive_dead_letters(pipeline, MESSAGES, VISIBILITY).await;
    assert_eq!(received.messages.len(), MESSAGES);
    received.messages
}

/// Receives, sends and deletes `batch` messages after the other, `total` in all.
async fn sequential(queues: &Queues, total: usize, batch: usize) -> Duration {
    let begun = Instant::now();
    let mut moved = 0;
    while moved < total {
        let received = queues
            .sqs
            .receive_message()
            .queue_url(queues.pipeline.queue_url(QueueRole::DeadLetter))
            .max_number_of_messages(i32::try_from(batch).unwrap())
            .message_attribute_names("All")
            .send()
            .await
            .unwrap();
        let messages = received.messages.unwrap_or_default();
        moved += messages.len();
        if batch > 1 {
            let copies: Vec<_> = messages.iter().map(Copy::of_message).collect();
            move_batch(queues, &copies).await;
            continue;
        }
        let message = messages.first().unwrap();
        queues
            .sqs
            .send_message()
            .queue_url(queues.pipeline.queue_url(QueueRole::Source))
            .set_message_body(message.body.clone())
            .set_message_attributes(message.message_attributes.clone())
            .send()
            .await
            .unwrap();
        queues
            .sqs
            .delete_message()
            .queue_url(queues.pipeline.queue_url(QueueRole::DeadLetter))
            .set_receipt_handle(message.receipt_handle.clone())
            .send()
            .await
            .unwrap();
    }
    begun.elapsed()
}

async fn ceiling(queues: &Queues, messages: &[DeadLetter]) -> Duration {
    let copies: Vec<Copy> = messages.iter().map(Copy::of_dead_letter).collect();
    let begun = Instant::now();
    futures::stream::iter(copies.chunks(BATCH))
        .for_each_concurrent(RunOptions::default().batches_at_once, |batch| {
            move_batch(queues, batch)
        })
        .await;
    begun.elapsed()
}

/// What is sent for a message, and what deletes it.
struct Copy {
    body: String,
    attributes: Vec<(String, MessageAttributeValue)>,
    receipt_handle: String,
}

impl Copy {
    fn of_message(message: &Message) -> Self {
        Self {
            body: message.body.clone().unwrap(),
            attributes: message
                .message_attributes
                .clone()
                .unwrap_or_default()
                .into_iter()
                .collect(),
            receipt_handle: message.receipt_handle.clone().unwrap(),
        }
    }

    fn of_dead_letter(message: &DeadLetter) -> Self {
        Self {
            body: message.body.text().unwrap().into_owned(),
            attributes: vec![("kept".to_owned(), text("String", "x"))],
            receipt_handle: message.receipt_handle.clone(),
        }
    }
}

async fn move_batch(queues: &Queues, batch: &[Copy]) {
    let entries = batch.iter().enumerate().map(|(index, copy)| {
        SendMessageBatchRequestEntry::builder()
            .id(index.to_string())
            .message_body(&copy.body)
            .set_message_attributes(Some(copy.attributes.iter().cloned().collect()))
            .build()
            .unwrap()
    });
    let sent = queues
        .sqs
        .send_message_batch()
        .queue_url(queues.pipeline.queue_url(QueueRole::Source))
        .set_entries(Some(entries.collect()))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.successful().len(), batch.len());
    let entries = batch.iter().enumerate().map(|(index, copy)| {
        DeleteMessageBatchRequestEntry::builder()
            .id(index.to_string())
            .receipt_handle(&copy.receipt_handle)
            .build()
            .unwrap()
    });
    let deleted = queues
        .sqs
        .delete_message_batch()
        .queue_url(queues.pipeline.queue_url(QueueRole::DeadLetter))
        .set_entries(Some(entries.collect()))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.successful().len(), batch.len());
}

async fn plan(pipeline: &Pipeline, messages: &[DeadLetter]) -> Plan {
    let planned: Vec<_> = messages.iter().map(|message| (message, None)).collect();
    let options = PlanOptions::default();
    freeze(pipeline, &planned, options).await.unwrap()
}

/// Runs a plan as `redrive run` does. The journal is on the disk of the build: a folder in memory
/// would make its fsync free.
async fn redrive(pipeline: &Pipeline, plan: &Plan, messages: &[DeadLetter]) {
    let folder = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let journal = Journal::create(folder.path(), plan.clone()).unwrap();
    let options = RunOptions {
        prove_limit: Duration::ZERO,
        ..RunOptions::default()
    };
    let (counts, _) = watch::channel(Counts::default());
    let control = Control::new(None);
    let report = run(pipeline, journal, messages, &control, &options, counts)
        .await
        .unwrap();
    assert_eq!(report.counts.moved, MESSAGES);
}

/// A full queue would slow the emulator down for later movers.
async fn clear(queues: &Queues) {
    for role in [QueueRole::Source, QueueRole::DeadLetter] {
        queues
            .sqs
            .delete_queue()
            .queue_url(queues.pipeline.queue_url(role))
            .send()
            .await
            .unwrap();
    }
}
