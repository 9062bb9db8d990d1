//! `dlq list`, `show` and `redrive` on real queues: what they receive they release, also when they
//! are interrupted, and they move only what they were asked to.

use std::ops::Range;
use std::time::{Duration, Instant};

use chrono::Utc;
use pipeline::model::{Published, TraceState};
use serde_json::json;

use crate::support::harness::{Harness, LIMIT, invalid, numbered, valid};
use crate::support::program::Answer;
use crate::support::proxy::Fault;
use crate::support::queues::receive_dead_letters;
use crate::support::signals::signal;

#[test]
fn only_ready_messages_are_moved_unless_all_are_requested() {
    let harness = Harness::start();
    harness.add_dead_letters(&[valid("1"), valid("2"), invalid("3"), "not json".to_owned()]);
    let (code, report) = harness.program.json(&["dlq", "redrive", "--all", "--yes"]);
    assert_eq!(code, 0, "{report}");
    assert!(report["id"].is_string() && report["journal"].is_string());
    let expected = json!({"id": report["id"], "journal": report["journal"], "state": "finished",
        "selected": 4, "moved": 2, "sent_not_deleted": 0, "unknown": 0, "not_sent": 0, "skipped": 2,
        "would_be_lost": 0, "waiting": 0, "stored": null, "duplicates": null, "dead_again": null, "unproved": null, "truncated": false,
        "errors": []});
    assert_eq!(report, expected);
    let again = harness.program.run(&["dlq", "redrive", "--all", "--yes"]);
    assert_eq!(again.code, 1, "nothing was moved: {again:?}");
    assert!(
        again
            .stdout
            .contains("skipped 2 (1 still-invalid, 1 unreadable)"),
        "{again:?}"
    );
    assert!(again.stderr.contains("--include-not-ready"), "{again:?}");
    let named = harness.message_id("3");
    let refused = harness.program.run(&["dlq", "redrive", &named, "--yes"]);
    assert_eq!(refused.code, 1);
    let skipped = format!("{named}: skipped, it is still-invalid");
    assert!(refused.stderr.contains(&skipped), "{refused:?}");
    assert_eq!(harness.depth(), (2, 0));
    let everything = ["dlq", "redrive", "--all", "--yes", "--include-not-ready"];
    let (code, report) = harness.program.json(&everything);
    assert_eq!((code, &report["moved"]), (0, &json!(2)), "{report}");
    let empty = harness.program.run(&everything);
    assert_eq!(
        empty.code, 0,
        "an empty queue is what was wanted: {empty:?}"
    );
    assert_eq!(harness.depth(), (0, 0));
}

#[test]
fn unknown_code_is_a_usage_error_and_a_known_one_without_messages_is_reported() {
    let harness = Harness::start();
    harness.add_dead_letters(&[invalid("1")]);
    let unknown = harness
        .program
        .run(&["dlq", "redrive", "--code", "mising-attribute", "--yes"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    for known in ["missing-attribute", "retries-exhausted", "not-json"] {
        assert!(unknown.stderr.contains(known), "{unknown:?}");
    }
    let none = harness
        .program
        .run(&["dlq", "redrive", "--code", "invalid-time", "--yes"]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(
        none.stderr
            .contains("no dead letter matches --code invalid-time"),
        "{none:?}"
    );
    assert_eq!(harness.depth(), (1, 0));
}

#[test]
fn messages_that_somebody_else_received_are_counted() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(5));
    harness.receive(2);
    for arguments in [
        vec!["dlq", "list"],
        vec!["dlq", "redrive", "--code", "not-json", "--yes"],
    ] {
        let answer = harness.program.run(&arguments);
        assert!(
            answer
                .stderr
                .contains("2 messages received by others, not looked at"),
            "{answer:?}"
        );
    }
    assert_eq!(harness.depth(), (3, 2));
}

#[test]
fn unreachable_ledger_is_reported_and_exits_with_3() {
    let harness = Harness::start();
    harness.add_dead_letters(&[valid("1"), valid("2")]);
    let fine = harness.program.run(&["dlq", "list", "--limit", "1"]);
    assert_eq!(fine.code, 0, "{fine:?}");
    assert!(fine.stderr.contains("more messages wait"), "{fine:?}");
    harness.configure(
        harness.queues.endpoint_url(),
        "database_url = \"postgres://nobody@127.0.0.1:1/events\"",
    );
    let (code, messages) = harness.program.json(&["dlq", "list"]);
    assert_eq!(code, 3, "{messages}");
    assert_eq!(messages.as_array().unwrap().len(), 2);
    let shown = harness.program.run(&["dlq", "list"]);
    assert!(
        shown.stderr.contains("may be \"already-stored\""),
        "{shown:?}"
    );
    assert_eq!(harness.depth(), (2, 0));
    let (code, report) = harness.program.json(&["dlq", "redrive", "--all", "--yes"]);
    assert_eq!((code, &report["moved"]), (3, &json!(2)), "{report}");
}

#[test]
fn json_of_a_message_is_the_same_message_and_cannot_mislead_a_terminal() {
    let harness = Harness::start();
    let body = "{\"a\":\"\u{202e}b\u{9b}2J\u{7f}é\"}";
    harness.add_dead_letters(&[body.to_owned()]);
    let (_, messages) = harness.program.json(&["dlq", "list"]);
    let message_id = messages[0]["message_id"].as_str().unwrap();
    let answer = harness
        .program
        .run(&["dlq", "show", message_id, "--output", "json"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.json()["body"], body);
    assert!(
        !answer.stdout.contains(['\u{202e}', '\u{9b}', '\u{7f}']),
        "{answer:?}"
    );
    assert!(answer.stdout.contains('é'));
}

/// Looks once for an event that is nowhere.
fn search(harness: &Harness) -> TraceState {
    trace(harness, true)
}

fn trace(harness: &Harness, searches_dead_letters: bool) -> TraceState {
    let published = Published {
        sns_message_id: "m".to_owned(),
        acknowledged_at: Utc::now(),
        latency: Duration::ZERO,
    };
    let looking =
        harness
            .queues
            .pipeline
            .trace(None, "elsewhere", &published, searches_dead_letters);
    harness.runtime.block_on(looking).unwrap()
}

#[test]
fn search_that_nobody_continues_releases_its_messages() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(25));
    assert_eq!(trace(&harness, false), TraceState::Pending);
    assert_eq!(harness.depth(), (25, 0), "nothing was received");
    let searched = |state| matches!(state, TraceState::Searched { messages: 25, .. });
    assert!(searched(search(&harness)));
    assert!(searched(search(&harness)));
    assert_eq!(
        harness.depth(),
        (0, 25),
        "they stay hidden between two looks"
    );
    harness.depth_until(|depth| depth == (25, 0));
    let receiving = receive_dead_letters(&harness.queues.pipeline, 100, LIMIT);
    let received = harness.runtime.block_on(receiving);
    assert!(
        received
            .messages
            .iter()
            .all(|message| message.receive_count == 2)
    );
}

