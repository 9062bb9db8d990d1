//! The commands on the real pipeline: one stack for all tests of this file, one test at a time.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use devstack::{Endpoints, Stack};
use pipeline::Pipeline;
use pipeline::model::{QueueRole, TraceState};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::completions;
use crate::support::configuration::{NOBODY, environment_at};
use crate::support::harness::LIMIT;
use crate::support::program::{Answer, Program};
use crate::support::queues::{Queues, receive_dead_letters, release_dead_letters, text};
use crate::support::{configuration, machine, stack};

pub(crate) struct Deployed {
    // Never dropped: the stack's own guardian ends it with this process.
    pub(crate) runtime: Runtime,
    _stack: Stack,
    pub(crate) endpoints: Endpoints,
    pub(crate) program: Program,
    pub(crate) queues: Queues,
}

static DEPLOYED: LazyLock<Deployed> = LazyLock::new(Deployed::start);

/// The pipeline for one test alone: messages that it receives are hidden from all others.
pub(crate) struct Turn {
    _machine: machine::Alone,
}

pub(crate) fn deployed() -> Turn {
    let machine = machine::alone();
    Turn { _machine: machine }
}

impl Deref for Turn {
    type Target = Deployed;

    fn deref(&self) -> &Deployed {
        &DEPLOYED
    }
}

impl Deployed {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let stack = runtime.block_on(stack::start());
        let endpoints = stack.endpoints().clone();
        let program = Program::new();
        let folder = program.configure("").parent().map(PathBuf::from).unwrap();
        configuration::of(&endpoints, &folder);
        Self {
            queues: Queues::of(stack::connect(&endpoints).environment()),
            runtime,
            _stack: stack,
            endpoints,
            program,
        }
    }

    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.queues.pipeline
    }

    /// Publishes one body and traces it until it is stored or a dead letter.
    fn trace_to_the_end(&self, body: &str) -> TraceState {
        let pipeline = self.pipeline();
        let key = event::parse_body(body).ok().map(|event| event.key());
        self.runtime.block_on(async {
            let never = CancellationToken::new();
            let published = pipeline
                .publish_one(body, Value::Null, &never)
                .await
                .unwrap();
            let deadline = Instant::now() + LIMIT;
            loop {
                let state = pipeline
                    .trace(key.as_ref(), body, &published, true)
                    .await
                    .unwrap();
                if !matches!(state, TraceState::Pending | TraceState::Searched { .. }) {
                    return state;
                }
                assert!(Instant::now() < deadline, "{body}");
            }
        })
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        self.program.run(arguments)
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.program.json_ok(arguments)
    }

    fn json_until(&self, arguments: &[&str], is_right: impl Fn(&Value) -> bool) -> Value {
        self.program.json_until(arguments, LIMIT, is_right)
    }

    /// Lists the records of one event until there is one; returns the page.
    fn stored(&self, id: &str) -> Value {
        let list = ["records", "list", "--source", "/cli/test", "--id", id];
        self.json_until(&list, |page| page["items"].as_array().unwrap().len() == 1)
    }

    fn publish(&self, text: &str, more: &[&str]) -> Value {
        let file = self.program.write("input", text);
        self.json(&[&["publish", file.to_str().unwrap()], more].concat())
    }

    /// Adds a dead letter, as the ingest or SQS would.
    pub(crate) fn add_dead_letter(&self, body: &str, code: Option<&str>) -> String {
        let code = code.map(|code| ("ErrorCode", text("String", code)));
        let adding = self.queues.add_dead_letter(body, code.as_slice());
        self.runtime.block_on(adding)
    }

    /// Dead letters that can be received, and those that are hidden.
    pub(crate) fn depth(&self) -> (usize, usize) {
        self.runtime
            .block_on(self.queues.depth(QueueRole::DeadLetter))
    }
}

fn event(id: &str) -> String {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": "/cli/test",
        "type": "cli.tested",
        "time": "2026-01-31T12:00:00Z",
        "data": {"title": "\u{1b}]0;owned\u{7}"},
    })
    .to_string()
}

