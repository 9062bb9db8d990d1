//! The cost of batches that are not clean: redelivered ones, and ones with poisonous events.
//!
//! Invariant: the clean run next to them stores as many events into a database with the same rule, and
//! every good event is stored exactly once.

use devstack::Emulator;
use devstack::bench::{Better, Figure};

use crate::client::{self, DeadLetters, Run};
use crate::events::{Event, Load};
use crate::server::{Database, Server};

const BATCH_SIZE: usize = 1_000;
const BATCHES: usize = 20;
const BATCHES_QUICK: usize = 2;

/// Where a poisonous event is refused.
#[derive(Clone, Copy)]
enum Poison {
    /// By the validator, before the write.
    Invalid,
    /// By the database alone.
    Refused,
}

impl Poison {
    fn apply(self, event: &mut Event) {
        match self {
            Self::Invalid => event.body.truncate(1),
            Self::Refused => {
                let id = format!("poison-{}", event.id);
                event.body = event.body.replace(&event.id, &id);
                event.id = id;
            }
        }
    }

    fn one_in(batch: &mut [Event], poison: Self) {
        let middle = batch.len() / 3;
        poison.apply(&mut batch[middle]);
    }
}

/// The values of each round.
#[derive(Default)]
struct Values {
    redelivery: Vec<f64>,
    invalid: Vec<f64>,
    refused: Vec<f64>,
    all_invalid_secs: Vec<f64>,
    all_refused_secs: Vec<f64>,
}

pub(crate) async fn measure(server: &mut Server, rounds: usize, is_quick: bool) -> Vec<Figure> {
    let emulator = Emulator::start_for_tests().await.unwrap();
    let queue = dead_letter_queue(&emulator).await;
    let batches = if is_quick { BATCHES_QUICK } else { BATCHES };
    let clean = Load::new(BATCH_SIZE, batches);
    let with_one = |poison| Load::with(BATCH_SIZE, batches, |some| Poison::one_in(some, poison));
    let of_all = |poison: Poison| {
        let change = |batch: &mut [Event]| batch.iter_mut().for_each(|one| poison.apply(one));
        Load::with(BATCH_SIZE, 1, change)
    };
    let (invalid, refused) = (with_one(Poison::Invalid), with_one(Poison::Refused));
    let (all_invalid, all_refused) = (of_all(Poison::Invalid), of_all(Poison::Refused));
    let mut values = Values::default();
    for round in 1..=rounds {
        eprintln!("round {round}: redelivery and poison");
        let database = ready(server).await;
        let fresh = run(server, &database, &clean, &queue, 0).await;
        let again = run(server, &database, &clean, &queue, 0).await;
        assert_eq!(again.count("duplicates"), clean.measured());
        server.drop(database).await;
        values.redelivery.push(fresh.secs / again.secs);
        for (load, ratios) in [
            (&invalid, &mut values.invalid),
            (&refused, &mut values.refused),
        ] {
            let database = ready(server).await;
            let poisoned = run(server, &database, load, &queue, batches).await;
            server.drop(database).await;
            ratios.push(fresh.secs / poisoned.secs);
        }
        for (load, secs) in [
            (&all_invalid, &mut values.all_invalid_secs),
            (&all_refused, &mut values.all_refused_secs),
        ] {
            let database = ready(server).await;
            let poisoned = run(server, &database, load, &queue, BATCH_SIZE).await;
            server.drop(database).await;
            secs.push(poisoned.secs);
        }
    }
    emulator.stop().await.unwrap();
    let ratio = |name, values| Figure::new(name, "ratio", Better::Higher, values);
    let secs = |name, values| Figure::new(name, "s", Better::Lower, values);
    vec![
        ratio("redelivery_ratio", values.redelivery).target(1.5),
        ratio("poison_ratio", values.invalid).target(0.9),
        ratio("poison_database_ratio", values.refused).target(0.9),
        secs("all_poison_batch_secs", values.all_invalid_secs),
        secs("all_poison_database_batch_secs", values.all_refused_secs),
    ]
}

async fn ready(server: &mut Server) -> Database {
    let database = server.database().await;
    database.refuse_poison().await;
    database
}

/// Runs ours on a load with `poisonous` bad events and checks the disposition of each.
async fn run(
    server: &Server,
    database: &Database,
    load: &Load,
    queue: &DeadLetters,
    poisonous: usize,
) -> Run {
    let command = client::ours(&database.url, load.folder(), Some(queue));
    let run = client::run(command, server.process);
    let good = load.measured() - poisonous;
    assert_eq!(run.count("stored") + run.count("duplicates"), good);
    assert_eq!(run.count("dead_lettered"), poisonous);
    let stored = good + load.batch_size;
    assert_eq!(database.counts().await, (stored, stored));
    run
}

async fn dead_letter_queue(emulator: &Emulator) -> DeadLetters {
    let endpoint_url = emulator.endpoint_url().to_owned();
    let client = aws_sdk_sqs::Client::new(&devstack::sdk_config(&endpoint_url));
    let created = client.create_queue().queue_name("bench").send();
    let queue_url = created.await.unwrap().queue_url.unwrap();
    DeadLetters {
        endpoint_url,
        queue_url,
    }
}