#[test]
fn search_behind_more_messages_than_it_can_receive_reports_it() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(1_010));
    let deadline = Instant::now() + LIMIT;
    let state = loop {
        let state = search(&harness);
        if !matches!(state, TraceState::Searched { .. }) {
            break state;
        }
        assert!(Instant::now() < deadline, "{:?}", harness.depth());
    };
    let truncated = |state: TraceState| match state {
        TraceState::SearchTruncated {
            messages,
            received_at,
            hidden_until,
        } => (messages, received_at, hidden_until),
        state @ (TraceState::Pending
        | TraceState::Searched { .. }
        | TraceState::Stored { .. }
        | TraceState::Dead { .. }) => {
            panic!("{state:?}")
        }
    };
    let (messages, received_at, hidden_until) = truncated(state);
    assert_eq!(messages, 1_000);
    assert_eq!((hidden_until - received_at).num_seconds(), 30);
    // The next look receives nothing, so it moves neither.
    let again = truncated(search(&harness));
    assert_eq!(again, (messages, received_at, hidden_until));
}

/// The receives of a first round have answers, the others wait.
const LATER_RECEIVES: Range<usize> = 4..usize::MAX;

#[test]
fn interrupted_list_releases_what_it_received_and_what_comes_late() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(60));
    let (program, proxy) = harness.interrupted(&["dlq", "list"], LATER_RECEIVES);
    proxy.open();
    let rest = harness.rest_of_interrupted(program);
    assert!(!rest.contains("hidden"), "{rest}");
    assert_eq!(harness.depth(), (60, 0));
}

#[test]
fn interrupt_before_anything_was_received_says_so_and_releases_nothing() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(3));
    let every = 0..usize::MAX;
    let mut proxy = harness.proxy("GetQueueAttributes", Fault::KeepAnswer, every);
    let child = harness.program.spawn(&["dlq", "list"]);
    harness.runtime.block_on(proxy.wait_until_kept());
    signal(child.id(), "INT");
    let answer = Answer::of_child(child);
    assert_eq!(answer.code, 130, "{answer:?}");
    let note = "interrupted: nothing was received";
    assert!(answer.stderr.contains(note), "{answer:?}");
    assert!(!answer.stderr.contains("releas"), "{answer:?}");
    assert_eq!(harness.depth(), (3, 0));
}

#[test]
fn interrupted_list_reports_what_stays_hidden_when_a_receive_has_no_answer() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(60));
    let (program, _proxy) = harness.interrupted(&["dlq", "list"], LATER_RECEIVES);
    let rest = harness.rest_of_interrupted(program);
    assert!(
        rest.contains("up to 40 messages may stay hidden from others until "),
        "{rest}"
    );
    let (visible, hidden) = harness.depth();
    assert!(
        visible >= 10 && visible + hidden == 60,
        "{visible} {hidden}"
    );
}
