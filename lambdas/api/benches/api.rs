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
//! and writes `api-quick.json`; it does not build the deployed binary. `-- requests` and `-- cold-start` run one
//! half, and write `api-requests.json` and `api-cold-start.json`.

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

use devstack::bench;

const ROUNDS: usize = 5;
const REQUESTS: &str = "requests";
const COLD_START: &str = "cold-start";
const HALVES: [&str; 2] = [REQUESTS, COLD_START];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .first()
        .is_some_and(|first| first == load::ARGUMENT)
    {
        return load::main(&arguments[1..]);
    }
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let rounds = if is_quick { 1 } else { ROUNDS };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let half = HALVES
        .into_iter()
        .find(|half| arguments.iter().any(|argument| argument == half));
    let runs = |name: &str| half.is_none_or(|half| half == name);
    let figures = runtime.block_on(async {
        let server = server::Server::start(is_quick).await;
        let mut figures = Vec::new();
        if runs(REQUESTS) {
            figures.extend(requests::measure(&server, rounds, is_quick).await);
        }
        if runs(COLD_START) {
            figures.extend(cold_start::measure(&server, is_quick).await);
        }
        figures
    });
    println!("{}", bench::table(&figures));
    let mut name = "api".to_owned();
    if let Some(half) = half {
        name = format!("{name}-{half}");
    }
    if is_quick {
        name += "-quick";
    }
    let path = bench::write(&name, &figures).unwrap();
    println!("written to {}", path.display());
}
