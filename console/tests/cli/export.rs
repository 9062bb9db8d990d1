//! `dlq export`, `snapshot` and `group` on real queues: what is written is complete, and the queue is
//! as it was.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::pin::pin;
use std::process::Command;

use aws_sdk_sqs::types::QueueAttributeName;
use futures::future::{Either, select, select_all};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

use crate::support::configuration;
use crate::support::harness::{Harness, LIMIT, invalid, lines, numbered, valid};
use crate::support::program::{self, Answer};
use crate::support::queues::{binary, text};

#[test]
fn export_is_a_new_private_file_with_every_message_unchanged() {
    let harness = Harness::start();
    let number = text("Number.int", "1.50");
    let binary = binary("Binary.gif", &[0, 255, 7]);
    let (body, attributes) = (invalid("1"), [("n", number), ("b", binary)]);
    harness
        .runtime
        .block_on(harness.queues.add_dead_letter(&body, &attributes));
    harness.add_dead_letters(&[valid("2"), "no json \u{9b}2J".to_owned()]);
    let file = harness.program.write("kept.jsonl", "kept");
    let refused = harness.program.run(&["dlq", "export", "kept.jsonl"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("never overwritten"), "{refused:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");

    let (code, report) = harness.program.json(&["dlq", "snapshot", "new/all.jsonl"]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(
        report,
        json!({"exported": 3, "file": "new/all.jsonl", "missing": [], "in_flight_elsewhere": 0,
            "verdicts": {"ready": 1, "still-invalid": 1, "unreadable": 1}, "truncated": false})
    );
    let path = harness.program.home().join("new/all.jsonl");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!fs::read_to_string(&path).unwrap().contains('\u{9b}'));
    let messages = lines(&path);
    let bodies: HashSet<&str> = messages
        .iter()
        .map(|message| message["body"].as_str().unwrap())
        .collect();
    let (first, second) = (invalid("1"), valid("2"));
    assert_eq!(
        bodies,
        HashSet::from([first.as_str(), second.as_str(), "no json \u{9b}2J"])
    );
    let with_attributes = messages.iter().find(|message| message["body"] == first);
    let message = with_attributes.unwrap();
    assert_eq!(
        message["attributes"],
        json!({"n": {"type": "Number.int", "value": "1.50"},
            "b": {"type": "Binary.gif", "value_base64": "AP8H"}})
    );
    assert_eq!(message["cause"], "missing-attribute");
    assert_eq!(message["failure"]["pointer"], "/time");
    assert_eq!(message["receive_count"], 1, "a refusal costs no receive");
    assert!(message["first_received_at"].is_string() && message["expires_at"].is_string());
    assert_eq!(message["group_id"], Value::Null);
    assert_eq!(harness.depth(), (3, 0));
}

#[test]
fn export_of_a_selection_has_that_alone_and_an_empty_one_makes_no_file() {
    let harness = Harness::start();
    harness.add_dead_letters(&[valid("1"), invalid("2"), "no json".to_owned()]);
    let named = harness.message_id("1");
    let (code, report) =
        harness
            .program
            .json(&["dlq", "export", "one.jsonl", &named, "no-such-id"]);
    assert_eq!(code, 1, "{report}");
    assert_eq!(report["exported"], 1);
    assert_eq!(report["missing"], json!(["no-such-id"]));
    let folder = harness.program.home();
    assert_eq!(lines(&folder.join("one.jsonl"))[0]["message_id"], named);
    for (selection, code) in [("invalid-time", 1), ("mising-attribute", 2)] {
        let arguments = ["dlq", "export", "none.jsonl", "--code", selection];
        let none = harness.program.run(&arguments);
        assert_eq!(none.code, code, "{none:?}");
        assert!(!folder.join("none.jsonl").exists());
    }
    assert_eq!(harness.depth(), (3, 0));
}

#[test]
fn export_of_a_queue_that_is_being_filled_ends_and_reports_it() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(50));
    let bodies = numbered(10);
    let mut command = harness
        .program
        .command(&["dlq", "export", "some.jsonl", "--output", "json"]);
    let answer = harness.runtime.block_on(async {
        let exporting = tokio::task::spawn_blocking(move || Answer::of(command.output().unwrap()));
        let filling = (0..8).map(|_| async {
            loop {
                harness.queues.add_dead_letters(&bodies, &[]).await;
            }
        });
        let filling = select_all(filling.map(Box::pin));
        let exporting = tokio::time::timeout(LIMIT, exporting);
        match select(pin!(exporting), filling).await {
            Either::Left((answer, _)) => answer.unwrap().unwrap(),
            Either::Right((never, _)) => never.0,
        }
    });
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(
        answer
            .stderr
            .contains("far more than there were at the start"),
        "{answer:?}"
    );
    let report = answer.json();
    assert_eq!(report["truncated"], true);
    let exported = usize::try_from(report["exported"].as_u64().unwrap()).unwrap();
    assert!(exported >= 50, "{report}");
    let folder = harness.program.home();
    assert_eq!(lines(&folder.join("some.jsonl")).len(), exported);
    assert_eq!(harness.depth().1, 0, "all of them are released");
}

