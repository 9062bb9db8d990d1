//! `tidy` on a state folder with real journals, plans, exports and records of move tasks.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use chrono::{TimeDelta, Utc};
use event::Verdict;
use pipeline::audit::{AuditLog, Operation};
use redrive::fact::{Confirmed, Ending, Fact, Intended};
use redrive::triage::Spool;
use redrive::{Journal, Original, Plan, PlanEntry, PlannedPlace, body_sha256, plan_file};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::program::Program;

const BODY: &str = r#"{"id":"1"}"#;

struct State {
    program: Program,
    folder: PathBuf,
}

impl State {
    fn new() -> Self {
        let program = Program::new();
        let marker = program.write("state/opsconsole/notes.txt", "not ours");
        let folder = marker.parent().unwrap().to_owned();
        fs::create_dir_all(folder.join("redrives")).unwrap();
        Self { program, folder }
    }

    fn redrives(&self) -> PathBuf {
        self.folder.join("redrives")
    }

    fn plan(&self) -> Plan {
        let plan = plan();
        plan_file::write_in(&self.redrives(), &plan).unwrap();
        plan
    }

    /// The journal of a redrive of one message, with its plan.
    fn redrive(&self, facts: &[Fact]) -> PathBuf {
        let plan = self.plan();
        let (mut journal, _) = Journal::create(&self.redrives(), plan.clone()).unwrap();
        journal.append(facts).unwrap();
        journal.path().to_owned()
    }

    fn export(&self) -> PathBuf {
        let name = format!("events-dead-letters.{}.jsonl", Uuid::now_v7());
        let path = self.folder.join("exports").join(name);
        let mut spool = Spool::begin(&path).unwrap();
        spool.line("{}").unwrap();
        spool.finish().unwrap();
        path
    }

    fn tidy(&self, arguments: &[&str]) -> Value {
        let (code, answer) = self.program.json(&[&["tidy"], arguments].concat());
        assert_eq!(code, 0, "{answer}");
        answer
    }

    fn tidies(&self) -> usize {
        let entries = AuditLog::in_folder(&self.folder).read().unwrap().entries;
        let tidies = entries
            .iter()
            .filter(|entry| entry.change.operation == Operation::Tidy);
        tidies.count()
    }
}

fn plan() -> Plan {
    let queue = |name: &str| PlannedPlace {
        name: name.to_owned(),
        url: format!("http://127.0.0.1:1/000000000000/{name}"),
    };
    Plan {
        schema_version: redrive::PLAN_SCHEMA_VERSION,
        id: Uuid::now_v7(),
        created_at: Utc::now(),
        environment: "pilot".to_owned(),
        dead_letter_queue: queue("events-dead-letters"),
        destination: queue("events-queue"),
        replay: None,
        entries: vec![PlanEntry {
            message_id: "m".to_owned(),
            verdict: Verdict::Ready,
            body_sha256: body_sha256(BODY),
            receive_count: 1,
            group_id: None,
            edit: None,
            replaces: None,
        }],
        skipped: Vec::new(),
        rate_per_sec: None,
        canary_steps: Vec::new(),
    }
}

fn moved() -> Vec<Fact> {
    let intended = Intended {
        index: 0,
        receipt_handle: Some("r".to_owned()),
        original: Original {
            body: BODY.to_owned(),
            attributes: BTreeMap::new(),
            group_id: None,
            trace_header: None,
        },
    };
    let confirmed = Confirmed {
        index: 0,
        sent_message_id: "s".to_owned(),
    };
    vec![
        Fact::Intended {
            messages: vec![intended],
        },
        Fact::Confirmed {
            messages: vec![confirmed],
        },
        Fact::Deleted { indexes: vec![0] },
        Fact::Ended {
            how: Ending::Finished,
            looked_up: None,
            unreleased: Vec::new(),
        },
    ]
}

/// Lets all files of a redrive, or one other file, look as old as that.
fn age(path: &Path, days: i64) {
    let changed_at = Utc::now() - TimeDelta::days(days);
    for path in [path.to_owned(), path.with_extension("plan.json")] {
        if let Ok(file) = File::options().write(true).open(path) {
            file.set_modified(changed_at.into()).unwrap();
        }
    }
}

fn outcome<'a>(answer: &'a Value, path: &Path) -> (&'a str, &'a str) {
    let path = path.to_str().unwrap();
    let items = answer["items"].as_array().unwrap();
    let is_of = |item: &&Value| item["files"].as_array().unwrap().contains(&json!(path));
    let item = items.iter().find(is_of).unwrap();
    (
        item["outcome"].as_str().unwrap(),
        item["reason"].as_str().unwrap(),
    )
}

