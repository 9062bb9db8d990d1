//! What the audit log has of a redrive before it begins.
//!
//! Invariant: its size is bounded, and the journal has the rest. Of records that are replaced the audit log keeps
//! digests: no text that is corrected, and no identity in clear, as the ledger keeps none.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::limits::{EDITS_ON_RECORD_MAX, REPLACEMENTS_ON_RECORD_MAX};
use crate::plan::{Plan, Replaces, Replay};
use pipeline::PlannedChange;
use pipeline::audit::Operation;

/// The change that a run of a plan makes to `planned` messages.
pub(super) fn change(plan: &Plan, planned: usize) -> PlannedChange {
    let edited = plan.entries.iter().filter(|entry| entry.edit.is_some());
    let edited = edited.count();
    let (operation, details) = match &plan.replay {
        None => (
            Operation::Redrive,
            json!({ "redrive": plan.id, "edited": edited, "edits": edits(plan) }),
        ),
        Some(replay) if replay.replacement.is_some() => {
            (Operation::Replace, replacement(plan, replay, edited))
        }
        Some(replay) => (
            Operation::Replay,
            json!({
                "replay": plan.id,
                "edited": edited,
                "edits": edits(plan),
                "source": replay.read.to_string(),
                "expected_duplicates": replay.expected_duplicates,
            }),
        ),
    };
    PlannedChange {
        operation,
        target: plan.destination.name.clone(),
        planned,
        details,
    }
}

/// The first edits, with their bodies.
fn edits(plan: &Plan) -> Vec<Value> {
    let edits = plan
        .entries
        .iter()
        .filter_map(|entry| Some((&entry.message_id, entry.edit.as_ref()?)));
    edits
        .take(EDITS_ON_RECORD_MAX)
        .map(|(message_id, edit)| {
            json!({
                "message_id": message_id,
                "before": edit.old_body,
                "after": edit.new_body,
            })
        })
        .collect()
}

/// The first replacements, and a digest of all of them, by which the plan in the journal is recognized.
fn replacement(plan: &Plan, replay: &Replay, edited: usize) -> Value {
    let all = || {
        plan.entries
            .iter()
            .filter_map(|entry| entry.replaces.as_ref())
    };
    let mut digest = Sha256::new();
    for replaces in all() {
        digest.update(line(replaces));
    }
    let first: Vec<&Replaces> = all().take(REPLACEMENTS_ON_RECORD_MAX).collect();
    json!({
        "replay": plan.id,
        "edited": edited,
        "source": replay.read.to_string(),
        "expected_duplicates": replay.expected_duplicates,
        "replacement": replay.replacement,
        "replacements": first,
        "replacements_sha256": format!("{:x}", digest.finalize()),
    })
}

fn line(replaces: &Replaces) -> String {
    let Replaces {
        identity,
        record_id,
        old_sha256,
        new_sha256,
    } = replaces;
    let mut line = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(line, "{identity} {record_id} {old_sha256} {new_sha256}");
    line
}

#[cfg(test)]
mod tests {
    use event::RecordId;

    use super::*;
    use crate::plan::{Edit, Replacement, example_replay};

    #[test]
    fn replacement_is_on_record_by_digests_and_bounded() {
        let count = REPLACEMENTS_ON_RECORD_MAX + 7;
        let mut plan = example_replay(count);
        for (number, entry) in plan.entries.iter_mut().enumerate() {
            let id = i64::try_from(number).unwrap();
            entry.replaces = Some(Replaces {
                identity: "0f9e2f0a-0000-4000-8000-000000000000".to_owned(),
                record_id: RecordId(i64::MAX - id),
                old_sha256: "a".repeat(64),
                new_sha256: "b".repeat(64),
            });
            entry.edit = Some(Edit {
                old_body: "wrong ".repeat(1_000),
                new_body: "right ".repeat(1_000),
            });
        }
        let whole = Replacement {
            replaces: count,
            ..Replacement::default()
        };
        if let Some(replay) = &mut plan.replay {
            replay.replacement = Some(whole);
        }
        let change = change(&plan, count);
        assert_eq!(change.operation, Operation::Replace);
        let details = change.details.to_string();
        assert!(!details.contains("wrong") && !details.contains("right"));
        assert!(details.len() < 512 * 1024, "{}", details.len());
        let shown = change.details["replacements"].as_array().unwrap();
        assert_eq!(shown.len(), REPLACEMENTS_ON_RECORD_MAX);
        assert_eq!(shown[1]["record_id"], i64::MAX - 1);
        assert_eq!(change.details["replacement"]["replaces"], count);
        let digest =
            |plan: &Plan| super::change(plan, count).details["replacements_sha256"].clone();
        let before = digest(&plan);
        if let Some(replaces) = &mut plan.entries[count - 1].replaces {
            replaces.new_sha256 = "c".repeat(64);
        }
        assert_ne!(digest(&plan), before, "the digest is of all");
    }
}
