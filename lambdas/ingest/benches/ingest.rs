//! Throughput, CPU time, memory and cold start of the function, compared with the limit of the database
//! and with handlers in Python and Node.
//!
//! `cargo bench -p ingest --bench ingest` starts a private PostgreSQL whose commits are durable. All subjects write
//! the same events into the same schema (`records` with its daily partitions and indexes, and the
//! ledger `event_identities`), each into its own database. They take turns in every round, so that a busy
//! machine slows all of them alike. Each client is a process that reads invocations as Lambda passes
//! them, parses, stores and commits. Ours is this program in the profile that it was built in. Cold
//! start, memory and size are those of the deployed binary (profile `shipping`), which the bench
//! builds first. With `--profile shipping` everything is as it is deployed.
//!
//! The bench prints a table and writes `target/bench/ingest.json`. `-- --quick` runs one small round
//! as a check and writes `ingest-quick.json`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a bench stops where it fails, and writes to standard output"
)]
#![expect(dead_code, reason = "parts of the bench of a full ledger")]

#[path = "ingest/client.rs"]
mod client;
#[path = "ingest/cold_start.rs"]
mod cold_start;
#[path = "ingest/copy.rs"]
mod copy;
#[path = "ingest/events.rs"]
mod events;
#[path = "ingest/failures.rs"]
mod failures;
#[path = "ingest/function.rs"]
mod function;
#[path = "ingest/ledger.rs"]
mod ledger;
#[path = "ingest/peers.rs"]
mod peers;
#[path = "ingest/round_trips.rs"]
mod round_trips;
#[path = "ingest/server.rs"]
mod server;
#[path = "ingest/throughput.rs"]
mod throughput;
#[path = "ingest/tls_proxy.rs"]
mod tls_proxy;
#[path = "ingest/usage.rs"]
mod usage;
#[path = "ingest/wire.rs"]
mod wire;

use devstack::bench::Role;
use server::Server;

const PYTHON_PACKAGES: [&str; 1] = ["psycopg[binary]==3.2.10"];
const NODE_PACKAGES: [&str; 1] = ["pg@8.16.3"];
const ROUNDS: usize = 7;

fn main() {
    match Role::of_process("ingest", ROUNDS, client::ARGUMENT).unwrap() {
        Role::Child(arguments) => client::main(&arguments),
        Role::Measure(bench) => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let figures = runtime.block_on(async {
                let mut server = Server::start(Vec::new()).await;
                let mut figures =
                    throughput::measure(&mut server, bench.rounds, bench.is_quick).await;
                figures.extend(ledger::measure(&mut server, bench.rounds, bench.is_quick).await);
                figures.extend(failures::measure(&mut server, bench.rounds, bench.is_quick).await);
                figures
                    .extend(round_trips::measure(&mut server, bench.rounds, bench.is_quick).await);
                figures.extend(cold_start::measure(&mut server, bench.is_quick).await);
                figures
            });
            bench.report(&figures).unwrap();
        }
    }
}
