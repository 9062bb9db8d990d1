//! How fast dead letters are redriven: the engine against the loops that move them otherwise.
//!
//! `cargo bench -p opsconsole --bench redrive` starts an emulator and a database, and a proxy that
//! makes the emulator as far away as AWS is. Every mover gets queues of its own, filled alike, and
//! must have moved every message; the movers take turns. `-- --quick` takes each figure once.
//! It prints a table and writes `target/bench/redrive.json`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a bench stops where it fails, and speaks on standard output"
)]

#[path = "redrive/movers.rs"]
mod movers;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use devstack::bench::{self, Better, Figure};
use movers::Mover;
use pipeline::Body;
use redrive::triage::{Interpreter, Program};
use support::proxy::{self, Fault};
use support::redrive_fixture::Services;

/// Injected round trips: the same machine, a region nearby, one further away.
const ROUND_TRIPS_MS: [u64; 3] = [0, 10, 30];
const ROUNDS: usize = 5;
/// Messages that a jq program selects among: as many as a plan has at most.
const PROGRAM_MESSAGES: usize = 100_000;
/// Limit of StartMessageMoveTask (Amazon SQS quotas).
const NATIVE_PER_SEC: f64 = 500.0;

/// Messages per second that one mover reached at one round trip, round by round.
struct Series {
    mover: Mover,
    round_trip_ms: u64,
    rates: Vec<f64>,
}

fn main() {
    redrive::triage::enter_if_asked();
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = if is_quick { 1 } else { ROUNDS };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let series = runtime.block_on(measure(rounds));
    let mut figures = figures(&series);
    let program = (0..rounds).map(|_| runtime.block_on(program_rate()));
    let rate = Figure::new("jq_select", "msg/s", Better::Higher, program.collect());
    figures.push(rate);
    println!("{}", bench::table(&figures));
    let name = if is_quick { "redrive-quick" } else { "redrive" };
    bench::write(name, &figures).unwrap();
    println!("written to target/bench/redrive.json");
}

/// Messages per second that a jq program selects among, in its own process, its start included.
async fn program_rate() -> f64 {
    let data = "x".repeat(1_400);
    let body = |number: usize| {
        format!(
            r#"{{"specversion":"1.0","id":"{number}","source":"/bench","type":"a.{}","data":{data:?}}}"#,
            number % 2
        )
    };
    let bodies: Vec<Body> = (0..PROGRAM_MESSAGES)
        .map(|number| body(number).into())
        .collect();
    let program = Program::compile(r#".type == "a.1""#).unwrap();
    let started = Instant::now();
    let answers = Interpreter::selecting(&program).run(bodies).await.unwrap();
    let elapsed = started.elapsed();
    let selected = answers.iter().filter(|answer| **answer == Ok(true)).count();
    assert_eq!(selected, PROGRAM_MESSAGES / 2);
    PROGRAM_MESSAGES as f64 / elapsed.as_secs_f64()
}

/// Every mover once a round at every round trip, so that a busy machine meets all of them alike.
async fn measure(rounds: usize) -> Vec<Series> {
    let services = Services::open().await;
    let mut series: Vec<Series> = ROUND_TRIPS_MS
        .into_iter()
        .flat_map(|round_trip_ms| {
            Mover::ALL.map(|mover| Series {
                mover,
                round_trip_ms,
                rates: Vec::new(),
            })
        })
        .collect();
    for round in 0..rounds {
        for one in &mut series {
            let name = format!("{}-{}-{round}", one.mover.name(), one.round_trip_ms);
            let fixture = services.fixture(&name, false).await;
            let direct = fixture.queues.endpoint_url();
            let delay = Fault::Delay(Duration::from_millis(one.round_trip_ms));
            let far = proxy::start(direct, "AmazonSQS", delay, 0..usize::MAX).await;
            let endpoint_url = match one.round_trip_ms {
                0 => direct,
                _ => &far.url,
            };
            let rate = one.mover.rate(&fixture, endpoint_url).await;
            eprintln!("{name}: {rate:.0} messages/s");
            one.rates.push(rate);
        }
    }
    series
}

fn figures(series: &[Series]) -> Vec<Figure> {
    let of = |mover: Mover, round_trip_ms: u64| -> &[f64] {
        series
            .iter()
            .find(|one| one.mover == mover && one.round_trip_ms == round_trip_ms)
            .map_or(&[], |one| &one.rates)
    };
    let mut figures: Vec<Figure> = series
        .iter()
        .map(|one| {
            let name = format!("{}_rtt_{}ms", one.mover.name(), one.round_trip_ms);
            Figure::new(name, "msg/s", Better::Higher, one.rates.clone())
        })
        .collect();
    for round_trip_ms in ROUND_TRIPS_MS {
        let ours = of(Mover::Redrive, round_trip_ms);
        let one_by_one = ratios(ours, of(Mover::Sequential, round_trip_ms));
        let name = format!("ratio_to_sequential_rtt_{round_trip_ms}ms");
        let figure = Figure::new(name, "ratio", Better::Higher, one_by_one);
        figures.push(if round_trip_ms == 10 {
            figure.target(20.0)
        } else {
            figure
        });
        let by_ten = ratios(ours, of(Mover::SequentialBatches, round_trip_ms));
        let name = format!("ratio_to_sequential_batches_rtt_{round_trip_ms}ms");
        figures.push(Figure::new(name, "ratio", Better::Higher, by_ten));
    }
    let native = [NATIVE_PER_SEC];
    let engine = of(Mover::Engine, 0);
    figures.push(
        Figure::new(
            "ratio_to_native_limit",
            "ratio",
            Better::Higher,
            ratios(engine, &native),
        )
        .target(2.0),
    );
    // How much the journal and its fsyncs cost. No target: the emulator can be fast enough or slow.
    let ceiling = ratios(engine, of(Mover::Ceiling, 0));
    figures.push(Figure::new(
        "ratio_to_ceiling",
        "ratio",
        Better::Higher,
        ceiling,
    ));
    figures
}

/// Round by round, or each against the one limit.
fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter()
        .zip(theirs.iter().cycle())
        .map(|(ours, theirs)| ours / theirs)
        .collect()
}
