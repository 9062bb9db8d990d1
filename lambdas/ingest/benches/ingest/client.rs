//! The function's handler in a separate process, and how every client is run.
//!
//! A client warms up with the first file of its folder, prints `@ready`, waits for a line, handles the
//! other files, prints `@` and its result, and waits for a second line, so that its memory can be
//! read. Other lines are its log.
//!
//! Invariant: the clock runs only while a batch is handled, not while a file is read, which stands for
//! the delivery of an invocation. Our CPU time includes the work of the pool between invocations.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use ingest::{Batch, DeadLetterQueue, Deps, Invocation, Outcome, Settings, handle_reported};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::usage::{Usage, Used, peak_rss_mib};

/// First argument of this program where it is the client.
pub(crate) const ARGUMENT: &str = "--client";
const INVOCATION_LIMIT: Duration = Duration::from_secs(60);
const PAUSE_POLL: Duration = Duration::from_millis(1);

/// The queue for permanent failures.
pub(crate) struct DeadLetters {
    pub(crate) endpoint_url: String,
    pub(crate) queue_url: String,
}

/// The figures of one run.
pub(crate) struct Run {
    pub(crate) secs: f64,
    pub(crate) cpu_secs: f64,
    pub(crate) peak_rss_mib: f64,
    pub(crate) used: Used,
    /// The client's result.
    pub(crate) result: Value,
}

impl Run {
    /// A count of our result.
    pub(crate) fn count(&self, name: &str) -> usize {
        usize::try_from(self.result[name].as_u64().unwrap()).unwrap()
    }

    /// Seconds of each batch of ours, sorted.
    pub(crate) fn batch_secs(&self) -> Vec<f64> {
        let batches = self.result["batch_secs"].as_array().unwrap();
        let mut secs: Vec<f64> = batches.iter().map(|one| one.as_f64().unwrap()).collect();
        secs.sort_by(f64::total_cmp);
        secs
    }
}

/// Runs a client on a folder with batches.
pub(crate) fn run(command: Command, server: u32) -> Run {
    run_between(command, server, || 0).0
}

/// [`run`], and by how much a counter rose while the clock ran.
pub(crate) fn run_between(
    mut command: Command,
    server: u32,
    counter: impl Fn() -> usize,
) -> (Run, usize) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut input = child.stdin.take().unwrap();
    assert_eq!(next_line(&mut child, &mut lines), "ready");
    let (before, counted) = (Usage::read(server), counter());
    writeln!(input, "go").unwrap();
    let result: Value = serde_json::from_str(&next_line(&mut child, &mut lines)).unwrap();
    let (used, counted) = (before.until(Usage::read(server)), counter() - counted);
    let run = Run {
        secs: result["secs"].as_f64().unwrap(),
        cpu_secs: result["cpu_secs"].as_f64().unwrap(),
        peak_rss_mib: peak_rss_mib(child.id()),
        used,
        result,
    };
    writeln!(input, "go").unwrap();
    drop(input);
    assert!(child.wait().unwrap().success(), "{command:?}");
    (run, counted)
}

fn next_line(child: &mut Child, lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    for line in lines.map_while(Result::ok) {
        if let Some(text) = line.strip_prefix('@') {
            return text.to_owned();
        }
    }
    panic!("client ended without a result: {:?}", child.wait());
}

/// Our handler on a database, with a queue if there will be dead letters.
pub(crate) fn ours(url: &str, folder: &Path, dead_letters: Option<&DeadLetters>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(ARGUMENT).arg(url).arg(folder);
    if let Some(queue) = dead_letters {
        command.args([&queue.endpoint_url, &queue.queue_url]);
    }
    command
}

/// The client itself: arguments as [`ours`] gives them.
pub(crate) fn main(arguments: &[String]) {
    // As the function does.
    tracing_subscriber::fmt().json().flatten_event(true).init();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(serve(arguments));
}

async fn serve(arguments: &[String]) {
    let (url, folder) = (&arguments[0], &arguments[1]);
    let settings = Settings::read(|name| (name == "DATABASE_URL").then(|| url.clone())).unwrap();
    let mut deps = Deps::connect(&settings).unwrap();
    if let [endpoint, queue] = &arguments[2..] {
        let client = aws_sdk_sqs::Client::new(&devstack::sdk_config(endpoint));
        deps.dead_letters = Some(DeadLetterQueue::new(client, queue.clone()));
    }
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let (warm_up, files) = files.split_first().unwrap();
    handle_invocation(std::fs::read(warm_up).unwrap(), &deps).await;
    pause(&deps).await;
    println!("@ready");
    wait_for_line();
    let (mut secs, mut cpu_used) = (0.0, 0.0);
    let mut total = [0; 4];
    let mut batch_secs = Vec::new();
    for file in files {
        let invocation = std::fs::read(file).unwrap();
        let (begun, cpu_begun) = (Instant::now(), cpu_secs());
        let outcome = handle_invocation(invocation, &deps).await;
        let batch = begun.elapsed().as_secs_f64();
        secs += batch;
        batch_secs.push(batch);
        pause(&deps).await;
        cpu_used += cpu_secs() - cpu_begun;
        let counts = [
            outcome.stored,
            outcome.duplicates,
            outcome.dead_lettered,
            outcome.retried,
        ];
        for (sum, count) in total.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    let result = json!({
        "secs": secs, "cpu_secs": cpu_used, "batch_secs": batch_secs,
        "stored": total[0], "duplicates": total[1], "dead_lettered": total[2], "retried": total[3],
    });
    println!("@{result}");
    wait_for_line();
}

/// Between invocations Lambda's runtime sends the response and waits; meanwhile the connection returns
/// to the pool. Without this pause the next batch would open another one.
async fn pause(deps: &Deps) {
    let give_back = async {
        while deps.pool.num_idle() < deps.pool.size() as usize {
            tokio::time::sleep(PAUSE_POLL).await;
        }
    };
    let given_back = tokio::time::timeout(INVOCATION_LIMIT, give_back).await;
    given_back.expect("a connection did not return to the pool");
}

async fn handle_invocation(json: Vec<u8>, deps: &Deps) -> Outcome {
    let batch: Batch = serde_json::from_slice(&json).unwrap();
    // As Lambda's runtime does.
    drop(json);
    let invocation = Invocation::new("bench".to_owned(), INVOCATION_LIMIT);
    let (response, report) = handle_reported(batch, &invocation, deps).await;
    assert_eq!(response.batch_item_failures.len(), report.outcome.retried);
    assert!(!report.line(&invocation, SystemTime::now()).is_empty());
    report.outcome
}

fn wait_for_line() {
    std::io::stdin().lines().next();
}

/// CPU time of this process.
fn cpu_secs() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap().as_secs_f64()
}