#[test]
fn published_event_becomes_a_record_that_can_be_listed_and_read() {
    let deployed = deployed();
    let report = deployed.publish(&event("record-1"), &[]);
    let message_id = &report["messages"][0]["sns_message_id"];
    assert!(!message_id.as_str().unwrap().is_empty(), "{report}");
    let message = json!({"sns_message_id": message_id, "event_id": "record-1"});
    assert_eq!(
        report,
        json!({
            "published": 1, "failed": 0, "unconfirmed": 0, "errors": [], "messages": [message],
        })
    );
    let page = deployed.stored("record-1");
    assert_eq!(page["next_cursor"], Value::Null);
    let record = &page["items"][0];
    assert_eq!(record["type"], "cli.tested");
    assert_eq!(record["occurred_at"], "2026-01-31T12:00:00Z");
    let record_id = record["record_id"].to_string();
    assert_eq!(&deployed.json(&["records", "get", &record_id]), record);
    let shown = deployed.run(&["records", "get", &record_id]);
    assert!(shown.stdout.contains("\"title\""), "{shown:?}");
    assert!(!shown.stdout.contains('\u{1b}'), "{shown:?}");
    let missing = deployed.run(&["records", "get", "999999999"]);
    assert_eq!(missing.code, 1);
    assert!(
        missing.stderr.contains("there is no record 999999999"),
        "{missing:?}"
    );
    let answer = deployed.json(&["api", "get", &format!("/v1/records/{record_id}")]);
    assert_eq!(answer["status"], 200);
    assert_eq!(answer["body"]["id"], "record-1");
    assert!(answer["latency_ms"].as_f64().unwrap() > 0.0);
}

