//! `probe` on the whole pipeline: every hop of one that works, and the name of the one that does not.

use std::io::{BufRead as _, BufReader, Read as _};
use std::time::Instant;

use aws_sdk_sqs::types::Message;
use devstack::services;
use pipeline::model::QueueRole;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::pipeline::{Turn, deployed};
use crate::support::harness::LIMIT;
use crate::support::program::{Answer, Program};
use crate::support::queues::text;
use crate::support::signals::signal;
use crate::support::{configuration, machine, stack};

const SOURCE: &str = "opsconsole/probe/test";

/// The last publications in the audit log, the newest last.
fn published(turn: &Turn, limit: &str) -> Vec<Value> {
    let trail = turn.json(&["audit", "--env", "test", "--limit", limit]);
    trail["entries"].as_array().unwrap().clone()
}

#[test]
fn event_of_a_probe_is_measured_at_every_hop_marked_and_on_record() {
    let turn = deployed();
    let (code, probe) = turn.program.json(&["probe", "--fail-over", "60s"]);
    assert_eq!(code, 0, "{probe}");
    assert_eq!(probe["failure"], Value::Null);
    assert_eq!(probe["is_slow"], false);
    let millis = |hop: &str| probe[hop]["ms"].as_f64().unwrap();
    let hops = ["published", "stored", "readable"].map(millis);
    assert!(hops.iter().all(|hop| *hop > 0.0), "{probe}");
    let sum: f64 = hops.iter().sum();
    let total = probe["total_ms"].as_f64().unwrap();
    assert!((sum - total).abs() < 0.01, "{probe}");
    let answer = probe["readable"]["answer_ms"].as_f64().unwrap();
    assert!(answer > 0.0 && answer <= hops[2], "{probe}");
    // One machine, one clock: it was written before it was seen, as far as the comparison is certain.
    let clock = &probe["database_clock"];
    let uncertainty = clock["uncertainty_ms"].as_f64().unwrap();
    assert!(clock["ahead_ms"].as_f64().unwrap().abs() <= uncertainty + 1.0);
    let ingested = probe["stored"]["ingested_ms"].as_f64().unwrap();
    assert!(ingested <= hops[1] + uncertainty + 1.0, "{probe}");

    assert_eq!(probe["source"], SOURCE);
    let record_id = probe["stored"]["record_id"].to_string();
    let record = turn.json(&["records", "get", &record_id]);
    assert_eq!(record["type"], "opsconsole.probe");
    assert_eq!(record["subject"], "opsconsole-probe");
    assert_eq!(
        (&record["source"], &record["id"]),
        (&probe["source"], &probe["id"])
    );
    let entry = &published(&turn, "1")[0];
    assert_eq!(entry["operation"], "publish");
    assert_eq!(entry["details"]["event"]["id"], probe["id"]);
    assert_eq!(entry["ending"]["counts"]["published"], 1);

    let shown = turn.run(&["probe", "--fail-over", "1ms"]);
    assert_eq!(shown.code, 1, "{shown:?}");
    for expected in [
        "state      slow",
        "by the database's clock",
        "status 200 in ",
    ] {
        assert!(shown.stdout.contains(expected), "{expected}: {shown:?}");
    }
}

#[test]
fn series_is_a_line_a_probe_and_a_sum_and_a_signal_is_its_end() {
    let turn = deployed();
    let lines = |text: &str| -> Vec<Value> {
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let series = ["probe", "--every", "1s", "--output", "json"];
    let counted = turn.run(&[&series[..], &["--count", "2"]].concat());
    assert_eq!(counted.code, 0, "{counted:?}");
    let [first, second, sum] = &lines(&counted.stdout)[..] else {
        panic!("{counted:?}");
    };
    assert_eq!([&first["kind"], &second["kind"]], ["probe"; 2]);
    assert_ne!(first["id"], second["id"]);
    assert_eq!(sum["kind"], "summary");
    assert_eq!((&sum["probes"], &sum["failed"]), (&json!(2), &json!(0)));
    assert_eq!(sum["slow"], Value::Null);
    let totals = [first, second].map(|probe| probe["total_ms"].as_f64().unwrap());
    let of_total = &sum["measures"][4];
    assert_eq!(
        (&of_total["measure"], &of_total["count"]),
        (&json!("total"), &json!(2))
    );
    assert_eq!(of_total["p50_ms"], totals[0].min(totals[1]));
    assert_eq!(of_total["max_ms"], totals[0].max(totals[1]));

    let mut child = turn.program.spawn(&series);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    signal(child.id(), "INT");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let ended = Answer::of_child(child);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.contains("interrupted: "), "{ended:?}");
    let sum = lines(&rest).pop().unwrap();
    assert_eq!(
        (&sum["kind"], &sum["failed"]),
        (&json!("summary"), &json!(0))
    );
}

