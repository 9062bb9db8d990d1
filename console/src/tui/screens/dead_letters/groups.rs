//! Letters that died of the same cause at the same place.
//!
//! Invariant: every letter is in exactly one group.

use std::collections::HashMap;

use crate::triage::GroupKey;
pub(super) use crate::triage::pointer;
use crate::world::observed::DeadLetter;

/// One group and how many are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) key: GroupKey,
    pub(super) letters: usize,
    pub(super) ready: usize,
}

/// All groups, the largest first, and the group of each letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Grouping {
    pub(super) groups: Vec<Group>,
    /// Parallel to the letters: position in `groups`.
    pub(super) group_of: Vec<usize>,
    /// Letters of any group that are ready.
    pub(super) ready: usize,
}

impl Grouping {
    pub(super) fn of(letters: &[DeadLetter], is_ready: impl Fn(&DeadLetter) -> bool) -> Self {
        let keys: Vec<_> = letters.iter().map(GroupKey::of).collect();
        let mut counts: HashMap<&GroupKey, (usize, usize)> = HashMap::new();
        for (key, letter) in keys.iter().zip(letters) {
            let (number, ready) = counts.entry(key).or_default();
            *number += 1;
            *ready += usize::from(is_ready(letter));
        }
        let mut groups: Vec<_> = counts
            .into_iter()
            .map(|(key, (letters, ready))| Group {
                key: key.clone(),
                letters,
                ready,
            })
            .collect();
        groups.sort_by(|a, b| b.letters.cmp(&a.letters).then_with(|| a.key.cmp(&b.key)));
        let positions: HashMap<&GroupKey, usize> = groups
            .iter()
            .enumerate()
            .map(|(position, group)| (&group.key, position))
            .collect();
        let group_of = keys
            .iter()
            .map(|key| positions.get(key).copied().unwrap_or_default())
            .collect();
        let ready = groups.iter().map(|group| group.ready).sum();
        Self {
            groups,
            group_of,
            ready,
        }
    }

    /// Rows of the list: the groups below one row for all of them.
    pub(super) const fn rows(&self) -> usize {
        self.groups.len() + 1
    }
}
