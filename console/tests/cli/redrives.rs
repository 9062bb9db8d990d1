//! The commands on redrives, on real queues: what is planned is what is sent, and a redrive can be
//! controlled, interrupted and continued from another process.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Child;

use serde_json::{Value, json};

use crate::support::configuration::{self, NOBODY};
use crate::support::harness::{Harness, invalid, numbered, valid};
use crate::support::program::Answer;
use crate::support::proxy::Fault;
use crate::support::signals::signal;

const PATCH: &str = r#".time = "2026-01-31T12:00:00Z""#;

/// Starts a redrive of everything, so slow that it runs until it is stopped.
fn slow(harness: &Harness) -> (Child, String) {
    let child = harness.program.spawn(&[
        "redrive",
        "run",
        "--all",
        "--include-not-ready",
        "--yes",
        "--no-proof",
        "--rate",
        "1",
        "--output",
        "json",
    ]);
    let running = harness.redrive_until(|one| {
        one["state"] == "running" && one["counts"]["moved"].as_u64().unwrap() > 0
    });
    (child, running["id"].as_str().unwrap().to_owned())
}

fn outcome(child: Child) -> (i32, Value) {
    let answer = Answer::of_child(child);
    (answer.code, answer.json())
}

fn state(harness: &Harness, id: &str) -> Value {
    harness.program.json(&["redrive", "report", id]).1
}

#[test]
fn plan_shows_what_is_sent_and_why_the_rest_is_not() {
    let harness = Harness::start();
    harness.add_dead_letters(&[
        valid("1"),
        invalid("2"),
        invalid("3").replace("cli.tested", "other"),
        "no json".to_owned(),
    ]);
    let (code, plan) = harness
        .program
        .json(&["redrive", "plan", "--all", "--patch", PATCH]);
    assert_eq!(code, 1, "the patch fails on one: {plan}");
    assert_eq!(plan["selected"], 4);
    assert_eq!(plan["planned"], 3);
    assert_eq!(plan["verdicts"], json!({"ready": 3}));
    assert_eq!(plan["edits"]["changed"], 2);
    assert_eq!(plan["edits"]["become_valid"], 2);
    assert_eq!(plan["edits"]["failed"], 1);
    assert_eq!(
        plan["skipped"][0]["reason"],
        "the patch failed: jq cannot read the body: it is not JSON, or a text in it has half of a surrogate pair"
    );
    assert_eq!(harness.depth(), (4, 0), "they are released");
    let (code, still) = harness
        .program
        .json(&["redrive", "plan", "--type", "other", "--patch", ".a = 1"]);
    assert_eq!((code, &still["planned"]), (1, &json!(0)));
    let reason = still["skipped"][0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("it is still-invalid after the patch: "),
        "{reason}"
    );
    assert!(still["file"].is_null());
    let shown = harness.program.run(&[
        "redrive",
        "show",
        plan["id"].as_str().unwrap(),
        "--messages",
    ]);
    assert_eq!(shown.code, 0, "{shown:?}");
    for expected in [
        "messages      3 (3 ready)",
        "skipped       1 (1 unreadable)",
        "--- in the queue",
        "+  \"time\": \"2026-01-31T12:00:00Z\"",
    ] {
        assert!(shown.stdout.contains(expected), "{expected}: {shown:?}");
    }
    let one = ["redrive", "plan", "--type", "other", "--patch", PATCH];
    let stderr = harness.program.run(&one).stderr;
    let changes = "the patch changes 1 message (1 becomes valid) and fails on 0";
    assert!(stderr.contains(changes), "{stderr}");
    let changes_none = ["redrive", "plan", "--where", ".id == \"1\"", "--patch", "."];
    let (code, plan) = harness.program.json(&changes_none);
    assert_eq!((code, &plan["planned"]), (0, &json!(1)), "{plan}");
    assert_eq!(plan["edits"]["changed"], 0);
}

