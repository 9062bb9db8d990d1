//! `dlq delete` and `dlq purge` on real queues: what is deleted was selected, confirmed and exported,
//! and nothing else is touched.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::harness::{Harness, LIMIT, invalid, lines, numbered, valid};
use crate::support::program::Answer;
use crate::support::proxy::Fault;
use crate::support::pty::Session as Terminal;
use crate::support::queues::release_dead_letters;
use crate::support::signals::signal;

/// The name of the dead-letter queue, and no question.
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
fn without_the_right_name_or_permission_nothing_is_deleted_or_received() {
    let harness = Harness::start();
    harness.add_dead_letters(&[valid("1"), invalid("2")]);
    for (arguments, code, expected) in [
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
        assert!(
            answer.stderr.contains(expected),
            "{arguments:?}: {answer:?}"
        );
    }
    harness.configure(harness.queues.endpoint_url(), "production = true");
    for (more, expected) in [
        (vec![], "--confirm test"),
        (vec!["--confirm", "test"], "--reason"),
    ] {
        let answer = purge(&harness, &more);
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(answer.stderr.contains(expected), "{answer:?}");
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
fn deletion_asks_on_a_terminal_and_only_yes_confirms_it() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(4));
    let home = harness.program.home();
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
fn delete_removes_only_the_selected_messages_and_exports_them() {
    let harness = Harness::start();
    harness.add_dead_letters(&[valid("1"), invalid("2"), invalid("3"), "no json".to_owned()]);
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
fn messages_that_fail_are_retried_and_those_that_are_not_deleted_stay() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(25));
    let operation = "DeleteMessageBatch";
    let _proxy = harness.proxy(operation, Fault::FailLastEntry, 0..2);
    let (code, report) = delete(&harness, &["--code", "not-json"]);
    assert_eq!((code, &report["deleted"]), (0, &json!(25)), "{report}");
    assert_eq!(harness.depth(), (0, 0));

    harness.add_dead_letters(&numbered(25));
    let _proxy = harness.proxy(operation, Fault::Throttle, 0..usize::MAX);
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
    assert_eq!(harness.depth(), (25, 0), "they are released");
    assert_eq!(audited(&harness)["ending"]["counts"]["failed"], 25);
}

#[test]
fn deletions_without_an_answer_failed_for_the_command_and_are_counted_once_in_the_audit_log() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(3));
    let _proxy = harness.proxy("DeleteMessageBatch", Fault::DropAnswer, 0..usize::MAX);
    let (code, report) = delete(&harness, &["--all"]);
    assert_eq!((code, &report["deleted"]), (1, &json!(0)), "{report}");
    assert_eq!(
        (&report["failed"], &report["unconfirmed"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(report["errors"][0]["may_be_deleted"], true);
    assert_eq!(harness.depth(), (0, 0), "they are deleted");
    assert_eq!(
        audited(&harness)["ending"]["counts"],
        json!({"deleted": 0, "failed": 0, "left": 0, "unconfirmed": 3})
    );
}

#[test]
fn interrupted_delete_accounts_for_every_message() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(2_000));
    let arguments = [
        &["dlq", "delete", "--all", "--output", "json"][..],
        &CONFIRMED,
    ]
    .concat();
    // Its deletes stop after the third batch, until it was interrupted.
    let mut proxy = harness.proxy("DeleteMessageBatch", Fault::KeepAnswer, 3..usize::MAX);
    let child = harness.program.spawn(&arguments);
    harness.runtime.block_on(proxy.wait_until_kept());
    signal(child.id(), "INT");
    proxy.open();
    let answer = Answer::of_child(child);
    assert_eq!(answer.code, 130, "{answer:?}");
    let report = answer.json();
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
fn purge_requires_every_message_in_its_file_unless_no_file_is_wanted() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(15));
    let handles = harness.receive(2);
    let refused = purge(&harness, &[]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("2 messages received by others"),
        "{refused:?}"
    );
    assert_eq!(harness.depth(), (13, 2));
    assert_eq!(audited(&harness), Value::Null);
    let releasing = release_dead_letters(&harness.queues.pipeline, &handles);
    assert_eq!(harness.runtime.block_on(releasing), 2);

    let answer = purge(&harness, &["--export", "all.jsonl"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.stderr.contains("60 seconds"), "{answer:?}");
    let report = answer.json();
    assert_eq!(
        report,
        json!({"purged": true, "exported": 15, "file": "all.jsonl", "letters_before": 15})
    );
    assert_eq!(harness.depth(), (0, 0));
    let folder = harness.program.home();
    assert_eq!(lines(&folder.join("all.jsonl")).len(), 15);
    let change = audited(&harness);
    assert_eq!(
        (&change["operation"], &change["planned"]),
        (&json!("purge"), &json!(15))
    );
    assert_eq!(change["ending"]["error"], Value::Null);

    harness.add_dead_letters(&numbered(3));
    harness.receive(1);
    let answer = purge(&harness, &["--no-export"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let report = answer.json();
    assert_eq!(
        (&report["letters_before"], &report["file"]),
        (&json!(3), &Value::Null)
    );
    assert_eq!(harness.depth(), (0, 0));
}

#[test]
fn purge_within_a_minute_of_another_is_refused_and_one_without_an_answer_may_have_happened() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(3));
    let _proxy = harness.proxy("PurgeQueue", Fault::PurgeUnderWay, 0..1);
    let refused = purge(&harness, &[]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("within the last 60 seconds"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("wait a minute"), "{refused:?}");
    assert_eq!(harness.depth(), (3, 0), "they are released");
    let ending = audited(&harness)["ending"]["error"].clone();
    assert!(ending.as_str().unwrap().contains("60 seconds"), "{ending}");
    let _proxy = harness.proxy("PurgeQueue", Fault::DropAnswer, 0..1);
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
