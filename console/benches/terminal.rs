//! How the console feels: first frame, key to paint, what it costs while nothing happens, memory.
//!
//! `cargo bench -p opsconsole` builds the console as it is released (profile `operator`, without the demo; some
//! minutes the first time) and starts it in a pseudo-terminal of 160×45, next to `top` where the machine has it,
//! a whole pipeline without traffic for the idle figures, and a log of 5,000 lines a second. It prints a table and writes
//! `target/bench/terminal.json`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a bench stops where it fails, and speaks on standard output"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use devstack::functions::{self, BuildProfile};
use devstack::{ProgressSender, Stack, StackOptions};
use serde_json::{Value, json};
use support::configuration;
use support::pty::Session;

const SIZE: (u16, u16) = (160, 45);
const LIMIT: Duration = Duration::from_secs(20);
const STARTS: usize = 20;
const KEYS: usize = 200;
/// Between two keys, so that each meets a console at rest.
const PAUSE: Duration = Duration::from_millis(25);
/// Until the first answers are drawn.
const SETTLE: Duration = Duration::from_secs(20);
const IDLE: Duration = Duration::from_secs(30);
/// Clock ticks a second of `/proc/PID/stat` (USER_HZ, fixed on Linux).
const TICKS_PER_SEC: f64 = 100.0;

/// One line of the result. `values` is sorted.
struct Figure {
    name: &'static str,
    unit: &'static str,
    values: Vec<f64>,
    /// Part of the values below the one that counts.
    quantile: f64,
    target: Option<f64>,
    absent: Option<String>,
}

impl Figure {
    fn new(name: &'static str, unit: &'static str, mut values: Vec<f64>, target: f64) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            name,
            unit,
            values,
            quantile: 0.5,
            target: Some(target),
            absent: None,
        }
    }

    fn value(&self) -> Option<f64> {
        let index = (self.values.len().saturating_sub(1)) as f64 * self.quantile;
        self.values.get(index.round() as usize).copied()
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "value": self.value(),
            "unit": self.unit,
            "n": self.values.len(),
            "min": self.values.first(),
            "max": self.values.last(),
            "target": self.target,
            "better": "lower",
            "absent": self.absent,
        })
    }

    fn line(&self) -> String {
        let number =
            |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}"));
        let is_met = match (self.value(), self.target) {
            (Some(value), Some(target)) if value <= target => "met",
            (Some(_), Some(_)) => "missed",
            _ => "",
        };
        format!(
            "{:<28}{:>10} {:<6}{:>6}{:>10}{:>10}{:>10}  {}",
            self.name,
            number(self.value()),
            self.unit,
            self.values.len(),
            number(self.values.first().copied()),
            number(self.values.last().copied()),
            number(self.target),
            self.absent.as_deref().unwrap_or(is_met),
        )
    }
}

/// A program on the terminal: how it starts, which text its first frame contains, and a key that changes
/// the screen.
struct Subject<'a> {
    program: &'a Path,
    arguments: Vec<&'a str>,
    first_frame: &'a str,
    help_key: &'a str,
    help: &'a str,
    close_key: &'a str,
}

impl Subject<'_> {
    fn start(&self) -> Session {
        Session::start(self.program, &self.arguments, &[], SIZE)
    }

    fn first_frames(&self) -> Vec<f64> {
        (0..STARTS)
            .map(|_| {
                let begun = Instant::now();
                let session = self.start();
                session.wait_for(self.first_frame, LIMIT);
                milliseconds(begun)
            })
            .collect()
    }

    fn keys(&self) -> Vec<f64> {
        let mut session = self.start();
        session.wait_for(self.first_frame, LIMIT);
        (0..KEYS)
            .map(|_| {
                thread::sleep(PAUSE);
                let begun = Instant::now();
                session.press(self.help_key);
                session.wait_for(self.help, LIMIT);
                let took = milliseconds(begun);
                session.press(self.close_key);
                session.wait("the help to close", LIMIT, |screen| {
                    !screen.contains(self.help)
                });
                took
            })
            .collect()
    }

    fn quits(&self, key: &str) -> Vec<f64> {
        (0..STARTS)
            .map(|_| {
                let mut session = self.start();
                session.wait_for(self.first_frame, LIMIT);
                thread::sleep(PAUSE);
                let begun = Instant::now();
                session.press(key);
                session.wait_for_exit(LIMIT);
                milliseconds(begun)
            })
            .collect()
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}

fn main() {
    let program = released();
    let folder = tempfile::tempdir().unwrap();
    let mut figures = nobody_there(&program, folder.path());
    figures.extend(peer(figures.as_slice()));
    figures.extend(idle(&program, folder.path()));
    figures.extend(log_tail(&program, folder.path()));
    println!(
        "\n{:<28}{:>10} {:<6}{:>6}{:>10}{:>10}{:>10}",
        "figure", "value", "unit", "n", "min", "max", "target"
    );
    for figure in &figures {
        println!("{}", figure.line());
    }
    write(&figures);
}

