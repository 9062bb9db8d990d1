//! `queue peek` on real queues and on the whole pipeline: what it counts, what it refuses, and that it takes nothing
//! from the ingest.

use std::collections::BTreeSet;
use std::time::Instant;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use chrono::{DateTime, Utc};
use pipeline::model::QueueRole;
use serde_json::{Value, json};

use super::pipeline::deployed;
use crate::support::harness::{Harness, LIMIT, invalid, numbered, valid};
use crate::support::program::Answer;
use crate::support::proxy::Fault;
use crate::support::signals::signal;
use crate::support::source_queue::let_ingest_read;

/// Tries of one call to SQS (AWS SDK, standard retry mode).
const TRIES: usize = 3;
const PEEK: [&str; 3] = ["queue", "peek", "--yes"];

fn started(max_receive_count: Option<u64>, bodies: &[String]) -> Harness {
    let harness = Harness::start();
    let queues = &harness.queues;
    harness.runtime.block_on(async {
        if let Some(max) = max_receive_count {
            queues.set_max_receive_count(max).await;
        }
        queues.send(bodies).await;
    });
    harness
}

/// Visible and hidden messages of the source queue.
fn waiting(harness: &Harness) -> (usize, usize) {
    let depth = harness.queues.depth(QueueRole::Source);
    harness.runtime.block_on(depth)
}

fn receive_count(message: &Message) -> u64 {
    let attributes = message.attributes().unwrap();
    let count = &attributes[&MessageSystemAttributeName::ApproximateReceiveCount];
    count.parse().unwrap()
}

/// How often each message was received, after one more receive of all.
fn counts(harness: &Harness) -> Vec<u64> {
    let mut counts = Vec::new();
    loop {
        let receiving = harness.queues.receive(QueueRole::Source);
        let messages = harness.runtime.block_on(receiving);
        if messages.is_empty() {
            counts.sort_unstable();
            return counts;
        }
        counts.extend(messages.iter().map(receive_count));
    }
}

fn ids(report: &Value) -> BTreeSet<String> {
    let messages = report["messages"].as_array().unwrap().iter();
    let ids = messages.map(|message| message["message_id"].as_str().unwrap().to_owned());
    ids.collect()
}

