//! Finds what is erased in the audit log, and takes it out.
//!
//! Invariant: the fact of a change stays: who, what, when, where, how many.

use std::collections::HashSet;

use pipeline::Body;
use pipeline::audit::AuditLog;
use pipeline::environment::Folders;
use serde_json::Value;
use uuid::Uuid;

use crate::error::EraseError;
use crate::finding::{Action, Finding, Place};
use crate::matcher::{Answer, Matcher};
use crate::resumed::Resumed;

/// The changes that have what is erased.
pub(crate) struct AuditChanges {
    log: AuditLog,
    changes: HashSet<Uuid>,
    pub(crate) finding: Option<Finding>,
    /// What earlier erasures of the same left.
    pub(crate) resumed: Resumed,
}

impl AuditChanges {
    /// Finds the changes whose details, reason or error have what is erased: a redrive has its edits there. Also
    /// finds earlier erasures of what is `audited`.
    pub(crate) async fn find(
        folders: &Folders,
        matcher: &mut Matcher,
        environment: &str,
        audited: &Value,
    ) -> Result<Self, EraseError> {
        let log = AuditLog::in_folder(folders.state());
        let reader = log.clone();
        let trail = tokio::task::spawn_blocking(move || reader.read()).await??;
        let resumed = Resumed::find(&trail.entries, environment, audited);
        let mut changes = HashSet::new();
        for entry in trail.entries {
            let mut is_it = matcher.is_text_in(&entry);
            if !is_it {
                let mut bodies = Vec::new();
                collect_bodies(&entry.change.details, &mut bodies);
                is_it = matcher.messages(&bodies).await?.contains(&Answer::Yes);
            }
            if is_it {
                changes.insert(entry.id);
            }
        }
        let path = log.path().display().to_string();
        let found = changes.len() as u64;
        let finding = Finding::new(Place::AuditLog, path, found, Action::Rewrite);
        Ok(Self {
            log,
            changes,
            finding: (found > 0).then_some(finding),
            resumed,
        })
    }

    /// Takes it out.
    pub(crate) async fn erase(self, matcher: &Matcher) -> Option<Finding> {
        let Self {
            log,
            changes,
            finding,
            ..
        } = self;
        let mut finding = finding?;
        let text = matcher.text().map(str::to_owned);
        let redacting = tokio::task::spawn_blocking(move || log.redact(&changes, text.as_deref()));
        match redacting.await.map_err(EraseError::from) {
            Ok(Ok(redacted)) => finding.erased = redacted,
            Ok(Err(error)) => finding.error = Some(error.to_string()),
            Err(error) => finding.error = Some(error.to_string()),
        }
        Some(finding)
    }
}

/// The texts in the details of a change that may be bodies.
fn collect_bodies(value: &Value, bodies: &mut Vec<Body>) {
    match value {
        Value::String(text) if text.contains('{') => bodies.push(Body::from(text.as_str())),
        Value::Array(items) => items.iter().for_each(|item| collect_bodies(item, bodies)),
        Value::Object(members) => {
            members
                .values()
                .for_each(|member| collect_bodies(member, bodies));
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
