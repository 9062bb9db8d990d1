//! Messages that failed for the same cause at the same place.
//!
//! Invariant: every message is in exactly one group. What is counted is what is listed.

use std::cmp::Ordering;
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use pipeline::model::DeadLetter;
use redrive::triage::GroupKey;

/// One group and how many are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) key: GroupKey,
    pub(super) messages: usize,
    pub(super) ready: usize,
    /// First send of the oldest and of the newest one that are counted; of any where none is.
    pub(super) sent_at: (DateTime<Utc>, DateTime<Utc>),
    pub(super) trend: Trend,
}

/// Messages of the hour before now against those of the hour before that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Trend {
    last_hour: usize,
    hour_before: usize,
}

impl Trend {
    fn add(&mut self, sent_at: DateTime<Utc>, now: DateTime<Utc>) {
        let hour = TimeDelta::hours(1);
        if sent_at > now - hour {
            self.last_hour += 1;
        } else if sent_at > now - hour * 2 {
            self.hour_before += 1;
        }
    }

    /// `↑` for more than in the hour before, `↓` for less, `=` for as many; nothing where both
    /// hours are quiet.
    pub(super) fn sign(self) -> &'static str {
        match self.last_hour.cmp(&self.hour_before) {
            Ordering::Greater => "↑",
            Ordering::Less => "↓",
            Ordering::Equal if self.last_hour > 0 => "=",
            Ordering::Equal => " ",
        }
    }
}

/// All groups, the largest first, and the group of each message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Grouping {
    pub(super) groups: Vec<Group>,
    /// Parallel to the messages: position in `groups`.
    pub(super) group_of: Vec<usize>,
    /// Messages of all groups.
    pub(super) messages: usize,
    /// Messages of any group that are ready.
    pub(super) ready: usize,
}

impl Grouping {
    /// Trends count from `now`; messages that a search does not find are not counted.
    pub(super) fn of(
        messages: &[DeadLetter],
        now: DateTime<Utc>,
        is_found: impl Fn(&DeadLetter) -> bool,
        is_ready: impl Fn(&DeadLetter) -> bool,
    ) -> Self {
        let keys: Vec<_> = messages.iter().map(GroupKey::of).collect();
        let mut by_key: HashMap<&GroupKey, Group> = HashMap::new();
        for (key, message) in keys.iter().zip(messages) {
            let group = by_key.entry(key).or_insert_with(|| Group {
                key: key.clone(),
                messages: 0,
                ready: 0,
                sent_at: (message.sent_at, message.sent_at),
                trend: Trend::default(),
            });
            let is_found = is_found(message);
            if !is_found {
                continue;
            }
            if group.messages == 0 {
                group.sent_at = (message.sent_at, message.sent_at);
            }
            group.messages += 1;
            group.ready += usize::from(is_ready(message));
            let (first, last) = group.sent_at;
            group.sent_at = (first.min(message.sent_at), last.max(message.sent_at));
            group.trend.add(message.sent_at, now);
        }
        let mut groups: Vec<_> = by_key.into_values().collect();
        groups.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.key.cmp(&b.key)));
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
        let messages = groups.iter().map(|group| group.messages).sum();
        Self {
            groups,
            group_of,
            messages,
            ready,
        }
    }

    /// Rows of the list: the groups below one row for all of them.
    pub(super) const fn rows(&self) -> usize {
        self.groups.len() + 1
    }
}