#[test]
fn peek_shows_what_waits_counts_it_once_and_releases_it() {
    let bodies = [valid("1"), invalid("2"), "not json".to_owned()];
    let harness = started(Some(5), &bodies);
    let (code, report) = harness.program.json(&PEEK);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["queue"], "source");
    assert_eq!(report["max_receive_count"], 5);
    assert_eq!(report["end"], "empty");
    assert!(report["released_at"].is_string(), "{report:#}");
    assert_eq!(
        report["not_released"],
        json!({"messages_max": 0, "until": null})
    );
    let messages = report["messages"].as_array().unwrap();
    let mut shown: Vec<(&str, &str)> = messages
        .iter()
        .map(|message| {
            assert_eq!(message["receive_count"], 1, "{message}");
            assert_eq!(message["is_at_limit"], false);
            assert_eq!(message["hidden_until"], Value::Null);
            let body = message["body"].as_str().unwrap();
            assert_eq!(message["body_bytes"], body.len());
            (body, message["verdict"].as_str().unwrap())
        })
        .collect();
    shown.sort_unstable();
    let mut expected = [
        (bodies[0].as_str(), "valid"),
        (bodies[1].as_str(), "missing-attribute"),
        (bodies[2].as_str(), "not-json"),
    ];
    expected.sort_unstable();
    assert_eq!(shown, expected);
    let mut parsed = messages.iter();
    let first = parsed
        .find(|message| message["verdict"] == "valid")
        .unwrap();
    assert_eq!(
        first["event"],
        json!({"source": "/cli/test", "id": "1", "type": "cli.tested"})
    );
    assert_eq!((waiting(&harness), harness.depth()), ((3, 0), (0, 0)));

    let shown = harness.program.run(&PEEK);
    assert_eq!(shown.code, 0, "{shown:?}");
    for expected in ["2 of 5", "missing-attribute", "cli.tested"] {
        assert!(shown.stdout.contains(expected), "{shown:?}");
    }
    assert!(!shown.stdout.contains("specversion"), "{shown:?}");
    for expected in [
        "source has about 3 messages that wait and 0 received by others",
        "maxReceiveCount is 5: one that was received 4 times before has 5 of 5 then",
        "3 messages released at",
    ] {
        assert!(shown.stderr.contains(expected), "{expected}: {shown:?}");
    }
    assert_eq!(counts(&harness), [3, 3, 3], "two peeks and this receive");

    // Both are on record, with their counts.
    let audit = harness.program.json_ok(&["audit"]);
    let entries = audit["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2, "{audit:#}");
    let entry = &entries[0];
    assert_eq!(
        (&entry["operation"], &entry["target"]),
        (&json!("peek"), &json!("source"))
    );
    assert_eq!(
        entry["ending"]["counts"],
        json!({"received": 3, "released": 3, "not_released": 0, "may_be_hidden": 0, "at_limit": 0})
    );
}

#[test]
fn bodies_are_printed_where_they_are_wanted_and_cannot_steer_a_terminal() {
    let harness = started(None, &["\u{9b}2J{".to_owned()]);
    let shown = harness.program.run(&[&PEEK[..], &["--bodies"]].concat());
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.stdout.contains("2J{"), "{shown:?}");
    assert!(!shown.stdout.contains('\u{9b}'), "{shown:?}");
    assert!(
        shown.stderr.contains("no receive count moves a message"),
        "{shown:?}"
    );
}

#[test]
fn peek_receives_no_more_than_it_was_asked_for() {
    let harness = started(Some(5), &numbered(30));
    let (code, report) = harness
        .program
        .json(&[&PEEK[..], &["--max", "12"]].concat());
    assert_eq!(
        (code, &report["end"]),
        (0, &json!("complete")),
        "{report:#}"
    );
    assert_eq!(ids(&report).len(), 12);
    assert_eq!(waiting(&harness), (30, 0));
    let counts = counts(&harness);
    let twice = counts.iter().filter(|count| **count == 2).count();
    assert_eq!((counts.len(), twice), (30, 12), "{counts:?}");
}

#[test]
fn queue_with_a_small_limit_is_refused_before_anything_is_received() {
    for max in [1, 2] {
        let harness = started(Some(max), &numbered(3));
        let refused = harness.program.run(&PEEK);
        assert_eq!(refused.code, 1, "{refused:?}");
        for expected in [&*format!("maxReceiveCount is {max}"), "at least 3"] {
            assert!(refused.stderr.contains(expected), "{refused:?}");
        }
        assert_eq!(refused.stdout, "");
        let audit = harness.program.json_ok(&["audit"]);
        assert_eq!(audit["entries"], json!([]));
        assert_eq!(counts(&harness), [1, 1, 1]);
    }
}

