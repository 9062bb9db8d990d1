//! The rate of the write when the ledger is full, compared with the rate when it is empty.
//!
//! `cargo bench -p ingest --bench full_ledger` takes a quarter of an hour and 14 GB of disk, prints a table and
//! writes `target/bench/full_ledger.json`. `-- --quick` runs one small round as a check.
//!
//! Invariant: in a round each ledger stores the same batches right after a checkpoint, which is where the images of
//! pages cost most. A ledger is filled with evenly spaced identities in the order of its key; those of the load fall
//! between them at random, as in a ledger that has grown.
//!
//! The server has a quarter of the machine's memory for its buffers, as PostgreSQL's documentation advises
//! (`shared_buffers`), and the key is read into them first, as where it has been in use.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a bench stops where it fails, and writes to standard output"
)]
#![expect(dead_code, reason = "parts of the bench of the whole function")]

#[path = "ingest/client.rs"]
mod client;
#[path = "ingest/events.rs"]
mod events;
#[path = "ingest/server.rs"]
mod server;
#[path = "ingest/usage.rs"]
mod usage;

use chrono::Duration;
use devstack::bench::{Better, Figure, Role};
use events::Load;
use server::{Database, Server};

const ROUNDS: usize = 5;
const BATCH_SIZE: usize = 1_000;
const BATCHES: usize = 30;
const BATCHES_QUICK: usize = 2;
const TARGET: f64 = 0.95;
/// How full the pages of a key are that has grown by random inserts.
const FILL_PERCENT: u32 = 70;
/// Identities of one statement.
const STEP: u64 = 1_000_000;
/// A ledger, its name in the figures, and the same in a quick run.
const SIZES: [(u64, &str, u64); 2] = [
    (5_000_000, "5_million", 50_000),
    (100_000_000, "100_million", 100_000),
];
/// With images of pages in the WAL as PostgreSQL writes them, and without as on Aurora.
const MODES: [(bool, &str); 2] = [(true, ""), (false, "_without_page_images")];

fn main() {
    match Role::of_process("full_ledger", ROUNDS, client::ARGUMENT).unwrap() {
        Role::Child(arguments) => client::main(&arguments),
        Role::Measure(bench) => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let figures = runtime.block_on(measure(bench.rounds, bench.is_quick));
            bench.report(&figures).unwrap();
        }
    }
}

async fn measure(rounds: usize, is_quick: bool) -> Vec<Figure> {
    let buffers = memory_kib() / 4;
    eprintln!("buffers: {} MiB", buffers / 1_024);
    let mut server = Server::start(vec![format!("shared_buffers={buffers}kB")]).await;
    let batches = if is_quick { BATCHES_QUICK } else { BATCHES };
    let mut figures = Vec::new();
    for (full, name, quick) in SIZES {
        let identities = if is_quick { quick } else { full };
        let ledger = server.database().await;
        fill(&ledger, identities).await;
        for (has_images, mode) in MODES {
            server.write_page_images(has_images).await;
            let mut ratios = Vec::new();
            for round in 1..=rounds {
                eprintln!("round {round}: {identities} identities{mode}");
                // New events in each round: the ledger is not copied, and keeps what it stored.
                let seed = u64::try_from(round).unwrap() * 2 + u64::from(has_images);
                let load = Load::seeded(seed, BATCH_SIZE, batches, Duration::milliseconds(20));
                let empty = server.database().await;
                let reference = secs(&server, &empty, &load).await;
                server.drop(empty).await;
                ratios.push(reference / secs(&server, &ledger, &load).await);
            }
            let figure = format!("rate_with_{name}_in_ledger_ratio_batch_1000{mode}");
            figures.push(Figure::new(figure, "ratio", Better::Higher, ratios).target(TARGET));
        }
        server.drop(ledger).await;
    }
    figures
}

async fn secs(server: &Server, database: &Database, load: &Load) -> f64 {
    server.checkpoint().await;
    let run = client::run(
        client::ours(&database.url, load.folder(), None),
        server.process,
    );
    assert_eq!(run.count("stored"), load.measured());
    run.secs
}

async fn fill(database: &Database, identities: u64) {
    let spacing = u64::MAX / identities;
    database
        .execute(&format!(
            "alter index event_identities_pkey set (fillfactor = {FILL_PERCENT})"
        ))
        .await;
    for from in (0..identities).step_by(usize::try_from(STEP).unwrap()) {
        let to = identities.min(from + STEP) - 1;
        database
            .execute(&format!(
                "insert into event_identities (identity, occurred_at)
                 select (lpad(to_hex(n), 16, '0') || repeat('7f', 8))::uuid, timestamptz '2026-11-24 00:00+00'
                 from (
                     select ((n::numeric * {spacing}) - 9223372036854775808)::bigint # (-9223372036854775808) as n
                     from generate_series({from}, {to}) as n
                 ) as spaced"
            ))
            .await;
    }
    // On its own: statements that are sent together are one transaction, in which no vacuum can run.
    database.execute("vacuum analyze event_identities").await;
    // An index-only scan: of a table that is read as a whole the server keeps few pages.
    database
        .execute("set enable_seqscan = off; set max_parallel_workers_per_gather = 0; select count(identity) from event_identities")
        .await;
}

/// Memory of this machine (proc(5), meminfo).
fn memory_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("MemTotal:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
