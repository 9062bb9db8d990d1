//! Decides about all that is in the state folder, and removes what was chosen.
//!
//! Invariant: nothing is removed before the audit log has the removal on the disk, and it gets one
//! entry for all of it.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use pipeline::audit::{AuditError, AuditLog, Change, Ending, Forgotten, Operation};
use pipeline::environment::Folders;
use serde_json::json;

use super::{Decision, KeepReason, Policy, RemoveReason, StateItem, decide, find, remove};
use crate::error::RedriveError;

/// Names that the audit log gets at most.
const NAMES_MAX: usize = 100;

/// All items of a state folder, each with what becomes or became of it.
#[derive(Clone, Debug)]
pub struct Tidy {
    /// The items, by kind and name.
    pub items: Vec<Tidied>,
    /// Changes of the audit log that go or went; `None` where it is left alone.
    pub audit_log: Option<Forgotten>,
    policy: Policy,
    now: DateTime<Utc>,
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tidied {
    /// The item.
    pub item: StateItem,
    /// What becomes or became of it.
    pub outcome: Outcome,
}

/// What becomes or became of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It stays.
    Kept(KeepReason),
    /// It was chosen and is still there.
    ToRemove(RemoveReason),
    /// It is gone.
    Removed(RemoveReason),
    /// It was chosen, and could not be removed: why.
    Failed(String),
}

/// Why a state folder could not be tidied.
#[derive(Debug, thiserror::Error)]
pub enum TidyError {
    /// Its files cannot be read.
    #[error(transparent)]
    Files(#[from] RedriveError),
    /// The audit log cannot be used; nothing was removed.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl Tidy {
    /// Decides about everything, and changes nothing.
    ///
    /// # Errors
    /// When the folders or the audit log cannot be read.
    pub fn plan(
        folders: &Folders,
        log: &AuditLog,
        policy: Policy,
        now: DateTime<Utc>,
    ) -> Result<Self, TidyError> {
        let items = find(folders, now)?;
        let outcomes = decide(&items, now, &policy).into_iter();
        let outcomes = outcomes.map(|decision| match decision {
            Decision::Keep(reason) => Outcome::Kept(reason),
            Decision::Remove(reason) => Outcome::ToRemove(reason),
        });
        let audit_log = audit_limit(&policy, now)
            .map(|before| log.forgettable(before))
            .transpose()?;
        let tidied = items.into_iter().zip(outcomes);
        Ok(Self {
            items: tidied
                .map(|(item, outcome)| Tidied { item, outcome })
                .collect(),
            audit_log,
            policy,
            now,
        })
    }

    /// Whether nothing was chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chosen().next().is_none() && self.audit_log.is_none_or(|log| log.changes == 0)
    }

    /// Removes what was chosen, until `is_cancelled`. One item that cannot be removed keeps no other
    /// from going.
    ///
    /// # Errors
    /// When the audit log cannot be written. Nothing was removed if it was the first entry.
    pub fn run(
        &mut self,
        folders: &Folders,
        log: &AuditLog,
        reason: Option<String>,
        is_cancelled: &AtomicBool,
    ) -> Result<(), TidyError> {
        if self.is_empty() {
            return Ok(());
        }
        let entry = log.begin(self.change(folders, reason), Utc::now())?;
        for tidied in &mut self.items {
            let Outcome::ToRemove(reason) = tidied.outcome else {
                continue;
            };
            if is_cancelled.load(Ordering::Relaxed) {
                break;
            }
            tidied.outcome = match remove(&tidied.item) {
                Ok(()) => Outcome::Removed(reason),
                Err(error) => Outcome::Failed(error.to_string()),
            };
        }
        let forgotten = match audit_limit(&self.policy, self.now) {
            Some(before) if !is_cancelled.load(Ordering::Relaxed) => log.forget(before).map(Some),
            Some(_) | None => Ok(None),
        };
        let ending = self.ending(&forgotten, is_cancelled.load(Ordering::Relaxed));
        log.end(entry, ending, Utc::now())?;
        self.audit_log = forgotten?;
        Ok(())
    }

    fn chosen(&self) -> impl Iterator<Item = &StateItem> {
        self.items.iter().filter_map(|tidied| match tidied.outcome {
            Outcome::ToRemove(_) => Some(&tidied.item),
            Outcome::Kept(_) | Outcome::Removed(_) | Outcome::Failed(_) => None,
        })
    }

    fn change(&self, folders: &Folders, reason: Option<String>) -> Change {
        let names = self.chosen().map(|item| {
            let kind = item.kind.as_str();
            format!("{kind} {}", item.name)
        });
        Change {
            operation: Operation::Tidy,
            environment: String::new(),
            is_production: false,
            target: folders.state().display().to_string(),
            caller: None,
            user: std::env::var("USER").ok().filter(|name| !name.is_empty()),
            reason,
            planned: self.chosen().count() as u64,
            details: json!({
                "older_than_secs": self.policy.older_than.map(|age| age.num_seconds()),
                "keep_bytes": self.policy.keep_bytes,
                "audit_log": self.policy.audit_log,
                "first_items": names.take(NAMES_MAX).collect::<Vec<_>>(),
            }),
        }
    }

    fn ending(
        &self,
        forgotten: &Result<Option<Forgotten>, AuditError>,
        is_cancelled: bool,
    ) -> Ending {
        let mut ending = Ending::default();
        let mut add = |name: &str, number: u64| {
            *ending.counts.entry(name.to_owned()).or_default() += number;
        };
        add("removed", 0);
        for tidied in &self.items {
            match tidied.outcome {
                Outcome::Removed(_) => {
                    add("removed", 1);
                    add("bytes", tidied.item.bytes());
                }
                Outcome::Failed(_) => add("failed", 1),
                Outcome::Kept(_) | Outcome::ToRemove(_) => {}
            }
        }
        match forgotten {
            Ok(Some(forgotten)) => add("audit_changes", forgotten.changes),
            Ok(None) => {}
            Err(error) => ending.error = Some(error.to_string()),
        }
        if is_cancelled {
            ending.error = Some("interrupted".to_owned());
        }
        ending
    }
}

/// Changes of the audit log that ended before this may go.
fn audit_limit(policy: &Policy, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let age = policy.older_than.filter(|_| policy.audit_log)?;
    now.checked_sub_signed(age)
}
