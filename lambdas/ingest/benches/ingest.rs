//! How fast, how lean and how safe the function is, against the limit of the database and against
//! the handlers that people deploy otherwise.
//!
//! `cargo bench -p ingest` starts a private PostgreSQL whose commits are durable. All write the same
//! events into the same schema (`records` with its daily partitions and its indexes, and the ledger
//! `event_keys`), each into a database of its own, and take turns round by round, so that a busy
//! machine meets all of them alike. Clients are processes of their own: they read invocations as
//! Lambda gives them, parse, store and commit. Ours is this program, in the profile that it was built in;
//! cold start, memory and size of the function are those of the binary that is deployed, which it builds
//! first (profile `shipping`). With `--profile shipping` all of it is as it is deployed.
//!
//! It prints a table and writes `target/bench/ingest.json`. `-- --quick` takes one small round, to see that
//! it runs, and writes `ingest-quick.json`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a bench stops where it fails, and speaks on standard output"
)]

#[path = "ingest/client.rs"]
mod client;
#[path = "ingest/cold_start.rs"]
mod cold_start;
#[path = "ingest/copy.rs"]
mod copy;
#[path = "ingest/door.rs"]
mod door;
#[path = "ingest/events.rs"]
mod events;
#[path = "ingest/failures.rs"]
mod failures;
#[path = "ingest/function.rs"]
mod function;
#[path = "ingest/peers.rs"]
mod peers;
#[path = "ingest/round_trips.rs"]
mod round_trips;
#[path = "ingest/server.rs"]
mod server;
#[path = "ingest/throughput.rs"]
mod throughput;
#[path = "ingest/usage.rs"]
mod usage;
#[path = "ingest/wire.rs"]
mod wire;

use devstack::bench;
use server::Server;

const ROUNDS: usize = 7;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .first()
        .is_some_and(|first| first == client::ARGUMENT)
    {
        return client::main(&arguments[1..]);
    }
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let rounds = if is_quick { 1 } else { ROUNDS };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let figures = runtime.block_on(async {
        let mut server = Server::start().await;
        let mut figures = throughput::measure(&mut server, rounds, is_quick).await;
        figures.extend(failures::measure(&mut server, rounds, is_quick).await);
        figures.extend(round_trips::measure(&mut server, rounds, is_quick).await);
        figures.extend(cold_start::measure(&mut server, is_quick).await);
        figures
    });
    println!("{}", bench::table(&figures));
    let name = if is_quick { "ingest-quick" } else { "ingest" };
    let path = bench::write(name, &figures).unwrap();
    println!("written to {}", path.display());
}
