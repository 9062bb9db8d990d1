//! Takes what is erased out of the audit log.
//!
//! Invariant: who changed what, when, where and how many stays of every change. Its details go, and texts that
//! have what is erased. The log is replaced as a whole while it is locked, so that no line of another process is
//! lost.

use std::collections::HashSet;
use std::io;

use serde_json::json;
use uuid::Uuid;

use super::forget::{lines, replace};
use super::{AuditError, AuditLog, Line, LineEvent, bytes_of};

/// What stands in the place of a text.
const ERASED: &str = "(erased)";

impl AuditLog {
    /// Takes the details out of these changes, and texts of them that contain `text`. Returns how many changes
    /// there are.
    ///
    /// # Errors
    /// When the log cannot be read or replaced; each of its files stays as it was or is replaced.
    pub fn redact(&self, changes: &HashSet<Uuid>, text: Option<&str>) -> Result<u64, AuditError> {
        let redact = || -> io::Result<u64> {
            let locked = self.lock()?;
            let mut redacted = HashSet::new();
            let paths = [self.predecessor(), self.path().to_owned()];
            for (path, content) in paths.iter().zip(&self.texts()?) {
                let mut kept = Vec::with_capacity(content.len());
                let before = redacted.len();
                for (bytes, line) in lines(content) {
                    match line.filter(|line| changes.contains(&line.id)) {
                        Some(line) => {
                            redacted.insert(line.id);
                            kept.extend(bytes_of(&without(line, text))?);
                        }
                        None => kept.extend_from_slice(bytes),
                    }
                }
                if redacted.len() > before {
                    replace(path, &kept)?;
                }
            }
            drop(locked);
            Ok(redacted.len() as u64)
        };
        redact().map_err(|cause| self.failed("redact", cause))
    }
}

fn without(mut line: Line, text: Option<&str>) -> Line {
    let hide = |value: &mut Option<String>| {
        let has_it = |value: &String| text.is_some_and(|text| value.contains(text));
        if value.as_ref().is_some_and(has_it) {
            *value = Some(ERASED.to_owned());
        }
    };
    match &mut line.event {
        LineEvent::Begun(change) => {
            change.details = json!({ "erased": true });
            hide(&mut change.reason);
        }
        LineEvent::Ended(ending) => hide(&mut ending.error),
        LineEvent::Dropped(_) | LineEvent::CarriedOver { .. } => {}
    }
    line
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::audit::{Change, Ending, Operation};

    #[test]
    fn details_and_texts_of_a_change_go_and_the_rest_of_the_log_stays() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::in_folder(folder.path());
        let at = |secs| DateTime::from_timestamp(secs, 0).unwrap();
        let begin = |reason: &str| {
            let change = Change {
                operation: Operation::Redrive,
                environment: "pilot".to_owned(),
                is_production: false,
                target: "q".to_owned(),
                caller: None,
                user: Some("ana".to_owned()),
                reason: Some(reason.to_owned()),
                planned: 3,
                details: json!({ "edits": [{"before": "a \"secret\""}] }),
            };
            log.begin(change, at(1)).unwrap()
        };
        let (first, other) = (begin("about the secret"), begin("other"));
        let ending = |error: &str| Ending {
            counts: [("moved".to_owned(), 3)].into(),
            error: Some(error.to_owned()),
        };
        log.end(first, ending("secret: refused"), at(2)).unwrap();
        log.end(other, ending("refused"), at(3)).unwrap();
        let before = log.read().unwrap().entries;
        let chosen = HashSet::from([first, Uuid::now_v7()]);
        assert_eq!(log.redact(&chosen, Some("secret")).unwrap(), 1);
        let after = log.read().unwrap().entries;
        assert_eq!(after[1], before[1]);
        let (redacted, whole) = (&after[0], &before[0]);
        assert!(!serde_json::to_string(redacted).unwrap().contains("secret"));
        assert_eq!(redacted.change.details, json!({ "erased": true }));
        assert_eq!(
            (redacted.begun_at, redacted.ended_at),
            (whole.begun_at, whole.ended_at)
        );
        assert_eq!(
            (redacted.change.planned, &redacted.change.user),
            (3, &whole.change.user)
        );
        let counts = |entry: &crate::audit::AuditEntry| entry.ending.clone().unwrap().counts;
        assert_eq!(counts(redacted), counts(whole));
        assert_eq!(log.redact(&HashSet::new(), None).unwrap(), 0);
    }
}