#[test]
fn copies_get_ids_of_their_own_and_pages_follow_the_cursor() {
    let deployed = deployed();
    let text = event("copies").replace("cli.tested", "cli.copied");
    let report = deployed.publish(&text, &["--count", "25", "--rate", "200"]);
    assert_eq!(
        report,
        json!({"published": 25, "failed": 0, "unconfirmed": 0, "errors": []})
    );
    let count = |page: &Value| page["items"].as_array().unwrap().len();
    let copied = ["records", "list", "--type", "cli.copied"];
    // What is stored after the first page was read stands before it and is on no later one.
    deployed.json_until(&copied, |page| count(page) == 25);
    let list = [&copied[..], &["--limit", "20"]].concat();
    let first = deployed.json(&list);
    assert_eq!(count(&first), 20);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = deployed.json(&[&list[..], &["--cursor", cursor]].concat());
    assert_eq!(count(&second), 5);
    let ids: std::collections::HashSet<String> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|record| record["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 25);
    // The filter of the screen is that of the command.
    let filtered = ["records", "list", "cli.copied 2026-01-31", "--limit", "20"];
    assert_eq!(deployed.json(&filtered)["items"], first["items"]);
    let answer = deployed.run(&["records", "list", "cli.copied", "--column", "/type"]);
    let heading = answer.stdout.lines().next().unwrap_or_default();
    assert!(heading.ends_with("/type"), "{answer:?}");
    assert_eq!(
        answer.stdout.matches(" cli.copied\n").count(),
        25,
        "{answer:?}"
    );
    let words = ["records", "list", "--type", "cli.c"];
    let types = completions::offered(&deployed.program, &words);
    assert_eq!(types, ["cli.copied"], "what was listed is offered");
}

#[test]
fn changes_are_in_the_audit_log_with_their_reason_and_their_end() {
    let deployed = deployed();
    let reason = ["--count", "3", "--reason", "to see them in the log"];
    deployed.publish(&event("audited"), &reason);
    let trail = deployed.json(&["audit", "--env", "test", "--limit", "1"]);
    let entry = &trail["entries"][0];
    assert_eq!(entry["operation"], "publish");
    assert_eq!(entry["reason"], "to see them in the log");
    assert_eq!(entry["planned"], 3);
    assert_eq!(entry["ending"]["counts"]["published"], 3);
    assert!(entry["begun_at"].as_str() < entry["ended_at"].as_str());
    let elsewhere = deployed.json(&["audit", "--env", "elsewhere"]);
    assert_eq!(elsewhere["entries"], json!([]));
    let table = deployed.run(&["audit"]);
    assert!(table.stdout.contains("published 3"), "{table:?}");
}

#[test]
fn status_agrees_with_the_queues_and_the_database() {
    let deployed = deployed();
    deployed.add_dead_letter("not json at all", None);
    deployed.publish(&event("status-1"), &[]);
    deployed.stored("status-1");
    let status = deployed.json_until(&["status"], |status| {
        status["queue"]["visible"] == 0 && status["queue"]["in_flight"] == 0
    });
    assert_eq!(status["environment"], "test");
    assert_eq!(status["errors"], json!([]));
    assert_eq!(status["queue"]["delayed"], 0);
    assert_eq!(status["dead_letters"]["visible"], deployed.depth().0);
    assert!(status["dead_letters"]["visible"].as_u64().unwrap() >= 1);
    assert_eq!(status["api"]["status"], 200);
    assert!(status["records"]["last_ingested_at"].is_string());
    let total: i64 = deployed.runtime.block_on(async {
        let pool = sqlx::PgPool::connect(&deployed.endpoints.database_url)
            .await
            .unwrap();
        sqlx::query_scalar("select count(*) from records")
            .fetch_one(&pool)
            .await
            .unwrap()
    });
    assert_eq!(status["records"]["total"], total);
    // Its metrics come some seconds later.
    let status = deployed.json_until(&["status"], |status| status["ingest"].is_object());
    let ingest = &status["ingest"];
    // Other tests decide whether it was observed for long enough.
    let is_known = ingest["window_secs"].is_number();
    assert!(!is_known || (30..=180).contains(&ingest["window_secs"].as_u64().unwrap()));
    for rate in [
        "stored_per_minute",
        "duplicates_per_minute",
        "retried_per_minute",
    ] {
        let rate = &ingest[rate];
        assert_eq!((rate.is_number(), rate.is_null()), (is_known, !is_known));
    }
    let lag = |name: &str| ingest[name].as_u64().unwrap();
    assert!(lag("lag_p50_ms") <= lag("lag_max_ms") && lag("lag_max_ms") < 120_000);
    assert_eq!(ingest["failures_per_minute"].is_object(), is_known);
    let shown = deployed.run(&["status"]);
    for word in [
        "environment   test",
        "queue ",
        "dead letters",
        "records",
        "api           200",
        "ingest        lag p50 ",
    ] {
        assert!(shown.stdout.contains(word), "{word}: {shown:?}");
    }
}

#[test]
fn refused_event_is_listed_with_the_code_of_the_ingest() {
    let deployed = deployed();
    let refused = event("refused-1").replace("\"time\":", "\"times\":");
    let report = deployed.publish(&refused, &["--raw"]);
    assert_eq!(report["published"], 1);
    let is_it = |message: &Value| message["event"]["id"] == "refused-1";
    let messages = deployed.json_until(&["dlq", "list"], |messages| {
        messages.as_array().unwrap().iter().any(is_it)
    });
    let message = messages
        .as_array()
        .unwrap()
        .iter()
        .find(|message| is_it(message))
        .unwrap();
    assert_eq!(message["verdict"], "still-invalid");
    assert_eq!(message["cause"], "missing-attribute");
    assert_eq!(message["reason"]["code"], "missing-attribute");
    assert!(message["reason"]["request_id"].is_string());
    assert_eq!(message["failure"]["code"], "missing-attribute");
    assert_eq!(message["failure"]["pointer"], "/time");
    assert_eq!(message["event"]["type"], "cli.tested");
    assert!(message["receive_count"].as_u64().unwrap() >= 1);
    assert!(message["sent_at"].as_str() < message["expires_at"].as_str());
    let message_id = message["message_id"].as_str().unwrap();
    let whole = deployed.json(&["dlq", "show", message_id]);
    assert_eq!(whole["body"], refused.as_str());
    let shown = deployed.run(&["dlq", "show", message_id]);
    assert!(shown.stdout.contains("missing-attribute"), "{shown:?}");
    assert!(!shown.stdout.contains('\u{1b}'), "{shown:?}");
    assert_eq!(deployed.run(&["dlq", "show", "no-such-id"]).code, 1);
}

#[test]
fn messages_that_were_listed_are_visible_again() {
    let deployed = deployed();
    deployed.add_dead_letter("look at me", None);
    for arguments in [vec!["dlq", "list"], vec!["dlq", "list", "--limit", "1"]] {
        assert_eq!(deployed.run(&arguments).code, 0);
        assert_eq!(deployed.depth().1, 0, "{arguments:?}");
    }
}

#[test]
fn redriven_message_is_stored_and_deleted_and_the_others_stay() {
    let deployed = deployed();
    let ready = deployed.add_dead_letter(&event("redrive-1"), Some("test-outage"));
    let stays = deployed.add_dead_letter("stays here", Some("test-other"));
    let without = deployed.run(&["dlq", "redrive", "--code", "test-outage"]);
    assert_eq!(without.code, 2, "{without:?}");
    assert!(without.stderr.contains("--yes"), "{without:?}");
    let report = deployed.json(&["dlq", "redrive", "--code", "test-outage", "--yes"]);
    assert_eq!(
        (&report["selected"], &report["moved"], &report["errors"]),
        (&json!(1), &json!(1), &json!([]))
    );
    deployed.stored("redrive-1");
    let messages = deployed.json(&["dlq", "list"]);
    let ids: Vec<&Value> = messages
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["message_id"])
        .collect();
    assert!(
        ids.contains(&&json!(stays)) && !ids.contains(&&json!(ready)),
        "{messages}"
    );
    // It is in the ledger now: the same event would be a duplicate.
    let again = deployed.add_dead_letter(&event("redrive-1"), None);
    let messages = deployed.json(&["dlq", "list"]);
    let message = messages
        .as_array()
        .unwrap()
        .iter()
        .find(|message| message["message_id"] == json!(again))
        .unwrap();
    assert_eq!(message["verdict"], "already-stored");
    assert_eq!(message["cause"], "retries-exhausted");
    let exported = deployed.json(&["dlq", "export", "again.jsonl", &again]);
    assert_eq!(exported["verdicts"], json!({"already-stored": 1}));
    let file = deployed.program.home().join("again.jsonl");
    let line = std::fs::read_to_string(file).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["stored_as"], message["stored_as"]);
    assert!(line["stored_as"].is_number() && line["body"] == event("redrive-1").as_str());
    let skipped = deployed.run(&["dlq", "redrive", &again, "--yes"]);
    assert_eq!(skipped.code, 1, "{skipped:?}");
    let reason = format!("{again}: skipped, it is already-stored");
    assert!(skipped.stderr.contains(&reason), "{skipped:?}");
    assert!(
        skipped.stdout.contains("moved 0")
            && skipped.stdout.contains("skipped 1 (1 already-stored)"),
        "{skipped:?}"
    );
    let moved = deployed.json(&["dlq", "redrive", &again, "--yes", "--include-not-ready"]);
    assert_eq!((&moved["moved"], &moved["skipped"]), (&json!(1), &json!(0)));
    let (code, report) = deployed
        .program
        .json(&["dlq", "redrive", "no-such-id", "--yes"]);
    assert_eq!(code, 1);
    assert_eq!(report["errors"][0]["message_id"], "no-such-id");
}

