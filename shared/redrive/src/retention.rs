//! Which files of the state folder may go, by age and by size.
//!
//! Invariant: nothing unfinished is ever chosen. What is kept fits the policy's size, or is
//! unfinished. [`decide`] is pure; [`find()`], [`remove()`], [`Rewrite`] and [`Tidy`] touch
//! the disk, [`bodies()`] reads it.

mod bodies;
mod find;
mod remove;
mod rewrite;
mod tidy;

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};

pub use bodies::bodies;
pub use find::find;
pub use remove::remove;
pub use rewrite::Rewrite;
pub use tidy::{Outcome, Tidied, Tidy, TidyError};

/// What the operator wants to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What was last changed longer ago may go.
    pub older_than: Option<TimeDelta>,
    /// Bytes that may stay; the oldest items go first.
    pub keep_bytes: Option<u64>,
    /// Whether plans that were never run may go too, once they are older than `older_than`.
    pub plans: bool,
    /// Whether changes of the audit log may go too that ended longer ago than `older_than`.
    pub audit_log: bool,
}

/// Files that belong together, and go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateItem {
    /// What it is.
    pub kind: ItemKind,
    /// The id of the redrive, plan or move task; the name of any other file.
    pub name: String,
    /// Its files, in the order in which they are removed.
    pub files: Vec<StateFile>,
    /// Whether it is still needed.
    pub standing: Standing,
}

/// One file as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// When it was last written.
    pub changed_at: DateTime<Utc>,
}

/// Kind of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// The journal of a redrive, with its plan and control files.
    Redrive,
    /// A plan that was never run.
    Plan,
    /// The record of a move task that this machine started.
    MoveTask,
    /// Copies of messages that were deleted.
    Export,
    /// A file whose writer ended before it gave it its name.
    Temporary,
}

impl ItemKind {
    /// The word that stands for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redrive => "redrive",
            Self::Plan => "plan",
            Self::MoveTask => "move-task",
            Self::Export => "export",
            Self::Temporary => "temporary",
        }
    }
}

/// Whether an item is still needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is left to do with it.
    Finished,
    /// A plan that was never run.
    Planned,
    /// Something is left to do, or another process uses it: the reason.
    Unfinished(String),
}

/// What becomes of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It stays.
    Keep(KeepReason),
    /// It goes.
    Remove(RemoveReason),
}

/// Why an item stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeepReason {
    /// It is not finished.
    Unfinished(String),
    /// The policy has room for it.
    Allowed,
}

/// Why an item goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoveReason {
    /// It is older than the policy allows.
    Age,
    /// It is the oldest where there is more than the policy allows.
    Size,
}

impl StateItem {
    /// Bytes of all its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// When the newest of its files was written.
    #[must_use]
    pub fn changed_at(&self) -> Option<DateTime<Utc>> {
        self.files.iter().map(|file| file.changed_at).max()
    }
}

/// Decides about each item, in the order of `items`.
#[must_use]
pub fn decide(items: &[StateItem], now: DateTime<Utc>, policy: &Policy) -> Vec<Decision> {
    let mut decisions: Vec<Decision> = items.iter().map(|item| by_age(item, now, policy)).collect();
    let Some(keep_bytes) = policy.keep_bytes else {
        return decisions;
    };
    let mut removable: Vec<(DateTime<Utc>, u64, &mut Decision)> = Vec::new();
    let mut kept_bytes: u64 = 0;
    for (item, decision) in items.iter().zip(&mut decisions) {
        match decision {
            Decision::Remove(_) => {}
            Decision::Keep(reason) => {
                kept_bytes = kept_bytes.saturating_add(item.bytes());
                match reason {
                    KeepReason::Unfinished(_) => {}
                    KeepReason::Allowed => {
                        let changed_at = item.changed_at().unwrap_or(now);
                        removable.push((changed_at, item.bytes(), decision));
                    }
                }
            }
        }
    }
    removable.sort_by_key(|(changed_at, _, _)| *changed_at);
    for (_, bytes, decision) in removable {
        if kept_bytes <= keep_bytes {
            break;
        }
        kept_bytes = kept_bytes.saturating_sub(bytes);
        *decision = Decision::Remove(RemoveReason::Size);
    }
    decisions
}