/// A constant id is the first thing that one types.
#[test]
fn patch_that_gives_several_events_one_id_plans_the_first_and_fails() {
    let harness = Harness::start();
    harness.add_dead_letters(&[invalid("1"), invalid("2"), invalid("3")]);
    let patch = format!("{PATCH} | .id = \"x1\"");
    let plan = ["redrive", "plan", "--all", "--patch", &patch];
    let (code, plan) = harness.program.json(&plan);
    assert_eq!(code, 1, "{plan}");
    let numbers = ["selected", "planned", "would_be_lost"].map(|name| plan[name].clone());
    assert_eq!(numbers, [3, 1, 2].map(Value::from), "{plan}");
    let mut run = vec![
        "redrive",
        "run",
        "--all",
        "--patch",
        &patch,
        "--yes",
        "--no-proof",
    ];
    let (code, outcome) = harness.program.json(&run);
    assert_eq!(code, 1, "{outcome}");
    let numbers = ["moved", "skipped", "would_be_lost"].map(|name| outcome[name].clone());
    assert_eq!(numbers, [1, 2, 2].map(Value::from), "{outcome}");
    let id = outcome["id"].as_str().unwrap();
    let resume = ["redrive", "resume", id, "--yes", "--no-proof"];
    let resumed = harness.program.json_ok(&resume);
    let numbers = ["selected", "skipped"].map(|name| resumed[name].clone());
    assert_eq!(numbers, [3, 2].map(Value::from), "{resumed}");
    assert!(resumed["would_be_lost"].is_null(), "{resumed}");
    assert_eq!((harness.depth(), harness.source()), ((2, 0), 1));
    // No option sends them.
    run.push("--include-not-ready");
    let answer = harness.program.run(&run);
    for expected in [
        "give each its own id",
        "1 message would be lost if they were sent: no option sends them",
    ] {
        assert!(answer.stderr.contains(expected), "{expected}: {answer:?}");
    }
    assert_eq!((harness.depth(), harness.source()), ((1, 0), 2));
}