#[test]
fn failed_answer_of_the_api_exits_with_1_and_is_shown() {
    let deployed = deployed();
    let (code, answer) = deployed
        .program
        .json(&["api", "get", "/v1/records?limit=0"]);
    assert_eq!(code, 1);
    assert_eq!(answer["status"], 400);
    assert!(answer["body"].is_object(), "{answer}");
    let health = deployed.run(&["api", "get", "/health"]);
    assert_eq!(health.code, 0, "{health:?}");
}

#[test]
fn repeated_call_is_counted_by_status_with_its_percentiles() {
    let deployed = deployed();
    let types = ["api", "get", "/v1/types", "--repeat", "5"];
    let sum = deployed.json(&types);
    assert_eq!(sum["calls"], 5);
    assert_eq!(sum["unanswered"], 0);
    assert_eq!(sum["statuses"], json!({"200": 5}));
    let names = ["min", "p50", "p95", "p99", "max"];
    let took = names.map(|name| sum["latency_ms"][name].as_f64().unwrap());
    assert!(took[0] > 0.0 && took.is_sorted(), "{took:?}");
    let shown = deployed.run(&types);
    assert!(shown.stdout.starts_with("200           5\n"), "{shown:?}");
    let wrong = ["api", "get", "/v1/records?limit=0", "--repeat", "2"];
    let (code, sum) = deployed.program.json(&wrong);
    assert_eq!((code, &sum["statuses"]), (1, &json!({"400": 2})));
}

