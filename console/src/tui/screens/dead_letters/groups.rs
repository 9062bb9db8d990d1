//! Letters that died of the same cause at the same place.
//!
//! Invariant: every letter is in exactly one group.

use std::collections::HashMap;

use crate::world::observed::DeadLetter;

/// What the letters of a group share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct GroupKey {
    /// [`DeadLetter::cause`].
    pub(super) cause: String,
    /// Where it is, with `*` for item numbers.
    pub(super) place: Option<String>,
}

impl GroupKey {
    pub(super) fn of(letter: &DeadLetter) -> Self {
        Self {
            cause: letter.cause(),
            place: pointer(letter).map(|pointer| generalized(&pointer)),
        }
    }

    /// `missing-attribute /time`
    pub(super) fn title(&self) -> String {
        match &self.place {
            Some(place) => format!("{} {place}", self.cause),
            None => self.cause.clone(),
        }
    }
}

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

/// The place that is at fault: what the ingest named, else what the validator names now.
pub(super) fn pointer(letter: &DeadLetter) -> Option<String> {
    let of_now = letter.failure.as_ref();
    match &letter.reason {
        None => of_now?.pointer.clone(),
        Some(reason) => pointer_in(&reason.message).map(str::to_owned).or_else(|| {
            of_now
                .filter(|failure| failure.code.as_str() == reason.code)?
                .pointer
                .clone()
        }),
    }
}

/// The pointer at the end of an error message of the ingest: `… (at /time)`.
fn pointer_in(message: &str) -> Option<&str> {
    let (_, pointer) = message.strip_suffix(')')?.rsplit_once("(at ")?;
    Some(pointer).filter(|pointer| pointer.starts_with('/'))
}

/// The same place in any item of a list.
fn generalized(pointer: &str) -> String {
    let is_number =
        |segment: &str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    pointer
        .split('/')
        .map(|segment| if is_number(segment) { "*" } else { segment })
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointer_is_read_from_the_end_of_the_message() {
        assert_eq!(pointer_in("\"time\" is required (at /time)"), Some("/time"));
        assert_eq!(pointer_in("at noon (at once)"), None);
        assert_eq!(pointer_in("no place"), None);
    }

    #[test]
    fn items_of_a_list_are_one_place() {
        assert_eq!(generalized("/data/12/id"), "/data/*/id");
        assert_eq!(generalized("/time"), "/time");
    }
}
