//! After an erasure no file of the stopped database, no message and no file of this machine has the marker.

use std::time::Instant;

use pipeline::model::QueueRole;
use serde_json::{Value, json};

use super::deployed::Deployed;
use super::{BROKEN, FORMATS, MARKER, RANGE, event, items, sum};
use crate::support::harness::LIMIT;

/// The time of the events that are not of today.
const PAST: &str = "2026-01-31T12:00:00Z";
/// What makes an event without a time valid.
const PATCH: &str = ".time = \"2026-01-31T12:00:00Z\" | del(.times)";

#[test]
fn erased_subject_is_in_no_file_of_the_database_no_message_and_no_file_of_this_machine() {
    let deployed = Deployed::start();
    keep_payloads_readable(&deployed);
    let events = events();
    deployed.publish(&events);
    deployed.stored(MARKER, 6);
    deployed.stored("passenger/other", 3);
    spread(&deployed);
    assert_database_has_it(&deployed);
    let before = deployed.files_with_marker();
    // A journal, a plan, copies twice, a file of the editor, a question, a filter, the audit log, and an export in
    // each format.
    assert_eq!(before.len(), 8 + FORMATS.len(), "{before:?}");

    let plan = planned(&deployed);
    assert_eq!(deployed.files_with_marker(), before, "nothing is changed");
    erase_subject(&deployed, &plan);
    erase_rest(&deployed);
    erase_by_program(&deployed);

    assert_eq!(deployed.files_with_marker(), Vec::<String>::new());
    assert_others_are_left(&deployed);
    assert_database_has_it_no_more(&deployed);
    assert_redelivery_is_refused(&deployed, &events);
}

/// A marker within compressed bytes could not be seen: payloads are stored as they are. Without reuse a checkpoint
/// removes old segments of the log; otherwise they are renamed with their content.
fn keep_payloads_readable(deployed: &Deployed) {
    deployed.sql(&[
        "do $$ declare name regclass; begin
             for name in select inhrelid from pg_inherits where inhparent = 'records'::regclass loop
                 execute format('alter table %s alter column payload set storage external', name);
             end loop;
         end $$",
        "alter system set wal_recycle = off",
        "select pg_reload_conf()",
    ]);
}

/// Six events of the subject and three of another one.
fn events() -> Vec<String> {
    let today = chrono::Utc::now().to_rfc3339();
    let mut events = Vec::new();
    for (number, kib) in [0, 20, 200].into_iter().enumerate() {
        events.push(event(&format!("{MARKER}-{number}"), MARKER, &today, kib));
        events.push(event(&format!("{MARKER}-past-{number}"), MARKER, PAST, kib));
        events.push(event(
            &format!("other-{number}"),
            "passenger/other",
            &today,
            kib,
        ));
    }
    events
}