fn by_age(item: &StateItem, now: DateTime<Utc>, policy: &Policy) -> Decision {
    let is_old = policy.older_than.is_some_and(|age| {
        item.changed_at()
            .is_some_and(|changed_at| now - changed_at > age)
    });
    match &item.standing {
        Standing::Unfinished(reason) => Decision::Keep(KeepReason::Unfinished(reason.clone())),
        Standing::Planned if !(policy.plans && is_old) => {
            Decision::Keep(KeepReason::Unfinished("it was never run".to_owned()))
        }
        Standing::Planned | Standing::Finished => {
            if is_old {
                Decision::Remove(RemoveReason::Age)
            } else {
                Decision::Keep(KeepReason::Allowed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn item(standing: Standing, age_secs: i64, bytes: u64) -> StateItem {
        StateItem {
            kind: ItemKind::Redrive,
            name: "x".to_owned(),
            files: vec![
                StateFile {
                    path: PathBuf::from("a"),
                    bytes,
                    changed_at: now() - TimeDelta::seconds(age_secs),
                },
                StateFile {
                    path: PathBuf::from("b"),
                    bytes: 0,
                    changed_at: now() - TimeDelta::seconds(age_secs + 100),
                },
            ],
            standing,
        }
    }

    fn age(secs: i64) -> Policy {
        Policy {
            older_than: Some(TimeDelta::seconds(secs)),
            ..Policy::default()
        }
    }

    #[test]
    fn age_is_that_of_the_newest_file_and_spares_what_is_unfinished() {
        let unfinished = || Standing::Unfinished("it runs".to_owned());
        let items = [
            item(Standing::Finished, 11, 1),
            item(Standing::Finished, 10, 1),
            item(unfinished(), 1_000, 1),
            item(Standing::Planned, 1_000, 1),
        ];
        let never_run = KeepReason::Unfinished("it was never run".to_owned());
        let mut expected = [
            Decision::Remove(RemoveReason::Age),
            Decision::Keep(KeepReason::Allowed),
            Decision::Keep(KeepReason::Unfinished("it runs".to_owned())),
            Decision::Keep(never_run),
        ];
        assert_eq!(decide(&items, now(), &age(10)), expected);
        let policy = Policy {
            plans: true,
            ..age(10)
        };
        expected[3] = Decision::Remove(RemoveReason::Age);
        assert_eq!(decide(&items, now(), &policy), expected);
    }

    #[test]
    fn size_takes_the_oldest_first_and_no_more_than_it_must() {
        let items = [
            item(Standing::Finished, 1, 40),
            item(Standing::Finished, 3, 40),
            item(Standing::Finished, 2, 40),
            item(Standing::Planned, 9, 40),
        ];
        let policy = Policy {
            keep_bytes: Some(120),
            plans: true,
            ..Policy::default()
        };
        let chosen: Vec<bool> = decide(&items, now(), &policy)
            .iter()
            .map(|decision| matches!(decision, Decision::Remove(_)))
            .collect();
        assert_eq!(chosen, [false, true, false, false]);
    }

    fn standings() -> impl Strategy<Value = Standing> {
        prop_oneof![
            Just(Standing::Finished),
            Just(Standing::Planned),
            Just(Standing::Unfinished("it runs".to_owned())),
        ]
    }

    proptest! {
        #[test]
        fn nothing_unfinished_is_chosen_and_what_is_kept_fits_or_is_unfinished(
            items in prop::collection::vec((standings(), -50_i64..200, 0_u64..100), 0..20),
            older_than in prop::option::of(0_i64..200),
            keep_bytes in prop::option::of(0_u64..1_000),
            plans: bool,
        ) {
            let items: Vec<StateItem> = items
                .into_iter()
                .map(|(standing, age_secs, bytes)| item(standing, age_secs, bytes))
                .collect();
            let older_than = older_than.map(TimeDelta::seconds);
            let policy = Policy { older_than, keep_bytes, plans, audit_log: false };
            let decisions = decide(&items, now(), &policy);
            prop_assert_eq!(decisions.len(), items.len());
            let is_old = |item: &StateItem| {
                older_than.is_some_and(|age| now() - item.changed_at().unwrap() > age)
            };
            let mut kept_bytes = 0;
            let mut is_finished_kept = false;
            for (item, decision) in items.iter().zip(&decisions) {
                match (&item.standing, decision) {
                    (Standing::Unfinished(_), Decision::Remove(_)) => prop_assert!(false),
                    (Standing::Planned, Decision::Remove(reason)) => {
                        prop_assert!(plans && is_old(item) && *reason == RemoveReason::Age);
                    }
                    (Standing::Finished, Decision::Keep(_)) => {
                        prop_assert!(!is_old(item));
                        is_finished_kept = true;
                        kept_bytes += item.bytes();
                    }
                    (Standing::Finished, Decision::Remove(RemoveReason::Age)) => {
                        prop_assert!(is_old(item));
                    }
                    (Standing::Finished, Decision::Remove(RemoveReason::Size)) => {
                        prop_assert!(keep_bytes.is_some());
                    }
                    (Standing::Unfinished(_) | Standing::Planned, Decision::Keep(_)) => {
                        kept_bytes += item.bytes();
                    }
                }
            }
            if let Some(keep_bytes) = keep_bytes {
                prop_assert!(kept_bytes <= keep_bytes || !is_finished_kept);
            }
        }
    }
}