/// Stops or starts the mapping from the queue to the ingest.
fn set_ingest(turn: &Turn, is_enabled: bool) {
    let path = "/2015-03-31/event-source-mappings";
    let url = &turn.endpoints.endpoint_url;
    turn.runtime.block_on(async {
        let listed = services::lambda(url, "GET", path, &Value::Null)
            .await
            .unwrap();
        let mappings = listed["EventSourceMappings"].as_array().unwrap();
        let ingest = &turn.endpoints.ingest_function;
        let queue = turn.endpoints.queue_url.rsplit('/').next().unwrap();
        let mut mappings = mappings.iter().filter(|mapping| {
            let of = |name: &str, end: &str| mapping[name].as_str().unwrap().ends_with(end);
            of("FunctionArn", ingest) && of("EventSourceArn", queue)
        });
        let id = mappings.next().unwrap()["UUID"]
            .as_str()
            .unwrap()
            .to_owned();
        let change = json!({ "Enabled": is_enabled });
        let path = format!("{path}/{id}");
        let changed = services::lambda(url, "PUT", &path, &change);
        changed.await.unwrap();
    });
}

/// The next message of the source queue that is a probe.
fn receive_probe(turn: &Turn) -> Message {
    let deadline = Instant::now() + LIMIT;
    loop {
        let receiving = turn.queues.receive(QueueRole::Source);
        for message in turn.runtime.block_on(receiving) {
            if message.body().is_some_and(|body| body.contains(SOURCE)) {
                return message;
            }
        }
        assert!(Instant::now() < deadline, "no probe in the queue");
    }
}

#[test]
fn stopped_ingest_fails_the_stored_hop_and_a_dead_letter_is_named_where_it_is_searched() {
    let turn = deployed();
    set_ingest(&turn, false);
    let (code, late) = turn.program.json(&["probe", "--timeout", "2s"]);
    let missed = receive_probe(&turn);
    let search = ["probe", "--timeout", "60s", "--search-dead-letters"];
    let child = turn.program.spawn(&search);
    // Its queue is read by this test alone: the message dies as if its retries had run out.
    let message = receive_probe(&turn);
    let dying = async {
        let code = [("ErrorCode", text("String", "test-refused"))];
        let body = message.body().unwrap();
        let message_id = turn.queues.add_dead_letter(body, &code).await;
        for message in [&message, &missed] {
            let handle = message.receipt_handle().unwrap();
            turn.queues.delete(QueueRole::Source, handle).await;
        }
        message_id
    };
    let message_id = turn.runtime.block_on(dying);
    let dead = Answer::of_child(child);
    set_ingest(&turn, true);

    let failure = &late["failure"];
    assert_eq!((code, &failure["hop"]), (1, &json!("stored")), "{late}");
    assert_eq!(failure["reason"], "time-over");
    assert_eq!(failure["detail"], "not in the ledger within 2 s");
    assert!(late["published"]["ms"].as_f64().unwrap() > 0.0);
    let unseen = [&late["stored"], &late["readable"], &late["total_ms"]];
    assert_eq!(unseen, [&Value::Null; 3], "what was not seen is no number");
    assert_eq!(dead.code, 1, "{dead:?}");
    let expected = format!(
        "failed at  stored: dead-letter: it is the dead letter {message_id}: test-refused: "
    );
    assert!(dead.stdout.contains(&expected), "{dead:?}");
    let next = format!("opsconsole trace {SOURCE} ");
    assert!(dead.stdout.contains(&next), "{dead:?}");
    let (_, in_flight) = turn.depth();
    assert_eq!(in_flight, 0, "what was searched is released");
}

#[test]
fn stopped_database_leaves_the_stored_hop_unseen_with_the_cause_and_an_unknown_topic_is_not_asked()
{
    let _machine = machine::alone();
    let runtime = Runtime::new().unwrap();
    let stack = runtime.block_on(stack::start());
    let program = Program::new();
    let folder = program.configure("");
    configuration::of(stack.endpoints(), folder.parent().unwrap());
    runtime.block_on(stack.postgres().stop_server()).unwrap();
    let (code, probe) = program.json(&["probe", "--timeout", "6s"]);
    let failure = &probe["failure"];
    assert_eq!((code, &failure["hop"]), (3, &json!("stored")), "{probe}");
    assert_eq!(
        failure["reason"], "not-seen",
        "the event may be stored later"
    );
    let detail = failure["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("not seen in the ledger within 6 s; the last look-up "),
        "{detail}"
    );
    assert!(detail.ends_with("the ledger was never read"), "{detail}");
    runtime.block_on(stack.stop()).unwrap();
    let (code, probe) = program.json(&["probe"]);
    let failure = &probe["failure"];
    assert_eq!((code, &failure["hop"]), (3, &json!("published")), "{probe}");
    assert_eq!(failure["reason"], "not-asked");

    let refused = program.run(&["--read-only", "probe", "--every", "1s"]);
    assert_eq!(
        (refused.code, refused.stdout.as_str()),
        (1, ""),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("is read-only"), "{refused:?}");
}