#[test]
fn call_is_printed_for_curl_and_not_sent() {
    let deployed = deployed();
    let get = ["api", "get", "/v1/records?type=it%27s&limit=1", "--curl"];
    let printed = deployed.json(&get);
    let url = format!(
        "{}/v1/records?type=it%27s&limit=1",
        deployed.endpoints.api_url
    );
    let words = shell_words::split(printed["command"].as_str().unwrap()).unwrap();
    assert_eq!(words, ["curl", "--globoff", "--include", &url]);
    assert_eq!(printed["before"], Value::Null);
    let out = deployed.run(&["api", "get", "/../x", "--curl"]);
    assert_eq!(out.code, 2, "{out:?}");
    let program = Program::new();
    program.configure(&environment_at("gone", NOBODY, "api_auth = \"iam\"\n"));
    let signed = program.run(&["api", "get", "/health", "--curl"]);
    assert_eq!(signed.code, 0, "nothing is sent: {signed:?}");
    let expected = format!(
        "curl --globoff --include --aws-sigv4 aws:amz:us-east-1:execute-api \
         --user \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\" \
         --header \"x-amz-security-token: $AWS_SESSION_TOKEN\" {NOBODY}/health\n"
    );
    assert_eq!(signed.stdout, expected);
    assert!(signed.stderr.contains("export-credentials"), "{signed:?}");
}

#[test]
fn published_event_is_traced_until_it_is_stored_and_readable() {
    let deployed = deployed();
    let TraceState::Stored {
        record_id,
        ingested_at,
        readable,
    } = deployed.trace_to_the_end(&event("trace-1"))
    else {
        panic!("it is not stored");
    };
    let record = deployed.json(&["records", "get", &record_id.to_string()]);
    assert_eq!(record["id"], "trace-1");
    let same: chrono::DateTime<chrono::Utc> =
        record["ingested_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(ingested_at, same);
    assert_eq!(readable.unwrap().status, 200);
}

#[test]
fn refused_event_is_traced_until_it_is_dead_and_no_message_stays_hidden() {
    let deployed = deployed();
    let body = event("trace-2").replace("\"1.0\"", "\"0.3\"");
    let TraceState::Dead { reason, .. } = deployed.trace_to_the_end(&body) else {
        panic!("it is not dead");
    };
    assert_eq!(reason.unwrap().code, "unsupported-specversion");
    assert_eq!(deployed.depth().1, 0);
}

#[test]
fn search_for_a_dead_event_receives_each_message_once_and_releases_all() {
    let deployed = deployed();
    let in_front: Vec<String> = (0..60)
        .map(|number| deployed.add_dead_letter(&format!("in front {number}"), None))
        .collect();
    let body = event("trace-3").replace("\"1.0\"", "\"0.3\"");
    let TraceState::Dead { message_id, .. } = deployed.trace_to_the_end(&body) else {
        panic!("it is not dead");
    };
    assert_eq!(deployed.depth().1, 0);
    let pipeline = deployed.pipeline();
    let receiving = receive_dead_letters(pipeline, 1_000, LIMIT);
    let received = deployed.runtime.block_on(receiving);
    assert!(
        received
            .messages
            .iter()
            .any(|message| message.message_id == message_id)
    );
    let (passed, others): (Vec<_>, Vec<_>) = received
        .messages
        .into_iter()
        .partition(|message| in_front.contains(&message.message_id));
    assert_eq!(passed.len(), in_front.len());
    for message in &passed {
        // The search, once more if it took longer than its visibility timeout, and this receive.
        assert!(message.receive_count <= 3, "{message:?}");
    }
    // The other tests look at the first hundred messages.
    deployed.runtime.block_on(async {
        for message in &passed {
            let handle = &message.receipt_handle;
            deployed.queues.delete(QueueRole::DeadLetter, handle).await;
        }
    });
    let handles: Vec<String> = others
        .into_iter()
        .map(|message| message.receipt_handle)
        .collect();
    let releasing = release_dead_letters(pipeline, &handles);
    let released = deployed.runtime.block_on(releasing);
    assert_eq!(released, handles.len());
}

#[test]
fn history_has_the_depth_of_both_queues() {
    let deployed = deployed();
    let pipeline = deployed.pipeline();
    let deadline = Instant::now() + LIMIT;
    loop {
        let history = pipeline.history(Duration::from_secs(600));
        let history = deployed.runtime.block_on(history).unwrap();
        if !history.depth.is_empty() && !history.dead_letters.is_empty() {
            assert!(history.depth.is_sorted_by_key(|point| point.at));
            assert!(history.period_secs > 0);
            return;
        }
        assert!(Instant::now() < deadline, "{history:?}");
    }
}