#[test]
fn dry_run_shows_what_would_be_sent_and_writes_nothing() {
    let harness = Harness::start();
    harness.add_dead_letters(&[invalid("1"), valid("2")]);
    let dry = ["redrive", "run", "--all", "--patch", PATCH, "--dry-run"];
    let (code, preview) = harness.program.json(&dry);
    assert_eq!(code, 0, "{preview}");
    assert_eq!(
        (&preview["planned"], &preview["sendable"]),
        (&json!(2), &json!(2))
    );
    let edited: BTreeSet<bool> = preview["letters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["is_edited"].as_bool().unwrap())
        .collect();
    assert_eq!(edited, BTreeSet::from([false, true]));
    assert_eq!(harness.depth(), (2, 0));
    assert_eq!(harness.source(), 0);
    assert_eq!(harness.program.json(&["redrive", "list"]).1, json!([]));
    assert_eq!(harness.program.json(&["audit"]).1["entries"], json!([]));
}

#[test]
fn dry_run_of_nothing_says_why() {
    let harness = Harness::start();
    let dry = ["redrive", "run", "--all", "--dry-run"];
    let shown = harness.program.run(&dry);
    let nothing = "nothing would be sent: nothing matches; nothing was written";
    assert!(shown.stdout.contains(nothing), "{shown:?}");
    harness.add_dead_letters(&[invalid("1")]);
    let shown = harness.program.run(&dry);
    let skipped = "nothing would be sent: 1 message skipped (1 still-invalid)";
    assert!(shown.stdout.contains(skipped), "{shown:?}");
    assert!(!shown.stdout.contains("()"), "{shown:?}");
}

#[test]
fn plan_is_run_from_its_file_and_reports_messages_that_are_gone_or_changed() {
    let harness = Harness::start();
    harness.add_dead_letters(&[valid("1"), valid("2"), valid("3")]);
    let gone = harness.message_id("2");
    let changed = harness.message_id("3");
    let file = harness.program.home().join("plan.json");
    let file = file.to_str().unwrap();
    let plan = ["redrive", "plan", "--all", "--out", file];
    let (code, planned) = harness.program.json(&plan);
    assert_eq!((code, &planned["planned"]), (0, &json!(3)), "{planned}");
    let again = harness.program.run(&plan);
    assert_eq!(again.code, 1, "a plan is never overwritten: {again:?}");
    // As if the body of one had become another.
    let text = std::fs::read_to_string(file).unwrap();
    let mut edited: Value = serde_json::from_str(&text).unwrap();
    let entries = edited["entries"].as_array_mut().unwrap();
    let entry = entries
        .iter_mut()
        .find(|entry| entry["message_id"] == changed.as_str())
        .unwrap();
    entry["body_sha256"] = json!("0".repeat(64));
    harness.program.write("plan.json", edited.to_string());
    let moved = harness.program.run(&["dlq", "redrive", &gone, "--yes"]);
    assert_eq!(moved.code, 0, "{moved:?}");
    let run = ["redrive", "run", "plan.json", "--yes", "--no-proof"];
    let (code, report) = harness.program.json(&run);
    assert_eq!((code, &report["moved"]), (1, &json!(1)), "{report}");
    let why = |id: &str| {
        let errors = report["errors"].as_array().unwrap();
        let error = errors.iter().find(|error| error["message_id"] == id);
        error.unwrap()["error"].as_str().unwrap().to_owned()
    };
    assert!(why(&gone).contains("not among the dead letters"));
    assert!(why(&changed).contains("its body is not the one that was planned"));
    let twice = harness.program.run(&run);
    assert_eq!(twice.code, 1, "{twice:?}");
    assert!(twice.stderr.contains("is finished: see"), "{twice:?}");
    assert!(
        report["stored"].is_null() && report["dead_again"].is_null(),
        "{report}"
    );
    assert_eq!(
        (&report["state"], &report["not_sent"]),
        (&json!("finished"), &json!(2))
    );
    let id = report["id"].as_str().unwrap();
    let resumed = harness
        .program
        .run(&["redrive", "resume", id, "--yes", "--no-proof"]);
    for answer in [&twice, &resumed] {
        assert!(!answer.stderr.contains("resume` continues"), "{answer:?}");
        assert!(
            !answer.stderr.contains(&format!("resume {id}")),
            "nothing is left: {answer:?}"
        );
    }
    let missing = harness
        .program
        .run(&["redrive", "run", "other.json", "--yes"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert_eq!(harness.depth(), (1, 0));
}

#[test]
fn missing_or_damaged_plan_is_reported_before_the_confirmation() {
    let harness = Harness::start();
    harness
        .program
        .write("damaged.json", "{\"schema_version\": 1}");
    harness.program.write("notes.txt", "no json");
    for (name, code, expected) in [
        ("other.json", 2, "no such file"),
        ("damaged.json", 1, "not a plan"),
        ("notes.txt", 1, "not a plan"),
    ] {
        let refused = harness.program.run(&["redrive", "run", name]);
        assert_eq!(refused.code, code, "{refused:?}");
        assert!(refused.stderr.contains(expected), "{refused:?}");
        assert!(!refused.stderr.contains("--yes"), "{refused:?}");
    }
    let unconfirmed = harness.program.run(&["redrive", "run", "--all"]);
    assert_eq!(unconfirmed.code, 2, "{unconfirmed:?}");
    assert!(unconfirmed.stderr.contains("--yes"), "{unconfirmed:?}");
}

#[test]
fn running_redrive_is_paused_resumed_and_cancelled_from_another_process() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(120));
    let (child, id) = slow(&harness);
    let (code, paused) = harness.program.json(&["redrive", "pause", &id]);
    assert_eq!((code, &paused["state"]), (0, &json!("paused")));
    let listed = harness.redrive_until(|one| one["state"] == "paused");
    assert_eq!(listed["pause"], "paused by another process");
    let (code, resumed) = harness.program.json(&["redrive", "resume", &id]);
    assert_eq!((code, &resumed["state"]), (0, &json!("running")));
    let before = state(&harness, &id)["counts"]["moved"].as_u64().unwrap();
    harness.redrive_until(|one| {
        one["state"] == "running" && one["counts"]["moved"].as_u64().unwrap() > before
    });
    let (code, _) = harness.program.json(&["redrive", "cancel", &id]);
    assert_eq!(code, 0);
    let (code, report) = outcome(child);
    assert_eq!((code, &report["state"]), (1, &json!("cancelled")));
    let (moved, waiting) = (report["moved"].as_u64(), report["waiting"].as_u64());
    assert_eq!(moved.unwrap() + waiting.unwrap(), 120, "{report}");
    assert!(waiting.unwrap() > 0);
    assert_eq!(harness.depth().1, 0, "the rest is released");
    for command in ["pause", "cancel"] {
        let late = harness.program.run(&["redrive", command, &id]);
        assert_eq!(late.code, 1, "{late:?}");
        assert!(late.stderr.contains("it is cancelled"), "{late:?}");
    }
    let resume = [
        "redrive",
        "resume",
        &id,
        "--no-proof",
        "--yes",
        "--rate",
        "1000",
    ];
    let (code, report) = harness.program.json(&resume);
    assert_eq!((code, &report["moved"]), (0, &json!(120)), "{report}");
    assert_eq!((harness.depth(), harness.source()), ((0, 0), 120));
}

#[test]
fn finished_redrive_is_reported_and_not_run_again() {
    let harness = Harness::start();
    harness.add_dead_letters(&[valid("1")]);
    let (_, plan) = harness.program.json(&["redrive", "plan", "--all"]);
    let id = plan["id"].as_str().unwrap();
    let run = ["redrive", "run", id, "--no-proof", "--yes"];
    let moved = harness.program.run(&run);
    assert_eq!(moved.code, 0, "{moved:?}");
    assert!(moved.stderr.contains(" of 1 message; "), "{moved:?}");
    let changes = harness.program.json(&["audit"]).1;
    let resume = ["redrive", "resume", id, "--yes"];
    let unconfirmed = harness.program.run(&["redrive", "run", id, "--no-proof"]);
    assert_eq!(unconfirmed.code, 1, "nothing is asked: {unconfirmed:?}");
    assert!(!unconfirmed.stderr.contains("--yes"), "{unconfirmed:?}");
    let (run, resumed) = (harness.program.run(&run), harness.program.run(&resume));
    assert_eq!((run.code, resumed.code), (1, 0), "{run:?} {resumed:?}");
    for stderr in [unconfirmed.stderr, run.stderr, resumed.stderr] {
        let expected = format!("redrive {id} is finished: see `redrive report {id}`");
        assert!(stderr.contains(&expected), "{stderr}");
        for wrong in ["redrive resume", "control it", "moved all its messages"] {
            assert!(!stderr.contains(wrong), "{wrong}: {stderr}");
        }
    }
    let (code, resumed) = harness.program.json(&resume);
    assert_eq!((code, &resumed["state"]), (0, &json!("finished")));
    assert_eq!(resumed["moved"], 1);
    assert_eq!(
        harness.program.json(&["audit"]).1,
        changes,
        "nothing was changed"
    );
    assert_eq!(harness.source(), 1);
}

#[test]
fn list_marks_redrives_of_another_pipeline_and_accounts_for_all_messages() {
    let harness = Harness::start();
    harness.add_dead_letters(&[valid("1"), valid("2")]);
    let gone = harness.message_id("2");
    let (_, plan) = harness.program.json(&["redrive", "plan", "--all"]);
    let id = plan["id"].as_str().unwrap();
    let moved = harness.program.run(&["dlq", "redrive", &gone, "--yes"]);
    assert_eq!(moved.code, 0, "{moved:?}");
    let (_, report) = harness
        .program
        .json(&["redrive", "run", id, "--no-proof", "--yes"]);
    assert_eq!(report["moved"], 1, "{report}");
    let pipeline = || {
        let (code, listed) = harness.program.json(&["redrive", "list"]);
        assert_eq!(code, 0, "{listed}");
        let listed = listed.as_array().unwrap();
        let one = listed.iter().find(|one| one["id"] == id).unwrap();
        one["pipeline"].clone()
    };
    assert_eq!(pipeline(), "same");
    let table = harness.program.run(&["redrive", "list"]).stdout;
    let cells = |line: &str| -> Vec<String> {
        line.split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let mut lines = table.lines();
    let head = cells(lines.next().unwrap());
    let row = cells(lines.find(|line| line.starts_with(id)).unwrap());
    let cell = |name: &str| {
        let column = head.iter().position(|heading| heading == name).unwrap();
        row[column].as_str()
    };
    assert_eq!(
        ["PIPELINE", "MESSAGES", "MOVED", "NOT MOVED"].map(cell),
        ["same", "2", "1", "1"],
        "{table}"
    );
    // As if the environment had been created again.
    let other = configuration::environment_at("test", NOBODY, "");
    harness.program.configure(&other);
    assert_eq!(pipeline(), "other");
    harness.program.configure("");
    assert_eq!(pipeline(), Value::Null);
}

#[test]
fn interrupted_redrive_shows_how_to_continue_and_continues() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(60));
    let (child, id) = slow(&harness);
    signal(child.id(), "INT");
    let answer = Answer::of_child(child);
    assert_eq!(answer.code, 130, "{answer:?}");
    assert!(
        answer.stderr.contains(&format!("redrive resume {id}")),
        "{answer:?}"
    );
    assert_eq!(state(&harness, &id)["ending"], "cancelled");
    assert_eq!(harness.depth().1, 0, "the rest is released");
    let (code, report) = harness.program.json(&[
        "redrive",
        "resume",
        &id,
        "--no-proof",
        "--yes",
        "--rate",
        "1000",
    ]);
    assert_eq!((code, &report["moved"]), (0, &json!(60)), "{report}");
    assert_eq!(state(&harness, &id)["state"], "finished");
    assert_eq!((harness.depth(), harness.source()), ((0, 0), 60));
}

