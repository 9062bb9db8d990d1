//! A stage for redrives: two queues, a ledger, and an ingest that works when the test says so.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

pub(crate) mod proxy;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, QueueAttributeName};
use devstack::{Emulator, TestDatabase};
use event::EventKey;
use pipeline::Pipeline;
use pipeline::environment::Environment;
use pipeline::model::{DeadLetter, QueueRole};
use redrive::operations::freeze;
use redrive::{Control, Counts, Journal, Plan, PlanOptions, Report, RunOptions, State};
use redrive::{RedriveError, run};
use tokio::sync::watch;

pub(crate) const HOLD: Duration = Duration::from_secs(300);

/// The emulator and the database that all stages of a test share.
pub(crate) struct Theatre {
    emulator: Emulator,
    database: TestDatabase,
    pub(crate) sqs: Client,
}

/// Two queues of their own and a folder for journals.
pub(crate) struct Stage<'a> {
    theatre: &'a Theatre,
    pub(crate) name: String,
    pub(crate) pipeline: Pipeline,
    pub(crate) folder: tempfile::TempDir,
}

/// Where the events of a stage are, each counted in each place.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) dead: BTreeMap<String, usize>,
    pub(crate) source: BTreeMap<String, usize>,
    pub(crate) stored: BTreeMap<String, usize>,
}

impl Theatre {
    pub(crate) async fn open() -> Self {
        let emulator = Emulator::start_for_tests().await.unwrap();
        let database = TestDatabase::create().await.unwrap();
        store::MIGRATOR.run(database.pool()).await.unwrap();
        let sqs = Client::new(&devstack::sdk_config(emulator.endpoint_url()));
        Self {
            emulator,
            database,
            sqs,
        }
    }

    pub(crate) async fn stage(&self, name: &str, is_fifo: bool) -> Stage<'_> {
        let mut urls = Vec::new();
        for role in ["source", "dead"] {
            let suffix = if is_fifo { ".fifo" } else { "" };
            let mut create = self
                .sqs
                .create_queue()
                .queue_name(format!("{name}-{role}{suffix}"));
            if is_fifo {
                create = create.attributes(QueueAttributeName::FifoQueue, "true");
            }
            urls.push(create.send().await.unwrap().queue_url.unwrap());
        }
        let environment = Environment {
            endpoint_url: Some(self.emulator.endpoint_url().to_owned()),
            queue_url: urls[0].clone(),
            dead_letter_queue_url: urls[1].clone(),
            database_url: Some(self.database.url().to_owned()),
            ..Environment::example()
        };
        Stage {
            theatre: self,
            name: name.to_owned(),
            pipeline: Pipeline::connect(&environment).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }
}

/// Runs quickly and alone: no search waits, nothing pauses by itself, nothing is proved.
pub(crate) fn quick() -> RunOptions {
    RunOptions {
        batches_at_once: 1,
        search_patience: Duration::ZERO,
        pauses_by_itself: false,
        prove_limit: Duration::ZERO,
        ..RunOptions::default()
    }
}

pub(crate) fn text(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .unwrap()
}

