//! A function in a separate process, run as Lambda runs it.
//!
//! Invariant: every invocation has a response without batch item failures before the next one starts;
//! the process does not outlive its run.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

use crate::usage::peak_rss_mib;

const LIMIT: Duration = Duration::from_secs(20);

/// Builds a deployed binary of this crate, so that it is never older than its source.
pub(crate) fn binary(name: &str) -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--profile", "shipping", "--bin", name])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("CARGO_TARGET_DIR")
        .status();
    assert!(built.unwrap().success(), "{name} was not built");
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/shipping")
        .join(name)
}

/// The figures of one run.
pub(crate) struct Run {
    /// From the start of the process to its first response.
    pub(crate) first_answer_ms: f64,
    pub(crate) peak_rss_mib: f64,
}

/// Starts a function and passes it the invocations of these files.
pub(crate) async fn run(mut command: Command, invocations: &[PathBuf]) -> Run {
    let (answered, mut answers) = mpsc::unbounded_channel();
    let waiting = invocations
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap());
    let api = Arc::new(Api {
        waiting: Mutex::new(waiting.collect()),
        answered,
    });
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(took))
        .with_state(api);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    command
        .env(
            "AWS_LAMBDA_RUNTIME_API",
            listener.local_addr().unwrap().to_string(),
        )
        .env("AWS_LAMBDA_FUNCTION_NAME", "ingest")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "bench")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "akid")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .stdout(Stdio::null());
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let begun = Instant::now();
    let mut function = command.spawn().unwrap();
    let mut first = None;
    for _ in invocations {
        let at: Instant = tokio::time::timeout(LIMIT, answers.recv())
            .await
            .expect("no answer in time")
            .unwrap();
        first.get_or_insert(at);
    }
    let peak_rss_mib = peak_rss_mib(function.id());
    function.kill().unwrap();
    function.wait().unwrap();
    serving.abort();
    Run {
        first_answer_ms: (first.unwrap() - begun).as_secs_f64() * 1_000.0,
        peak_rss_mib,
    }
}

/// The runtime API (AWS Lambda developer guide, "Using the Lambda runtime API").
struct Api {
    waiting: Mutex<VecDeque<String>>,
    answered: mpsc::UnboundedSender<Instant>,
}

async fn next(State(api): State<Arc<Api>>) -> (HeaderMap, String) {
    let Some(invocation) = api.waiting.lock().await.pop_front() else {
        return std::future::pending().await;
    };
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + LIMIT;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", "bench".to_owned()),
        (
            "lambda-runtime-deadline-ms",
            deadline.as_millis().to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:ingest".to_owned(),
        ),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    (headers, invocation)
}

async fn took(State(api): State<Arc<Api>>, answer: String) -> StatusCode {
    let is_failure = answer.contains("itemIdentifier") || answer.contains("problem+json");
    assert!(!is_failure, "failed: {answer}");
    api.answered.send(Instant::now()).unwrap();
    StatusCode::ACCEPTED
}