#[test]
fn killed_redrive_is_interrupted_and_can_be_continued() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(40));
    let (mut child, id) = slow(&harness);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(state(&harness, &id)["state"], "interrupted");
    // What the killed process had received is released by its handles; others' messages stay visible.
    harness.add_dead_letters(&[invalid("of another redrive")]);
    let resume = [
        "redrive",
        "resume",
        &id,
        "--no-proof",
        "--yes",
        "--rate",
        "1000",
    ];
    let (code, report) = harness.program.json(&resume);
    assert_eq!(
        (code, &report["state"]),
        (0, &json!("finished")),
        "{report}"
    );
    assert_eq!(report["moved"], 40);
    assert_eq!(harness.depth(), (1, 0));
    assert!(harness.source() >= 40);
}

#[test]
fn redrive_that_is_stopped_at_once_has_its_end_in_the_audit_log() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(12));
    let mut proxy = harness.proxy("SendMessageBatch", Fault::KeepAnswer, 0..usize::MAX);
    let run = [
        "redrive",
        "run",
        "--all",
        "--include-not-ready",
        "--yes",
        "--no-proof",
    ];
    let mut child = harness.program.spawn(&run);
    harness.runtime.block_on(proxy.wait_until_kept());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut wait_for = |expected: &str| {
        let mut line = String::new();
        while !line.contains(expected) {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "{expected}");
        }
    };
    signal(child.id(), "INT");
    wait_for("the running batches are finished");
    signal(child.id(), "INT");
    wait_for("stopped at once");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let entry = harness.program.json(&["audit"]).1["entries"][0].clone();
    assert_eq!(entry["operation"], "redrive");
    let ending = &entry["ending"];
    assert!(
        ending["error"]
            .as_str()
            .unwrap()
            .contains("stopped at once"),
        "{entry}"
    );
    assert_eq!(ending["counts"]["unknown"], 12, "{entry}");
}

#[test]
fn production_refuses_a_redrive_without_name_and_reason() {
    let harness = Harness::start();
    harness.add_dead_letters(&[valid("1")]);
    harness.configure(harness.queues.endpoint_url(), "production = true");
    let run = ["redrive", "run", "--all", "--yes", "--no-proof"];
    for (more, expected) in [
        (vec![], "--confirm test"),
        (vec!["--confirm", "test"], "--reason TEXT"),
    ] {
        let refused = harness.program.run(&[&run[..], &more].concat());
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains(expected), "{refused:?}");
    }
    let granted = ["--confirm", "test", "--reason", "because"];
    let (code, report) = harness.program.json(&[&run[..], &granted].concat());
    assert_eq!((code, &report["moved"]), (0, &json!(1)), "{report}");
    let trail = harness.program.json(&["audit"]).1;
    assert_eq!(trail["entries"][0]["reason"], "because");
    assert_eq!(trail["entries"][0]["details"]["redrive"], report["id"]);
}