/// Has it everywhere: as copies of deleted messages, in a redrive, a plan, exports, files of the editor, and in the
/// dead-letter queue.
fn spread(deployed: &Deployed) {
    let no_time =
        |id: &str, subject: &str| event(id, subject, PAST, 0).replace("\"time\":", "\"times\":");
    // Copies of deleted messages.
    deployed.add_dead_letter(&no_time("deleted", MARKER));
    deployed.add_dead_letter(&no_time("deleted-other", "passenger/other"));
    deployed.dead_letters(2);
    let deleted = ["dlq", "delete", "--all", "--confirm-queue"];
    let queue = deployed
        .pipeline
        .queue_name(QueueRole::DeadLetter)
        .to_owned();
    deployed
        .program
        .json_ok(&[&deleted[..], &[&queue, "--yes"]].concat());
    // A redrive that ended, with an edit.
    deployed.add_dead_letter(&no_time("mended", MARKER));
    let id = deployed.message_id("mended", 1);
    let run = ["redrive", "run", &id, "--patch", PATCH, "--yes"];
    deployed.program.json_ok(&run);
    deployed.stored(MARKER, 7);
    // A plan that is not run, and what stays in the queue.
    for (id, subject) in [
        ("planned", MARKER),
        ("dead", MARKER),
        ("dead-other", "passenger/other"),
    ] {
        deployed.add_dead_letter(&no_time(id, subject));
    }
    deployed.add_dead_letter(BROKEN);
    let id = deployed.message_id("planned", 4);
    let plan = deployed
        .program
        .json_ok(&["redrive", "plan", &id, "--patch", PATCH]);
    assert_eq!(plan["planned"], 1, "{plan}");
    // Copies outside of the state folder are remembered.
    deployed
        .program
        .json_ok(&["dlq", "export", "elsewhere/all.jsonl"]);
    for format in FORMATS {
        let export = [
            "export",
            "--from",
            "2026-01-01",
            "--into",
            format,
            "--format",
            format,
        ];
        deployed.program.json_ok(&export);
    }
    for subject in [MARKER, "passenger/other"] {
        let question = format!("select count(*) from records where subject = '{subject}'");
        deployed.program.json_ok(&["sql", &question]);
        let name = subject.replace('/', "-");
        let filter = format!("subject={subject}");
        let save = ["records", "filters", "save", &name, &filter];
        deployed.program.json_ok(&save);
    }
    deployed.program.write(
        "temporary/opsconsole-a1b2c3.json",
        event("edited", MARKER, PAST, 0),
    );
    deployed.program.write(
        "temporary/opsconsole-d4e5f6.json",
        event("edited", "x", PAST, 0),
    );
}

fn assert_database_has_it(deployed: &Deployed) {
    deployed.sql(&["analyze records", "checkpoint"]);
    deployed
        .runtime
        .block_on(deployed.stack.postgres().stop_server())
        .unwrap();
    let before = deployed.database_files_with_marker();
    assert!(
        before.iter().any(|path| path.contains("/base/")),
        "{before:?}"
    );
    assert!(
        before.iter().any(|path| path.contains("/pg_wal/")),
        "{before:?}"
    );
    deployed.restart_database();
}

