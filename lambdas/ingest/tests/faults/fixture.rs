//! A database and a dead-letter queue, and what holds for each message whatever happens to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::Message;
use devstack::{Durability, Emulator, Postgres, PostgresOptions};
use ingest::{DeadLetterQueue, Deps, Invocation, Outcome, Settings, handle_counted};
use sqlx::postgres::PgPoolOptions;
use store::PgPool;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use crate::database_proxy::DatabaseProxy;
use crate::messages::{End, Given, batch};
use crate::queue_proxy::QueueProxy;

/// Long enough for everything, so that a test that waits for it fails clearly.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// Deliveries of what was reported until nothing is any more.
const REDELIVERIES_MAX: usize = 5;

static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();
static SERVER: OnceCell<Arc<Postgres>> = OnceCell::const_new();
static FIXTURES: AtomicUsize = AtomicUsize::new(0);

pub(crate) struct Fixture {
    pub(crate) server: Arc<Postgres>,
    pub(crate) name: String,
    /// Connections without faults.
    pub(crate) pool: PgPool,
    client: Client,
    queue_url: String,
    /// What was received from the dead-letter queue so far, by body.
    dead_letters: Mutex<BTreeMap<String, Vec<Message>>>,
}

/// What was answered to one delivery.
pub(crate) struct Delivery {
    pub(crate) outcome: Outcome,
    pub(crate) reported: Vec<Given>,
}

impl Fixture {
    /// A database and a queue of their own on servers that all tests share.
    pub(crate) async fn open() -> Self {
        let server = SERVER
            .get_or_init(async || start_server(Durability::None).await)
            .await;
        Self::on(Arc::clone(server)).await
    }

    /// The same on a server that the test may stop, and that keeps what it committed.
    pub(crate) async fn with_own_server() -> Self {
        Self::on(start_server(Durability::Full).await).await
    }

    async fn on(server: Arc<Postgres>) -> Self {
        let name = format!("stage_{}", FIXTURES.fetch_add(1, Ordering::SeqCst));
        server.create_database(&name).await.unwrap();
        let pool = PgPoolOptions::new()
            .max_connections(3)
            .connect(&server.url(&name))
            .await
            .unwrap();
        store::migrate(&pool).await.unwrap();
        let emulator = EMULATOR
            .get_or_try_init(Emulator::start_for_tests)
            .await
            .unwrap();
        let client = Client::new(&devstack::sdk_config(emulator.endpoint_url()));
        let created = client
            .create_queue()
            .queue_name(&name)
            .send()
            .await
            .unwrap();
        let fixture = Self {
            server,
            name,
            pool,
            queue_url: created.queue_url().unwrap().to_owned(),
            client,
            dead_letters: Mutex::default(),
        };
        // The validator knows everything that PostgreSQL refuses today; a rule that only the
        // database knows stands for what it does not.
        fixture
            .execute(
                "alter table records add constraint no_poison
                 check (payload ->> 'id' not like 'poison%')",
            )
            .await;
        fixture
    }

    pub(crate) async fn execute(&self, statement: impl Into<String>) {
        sqlx::raw_sql(&statement.into())
            .execute(&self.pool)
            .await
            .unwrap();
    }

    pub(crate) async fn proxy(&self) -> DatabaseProxy {
        DatabaseProxy::start(&self.server, &self.name).await
    }

    pub(crate) async fn queue_proxy(&self) -> QueueProxy {
        QueueProxy::start(EMULATOR.get().unwrap().endpoint_url()).await
    }

    /// What the function has when nothing is wrong.
    pub(crate) async fn deps(&self) -> Deps {
        self.deps_over(self.server.url(&self.name)).await
    }

    /// The function's own pool, over another address of the database.
    pub(crate) async fn deps_over(&self, database_url: String) -> Deps {
        let settings = Settings {
            database_url,
            log_in: None,
            dead_letter_queue_url: None,
            queue_access: None,
            replacements_allowed: true,
        };
        Deps {
            dead_letters: Some(DeadLetterQueue::new(
                self.client.clone(),
                self.queue_url.clone(),
            )),
            ..Deps::connect(&settings).unwrap()
        }
    }

    /// The same over another address of the queue.
    pub(crate) async fn deps_with_queue(&self, endpoint_url: &str) -> Deps {
        let client = Client::new(&devstack::sdk_config(endpoint_url));
        Deps {
            dead_letters: Some(DeadLetterQueue::new(client, self.queue_url.clone())),
            ..self.deps().await
        }
    }

    /// Delivers the messages and checks where each of them is.
    pub(crate) async fn deliver(
        &self,
        messages: &[Given],
        deps: &Deps,
        limit: Duration,
    ) -> Delivery {
        let delivery = deliver_only(messages, deps, limit).await;
        self.check(messages, &delivery).await;
        delivery
    }