impl Stage<'_> {
    pub(crate) fn sqs(&self) -> &Client {
        &self.theatre.sqs
    }

    /// The same stage through another endpoint.
    pub(crate) fn world_at(&self, endpoint_url: String) -> Pipeline {
        Pipeline::connect(&Environment {
            endpoint_url: Some(endpoint_url),
            ..self.pipeline.environment().clone()
        })
        .unwrap()
    }

    pub(crate) fn endpoint_url(&self) -> &str {
        self.theatre.emulator.endpoint_url()
    }

    pub(crate) fn body(&self, number: usize) -> String {
        format!(
            r#"{{"specversion":"1.0","id":"{number}","source":"/{}","type":"t","time":"2026-01-01T00:00:00Z"}}"#,
            self.name
        )
    }

    /// Puts events into the dead-letter queue.
    pub(crate) async fn kill(&self, numbers: impl IntoIterator<Item = usize>) {
        for number in numbers {
            self.kill_body(&self.body(number), "timeout").await;
        }
    }

    pub(crate) async fn kill_body(&self, body: &str, code: &str) {
        self.sqs()
            .send_message()
            .queue_url(self.pipeline.queue_url(QueueRole::DeadLetter))
            .message_body(body)
            .message_attributes("kept", text("x"))
            .message_attributes("ErrorCode", text(code))
            .send()
            .await
            .unwrap();
    }

    pub(crate) async fn hold(&self) -> Vec<DeadLetter> {
        let held = self.pipeline.hold_dead_letters(1_000, HOLD).await.unwrap();
        held.messages
    }

    /// Ends every hold, as time would.
    pub(crate) async fn end_holds(&self, messages: &[DeadLetter]) {
        let handles: Vec<String> = messages
            .iter()
            .map(|message| message.receipt_handle.clone())
            .collect();
        // Messages that are gone answer with an error of their own.
        let _ = self.pipeline.release_dead_letters(&handles).await;
    }

    /// Deletes a message, as somebody else might.
    pub(crate) async fn delete(&self, message: &DeadLetter) {
        self.sqs()
            .delete_message()
            .queue_url(self.pipeline.queue_url(QueueRole::DeadLetter))
            .receipt_handle(&message.receipt_handle)
            .send()
            .await
            .unwrap();
    }

    pub(crate) async fn plan(&self, messages: &[DeadLetter], options: PlanOptions) -> Plan {
        let messages: Vec<_> = messages.iter().map(|message| (message, None)).collect();
        freeze(&self.pipeline, &messages, options).await.unwrap()
    }

    pub(crate) fn journal(&self, plan: &Plan) -> (Journal, State) {
        Journal::create(self.folder.path(), plan).unwrap()
    }

    /// Runs a journal to its end.
    pub(crate) async fn run(
        &self,
        journal: (Journal, State),
        messages: &[DeadLetter],
        options: &RunOptions,
    ) -> Result<Report, RedriveError> {
        let (counts, _) = watch::channel(Counts::default());
        let control = Control::new(None);
        run(&self.pipeline, journal, messages, &control, options, counts).await
    }

    /// What the ingest would do with everything that is in the source queue.
    pub(crate) async fn ingest(&self) {
        loop {
            let messages = self.receive(QueueRole::Source, 30).await;
            if messages.is_empty() {
                return;
            }
            for message in messages {
                let body = message.body().unwrap();
                match event::parse_body(body) {
                    Ok(event) => {
                        let pool = self.theatre.database.pool();
                        store::write_batch(pool, &[event]).await.unwrap();
                    }
                    Err(failure) => {
                        self.kill_body(body, failure.code.as_str()).await;
                    }
                }
                self.sqs()
                    .delete_message()
                    .queue_url(self.pipeline.queue_url(QueueRole::Source))
                    .receipt_handle(message.receipt_handle().unwrap())
                    .send()
                    .await
                    .unwrap();
            }
        }
    }

    async fn receive(&self, role: QueueRole, hold_secs: i32) -> Vec<Message> {
        let answer = self
            .sqs()
            .receive_message()
            .queue_url(self.pipeline.queue_url(role))
            .max_number_of_messages(10)
            .visibility_timeout(hold_secs)
            .message_attribute_names("All")
            .send()
            .await
            .unwrap();
        answer.messages.unwrap_or_default()
    }

    /// Looks into both queues, which nobody may hold messages of, and into the ledger.
    pub(crate) async fn places(&self, total: usize) -> Places {
        let mut places = Places::default();
        for (role, place) in [
            (QueueRole::DeadLetter, &mut places.dead),
            (QueueRole::Source, &mut places.source),
        ] {
            let mut handles = Vec::new();
            loop {
                let messages = self.receive(role, 30).await;
                if messages.is_empty() {
                    break;
                }
                for message in messages {
                    *place.entry(message.body.unwrap()).or_default() += 1;
                    handles.push(message.receipt_handle.unwrap());
                }
            }
            for handle in handles {
                self.sqs()
                    .change_message_visibility()
                    .queue_url(self.pipeline.queue_url(role))
                    .receipt_handle(handle)
                    .visibility_timeout(0)
                    .send()
                    .await
                    .unwrap();
            }
        }
        places.stored = self.stored(total).await;
        places
    }

    async fn stored(&self, total: usize) -> BTreeMap<String, usize> {
        let keys: Vec<EventKey> = (0..total)
            .map(|number| EventKey {
                source: format!("/{}", self.name),
                id: number.to_string(),
            })
            .collect();
        let stored: HashMap<_, _> = self.pipeline.stored_keys(&keys).await.unwrap();
        keys.iter()
            .enumerate()
            .filter(|(_, key)| stored.contains_key(key))
            .map(|(number, _)| (self.body(number), 1))
            .collect()
    }

    /// The law when it is done and ingested: every event is stored, and nothing is left anywhere.
    pub(crate) async fn assert_all_stored(&self, total: usize) {
        self.ingest().await;
        let places = self.places(total).await;
        assert_eq!(places.stored.len(), total, "{places:?}");
        assert!(places.dead.is_empty(), "{places:?}");
        assert!(places.source.is_empty(), "{places:?}");
    }
}