#[test]
fn messages_of_a_fifo_queue_behind_received_ones_are_reported() {
    let harness = Harness::start();
    let sqs = &harness.queues.sqs;
    let url = harness.runtime.block_on(async {
        let queue = sqs.create_queue().queue_name("dead.fifo");
        let queue = queue.attributes(QueueAttributeName::FifoQueue, "true");
        let url = queue.send().await.unwrap().queue_url.unwrap();
        for number in 0..15 {
            let send = sqs.send_message().queue_url(&url).message_body("x");
            let send = send
                .message_group_id("g")
                .message_deduplication_id(number.to_string());
            send.send().await.unwrap();
        }
        url
    });
    let queues = [harness.queues.urls()[0], &url];
    let endpoint_url = harness.queues.endpoint_url();
    let text = configuration::without_api("test", endpoint_url, queues, "");
    harness.program.configure(&text);
    let (code, report) = harness.program.json(&["dlq", "export", "some.jsonl"]);
    assert_eq!((code, &report["truncated"]), (1, &json!(true)), "{report}");
    let answer = harness.program.run(&["dlq", "group"]);
    assert!(
        answer.stderr.contains("5 messages behind others"),
        "{answer:?}"
    );
}

#[test]
fn interrupted_export_releases_every_message_and_leaves_no_file() {
    let harness = Harness::start();
    harness.add_dead_letters(&numbered(3_000));
    // Interrupted when the messages of at least 110 receives were written.
    let arguments = ["dlq", "export", "folder/all.jsonl"];
    let (program, proxy) = harness.interrupted(&arguments, 110..usize::MAX);
    proxy.open();
    let rest = harness.rest_of_interrupted(program);
    assert!(!rest.contains("hidden"), "{rest}");
    assert_eq!(harness.depth(), (3_000, 0));
    let folder = harness.program.home().join("folder");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}

#[test]
fn groups_count_messages_of_one_fault_and_release_them() {
    let harness = Harness::start();
    harness.add_dead_letters(&[invalid("1"), invalid("2"), valid("3")]);
    for number in 1..=3 {
        let message = format!("no table \"t{number}\" at line {number}");
        let reason = [
            ("ErrorCode", text("String", "refused-by-database")),
            ("ErrorMessage", text("String", &message)),
        ];
        let body = valid(&format!("late-{number}"));
        harness
            .runtime
            .block_on(harness.queues.add_dead_letter(&body, &reason));
    }
    let (code, groups) = harness.program.json(&["dlq", "group"]);
    assert_eq!(code, 0, "{groups}");
    let seen: Vec<Value> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            let (cause, messages) = (&group["cause"], &group["letters"]);
            json!([
                cause,
                group["place"],
                group["detail"],
                messages,
                group["verdicts"]
            ])
        })
        .collect();
    let expected = json!([
        ["refused-by-database", null, "no table \"*\" at line *", 3, {"ready": 3}],
        ["missing-attribute", "/time", null, 2, {"still-invalid": 2}],
        ["retries-exhausted", null, null, 1, {"ready": 1}],
    ]);
    assert_eq!(Value::from(seen), expected);
    assert_eq!(groups[0]["sent_last_hour"], 3);
    assert_eq!(groups[0]["sent_hour_before"], 0);
    let (code, filtered) = harness
        .program
        .json(&["dlq", "group", "--code", "missing-attribute"]);
    assert_eq!((code, filtered.as_array().unwrap().len()), (0, 1));
    let shown = harness.program.run(&["dlq", "group"]);
    assert!(
        shown.stdout.contains("no table \"*\" at line *"),
        "{shown:?}"
    );
    assert_eq!(harness.depth(), (6, 0));
}

