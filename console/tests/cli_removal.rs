//! The commands that remove dead letters, on real queues: what is removed was asked for, confirmed
//! and written down, and nothing else is touched.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod cli_harness;
mod cli_program;
#[path = "redrive_stage/proxy.rs"]
#[expect(dead_code, reason = "these tests need some of the faults")]
mod proxy;
mod support;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use cli_harness::{Harness, LIMIT, interrupt, invalid, lines, numbered, valid};
use cli_program::Answer;
use proxy::Fault;
use serde_json::{Value, json};
use support::pty::Session as Terminal;

/// A name that is the dead-letter queue's, and nothing to ask.
const CONFIRMED: [&str; 3] = ["--confirm-queue", "dead-letters", "--yes"];

fn delete(harness: &Harness, selection: &[&str]) -> (i32, Value) {
    let arguments = [&["dlq", "delete"], selection, &CONFIRMED].concat();
    harness.program.json(&arguments)
}

fn purge(harness: &Harness, more: &[&str]) -> Answer {
    let arguments = [&["dlq", "purge"][..], &CONFIRMED, more].concat();
    harness
        .program
        .run(&[&arguments[..], &["--output", "json"]].concat())
}

/// The newest change of the audit log.
fn audited(harness: &Harness) -> Value {
    let (code, trail) = harness.program.json(&["audit"]);
    assert_eq!(code, 0, "{trail}");
    let entries = trail["entries"].as_array().unwrap();
    entries.last().cloned().unwrap_or_default()
}

