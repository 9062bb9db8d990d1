//! `logs`: on the whole pipeline, and on a service that answers in pages, denies and is away.

use std::io::{BufRead as _, BufReader};
use std::sync::{Arc, Mutex, mpsc};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::denying_service::DenyingService;
use crate::pipeline::{Turn, deployed};
use crate::support::configuration::{NOBODY, environment_at};
use crate::support::harness::LIMIT;
use crate::support::program::{Answer, Program};
use crate::support::signals::signal;

const SOURCE: &str = "/logs/test";
/// A text of a body, which no log may have.
const MARKER: &str = "marker-of-a-body";
const INGEST: &str = "ingest_function = \"e-ingest\"\n";

fn publish(turn: &Turn, id: &str) {
    let body = json!({
        "specversion": "1.0", "id": id, "source": SOURCE, "type": "log.tested", "data": MARKER,
    });
    let file = turn.program.write("logs.json", body.to_string());
    turn.json(&["publish", "--raw", file.to_str().unwrap()]);
}

/// Publishes an event without a time, which the ingest refuses; returns the request that did.
fn refuse(turn: &Turn, id: &str) -> String {
    publish(turn, id);
    let of_it = |letters: &Value| {
        let mut letters = letters.as_array().unwrap().iter();
        let letter = letters.find(|letter| letter["event"]["id"] == id)?;
        letter["reason"]["request_id"].as_str().map(str::to_owned)
    };
    let letters = turn
        .program
        .json_until(&["dlq", "list"], LIMIT, |letters| of_it(letters).is_some());
    of_it(&letters).unwrap()
}

fn lines(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value}"))
}

/// Runs until the lines are the ones that are waited for; before the first one comes, the command fails.
fn lines_until(turn: &Turn, arguments: &[&str], is_right: impl Fn(&Value) -> bool) -> Value {
    let deadline = std::time::Instant::now() + LIMIT;
    loop {
        let (_, value) = turn.program.json(arguments);
        if is_right(&value) {
            return value;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{arguments:?}: {value}"
        );
    }
}

fn has_message(value: &Value, start: &str) -> bool {
    let mut lines = lines(value).iter();
    lines.any(|line| line["message"].as_str().unwrap().starts_with(start))
}

#[test]
fn request_of_a_dead_letter_leads_to_the_lines_of_its_invocation() {
    let turn = deployed();
    let request_id = refuse(&turn, "logged-1");
    let of_request = ["logs", "--request-id", &request_id];
    let found = lines_until(&turn, &of_request, |found| {
        has_message(found, "batch handled") && has_message(found, "REPORT")
    });
    for line in lines(&found) {
        assert_eq!(line["request_id"], request_id.as_str(), "{line}");
        assert_eq!(line["function"], "ingest", "{line}");
    }
    let is_report = |line: &&Value| line["message"] == "batch handled";
    let reports: Vec<&Value> = lines(&found).iter().filter(is_report).collect();
    assert_eq!(reports.len(), 1, "{found:#}");
    let report = reports[0];
    assert_eq!(
        (&report["kind"], &report["level"]),
        (&json!("json"), &json!("warn"))
    );
    assert!(
        report["fields"]["dead_lettered"].as_u64() >= Some(1),
        "{report}"
    );
    assert!(!found.to_string().contains(MARKER) && !found.to_string().contains("logged-1"));
    // START comes before the line of the function, END after it.
    let shown = turn.run(&of_request);
    assert_eq!(shown.code, 0, "{shown:?}");
    let order: Vec<Option<usize>> = ["START", "batch handled", "END"]
        .map(|part| shown.stdout.find(part))
        .to_vec();
    assert!(order.is_sorted() && order[0].is_some(), "{shown:?}");
}

#[test]
fn lines_are_chosen_by_function_level_and_text() {
    let turn = deployed();
    let request_id = refuse(&turn, "logged-2");
    let warned = [
        "logs",
        "--level",
        "warn",
        "--where",
        "DEAD_LETTERED=",
        "--since",
        "1h",
    ];
    let found = lines_until(&turn, &warned, |found| {
        found.to_string().contains(&request_id)
    });
    for line in lines(&found) {
        assert_eq!(line["level"], "warn", "{line}");
    }
    let of_api = turn.json(&["logs", "--function", "api", "--since", "1h"]);
    assert!(
        !lines(&of_api).is_empty(),
        "START, END and REPORT of the api"
    );
    assert!(lines(&of_api).iter().all(|line| line["function"] == "api"));
    let limited = turn.run(&["logs", "--since", "1h", "--limit", "1"]);
    assert_eq!(
        (limited.code, limited.stdout.lines().count()),
        (0, 1),
        "{limited:?}"
    );
    assert!(limited.stderr.contains("is left out"), "{limited:?}");
    let none = turn.run(&["logs", "--request-id", "no-such-request"]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(
        none.stderr.contains("has the request no-such-request"),
        "{none:?}"
    );
}

#[test]
fn followed_lines_come_one_by_one_until_it_is_interrupted() {
    let turn = deployed();
    let follow = [
        "logs", "--follow", "--since", "0s", "--level", "warn", "--output", "json",
    ];
    let mut child = turn.program.spawn(&follow);
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, received) = mpsc::channel();
    // Ends with the program.
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let request_id = refuse(&turn, "followed");
    loop {
        let line: Value = serde_json::from_str(&received.recv_timeout(LIMIT).unwrap()).unwrap();
        if line["request_id"] == request_id.as_str() {
            assert_eq!(line["message"], "batch handled");
            break;
        }
    }
    signal(child.id(), "INT");
    assert_eq!(Answer::of_child(child).code, 130);
}