/// Messages of the large export. The emulator looks through its whole queue for each call: with
/// 100,000 it would be busy for most of an hour.
const MANY: usize = 20_000;
/// Bytes of each of their bodies.
const BODY_BYTES: usize = 8_000;
/// Peak memory of an export, in KiB: well below what the bodies have together.
const PEAK_KIB_MAX: i64 = 96 * 1024;

/// Set for the process that measures a run: the folder of the program.
const MEASURED_HOME: &str = "OPSCONSOLE_TESTS_MEASURED_HOME";

/// Runs a command in a process whose only child it is. Returns its report and its peak memory in KiB.
fn measured(harness: &Harness, arguments: &[&str]) -> (Value, i64) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "export::process_that_measures", "--nocapture"])
        .env(MEASURED_HOME, harness.program.home())
        .env("MEASURED_ARGUMENTS", arguments.join(" "))
        .output()
        .unwrap();
    let answer = Answer::of(output);
    let line = answer.stdout.lines().find(|line| line.starts_with('['));
    serde_json::from_str(line.unwrap_or_else(|| panic!("{answer:?}"))).unwrap()
}

/// The process that measures a run; in a usual test run it has nothing to do.
#[test]
fn process_that_measures() {
    let Ok(home) = std::env::var(MEASURED_HOME) else {
        return;
    };
    let arguments = std::env::var("MEASURED_ARGUMENTS").unwrap();
    let arguments: Vec<&str> = arguments.split(' ').chain(["--output", "json"]).collect();
    let output = program::command(Path::new(&home), &arguments)
        .output()
        .unwrap();
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    let peak_kib = if cfg!(target_os = "macos") {
        peak / 1_024
    } else {
        peak
    };
    let answer = Answer::of(output);
    assert_eq!(answer.code, 0, "{answer:?}");
    let report = answer.json();
    println!("\n{}", json!([report, peak_kib]));
}

#[test]
fn large_queue_is_exported_once_and_whole_in_little_memory() {
    let harness = Harness::start();
    let filler = "x".repeat(BODY_BYTES);
    for block in 0..MANY / 1_000 {
        let bodies: Vec<String> = (0..1_000)
            .map(|number| format!("message {} {filler}", block * 1_000 + number))
            .collect();
        harness.add_dead_letters(&bodies);
    }
    let (report, peak_kib) = measured(&harness, &["dlq", "export", "all.jsonl"]);
    assert_eq!(report["exported"], MANY, "{report}");
    assert!(peak_kib < PEAK_KIB_MAX, "{peak_kib} KiB");
    let folder = harness.program.home();
    let mut ids = HashSet::new();
    let mut numbers = HashSet::new();
    for line in BufReader::new(File::open(folder.join("all.jsonl")).unwrap()).lines() {
        let message: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert!(ids.insert(message["message_id"].as_str().unwrap().to_owned()));
        let number = message["body"].as_str().unwrap().split(' ').nth(1).unwrap();
        numbers.insert(number.parse::<usize>().unwrap());
    }
    assert_eq!((ids.len(), numbers.len()), (MANY, MANY));
    assert_eq!(harness.depth(), (MANY, 0), "all of them are released");
}
