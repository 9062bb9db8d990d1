//! Redrives in this process: two queues, a ledger, and an ingest that works when the test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use devstack::{Emulator, TestDatabase};
use event::{EventKey, FailureCode, REPLACES_ATTRIBUTE, RecordId, RecordQuery, replaced_record};
use pipeline::Pipeline;
use pipeline::model::{DeadLetter, QueueRole};
use redrive::operations::freeze;
use redrive::{Control, Counts, Journal, Plan, PlanOptions, Report, RunOptions, State};
use redrive::{RedriveError, run};
use store::{PartitionPlan, PartitionWidth, Replaced, Replacement};
use tokio::sync::watch;

use super::machine;
use super::queues::{self, Queues, receive_dead_letters, release_dead_letters, text};

/// Visibility timeout of messages that a test receives.
pub(crate) const VISIBILITY: Duration = Duration::from_secs(300);

/// The emulator and the database that all fixtures of a test share.
pub(crate) struct Services {
    emulator: &'static Emulator,
    pub(crate) database: TestDatabase,
    _machine: machine::Shared,
}

/// Two queues and a folder for journals.
pub(crate) struct Fixture<'a> {
    services: &'a Services,
    name: String,
    pub(crate) queues: Queues,
    pub(crate) folder: tempfile::TempDir,
}

/// Where the events of a fixture are, each counted in each place.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) dead: BTreeMap<String, usize>,
    pub(crate) source: BTreeMap<String, usize>,
    pub(crate) stored: BTreeMap<String, usize>,
}

impl Services {
    pub(crate) async fn open() -> Self {
        let machine = machine::shared();
        let database = TestDatabase::create().await.unwrap();
        store::migrate(database.pool()).await.unwrap();
        Self {
            emulator: queues::emulator().await,
            database,
            _machine: machine,
        }
    }

    /// Queues with a name that no other test uses.
    pub(crate) async fn fixture(&self, name: &str, is_fifo: bool) -> Fixture<'_> {
        let names = [format!("{name}-source"), format!("{name}-dead")];
        let names = [&*names[0], &names[1]];
        let database_url = Some(self.database.url().to_owned());
        Fixture {
            services: self,
            name: name.to_owned(),
            queues: Queues::create(self.emulator, names, is_fifo, database_url).await,
            folder: tempfile::tempdir().unwrap(),
        }
    }
}

/// One batch at a time; no search waits, nothing pauses by itself, nothing is proved.
pub(crate) fn quick() -> RunOptions {
    RunOptions {
        batches_at_once: 1,
        search_patience: Duration::ZERO,
        pauses_by_itself: false,
        prove_limit: Duration::ZERO,
        ..RunOptions::default()
    }
}

/// Continues the redrive of a journal that nobody controls.
pub(crate) async fn resumed(pipeline: &Pipeline, journal: &Path) -> Report {
    let (counts, _) = watch::channel(Counts::default());
    let (journal, control) = (Journal::open(journal).unwrap(), Control::new(None));
    run(pipeline, journal, &[], &control, &quick(), counts)
        .await
        .unwrap()
}

