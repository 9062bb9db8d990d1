//! Earlier erasures of the same that did not come to their end.
//!
//! Invariant: a partition of which records were erased is vacuumed by the erasure that erased them, or by the next
//! one of the same subject, program or text. The records are gone, so only the audit log knows the partition.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use pipeline::audit::{AuditEntry, Operation};
use serde_json::Value;

/// The count of the audit log by which an erasure says that it left partitions.
pub(crate) const PARTITIONS_LEFT: &str = "partitions_left";

/// What such erasures left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resumed {
    /// Names of partitions that may have the bytes of erased records.
    pub(crate) partitions: BTreeSet<String>,
    /// When the first of them began.
    since: Option<DateTime<Utc>>,
}

impl Resumed {
    /// Reads the changes, the oldest first. `audited` is what an erasure of this request has in the audit log.
    pub(crate) fn find(entries: &[AuditEntry], environment: &str, audited: &Value) -> Self {
        let mut resumed = Self::default();
        for entry in entries {
            let change = &entry.change;
            let is_same = ["by", "sha256"]
                .iter()
                .all(|name| change.details.get(name) == audited.get(name));
            let is_local = change.details.get("is_local") != Some(&Value::Bool(false));
            if change.operation != Operation::Erase
                || change.environment != environment
                || is_local
                || !is_same
            {
                continue;
            }
            let left = match &entry.ending {
                Some(ending) => ending.counts.get(PARTITIONS_LEFT).copied(),
                None => Some(1),
            };
            match left {
                // It has taken over what was left before, and rewritten it.
                Some(0) => resumed = Self::default(),
                Some(_) => resumed.add(entry),
                // An earlier version took nothing over, and did not say what it left.
                None => {}
            }
        }
        resumed
    }

    fn add(&mut self, entry: &AuditEntry) {
        let names = entry.change.details.get("partitions");
        let names = names.and_then(Value::as_array).into_iter().flatten();
        let mut names = names
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .peekable();
        if names.peek().is_some() {
            self.since.get_or_insert(entry.begun_at);
            self.partitions.extend(names);
        }
    }

    /// What is brought to its end, in words.
    pub(crate) fn text(&self) -> Option<String> {
        let since = self.since?;
        let names: Vec<&str> = self.partitions.iter().map(String::as_str).collect();
        Some(format!(
            "an erasure of the same that began at {} has no end in the audit log, or left partitions: {} may have \
             the bytes of records that it erased",
            since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            names.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use pipeline::audit::{Change, Ending};
    use serde_json::json;

    use super::*;

    fn audited(digest: &str) -> Value {
        json!({"by": "subject", "sha256": digest, "is_local": false, "from": null})
    }

    fn entry(secs: i64, details: &Value, partitions: &[&str], left: Option<u64>) -> AuditEntry {
        let mut details = details.clone();
        details["partitions"] = json!(partitions);
        AuditEntry {
            id: uuid::Uuid::now_v7(),
            begun_at: DateTime::from_timestamp(secs, 0).unwrap(),
            change: Change {
                operation: Operation::Erase,
                environment: "pilot".to_owned(),
                is_production: false,
                target: "pilot".to_owned(),
                caller: None,
                user: None,
                reason: None,
                planned: 1,
                details,
            },
            ended_at: None,
            ending: left.map(|left| Ending {
                counts: [(PARTITIONS_LEFT.to_owned(), left)].into(),
                error: None,
            }),
        }
    }

    fn found(entries: &[AuditEntry]) -> Vec<String> {
        let found = Resumed::find(entries, "pilot", &audited("a"));
        found.partitions.into_iter().collect()
    }

    #[test]
    fn partitions_of_an_erasure_without_an_end_are_left_until_a_later_one_has_them() {
        let a = audited("a");
        let killed = entry(1, &a, &["p1", "p2"], None);
        let left = entry(2, &a, &["p3"], Some(1));
        let done = entry(3, &a, &["p1", "p2", "p3"], Some(0));
        assert_eq!(found(std::slice::from_ref(&killed)), ["p1", "p2"]);
        let both = [killed.clone(), left.clone()];
        assert_eq!(found(&both), ["p1", "p2", "p3"]);
        assert_eq!(found(&[killed.clone(), left, done]), [""; 0]);
        let text = Resumed::find(&both, "pilot", &a).text().unwrap();
        assert!(text.contains("1970-01-01T00:00:01Z"), "{text}");
        assert!(text.contains("p1, p2, p3"), "{text}");
        assert_eq!(Resumed::default().text(), None);
    }

    /// An erasure of an earlier version says nothing about partitions at its end.
    #[test]
    fn end_without_the_count_is_neither_an_end_of_what_was_left_nor_left_itself() {
        let a = audited("a");
        let killed = entry(1, &a, &["p1"], None);
        let mut earlier = entry(2, &a, &["p2"], Some(0));
        if let Some(ending) = &mut earlier.ending {
            ending.counts.clear();
        }
        assert_eq!(found(std::slice::from_ref(&earlier)), [""; 0]);
        assert_eq!(found(&[killed, earlier]), ["p1"]);
    }

    #[test]
    fn other_erasures_are_not_resumed() {
        let a = audited("a");
        let mut local = a.clone();
        local["is_local"] = json!(true);
        let mut elsewhere = entry(1, &a, &["p1"], None);
        elsewhere.change.environment = "production".to_owned();
        let mut deletion = entry(1, &a, &["p1"], None);
        deletion.change.operation = Operation::Delete;
        let redacted = entry(1, &json!({"erased": true}), &["p1"], None);
        let entries = [
            entry(1, &audited("b"), &["p1"], None),
            entry(1, &local, &["p1"], None),
            entry(1, &a, &[], None),
            elsewhere,
            deletion,
            redacted,
        ];
        assert_eq!(Resumed::find(&entries, "pilot", &a), Resumed::default());
    }
}