/// Builds the console as it is released.
fn released() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--profile", "operator", "--no-default-features"])
        .args([
            "--bin",
            "opsconsole",
            "--message-format=json-render-diagnostics",
        ])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the console does not compile");
    let messages = String::from_utf8(output.stdout).unwrap();
    let program = messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    program.unwrap()
}

/// The console with nothing behind it: what it shows comes from itself alone.
fn nobody_there(program: &Path, folder: &Path) -> Vec<Figure> {
    let path = configuration::nobody(folder);
    let subject = Subject {
        program,
        arguments: vec!["--config", path.to_str().unwrap(), "--env", "test"],
        first_frame: "Attention",
        help_key: "?",
        help: "Keys on Overview",
        close_key: "\u{1b}",
    };
    let keys = subject.keys();
    let mut late = Figure::new("key_to_paint_p95", "ms", keys.clone(), 1.4);
    late.quantile = 0.95;
    let size = std::fs::metadata(program).unwrap().len() as f64 / 1e6;
    vec![
        Figure::new("first_frame", "ms", subject.first_frames(), 10.0),
        Figure::new("key_to_paint_p50", "ms", keys, 0.8),
        late,
        Figure::new("quit", "ms", subject.quits("q"), 20.0),
        Figure::new("binary", "MB", vec![size], 20.0),
    ]
}

/// The same on `top`, as a measure of this machine.
fn peer(ours: &[Figure]) -> Vec<Figure> {
    let subject = Subject {
        program: Path::new("top"),
        arguments: Vec::new(),
        first_frame: "load average",
        help_key: "h",
        help: "Help for Interactive Commands",
        close_key: "\u{1b}",
    };
    let is_there = Command::new("top")
        .arg("-v")
        .output()
        .is_ok_and(|output| output.status.success());
    [
        ("first_frame", "first_frame_ratio_to_top"),
        ("key_to_paint_p50", "key_to_paint_ratio_to_top"),
    ]
    .into_iter()
    .map(|(name, ratio)| {
        let own = ours.iter().find(|figure| figure.name == name).unwrap();
        let mut figure = Figure::new(ratio, "ratio", Vec::new(), 1.0);
        if is_there {
            let theirs = if name == "first_frame" {
                subject.first_frames()
            } else {
                subject.keys()
            };
            let theirs = Figure::new("top", "ms", theirs, 0.0);
            figure.values = vec![own.value().unwrap() / theirs.value().unwrap()];
        } else {
            figure.absent = Some("top is not on this machine".to_owned());
        }
        figure
    })
    .collect()
}

/// The console on a pipeline where nothing happens.
fn idle(program: &Path, folder: &Path) -> Vec<Figure> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stack = runtime.block_on(async {
        let functions = functions::build(BuildProfile::Release, &ProgressSender::default())
            .await
            .unwrap();
        Stack::start(StackOptions::new(functions)).await.unwrap()
    });
    let path = configuration::of(stack.endpoints(), folder);
    let arguments = ["--config", path.to_str().unwrap(), "--env", "test"];
    let session = Session::start(program, &arguments, &[], SIZE);
    session.wait_for("Attention", LIMIT);
    thread::sleep(SETTLE);
    let process = session.process_id();
    let (bytes, ticks) = (session.bytes_written(), cpu_ticks(process));
    thread::sleep(IDLE);
    let bytes = (session.bytes_written() - bytes) as f64;
    let percent = (cpu_ticks(process) - ticks) / TICKS_PER_SEC / IDLE.as_secs_f64() * 100.0;
    let memory = resident_kib(process) / 1_024.0;
    drop(session);
    runtime.block_on(stack.stop()).unwrap();
    vec![
        Figure::new(
            "idle_bytes_per_sec",
            "B/s",
            vec![bytes / IDLE.as_secs_f64()],
            0.0,
        ),
        Figure::new("idle_cpu", "%", vec![percent], 0.1),
        Figure::new("memory", "MiB", vec![memory], 15.0),
    ]
}

/// Lines that the followed log of the ingest grows by a second.
const LOG_LINES_PER_SEC: u64 = 5_000;
/// Milliseconds between two lines of the api: its log is read to another moment, so that each read has lines which come
/// before those of the last one.
const API_LINE_MS: i64 = 10;
/// How long the log is followed before it is measured: the console then holds as many lines as it keeps.
const LOG_SETTLE: Duration = Duration::from_secs(10);