impl Fixture<'_> {
    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.queues.pipeline
    }

    pub(crate) fn body(&self, number: usize) -> String {
        format!(
            r#"{{"specversion":"1.0","id":"{number}","source":"/{}","type":"t","time":"2026-01-01T00:00:00Z"}}"#,
            self.name
        )
    }

    /// Adds events to the dead-letter queue.
    pub(crate) async fn add_dead_letters(&self, numbers: impl IntoIterator<Item = usize>) {
        let bodies: Vec<String> = numbers
            .into_iter()
            .map(|number| self.body(number))
            .collect();
        self.add_bodies(&bodies, "timeout").await;
    }

    pub(crate) async fn add_bodies(&self, bodies: &[String], code: &str) {
        let attributes = [
            ("kept", text("String", "x")),
            ("ErrorCode", text("String", code)),
        ];
        self.queues.add_dead_letters(bodies, &attributes).await;
    }

    pub(crate) async fn receive(&self) -> Vec<DeadLetter> {
        let receiving = receive_dead_letters(self.pipeline(), 10_000, VISIBILITY);
        receiving.await.messages
    }

    /// Makes messages visible, as the end of their visibility timeout would.
    pub(crate) async fn release(&self, messages: &[DeadLetter]) {
        let handles = messages
            .iter()
            .map(|message| message.receipt_handle.clone());
        let handles: Vec<String> = handles.collect();
        // Messages that are gone answer with an error of their own.
        release_dead_letters(self.pipeline(), &handles).await;
    }

    pub(crate) async fn plan(&self, messages: &[DeadLetter], options: PlanOptions) -> Plan {
        let messages: Vec<_> = messages.iter().map(|message| (message, None)).collect();
        freeze(self.pipeline(), &messages, options).await.unwrap()
    }

    pub(crate) fn journal(&self, plan: &Plan) -> (Journal, State) {
        Journal::create(self.folder.path(), plan.clone()).unwrap()
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
        run(
            self.pipeline(),
            journal,
            messages,
            &control,
            options,
            counts,
        )
        .await
    }

    /// What the ingest would do with everything that is in the source queue.
    pub(crate) async fn ingest(&self) {
        loop {
            let messages = self.queues.receive(QueueRole::Source).await;
            if messages.is_empty() {
                return;
            }
            for message in messages {
                let body = message.body().unwrap();
                let attributes = message.message_attributes();
                let replaces = attributes
                    .and_then(|attributes| attributes.get(REPLACES_ATTRIBUTE))
                    .and_then(|attribute| replaced_record(attribute.string_value()?));
                let stored = match replaces {
                    None => self.store(body).await,
                    Some(record_id) => self.replace(body, record_id).await,
                };
                if let Err(failure) = stored {
                    let code = failure.code.as_str();
                    self.add_bodies(&[body.to_owned()], code).await;
                }
                let handle = message.receipt_handle().unwrap();
                self.queues.delete(QueueRole::Source, handle).await;
            }
        }
    }

    /// Stores an event as the ingest does.
    pub(crate) async fn store(&self, body: &str) -> Result<(), event::Failure> {
        let event = event::parse_body(body)?;
        let pool = self.services.database.pool();
        store::write_batch(pool, &[event]).await.unwrap();
        Ok(())
    }

    /// Replaces a record as the ingest does.
    async fn replace(&self, body: &str, replaces: RecordId) -> Result<(), event::Failure> {
        let event = &event::parse_body(body)?;
        let pool = self.services.database.pool();
        let wanted = [Replacement { event, replaces }];
        match store::replace_records(pool, &wanted).await.unwrap()[0] {
            Replaced::Stored(_) | Replaced::Duplicate | Replaced::Expired => Ok(()),
            Replaced::Stale(why) => Err(event::Failure::new(
                FailureCode::ReplacementStale,
                format!("{why:?}"),
            )),
        }
    }

    /// Moves the retention horizon to a midnight.
    pub(crate) async fn expire_before(&self, midnight: DateTime<Utc>) {
        let plan = PartitionPlan {
            width: PartitionWidth::Day,
            ahead: 1,
            keep: Some(1),
        };
        let pool = self.services.database.pool();
        let now = midnight + TimeDelta::days(1);
        store::drop_partitions(pool, &plan, now).await.unwrap();
        let horizon = store::retention_horizon(pool).await.unwrap();
        assert_eq!(horizon, Some(midnight));
    }

    /// Looks into both queues, whose messages must all be visible, and into the ledger.
    pub(crate) async fn places(&self, total: usize) -> Places {
        Places {
            dead: self.bodies(QueueRole::DeadLetter).await,
            source: self.bodies(QueueRole::Source).await,
            stored: self.stored(total).await,
        }
    }

    async fn bodies(&self, role: QueueRole) -> BTreeMap<String, usize> {
        let mut bodies = BTreeMap::new();
        let mut handles = Vec::new();
        loop {
            let messages = self.queues.receive(role).await;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                *bodies.entry(message.body.unwrap()).or_default() += 1;
                handles.push(message.receipt_handle.unwrap());
            }
        }
        for handle in handles {
            self.queues
                .sqs
                .change_message_visibility()
                .queue_url(self.pipeline().queue_url(role))
                .receipt_handle(handle)
                .visibility_timeout(0)
                .send()
                .await
                .unwrap();
        }
        bodies
    }

    async fn stored(&self, total: usize) -> BTreeMap<String, usize> {
        let keys: Vec<EventKey> = (0..total)
            .map(|number| EventKey {
                source: format!("/{}", self.name),
                id: number.to_string(),
            })
            .collect();
        let stored = self.pipeline().stored_keys(&keys).await.unwrap();
        keys.iter()
            .enumerate()
            .filter(|(_, key)| stored.contains_key(key))
            .map(|(number, _)| (self.body(number), 1))
            .collect()
    }

    /// The table of records has each event once, however often its message arrived.
    pub(crate) async fn assert_each_stored_once(&self, total: usize) {
        let query = RecordQuery {
            source: Some(format!("/{}", self.name)),
            ..RecordQuery::default()
        };
        let records = self.pipeline().list_records(&query).await.unwrap().items;
        let ids: BTreeSet<_> = records.iter().map(|record| record.id.clone()).collect();
        assert_eq!((records.len(), ids.len()), (total, total), "{records:?}");
    }

    /// After a redrive and the ingest, every event is stored and nothing is left in a queue.
    pub(crate) async fn assert_all_stored(&self, total: usize) {
        self.ingest().await;
        let places = self.places(total).await;
        assert_eq!(places.stored.len(), total, "{places:?}");
        assert!(places.dead.is_empty(), "{places:?}");
        assert!(places.source.is_empty(), "{places:?}");
    }
}
