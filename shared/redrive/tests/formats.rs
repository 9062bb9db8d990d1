//! Plan and journal files of earlier versions are read, and written, as they were.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::fs;
use std::path::{Path, PathBuf};

use redrive::fact::Ending;
use redrive::{Journal, Kind, Plan, Replacement, Report, plan_file};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Reads a plan that stays the same when it is written.
fn unchanged_plan(name: &str) -> Plan {
    let path = fixture(name);
    let plan = plan_file::read(&path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let written = plan_file::write_in(folder.path(), &plan).unwrap();
    assert_eq!(fs::read(written).unwrap(), fs::read(path).unwrap());
    plan
}

#[test]
fn plan_of_version_1_is_read_and_written_byte_for_byte() {
    let plan = unchanged_plan("plan-1.json");
    assert_eq!((plan.entries.len(), plan.skipped.len()), (9, 1));
    assert_eq!(plan.kind(), Kind::Redrive);
}

#[test]
fn plan_of_version_2_is_a_replay_and_is_read_and_written_byte_for_byte() {
    let plan = unchanged_plan("plan-2.json");
    assert_eq!(plan.kind(), Kind::Replay);
    assert_eq!(plan.expected_duplicates(), Some(1));
}

#[test]
fn plan_of_version_3_replaces_records_and_is_read_and_written_byte_for_byte() {
    let plan = unchanged_plan("plan-3.json");
    assert_eq!(plan.kind(), Kind::Replay);
    let expected = Replacement {
        replaces: 1,
        same_text: 40,
        not_stored: 1,
    };
    assert_eq!(plan.replacement(), Some(expected));
    let replaces = plan.entries[0].replaces.as_ref().unwrap();
    assert_eq!(replaces.record_id.0, 1_204_554);
}

#[test]
fn journal_of_version_1_gives_the_same_report() {
    let state = Journal::read(&fixture("journal-1.journal")).unwrap();
    assert_eq!(state.ending(), Some(Ending::Cancelled));
    let plan = plan_file::read(&fixture("plan-1.json")).unwrap();
    assert_eq!(**state.plan(), plan);
    let mut report = serde_json::to_value(Report::of(&state)).unwrap();
    // Added since; the other fields are as they were.
    let counts = report["counts"].as_object_mut().unwrap();
    assert_eq!(counts.remove("duplicates"), Some(1.into()));
    let expected = fs::read(fixture("report-1.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
    assert_eq!(report, expected);
}