#[test]
fn without_the_right_name_or_permission_nothing_is_removed_or_received() {
    let harness = Harness::start();
    harness.kill(&[valid("1"), invalid("2")]);
    for (arguments, code, told) in [
        (
            vec!["delete", "--all", "--yes"],
            2,
            "--confirm-queue <DEAD_LETTER_QUEUE>",
        ),
        (
            vec!["purge", "--yes"],
            2,
            "--confirm-queue <DEAD_LETTER_QUEUE>",
        ),
        (
            vec!["delete", "--all", "--yes", "--confirm-queue", "source"],
            2,
            "confirm it with --confirm-queue dead-letters",
        ),
        (
            vec!["purge", "--yes", "--confirm-queue", "dead-letter"],
            2,
            "confirm it with --confirm-queue dead-letters",
        ),
        (
            vec!["delete", "--all", "--confirm-queue", "dead-letters"],
            2,
            "add --yes",
        ),
        (
            vec!["delete", "--yes", "--confirm-queue", "dead-letters"],
            2,
            "required",
        ),
        (
            vec![
                "--read-only",
                "delete",
                "--all",
                "--yes",
                "--confirm-queue",
                "dead-letters",
            ],
            1,
            "read-only",
        ),
        (
            vec![
                "purge",
                "--yes",
                "--confirm-queue",
                "dead-letters",
                "--export",
                "/dev/null",
            ],
            1,
            "never overwritten",
        ),
    ] {
        let answer = harness.program.run(&[&["dlq"], &arguments[..]].concat());
        assert_eq!(answer.code, code, "{arguments:?}: {answer:?}");
        assert!(answer.stderr.contains(told), "{arguments:?}: {answer:?}");
    }
    harness.configure(harness.endpoint_url(), "production = true");
    for (more, told) in [
        (vec![], "--confirm test"),
        (vec!["--confirm", "test"], "--reason"),
    ] {
        let answer = purge(&harness, &more);
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(answer.stderr.contains(told), "{answer:?}");
    }
    assert_eq!(audited(&harness), Value::Null);
    let (_, messages) = harness.program.json(&["dlq", "list"]);
    let messages = messages.as_array().unwrap();
    assert!(messages.len() == 2 && messages.iter().all(|message| message["receive_count"] == 1));
    let answer = purge(&harness, &["--confirm", "test", "--reason", "a test"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let change = audited(&harness);
    assert_eq!(
        (&change["reason"], &change["is_production"]),
        (&json!("a test"), &json!(true))
    );
    assert_eq!(harness.depth(), (0, 0));
}

#[test]
fn removal_asks_on_a_terminal_and_only_a_yes_is_a_yes() {
    let harness = Harness::start();
    harness.kill(&numbered(4));
    let home = harness.program.write("x", "").parent().unwrap().to_owned();
    let (config, state) = (home.join("config"), home.join("state"));
    let ask = |command: &str, answer: &str| {
        let line = format!("dlq {command} --confirm-queue dead-letters");
        let arguments: Vec<&str> = line.split(' ').collect();
        let mut terminal = Terminal::start(
            Path::new(env!("CARGO_BIN_EXE_opsconsole")),
            &arguments,
            &[
                ("XDG_CONFIG_HOME", config.to_str().unwrap()),
                ("XDG_STATE_HOME", state.to_str().unwrap()),
            ],
            (160, 20),
        );
        let asked = terminal.wait_for("[y/N]", LIMIT);
        terminal.press(answer);
        let exit = terminal.wait_for_exit(LIMIT);
        (asked, exit.exit_code())
    };
    let (asked, code) = ask("delete --code not-json", "n\r");
    assert!(
        asked.contains("delete 4 messages (4 unreadable) of \"dead-letters\""),
        "{asked}"
    );
    assert_eq!((code, harness.depth()), (1, (4, 0)));
    let (_, code) = ask("purge", "\r");
    assert_eq!((code, harness.depth()), (1, (4, 0)));
    let exports = home.join("state/opsconsole/exports");
    assert_eq!(
        fs::read_dir(&exports).unwrap().count(),
        0,
        "no yes, no file"
    );
    assert_eq!(audited(&harness), Value::Null);
    let (_, code) = ask("delete --code not-json", "y\r");
    assert_eq!((code, harness.depth()), (0, (0, 0)));
    assert_eq!(fs::read_dir(&exports).unwrap().count(), 1);
}

#[test]
fn delete_removes_the_selected_messages_alone_and_their_copies_are_kept() {
    let harness = Harness::start();
    harness.kill(&[valid("1"), invalid("2"), invalid("3"), "no json".to_owned()]);
    let (code, report) = delete(&harness, &["--code", "missing-attribute"]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(
        (&report["selected"], &report["deleted"]),
        (&json!(2), &json!(2))
    );
    let file = report["file"].as_str().unwrap();
    let copies = lines(Path::new(file));
    let bodies: HashSet<&str> = copies
        .iter()
        .filter_map(|copy| copy["body"].as_str())
        .collect();
    let (first, second) = (invalid("2"), invalid("3"));
    assert_eq!(bodies, HashSet::from([first.as_str(), second.as_str()]));
    let mode = fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(harness.depth(), (2, 0));

    let change = audited(&harness);
    assert_eq!(change["operation"], "delete");
    assert_eq!(
        (&change["target"], &change["planned"]),
        (&json!("dead-letters"), &json!(2))
    );
    assert_eq!(change["details"]["export"], file);
    assert_eq!(change["details"]["selection"], "--code missing-attribute");
    assert_eq!(
        change["ending"]["counts"],
        json!({"deleted": 2, "failed": 0, "left": 0})
    );

    let named = harness.message_id("1");
    let (code, report) = delete(&harness, &[&named, "no-such-id", "--no-export"]);
    assert_eq!((code, &report["deleted"]), (1, &json!(1)), "{report}");
    assert_eq!(
        (&report["file"], &report["exported"]),
        (&Value::Null, &json!(0))
    );
    assert_eq!(report["missing"], json!(["no-such-id"]));
    assert_eq!(harness.depth(), (1, 0));
    let (code, report) = delete(&harness, &["--code", "missing-attribute"]);
    assert_eq!((code, &report["selected"]), (1, &json!(0)), "{report}");
    let folder = Path::new(file).parent().unwrap();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "nothing, no file");
}

#[test]
fn messages_that_fail_are_tried_again_and_those_that_are_not_deleted_stay() {
    let harness = Harness::start();
    harness.kill(&numbered(25));
    let wire = |fault, times| {
        let url = proxy::start(harness.endpoint_url(), "DeleteMessageBatch", fault, times);
        let url = harness.runtime.block_on(url);
        harness.configure(&url, "");
    };
    wire(Fault::FailLastEntry, 2);
    let (code, report) = delete(&harness, &["--code", "not-json"]);
    assert_eq!((code, &report["deleted"]), (0, &json!(25)), "{report}");
    assert_eq!(harness.depth(), (0, 0));

    harness.kill(&numbered(25));
    wire(Fault::Throttle, usize::MAX);
    let (code, report) = delete(&harness, &["--all"]);
    assert_eq!((code, &report["failed"]), (1, &json!(25)), "{report}");
    assert_eq!(
        (&report["deleted"], &report["left"]),
        (&json!(0), &json!(0))
    );
    let errors = report["errors"].as_array().unwrap();
    let error = errors[0]["error"].as_str().unwrap();
    assert!(
        errors.len() == 25 && error.contains("Throttling"),
        "{error}"
    );
    assert_eq!(harness.depth(), (25, 0), "they are given back");
    assert_eq!(audited(&harness)["ending"]["counts"]["failed"], 25);
}

#[test]
fn interrupted_delete_accounts_for_every_message() {
    let harness = Harness::start();
    harness.kill(&numbered(2_000));
    let arguments = [
        &["dlq", "delete", "--all", "--output", "json"][..],
        &CONFIRMED,
    ]
    .concat();
    let child = harness
        .program
        .command(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + LIMIT;
    let begun = || {
        let (visible, held) = harness.depth();
        visible + held < 2_000
    };
    while !begun() {
        assert!(Instant::now() < deadline, "{:?}", harness.depth());
    }
    interrupt(&child);
    let answer = Answer::of(child.wait_with_output().unwrap());
    assert_eq!(answer.code, 130, "{answer:?}");
    let report: Value = serde_json::from_str(&answer.stdout).unwrap();
    let count = |name: &str| usize::try_from(report[name].as_u64().unwrap()).unwrap();
    assert_eq!(count("deleted") + count("failed") + count("left"), 2_000);
    assert!(count("left") > 0, "{report}");
    assert_eq!(harness.depth(), (2_000 - count("deleted"), 0));
    assert_eq!(
        lines(Path::new(report["file"].as_str().unwrap())).len(),
        2_000
    );
    let change = audited(&harness);
    assert_eq!(change["ending"]["counts"]["deleted"], count("deleted"));
    assert_eq!(change["ending"]["error"], "interrupted");
}

#[test]
fn purge_wants_every_message_in_its_file_unless_a_copy_is_refused() {
    let harness = Harness::start();
    harness.kill(&numbered(15));
    let holding = harness.queues.pipeline.hold_dead_letters(2, LIMIT);
    let elsewhere = harness.runtime.block_on(holding).unwrap();
    assert_eq!(elsewhere.messages.len(), 2);
    let refused = purge(&harness, &[]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("2 messages received by others"),
        "{refused:?}"
    );
    assert_eq!(harness.depth(), (13, 2));
    assert_eq!(audited(&harness), Value::Null);
    let handles: Vec<String> = elsewhere
        .messages
        .into_iter()
        .map(|message| message.receipt_handle)
        .collect();
    let releasing = harness.queues.pipeline.release_dead_letters(&handles);
    assert_eq!(harness.runtime.block_on(releasing).unwrap(), 2);

    let answer = purge(&harness, &["--export", "all.jsonl"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.stderr.contains("60 seconds"), "{answer:?}");
    let report: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(
        report,
        json!({"purged": true, "exported": 15, "file": "all.jsonl", "letters_before": 15})
    );
    assert_eq!(harness.depth(), (0, 0));
    let folder = harness.program.write("x", "").parent().unwrap().to_owned();
    assert_eq!(lines(&folder.join("all.jsonl")).len(), 15);
    let change = audited(&harness);
    assert_eq!(
        (&change["operation"], &change["planned"]),
        (&json!("purge"), &json!(15))
    );
    assert_eq!(change["ending"]["error"], Value::Null);

    harness.kill(&numbered(3));
    let holding = harness.queues.pipeline.hold_dead_letters(1, LIMIT);
    harness.runtime.block_on(holding).unwrap();
    let answer = purge(&harness, &["--no-export"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let report: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(
        (&report["letters_before"], &report["file"]),
        (&json!(3), &Value::Null)
    );
    assert_eq!(harness.depth(), (0, 0));
}

#[test]
fn purge_within_a_minute_of_another_is_refused_and_one_without_an_answer_may_have_happened() {
    let harness = Harness::start();
    harness.kill(&numbered(3));
    let wire = |fault| {
        let url = proxy::start(harness.endpoint_url(), "PurgeQueue", fault, 1);
        let url = harness.runtime.block_on(url);
        harness.configure(&url, "");
    };
    wire(Fault::PurgeUnderWay);
    let refused = purge(&harness, &[]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("within the last 60 seconds"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("wait a minute"), "{refused:?}");
    assert_eq!(harness.depth(), (3, 0), "they are given back");
    let ending = audited(&harness)["ending"]["error"].clone();
    assert!(ending.as_str().unwrap().contains("60 seconds"), "{ending}");
    wire(Fault::SwallowAnswer);
    let unknown = purge(&harness, &[]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
    assert!(
        unknown.stderr.contains("it may be purged all the same"),
        "{unknown:?}"
    );
    assert!(
        unknown.stderr.contains("exported 3 messages"),
        "{unknown:?}"
    );
    assert_eq!(harness.depth(), (0, 0));
}