/// What was asked of the service.
type Asked = Arc<Mutex<Vec<Value>>>;

/// A service with 25 pages of one line in the log of the ingest, no log of the migrate, and an empty one of the api.
fn in_pages(runtime: &Runtime) -> (Program, Asked) {
    let asked = Asked::default();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(page).with_state(asked.clone());
    runtime.spawn(async move { axum::serve(listener, router).await });
    let program = Program::new();
    program.configure(&environment_at("test", &url, INGEST));
    (program, asked)
}

async fn page(State(asked): State<Asked>, body: Bytes) -> Response {
    let question: Value = serde_json::from_slice(&body).unwrap();
    asked.lock().unwrap().push(question.clone());
    let answer = match question["logGroupName"].as_str().unwrap() {
        "/aws/lambda/e-ingest" => {
            let number = question["nextToken"].as_str().unwrap_or("0");
            let number: i64 = number.parse().unwrap();
            let at = question["startTime"].as_i64().unwrap() + number;
            let event = json!({"timestamp": at, "message": format!("line {number}"), "eventId": number.to_string()});
            let next = (number < 24).then(|| (number + 1).to_string());
            json!({"events": [event], "nextToken": next})
        }
        "/aws/lambda/e-api" => json!({"events": []}),
        _ => {
            let error =
                json!({"__type": "ResourceNotFoundException", "message": "no such log group"});
            return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
        }
    };
    answer.to_string().into_response()
}

#[test]
fn pages_are_read_to_the_end_and_a_log_that_is_not_there_is_named() {
    let runtime = Runtime::new().unwrap();
    let (program, asked) = in_pages(&runtime);
    let (code, found) = program.json(&["logs"]);
    assert_eq!(code, 1, "one of the logs was not read: {found}");
    let messages: Vec<&str> = lines(&found)
        .iter()
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (0..25).map(|number| format!("line {number}")).collect();
    assert_eq!(messages, expected);
    let asked = asked.lock().unwrap();
    let of_ingest = asked
        .iter()
        .filter(|question| question["logGroupName"] == "/aws/lambda/e-ingest");
    let starts: std::collections::BTreeSet<i64> = of_ingest
        .map(|question| question["startTime"].as_i64().unwrap())
        .collect();
    assert_eq!(starts.len(), 1, "a token belongs to the call that gave it");
    drop(asked);
    let shown = program.run(&["logs"]);
    let notes = shown.stderr.matches("e-migrate").count();
    assert_eq!(notes, 1, "said once: {shown:?}");
    assert!(shown.stderr.contains("ingest_function"), "{shown:?}");
    let (code, _) = program.json(&["logs", "--function", "ingest", "--function", "api"]);
    assert_eq!(code, 0);
}

#[test]
fn request_is_searched_by_the_service() {
    let runtime = Runtime::new().unwrap();
    let (program, asked) = in_pages(&runtime);
    program.run(&["logs", "--request-id", "r-1", "--function", "api"]);
    assert_eq!(asked.lock().unwrap()[0]["filterPattern"], "\"r-1\"");
}

#[test]
fn denied_call_names_its_permission_and_silence_is_no_denial() {
    let service = DenyingService::start();
    service.deny("FilterLogEvents");
    let denied = service.program.run(&["logs"]);
    assert_eq!(denied.code, 1, "{denied:?}");
    assert!(denied.stderr.contains("logs:FilterLogEvents"), "{denied:?}");
    let program = Program::new();
    program.configure(&environment_at("test", NOBODY, INGEST));
    let away = program.run(&["logs"]);
    assert_eq!((away.code, away.stdout.as_str()), (3, ""), "{away:?}");
    program.configure(&environment_at("test", NOBODY, ""));
    let nameless = program.run(&["logs"]);
    assert_eq!(nameless.code, 1, "{nameless:?}");
    assert!(
        nameless.stderr.contains("add ingest_function"),
        "{nameless:?}"
    );
}

/// A service that throttles so long that one read gives up, and then has a line.
async fn throttled(State(asked): State<Asked>, body: Bytes) -> Response {
    let mut asked = asked.lock().unwrap();
    asked.push(serde_json::from_slice(&body).unwrap());
    if asked.len() < 7 {
        let error = json!({"__type": "ThrottlingException", "message": "Rate exceeded"});
        return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
    }
    let at = asked[0]["startTime"].as_i64().unwrap();
    let event = json!({"timestamp": at, "message": "it goes on", "eventId": "1"});
    json!({"events": [event]}).to_string().into_response()
}

#[test]
fn follow_goes_on_after_throttling_and_says_so_once() {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .fallback(throttled)
        .with_state(Asked::default());
    runtime.spawn(async move { axum::serve(listener, router).await });
    let program = Program::new();
    program.configure(&environment_at("test", &url, INGEST));
    let mut child = program.spawn(&["logs", "--follow", "--function", "ingest"]);
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert!(line.contains("it goes on"), "{line:?}");
    signal(child.id(), "INT");
    let ended = Answer::of_child(child);
    let notes = ended.stderr.matches("not read on yet: ").count();
    assert_eq!(notes, 1, "{ended:?}");
    assert!(ended.stderr.contains("ThrottlingException"), "{ended:?}");
}