    /// Checks that the database and the queue hold what was answered.
    pub(crate) async fn check(&self, messages: &[Given], delivery: &Delivery) {
        let outcome = &delivery.outcome;
        let is_reported = |given: &Given| delivery.reported.iter().any(|one| one.id == given.id);
        let done: Vec<&Given> = messages.iter().filter(|one| !is_reported(one)).collect();
        let records = self.records().await;
        let dead_letters = self.dead_letters().await;
        let (mut stored, mut dead_lettered) = (0, 0);
        for given in done {
            match &given.end {
                End::Record(id) => {
                    stored += 1;
                    assert!(records.contains(id), "{id} is no record");
                }
                End::DeadLetter => {
                    dead_lettered += 1;
                    assert!(
                        dead_letters.contains_key(&given.body),
                        "{} is lost",
                        given.body
                    );
                }
                End::Reported => panic!("{} was not reported", given.id),
            }
        }
        assert_eq!(outcome.stored + outcome.duplicates, stored, "{outcome:?}");
        assert_eq!(outcome.dead_lettered, dead_lettered, "{outcome:?}");
        for id in &records {
            let is_known = |one: &Given| one.end == End::Record(id.clone());
            assert!(messages.iter().any(is_known), "{id} was not given");
        }
        for body in dead_letters.keys() {
            let is_bad = |one: &Given| one.end == End::DeadLetter && one.body == *body;
            assert!(messages.iter().any(is_bad), "{body} is no dead letter");
        }
    }

    /// Delivers what was reported until nothing is reported any more but what no dead letter can
    /// carry; then every good event is a record once, and every bad message a dead letter.
    pub(crate) async fn redeliver(&self, messages: &[Given], delivery: Delivery) {
        let deps = self.deps().await;
        let mut open = delivery.reported;
        for _ in 0..REDELIVERIES_MAX {
            open = deliver_only(&open, &deps, LIMIT).await.reported;
            if open.iter().all(|given| given.end == End::Reported) {
                break;
            }
        }
        let mut events = BTreeSet::new();
        let mut bodies = BTreeSet::new();
        let mut stuck = 0;
        for given in messages {
            match &given.end {
                End::Record(id) => drop(events.insert(id.clone())),
                End::DeadLetter => drop(bodies.insert(given.body.clone())),
                End::Reported => stuck += 1,
            }
        }
        assert_eq!(open.len(), stuck);
        assert_eq!(self.records().await, events);
        let dead_letters = self.dead_letters().await;
        assert!(
            dead_letters.keys().eq(bodies.iter()),
            "{:?}",
            dead_letters.keys()
        );
    }

    /// Delivers with faults, then without.
    pub(crate) async fn deliver_and_redeliver(
        &self,
        messages: &[Given],
        deps: &Deps,
        limit: Duration,
    ) -> Outcome {
        let delivery = self.deliver(messages, deps, limit).await;
        let outcome = delivery.outcome.clone();
        self.redeliver(messages, delivery).await;
        outcome
    }

    /// Ids of the events that are records, each once, and each with its key in the ledger.
    async fn records(&self) -> BTreeSet<String> {
        let list: Vec<String> = sqlx::query_scalar("select id from records")
            .fetch_all(&self.pool)
            .await
            .unwrap();
        let keys: Vec<String> =
            sqlx::query_scalar("select id from event_identities join records using (record_id) where identity = event_identity(source, id)")
                .fetch_all(&self.pool)
                .await
                .unwrap();
        let ids: BTreeSet<String> = list.iter().cloned().collect();
        assert_eq!(list.len(), ids.len(), "an event is stored twice");
        assert_eq!(ids, keys.into_iter().collect());
        ids
    }

    /// All dead letters that ever came to the queue.
    pub(crate) async fn dead_letters(&self) -> BTreeMap<String, Vec<Message>> {
        let mut dead_letters = self.dead_letters.lock().await;
        loop {
            let answer = self
                .client
                .receive_message()
                .queue_url(&self.queue_url)
                .max_number_of_messages(10)
                .visibility_timeout(43_200)
                .message_attribute_names("All")
                .send()
                .await
                .unwrap();
            if answer.messages().is_empty() {
                return dead_letters.clone();
            }
            for message in answer.messages() {
                let body = message.body().unwrap().to_owned();
                dead_letters.entry(body).or_default().push(message.clone());
            }
        }
    }
}

/// Delivers the messages and checks the answer by itself.
pub(crate) async fn deliver_only(messages: &[Given], deps: &Deps, limit: Duration) -> Delivery {
    let invocation = Invocation::new("8c1b2f9e-request".to_owned(), limit);
    let (response, outcome) = handle_counted(batch(messages), &invocation, deps).await;
    assert!(Instant::now() < invocation.deadline, "answered too late");
    assert_eq!(outcome.total(), messages.len(), "{outcome:?}");
    let failures = response.batch_item_failures;
    assert_eq!(failures.len(), outcome.retried);
    let ids: BTreeSet<String> = failures
        .into_iter()
        .map(|failure| failure.item_identifier)
        .collect();
    let reported: Vec<Given> = messages
        .iter()
        .filter(|given| ids.contains(&given.id))
        .cloned()
        .collect();
    assert_eq!(reported.len(), outcome.retried);
    Delivery { outcome, reported }
}

async fn start_server(durability: Durability) -> Arc<Postgres> {
    let options = PostgresOptions {
        durability,
        ..PostgresOptions::default()
    };
    Arc::new(Postgres::start(options).await.unwrap())
}
