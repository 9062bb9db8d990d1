//! Cold start and memory of the deployed function and of the peers as functions.
//!
//! Invariant: all log in over verified TLS with a token that the server requires, and commit ten
//! events; the clock stops when the runtime API has the response. The programs take turns with a
//! process that already runs: its new connection and batch are the minimum for any program.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use devstack::bench::{Better, Figure};
use store::{ConnectSettings, connect, write_batch};

use crate::events::{Event, Load};
use crate::function::{self, Run};
use crate::peers::{self, Peer};
use crate::server::Server;
use crate::tls_proxy::TlsProxy;
use crate::{NODE_PACKAGES, PYTHON_PACKAGES};

const BATCH_SIZE: usize = 10;
const STARTS: usize = 21;
const STARTS_QUICK: usize = 3;
/// For the memory: large batches, until the function is warm.
const LARGE_BATCH_SIZE: usize = 1_000;
const LARGE_BATCHES: usize = 5;
const LARGE_STARTS: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    Ours,
    Python,
    Node,
}

/// What is run, and where.
struct Place {
    tls_proxy: TlsProxy,
    url: String,
    binary: PathBuf,
    python: Peer,
    node: Peer,
}

impl Place {
    fn command(&self, program: Program) -> Result<Command, String> {
        let mut command = match program {
            Program::Ours => {
                let mut command = Command::new(&self.binary);
                command.env("DATABASE_URL", &self.url);
                command.env("DATABASE_IAM_AUTH", "true");
                return Ok(command);
            }
            Program::Python => self
                .python
                .script("benches/ingest/peer.py", &["function"])?,
            Program::Node => self.node.script("benches/ingest/peer.mjs", &["function"])?,
        };
        // The peers get a token and need not make one.
        command
            .arg(&self.url)
            .env("PGPASSWORD", self.tls_proxy.token());
        Ok(command)
    }
}

/// The times of one program, or why it was not run.
struct Series {
    program: Program,
    runs: Result<Vec<Run>, String>,
}

impl Series {
    fn figure(&self, name: &str, unit: &'static str, value: impl Fn(&Run) -> f64) -> Figure {
        match &self.runs {
            Err(why) => Figure::absent(name.to_owned(), unit, Better::Lower, why),
            Ok(runs) => Figure::new(
                name.to_owned(),
                unit,
                Better::Lower,
                runs.iter().map(value).collect(),
            ),
        }
    }

    /// The ratio of two programs, start by start.
    fn ratio(
        &self,
        name: &str,
        better: Better,
        other: &Self,
        value: impl Fn(&Run) -> f64,
    ) -> Figure {
        match (&self.runs, &other.runs) {
            (Err(why), _) | (_, Err(why)) => Figure::absent(name.to_owned(), "ratio", better, why),
            (Ok(runs), Ok(others)) => {
                let pairs = runs.iter().zip(others);
                let ratios = pairs.map(|(one, other)| value(one) / value(other));
                Figure::new(name.to_owned(), "ratio", better, ratios.collect())
            }
        }
    }
}

pub(crate) async fn measure(server: &mut Server, is_quick: bool) -> Vec<Figure> {
    let starts = if is_quick { STARTS_QUICK } else { STARTS };
    let ([ours, python, node], warm) = run_all(server, BATCH_SIZE, 1, starts).await;
    let first = |run: &Run| run.first_answer_ms;
    let mut figures = vec![
        ours.figure("cold_start_ms", "ms", first).target(20.0),
        Figure::new(
            "cold_start_of_a_warm_process_ms".to_owned(),
            "ms",
            Better::Lower,
            warm,
        ),
        python.figure("cold_start_python_ms", "ms", first),
        node.figure("cold_start_node_ms", "ms", first),
        python
            .ratio("cold_start_python_ratio", Better::Higher, &ours, first)
            .target(20.0),
    ];
    let ([ours, python, node], _) =
        run_all(server, LARGE_BATCH_SIZE, LARGE_BATCHES, LARGE_STARTS).await;
    let memory = |run: &Run| run.peak_rss_mib;
    figures.extend([
        ours.figure("function_rss_mib", "MiB", memory),
        python.figure("function_rss_python_mib", "MiB", memory),
        node.figure("function_rss_node_mib", "MiB", memory),
        ours.ratio(
            "function_rss_ratio_to_python",
            Better::Lower,
            &python,
            memory,
        )
        .target(0.25),
    ]);
    let bytes = function::binary("ingest").metadata().unwrap().len() as f64;
    let size = Figure::new(
        "binary_bytes".to_owned(),
        "bytes",
        Better::Lower,
        vec![bytes],
    );
    figures.push(size.target(6_000_000.0));
    figures
}

/// Milliseconds for a new connection and a batch, from this process.
async fn connect_and_write(place: &Place, batch: &[Event]) -> f64 {
    let token = place
        .tls_proxy
        .token()
        .replace(':', "%3A")
        .replace('/', "%2F");
    let token = token.replace('?', "%3F").replace('=', "%3D");
    let url = place.url.replacen('@', &format!(":{token}@"), 1);
    let settings = ConnectSettings::new(url, "bench");
    let events: Vec<_> = batch
        .iter()
        .map(|event| event::parse_body(&event.body).unwrap())
        .collect();
    let begun = Instant::now();
    let pool = connect(&settings).await.unwrap();
    write_batch(&pool, &events).await.unwrap();
    let ms = begun.elapsed().as_secs_f64() * 1_000.0;
    pool.close().await;
    ms
}

/// Runs each program and this process equally often on own batches; all events are stored afterwards.
async fn run_all(
    server: &mut Server,
    batch_size: usize,
    batches: usize,
    starts: usize,
) -> ([Series; 3], Vec<f64>) {
    let database = server.database().await;
    let tls_proxy = TlsProxy::open(server.socket()).await;
    let place = Place {
        binary: function::binary("ingest"),
        url: tls_proxy.url(&database.name),
        tls_proxy,
        python: peers::python("bench-python", &PYTHON_PACKAGES).await,
        node: peers::node("bench-node", &NODE_PACKAGES),
    };
    let mut series = [Program::Ours, Program::Python, Program::Node].map(|program| Series {
        program,
        runs: Ok(Vec::new()),
    });
    // Every load has one batch more, for the warm-up.
    let load = Load::new(batch_size, (series.len() * batches + 1) * starts - 1);
    let for_warm = load.batches.iter().take(starts);
    let mut files = (starts..).map(|number| load.folder().join(format!("{number:05}.json")));
    let (mut stored, mut warm) = (0, Vec::new());
    for (start, batch) in for_warm.enumerate() {
        warm.push(connect_and_write(&place, batch).await);
        stored += batch.len();
        // Each is first in turn.
        let programs = series.len();
        for turn in 0..programs {
            let one = &mut series[(start + turn) % programs];
            match (place.command(one.program), &mut one.runs) {
                (Ok(command), Ok(runs)) => {
                    let files: Vec<PathBuf> = files.by_ref().take(batches).collect();
                    runs.push(function::run(command, &files).await);
                    stored += batch_size * batches;
                }
                (Err(why), runs) => *runs = Err(why),
                (Ok(_), Err(_)) => {}
            }
        }
    }
    assert_eq!(database.counts().await, (stored, stored));
    server.drop(database).await;
    (series, warm)
}
