//! What is refused, with the way out, and what is never touched.

use std::fs;

use serde_json::json;

use super::{MARKER, erase, items, sum, without_a_database};
use crate::support::harness::{invalid, valid};
use crate::support::program::Answer;

#[test]
fn request_without_bounds_or_a_database_is_refused_with_the_way_out() {
    let harness = without_a_database();
    harness.add_dead_letters(&[valid("1")]);
    let local = ["--subject", MARKER, "--local", "--dry-run"];
    let secret_reason = [&local[..], &["--reason", "ask passenger/q7Zx-4711"]].concat();
    for (arguments, code, expected) in [
        (vec!["--dry-run"], 2, "--subject"),
        (
            vec!["--subject", MARKER, "--containing", "text", "--dry-run"],
            2,
            "cannot be used with",
        ),
        (
            vec!["--where", ".data.x", "--dry-run"],
            2,
            "--from and --to",
        ),
        (
            vec![
                "--containing",
                "long enough",
                "--from",
                "2026-01-01",
                "--dry-run",
            ],
            2,
            "--from and --to",
        ),
        (
            vec!["--containing", "abc", "--local", "--dry-run"],
            2,
            "give a longer one",
        ),
        (vec!["--subject", MARKER], 2, "--yes --confirm-count"),
        (vec!["--subject", MARKER, "--yes"], 2, "--confirm-count"),
        (
            vec!["--subject", MARKER, "--dry-run"],
            1,
            "the API is read-only",
        ),
        (
            vec![
                "--subject",
                MARKER,
                "--local",
                "--dry-run",
                "--also",
                "nowhere",
            ],
            2,
            "there is no export",
        ),
        (secret_reason, 2, "the audit log would keep it"),
        (
            vec!["--subject", MARKER, "--read-only", "--local", "--dry-run"],
            1,
            "read-only",
        ),
        (local.to_vec(), 1, "nothing was found"),
    ] {
        let answer = erase(&harness, &arguments);
        assert_eq!(answer.code, code, "{arguments:?}: {answer:?}");
        assert!(
            answer.stderr.contains(expected),
            "{arguments:?}: {answer:?}"
        );
    }
    let (_, messages) = harness.program.json(&["dlq", "list"]);
    assert_eq!(
        messages[0]["receive_count"], 1,
        "a refusal costs no receive"
    );
    let (_, trail) = harness.program.json(&["audit"]);
    assert_eq!(trail["entries"], json!([]), "nothing was begun");
}

#[test]
fn unfinished_redrive_is_a_refusal_and_is_never_touched() {
    let harness = without_a_database();
    harness.add_dead_letters(&[invalid("marked"), invalid("other")]);
    let (first, second) = (harness.message_id("marked"), harness.message_id("other"));
    let patch = r#".time = "2026-01-31T12:00:00Z""#;
    let program = &harness.program;
    let run = [
        "redrive", "run", &first, &second, "--patch", patch, "--rate", "0.01",
    ];
    let more = ["--yes", "--no-proof", "--output", "json"];
    let running = program.spawn(&[&run[..], &more].concat());
    let begun = harness.redrive_until(|one| one["state"] == "running");
    let id = begun["id"].as_str().unwrap().to_owned();
    crate::support::signals::signal(running.id(), "INT");
    let stopped = Answer::of_child(running);
    assert_eq!(stopped.code, 130, "{stopped:?}");
    let journal = program
        .home()
        .join(format!("state/opsconsole/redrives/{id}.journal"));
    let before = fs::read(&journal).unwrap();

    let by_text = ["--containing", "\"marked\"", "--local"];
    let refused = erase(&harness, &[&by_text[..], &["--dry-run"]].concat());
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("redrive resume"), "{refused:?}");
    assert!(refused.stderr.contains(&id), "{refused:?}");
    let out = program.home().join("copies.jsonl");
    let line = json!({"message_id": "m", "body": valid("marked")}).to_string();
    fs::write(
        &out,
        format!(
            "{line}\n{}\n",
            json!({"message_id": "n", "body": valid("other")})
        ),
    )
    .unwrap();
    let rest = [
        "--leave-unfinished",
        "--also",
        "copies.jsonl",
        "--yes",
        "--confirm-count",
        "2",
    ];
    let left = erase(
        &harness,
        &[&by_text[..], &rest, &["--output", "json"]].concat(),
    );
    let report = left.json();
    assert_eq!(left.code, 1, "something stays: {left:?}");
    assert_eq!(items(&report, "redrive")[0]["action"], "leave", "{report}");
    assert_eq!(sum(&report, "messages", "erased"), 1, "{report}");
    assert_eq!(sum(&report, "audit-log", "erased"), 1, "{report}");
    assert_eq!(fs::read(&journal).unwrap(), before);
    let copies = fs::read_to_string(&out).unwrap();
    assert!(
        !copies.contains("marked") && copies.contains("other"),
        "{copies}"
    );
}