/// The console while it follows a log of [`LOG_LINES_PER_SEC`].
fn log_tail(program: &Path, folder: &Path) -> Vec<Figure> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let service = Router::new().fallback(log_page).with_state(Instant::now());
    runtime.spawn(async move { axum::serve(listener, service).await });
    let path = configuration::at(&address, folder);
    let text = std::fs::read_to_string(&path).unwrap();
    let named = text.replace("api_url", "ingest_function = \"ingest\"\napi_url");
    std::fs::write(&path, named).unwrap();
    let arguments = ["--config", path.to_str().unwrap(), "--env", "test"];
    let mut session = Session::start(program, &arguments, &[], SIZE);
    session.wait_for("Attention", LIMIT);
    session.press("7");
    session.wait_for("older ones left out", LIMIT);
    thread::sleep(LOG_SETTLE);
    let process = session.process_id();
    let (begun, ticks) = (Instant::now(), cpu_ticks(process));
    let keys: Vec<f64> = (0..KEYS)
        .map(|_| {
            thread::sleep(PAUSE);
            let begun = Instant::now();
            session.press("?");
            session.wait_for("Keys on Logs", LIMIT);
            let took = milliseconds(begun);
            session.press("\u{1b}");
            session.wait("the help to close", LIMIT, |screen| {
                !screen.contains("Keys on Logs")
            });
            took
        })
        .collect();
    let percent =
        (cpu_ticks(process) - ticks) / TICKS_PER_SEC / begun.elapsed().as_secs_f64() * 100.0;
    // A letter into the filter, for which every line is looked at.
    let filters: Vec<f64> = (0..KEYS / 10)
        .map(|_| {
            session.press("/");
            session.wait_for("a text ·", LIMIT);
            let begun = Instant::now();
            session.press("w");
            session.wait_for(" / w", LIMIT);
            let took = milliseconds(begun);
            session.press("\u{1b}");
            session.wait("the filter to close", LIMIT, |screen| {
                !screen.contains("a text ·")
            });
            took
        })
        .collect();
    let memory = resident_kib(process) / 1_024.0;
    let mut late = Figure::new("log_tail_key_to_paint_p95", "ms", keys.clone(), 1.4);
    late.quantile = 0.95;
    vec![
        Figure::new("log_tail_key_to_paint_p50", "ms", keys, 0.8),
        late,
        Figure::new("log_tail_filter_key_p50", "ms", filters, 20.0),
        Figure::new("log_tail_cpu", "%", vec![percent], 25.0),
        Figure::new("log_tail_memory", "MiB", vec![memory], 60.0),
    ]
}

/// `FilterLogEvents` of two logs that have grown since the service was started; of everything else it knows nothing.
async fn log_page(State(begun): State<Instant>, body: Bytes) -> Result<String, StatusCode> {
    let question: Value = serde_json::from_slice(&body).map_err(|_| StatusCode::NOT_FOUND)?;
    let from = question["startTime"]
        .as_i64()
        .ok_or(StatusCode::NOT_FOUND)?;
    let now = chrono::Utc::now().timestamp_millis();
    let age = i64::try_from(begun.elapsed().as_millis()).unwrap();
    let first = from.max(now - age);
    let (every_ms, per_moment) = match question["logGroupName"].as_str() {
        Some("/aws/lambda/ingest") => (1, LOG_LINES_PER_SEC / 1_000),
        Some("/aws/lambda/api") => (API_LINE_MS, 1),
        _ => return Ok(json!({"events": []}).to_string()),
    };
    let limit = question["limit"].as_u64().unwrap_or(1);
    let moments = (first..now).filter(|at| at % every_ms == 0);
    let lines = moments.flat_map(|at| (0..per_moment).map(move |number| (at, number)));
    let lines = lines.take(usize::try_from(limit).unwrap());
    let events: Vec<Value> = lines
        .map(|(at, number)| {
            let message = format!(
                r#"{{"level":"INFO","message":"batch handled","request_id":"5f0c2d9e-{at}-{number}","received":20,"stored":20,"duplicates":0,"expired":0,"dead_lettered":0,"retried":0,"database_ms":7,"lag_p50_ms":180,"duration_ms":9}}"#
            );
            json!({"timestamp": at, "message": message, "eventId": format!("{at}-{number}")})
        })
        .collect();
    Ok(json!({ "events": events }).to_string())
}

/// User and system time of a process (proc(5), stat, fields 14 and 15).
fn cpu_ticks(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum()
}

fn resident_kib(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn write(figures: &[Figure]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("terminal.json");
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let figures: Vec<Value> = figures.iter().map(Figure::json).collect();
    let text = json!({ "machine": format!("{} cores, {}", cores, std::env::consts::ARCH), "figures": figures });
    std::fs::write(&path, format!("{text:#}\n")).unwrap();
    println!("\nwritten to target/bench/terminal.json");
}
