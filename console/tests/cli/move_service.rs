//! A service that answers move-task calls as SQS does: AWS JSON 1.0, with the query-compatible
//! error header. The answers are those recorded of AWS by the LocalStack project in 2024.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::program::Program;
use crate::support::{configuration, machine};

pub(crate) const DEAD_ARN: &str = "arn:aws:sqs:us-east-1:000000000000:dead-letters";
pub(crate) const SOURCE_ARN: &str = "arn:aws:sqs:us-east-1:000000000000:source";

/// Status and body. A body that is a text is sent as it is, not as JSON.
pub(crate) type Answer = (u16, Value);

/// The service, and the program that knows it.
pub(crate) struct MoveService {
    pub(crate) program: Program,
    shared: Arc<Mutex<Shared>>,
    url: String,
    _runtime: Runtime,
    _machine: machine::Shared,
}

#[derive(Default)]
struct Shared {
    answers: HashMap<String, Answers>,
    requests: Vec<(String, Value)>,
}

/// What an operation answers, one after the other; the last answer stays until there is a new one.
#[derive(Default)]
struct Answers {
    queue: VecDeque<Answer>,
    is_last_given: bool,
}

impl Answers {
    fn push(&mut self, answer: Answer) {
        if std::mem::take(&mut self.is_last_given) {
            self.queue.clear();
        }
        self.queue.push_back(answer);
    }

    fn next(&mut self) -> Answer {
        if self.queue.len() > 1 {
            return self.queue.pop_front().unwrap();
        }
        self.is_last_given = true;
        self.queue[0].clone()
    }
}

/// A refusal in the form of SQS.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": message});
    (status, body)
}

pub(crate) fn tasks(tasks: &[Value]) -> Answer {
    (200, json!({ "Results": tasks }))
}

/// A task of ten messages.
pub(crate) fn task(status: &str, started_ms: u64, moved: u64) -> Value {
    json!({
        "ApproximateNumberOfMessagesMoved": moved,
        "ApproximateNumberOfMessagesToMove": 10,
        "DestinationArn": SOURCE_ARN,
        "MaxNumberOfMessagesPerSecond": 100,
        "SourceArn": DEAD_ARN,
        "StartedTimestamp": started_ms,
        "Status": status,
    })
}

impl MoveService {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(serve).with_state(shared.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        let service = Self {
            program: Program::new(),
            shared,
            url,
            _runtime: runtime,
            _machine: machine::shared(),
        };
        service.configure("");
        service
    }

    pub(crate) fn configure(&self, more: &str) {
        let text = configuration::environment_at("test", &self.url, more);
        self.program.configure(&text);
    }

    /// Adds an answer to an operation.
    pub(crate) fn answer(&self, operation: &str, answer: Answer) {
        let mut shared = self.shared.lock().unwrap();
        let answers = shared.answers.entry(operation.to_owned()).or_default();
        answers.push(answer);
    }

    /// Bodies of the requests of an operation.
    pub(crate) fn requests(&self, operation: &str) -> Vec<Value> {
        let shared = self.shared.lock().unwrap();
        let requests = shared.requests.iter().filter(|(name, _)| name == operation);
        requests.map(|(_, body)| body.clone()).collect()
    }

    /// Files in which the program records tasks.
    pub(crate) fn records(&self) -> Vec<PathBuf> {
        let folder = self.program.home().join("state/opsconsole/redrives");
        let Ok(names) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        names.map(|name| name.unwrap().path()).collect()
    }
}

async fn serve(
    State(shared): State<Arc<Mutex<Shared>>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap().to_owned();
    let body: Value = serde_json::from_str(&body).unwrap();
    let answer = if operation == "GetQueueAttributes" {
        (200, attributes(body["QueueUrl"].as_str().unwrap()))
    } else {
        let mut shared = shared.lock().unwrap();
        shared.requests.push((operation.clone(), body));
        shared.answers.get_mut(&operation).unwrap().next()
    };
    write(answer)
}

fn attributes(queue_url: &str) -> Value {
    let name = queue_url.rsplit('/').next().unwrap();
    json!({"Attributes": {
        "QueueArn": format!("arn:aws:sqs:us-east-1:000000000000:{name}"),
        "ApproximateNumberOfMessages": "10",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
    }})
}

fn write((status, body): Answer) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    if let Value::String(text) = body {
        return (status, [("content-type", "text/html")], text).into_response();
    }
    let kind = ("content-type", "application/x-amz-json-1.0");
    let code = body["__type"]
        .as_str()
        .and_then(|kind| kind.rsplit('#').next());
    match code {
        Some(code) => {
            let error = ("x-amzn-query-error", format!("{code};Sender"));
            let kind = (kind.0, kind.1.to_owned());
            (status, [kind, error], body.to_string()).into_response()
        }
        None => (status, [kind], body.to_string()).into_response(),
    }
}