/// The plan of a dry run. Another number is refused.
fn planned(deployed: &Deployed) -> Value {
    let dry_run = deployed.erase(&["--subject", MARKER, "--dry-run"]);
    assert_eq!(dry_run.code, 1, "a message is no event: {dry_run:?}");
    let plan = dry_run.json();
    assert!(!dry_run.stdout.contains(MARKER) && !dry_run.stderr.contains(MARKER));
    assert_eq!(
        (
            sum(&plan, "records", "found"),
            items(&plan, "records").len()
        ),
        (7, 2),
        "{plan}"
    );
    assert_eq!(sum(&plan, "dead-letters", "found"), 2, "{plan}");
    assert_eq!(
        (&plan["erased"], &plan["unreadable"]),
        (&json!(0), &json!(2)),
        "{plan}"
    );
    assert_eq!(plan["partitions"].as_array().unwrap().len(), 2, "{plan}");
    let wrong = deployed.erase(&["--subject", MARKER, "--yes", "--confirm-count", "1"]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(wrong.stderr.contains("nothing was erased"), "{wrong:?}");
    deployed.stored(MARKER, 7);
    plan
}

fn erase_subject(deployed: &Deployed, plan: &Value) {
    let count = plan["to_erase"].to_string();
    let confirmed = ["--yes", "--confirm-count", &count, "--reason", "request 1"];
    let erased = deployed.erase(&[&["--subject", MARKER], &confirmed[..]].concat());
    let report = erased.json();
    assert_eq!(
        erased.code, 1,
        "the message that is no event is left: {erased:?}"
    );
    assert_eq!(report["erased"], plan["found"], "{report}");
    assert_eq!(
        (&report["is_complete"], &report["unreadable"]),
        (&json!(false), &json!(2))
    );
    for partition in report["partitions"].as_array().unwrap() {
        assert_eq!(partition["outcome"], "rewritten", "{report}");
    }
    for place in [
        "records",
        "dead-letters",
        "redrive",
        "plan",
        "messages",
        "export",
        "editor",
        "queries",
        "audit-log",
    ] {
        let found = sum(&report, place, "found");
        assert!(found > 0, "{place}: {report}");
        assert_eq!(sum(&report, place, "erased"), found, "{place}: {report}");
    }
}

/// What is no event is found by its text.
fn erase_rest(deployed: &Deployed) {
    let all = [
        &["--containing", MARKER][..],
        &RANGE,
        &["--yes", "--confirm-count", "2"],
    ]
    .concat();
    let rest = deployed.erase(&all);
    assert_eq!(rest.code, 0, "{rest:?}");
    assert_eq!(rest.json()["is_complete"], true, "{rest:?}");
    let nothing = deployed.erase(&[&["--containing", MARKER][..], &RANGE, &["--dry-run"]].concat());
    assert_eq!(
        (nothing.code, &nothing.json()["found"]),
        (1, &json!(0)),
        "{nothing:?}"
    );
}

/// By a program, narrowed by the type.
fn erase_by_program(deployed: &Deployed) {
    let today = chrono::Utc::now().to_rfc3339();
    deployed.publish(&[event("by-program", "passenger/program", &today, 0)]);
    deployed.stored("passenger/program", 1);
    let program = [
        &["--where", ".subject == \"passenger/program\""][..],
        &RANGE,
    ]
    .concat();
    let confirmed = ["--yes", "--confirm-count", "1"];
    let other_type = deployed.erase(&[&program[..], &["--type", "other", "--dry-run"]].concat());
    assert_eq!(
        (other_type.code, &other_type.json()["found"]),
        (1, &json!(0))
    );
    let by_program =
        deployed.erase(&[&program[..], &["--type", "booking.made"], &confirmed].concat());
    assert_eq!(by_program.code, 0, "{by_program:?}");
    assert_eq!(
        sum(&by_program.json(), "records", "erased"),
        1,
        "{by_program:?}"
    );
    deployed.stored("passenger/program", 0);
}

/// Events of others, and the entries of the audit log.
fn assert_others_are_left(deployed: &Deployed) {
    let waiting = deployed.queues.count(QueueRole::Source);
    assert_eq!(deployed.runtime.block_on(waiting), 0);
    assert_eq!(deployed.dead_letters(1)[0].1, "dead-other");
    deployed.stored("passenger/other", 3);
    let questions = deployed.program.json_ok(&["sql", "--history"]);
    assert_eq!(questions.as_array().unwrap().len(), 1, "{questions}");
    let filters = deployed.program.json_ok(&["records", "filters", "list"]);
    assert_eq!(filters[0]["name"], "passenger-other", "{filters}");
    let trail = deployed.program.json_ok(&["audit"]);
    let erasures = trail["entries"].as_array().unwrap().iter();
    let erasures: Vec<&Value> = erasures
        .filter(|entry| entry["operation"] == "erase")
        .collect();
    assert_eq!(erasures.len(), 3, "{trail}");
    assert_eq!(erasures[0]["ending"]["counts"]["records"], 7, "{trail}");
    assert_eq!(erasures[0]["details"]["by"], "subject", "{trail}");
    assert!(erasures[1]["ending"]["error"].is_null(), "{trail}");
}

fn assert_database_has_it_no_more(deployed: &Deployed) {
    let relations = deployed.relations();
    deployed.stop_database();
    let left = deployed.database_files_with_marker();
    let names = relations
        .iter()
        .filter(|(path, _)| left.iter().any(|left| left.ends_with(path)));
    assert!(left.is_empty(), "{left:?}: {:?}", names.collect::<Vec<_>>());
    deployed.restart_database();
}

/// The identity is known: a redelivery is a duplicate.
fn assert_redelivery_is_refused(deployed: &Deployed, events: &[String]) {
    let duplicates = deployed.stack.ingest_counts().unwrap().duplicates;
    deployed.publish(events);
    let deadline = Instant::now() + LIMIT;
    while deployed.stack.ingest_counts().unwrap().duplicates < duplicates + events.len() as u64 {
        assert!(Instant::now() < deadline);
    }
    deployed.stored(MARKER, 0);
    deployed.stored("passenger/other", 3);
}
