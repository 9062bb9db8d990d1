//! Requests of the API, compared with pgbench on the best statements that return the same, and with the same
//! API in Python and Node.
//!
//! `cargo bench -p api` starts a private PostgreSQL with a database of 10 partitions and one of 400, of the
//! same records. All subjects take turns in every round, so that a busy machine slows all of them alike. The
//! API is the binary in the profile `release`, a plain HTTP server with its own pool; the load comes from
//! another process, over connections that stay open. Cold start is that of the deployed binary (profile
//! `shipping`), which the bench builds first.
//!
//! The bench prints a table and writes `target/bench/api.json`. `-- --quick` runs one short round as a check
//! and writes `api-quick.json`; it does not build the deployed binary.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a bench stops where it fails, and writes to standard output"
)]

#[path = "api/cold_start.rs"]
mod cold_start;
#[path = "../../ingest/benches/ingest/function.rs"]
mod function;
#[path = "api/load.rs"]
mod load;
#[expect(dead_code, reason = "the ingest's bench uses the rest")]
#[path = "../../ingest/benches/ingest/peers.rs"]
mod peers;
#[path = "api/pgbench.rs"]
mod pgbench;
#[path = "api/requests.rs"]
mod requests;
#[path = "api/server.rs"]
mod server;
#[path = "api/service.rs"]
mod service;
#[expect(dead_code, reason = "the ingest's bench uses the rest")]
#[path = "../../ingest/benches/ingest/usage.rs"]
mod usage;

use devstack::bench::Role;

const ROUNDS: usize = 5;

fn main() {
    match Role::of_process("api", ROUNDS, load::ARGUMENT).unwrap() {
        Role::Child(arguments) => load::main(&arguments),
        Role::Measure(bench) => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let figures = runtime.block_on(async {
                let server = server::Server::start(bench.is_quick).await;
                let mut figures = requests::measure(&server, bench.rounds, bench.is_quick).await;
                figures.extend(cold_start::measure(&server, bench.is_quick).await);
                figures
            });
            bench.report(&figures).unwrap();
        }
    }
}