#[test]
fn message_at_its_limit_ends_the_peek_and_keeps_the_next_one_away() {
    let harness = started(Some(3), &numbered(25));
    // Ten messages were received and not processed.
    harness.runtime.block_on(async {
        for message in harness.queues.receive(QueueRole::Source).await {
            let handle = message.receipt_handle().unwrap();
            harness.queues.release(handle).await;
        }
    });
    let peek = [&PEEK[..], &["--max", "20"]].concat();
    let (code, report) = harness.program.json(&peek);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["end"], "at-limit");
    let messages = report["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 10, "no further receive: {report:#}");
    for message in messages {
        assert_eq!(message["receive_count"], 2);
        assert_eq!(message["is_at_limit"], true);
    }
    assert!(report["released_at"].is_string());
    assert_eq!(waiting(&harness), (25, 0));

    let refused = harness.program.run(&peek);
    assert_eq!(refused.code, 1, "{refused:?}");
    for expected in ["met 10 messages at their limit", "wait until"] {
        assert!(refused.stderr.contains(expected), "{refused:?}");
    }
    assert_eq!(harness.depth(), (0, 0), "none is a dead letter");
    let counts = counts(&harness);
    let at_limit = counts.iter().filter(|count| **count == 3).count();
    assert_eq!((counts.len(), at_limit), (25, 10), "{counts:?}");
}

#[test]
fn limit_is_named_for_people_with_what_follows() {
    let harness = started(Some(3), &[valid("1")]);
    let first = harness.program.run(&PEEK);
    assert!(
        !first.stderr.contains("the next receive that fails"),
        "{first:?}"
    );
    let second = harness.program.run(&PEEK);
    assert_eq!(second.code, 0, "{second:?}");
    let sentence = "2 of 3 receives: the next receive that fails moves it to the dead-letter queue";
    assert!(second.stderr.contains(sentence), "{second:?}");
    assert!(
        second.stderr.contains("because one is at its limit"),
        "{second:?}"
    );
}

#[test]
fn nothing_is_received_without_agreement_or_permit() {
    let harness = started(Some(5), &numbered(2));
    let unasked = harness.program.run(&["queue", "peek"]);
    assert_eq!(unasked.code, 2, "{unasked:?}");
    assert!(unasked.stderr.contains("add --yes"), "{unasked:?}");
    let read_only = harness.program.run(&[&PEEK[..], &["--read-only"]].concat());
    assert_eq!(read_only.code, 1, "{read_only:?}");
    assert!(read_only.stderr.contains("read-only"), "{read_only:?}");
    harness.configure(harness.queues.endpoint_url(), "production = true");
    let unconfirmed = harness.program.run(&PEEK);
    assert_eq!(unconfirmed.code, 1, "{unconfirmed:?}");
    assert!(
        unconfirmed.stderr.contains("--confirm test"),
        "{unconfirmed:?}"
    );
    let confirmed = ["--confirm", "test", "--reason", "a test"];
    let confirmed = harness.program.run(&[&PEEK[..], &confirmed].concat());
    assert_eq!(confirmed.code, 0, "{confirmed:?}");
    assert_eq!(counts(&harness), [2, 2], "the confirmed peek alone");
}

#[test]
fn empty_queue_is_no_failure() {
    let harness = started(Some(5), &[]);
    let shown = harness.program.run(&PEEK);
    assert_eq!((shown.code, shown.stdout.as_str()), (0, ""), "{shown:?}");
    for expected in ["nothing comes", "no message came", "the ingest was faster"] {
        assert!(shown.stderr.contains(expected), "{expected}: {shown:?}");
    }
}

#[test]
fn interrupted_peek_releases_what_came_and_what_comes_late() {
    let harness = started(Some(5), &numbered(40));
    let mut proxy = harness.proxy("ReceiveMessage", Fault::KeepAnswer, 1..usize::MAX);
    let peek = [&PEEK[..], &["--max", "50", "--output", "json"]].concat();
    let child = harness.program.spawn(&peek);
    harness.runtime.block_on(proxy.wait_until_kept());
    assert_eq!(waiting(&harness).1, 20, "of two receives");
    signal(child.id(), "INT");
    proxy.open();
    let answer = Answer::of_child(child);
    assert_eq!(answer.code, 130, "{answer:?}");
    assert!(
        answer.stderr.contains("interrupted: releasing"),
        "{answer:?}"
    );
    assert!(!answer.stderr.contains("stay hidden"), "{answer:?}");
    let report = answer.json();
    assert_eq!(report["end"], "interrupted", "{report:#}");
    assert!(ids(&report).len() >= 10, "{report:#}");
    assert_eq!((waiting(&harness), harness.depth()), ((40, 0), (0, 0)));
}

#[test]
fn peek_that_cannot_release_says_so_and_until_when() {
    let harness = started(Some(5), &numbered(3));
    let every = 0..usize::MAX;
    let _proxy = harness.proxy("ChangeMessageVisibilityBatch", Fault::Throttle, every);
    let begun_at = Utc::now();
    let answer = harness
        .program
        .run(&[&PEEK[..], &["--output", "json"]].concat());
    assert_eq!(answer.code, 3, "{answer:?}");
    let report = answer.json();
    assert_eq!(report["released_at"], Value::Null);
    assert_eq!(report["not_released"]["messages_max"], 3, "{report:#}");
    let until: DateTime<Utc> = report["not_released"]["until"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let longest = (until - begun_at).num_seconds();
    assert!((1..=45).contains(&longest), "{longest}: {answer:?}");
    for message in report["messages"].as_array().unwrap() {
        assert!(message["hidden_until"].is_string(), "{report:#}");
    }
    let remark = "up to 3 messages may stay hidden from others until";
    assert!(answer.stderr.contains(remark), "{answer:?}");
    assert_eq!(waiting(&harness), (0, 3));
}

#[test]
fn release_that_succeeds_later_is_the_one_that_is_reported() {
    let harness = started(Some(5), &numbered(3));
    let _proxy = harness.proxy("ChangeMessageVisibilityBatch", Fault::Throttle, 0..TRIES);
    let answer = harness
        .program
        .run(&[&PEEK[..], &["--output", "json"]].concat());
    assert_eq!(answer.code, 0, "{answer:?}");
    let report = answer.json();
    assert!(report["released_at"].is_string(), "{report:#}");
    assert_eq!(report["not_released"]["messages_max"], 0, "{report:#}");
    for message in report["messages"].as_array().unwrap() {
        assert_eq!(message["hidden_until"], Value::Null);
    }
    assert_eq!(waiting(&harness), (3, 0));
}

#[test]
fn queue_that_does_not_answer_exits_with_3() {
    let harness = started(Some(5), &numbered(3));
    harness.configure("http://127.0.0.1:1", "");
    let answer = harness.program.run(&PEEK);
    assert_eq!((answer.code, answer.stdout.as_str()), (3, ""), "{answer:?}");
}

#[test]
fn peeked_messages_are_stored_by_the_ingest_exactly_once() {
    let turn = deployed();
    let before = turn.depth();
    let expected: BTreeSet<String> = (0..7).map(|number| format!("peeked-{number}")).collect();
    turn.runtime
        .block_on(let_ingest_read(&turn.endpoints, false));
    let file: String = expected.iter().map(|id| valid(id) + "\n").collect();
    let file = turn.program.write("peeked.jsonl", file);
    turn.json(&["publish", file.to_str().unwrap()]);
    let report = turn.json(&PEEK);
    turn.runtime
        .block_on(let_ingest_read(&turn.endpoints, true));
    let messages = report["messages"].as_array().unwrap();
    let shown = messages.iter().map(|message| {
        assert_eq!(
            (&message["receive_count"], &message["verdict"]),
            (&json!(1), &json!("valid"))
        );
        message["event"]["id"].as_str().unwrap().to_owned()
    });
    assert_eq!(shown.collect::<BTreeSet<_>>(), expected, "{report:#}");
    assert_eq!(report["max_receive_count"], 3);
    for id in &expected {
        let list = ["records", "list", "--source", "/cli/test", "--id", id];
        let is_there = |page: &Value| page["items"].as_array().unwrap().len() == 1;
        turn.program.json_until(&list, LIMIT, is_there);
    }
    let empty = async {
        let deadline = Instant::now() + LIMIT;
        while turn.queues.depth(QueueRole::Source).await != (0, 0) {
            assert!(Instant::now() < deadline);
        }
    };
    turn.runtime.block_on(empty);
    assert_eq!(turn.depth(), before, "none is a dead letter");
}