#[test]
fn dry_run_changes_nothing_and_yes_removes_what_is_finished_and_old() {
    let state = State::new();
    let (done, fresh, stopped) = (
        state.redrive(&moved()),
        state.redrive(&moved()),
        state.redrive(&moved()[..1]),
    );
    let plan = state.plan();
    let plan = state.redrives().join(format!("{}.plan.json", plan.id));
    let export = state.export();
    for path in [&done, &stopped, &plan, &export] {
        age(path, 31);
    }
    let dry = state.tidy(&[]);
    assert_eq!(dry["is_dry_run"], true);
    assert_eq!(outcome(&dry, &done).0, "to-remove");
    assert_eq!(outcome(&dry, &export).0, "to-remove");
    assert_eq!(outcome(&dry, &fresh).0, "kept");
    let not_moved = ("kept", "1 of 1 message not moved");
    assert_eq!(outcome(&dry, &stopped), not_moved);
    assert_eq!(outcome(&dry, &plan), ("kept", "it was never run"));
    assert_eq!(
        (&dry["removed"]["items"], &dry["kept"]["items"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(dry["audit_log"], Value::Null);
    assert!(done.exists() && export.exists());
    assert_eq!(state.tidies(), 0);

    let answer = state.tidy(&["--yes", "--reason", "room"]);
    assert_eq!(outcome(&answer, &done).0, "removed");
    assert_eq!(answer["removed"], dry["removed"]);
    for path in [&done, &done.with_extension("plan.json"), &export] {
        assert!(!path.exists(), "{path:?}");
    }
    for path in [
        &fresh,
        &stopped,
        &stopped.with_extension("plan.json"),
        &plan,
    ] {
        assert!(path.exists(), "{path:?}");
    }
    assert!(state.folder.join("notes.txt").exists());
    let entries = AuditLog::in_folder(&state.folder).read().unwrap().entries;
    assert_eq!(entries.len(), 1, "one entry for all");
    assert_eq!(entries[0].change.reason.as_deref(), Some("room"));
    assert_eq!(entries[0].ending.as_ref().unwrap().counts["removed"], 2);

    state.tidy(&["--older-than", "4w", "--plans", "--yes"]);
    assert!(!plan.exists() && stopped.exists());
    // With nothing to remove there is nothing to write down.
    state.tidy(&["--yes"]);
    assert_eq!(state.tidies(), 2);
}

#[test]
fn running_redrive_is_kept_by_its_lock_also_from_a_size_of_nothing() {
    let state = State::new();
    let path = state.redrive(&moved());
    age(&path, 100);
    let (journal, _) = Journal::open(&path).unwrap();
    let answer = state.tidy(&["--keep-bytes", "0B", "--older-than", "1s", "--yes"]);
    assert_eq!(
        outcome(&answer, &path),
        ("kept", "it runs in another process")
    );
    assert!(path.exists() && path.with_extension("plan.json").exists());
    drop(journal);
    state.tidy(&["--keep-bytes", "0B", "--yes"]);
    assert_eq!(fs::read_dir(state.redrives()).unwrap().count(), 0);
}

#[test]
fn size_removes_the_oldest_until_the_rest_fits() {
    let state = State::new();
    let exports: Vec<PathBuf> = (0..3).map(|_| state.export()).collect();
    for (path, days) in exports.iter().zip([3, 1, 2]) {
        age(path, days);
    }
    // Each has three bytes.
    let answer = state.tidy(&["--keep-bytes", "6B", "--yes"]);
    assert_eq!(answer["kept"], json!({"items": 2, "bytes": 6}));
    let exist: Vec<bool> = exports.iter().map(|path| path.exists()).collect();
    assert_eq!(exist, [false, true, true]);
}

#[cfg(unix)]
#[test]
fn link_in_the_place_of_a_folder_is_refused_and_what_it_leads_to_is_untouched() {
    let state = State::new();
    let path = state.redrive(&moved());
    age(&path, 100);
    let elsewhere = state.folder.join("elsewhere");
    fs::rename(state.redrives(), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, state.redrives()).unwrap();
    let answer = state.program.run(&["tidy", "--yes"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stderr.contains("symbolic link"), "{answer:?}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 2);
}

#[test]
fn audit_log_is_shortened_only_when_asked() {
    let state = State::new();
    let export = state.export();
    age(&export, 100);
    state.tidy(&["--yes"]);
    let answer = state.tidy(&["--older-than", "0s", "--yes"]);
    assert_eq!((state.tidies(), &answer["audit_log"]), (1, &Value::Null));
    let dry = state.tidy(&["--older-than", "0s", "--audit-log"]);
    assert_eq!(
        (state.tidies(), &dry["audit_log"]["changes"]),
        (1, &json!(1))
    );
    state.tidy(&["--older-than", "0s", "--audit-log", "--yes"]);
    let entries = AuditLog::in_folder(&state.folder).read().unwrap().entries;
    assert_eq!(entries.len(), 1, "the entry of this tidy itself");
    assert_eq!(
        entries[0].ending.as_ref().unwrap().counts["audit_changes"],
        1
    );
}

#[test]
fn table_and_usage_errors_say_what_to_do() {
    let state = State::new();
    let empty = state.program.run(&["tidy"]);
    assert_eq!((empty.code, empty.stdout.as_str()), (0, ""));
    assert!(
        empty.stderr.contains("nothing in the state folder"),
        "{empty:?}"
    );
    let path = state.redrive(&moved());
    age(&path, 40);
    let answer = state.program.run(&["tidy"]);
    let line = answer.stdout.lines().nth(1).unwrap();
    assert!(line.starts_with("redrive  "), "{line}");
    assert!(
        line.contains("40 d") && line.contains("to-remove"),
        "{line}"
    );
    assert!(answer.stderr.contains("--yes removes"), "{answer:?}");
    for (arguments, expected) in [
        (
            &["tidy", "--older-than", "30"][..],
            "90s, 30m, 1h30m, 2d or 1w",
        ),
        (&["tidy", "--keep-bytes", "much"], "500MB or 1GiB"),
        (&["tidy", "--keep-bytes", "1GiB", "--plans"], "--older-than"),
    ] {
        let answer = state.program.run(arguments);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(answer.stderr.contains(expected), "{answer:?}");
    }
}
