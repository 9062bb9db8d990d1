//! How much of each kind of work a run of the upkeep may do.
//!
//! Invariant: the shares of a day together end before the function's timeout.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// A kind of work. The names are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// The counts of past hours are folded.
    Folding,
    /// Expired records of the default partition are deleted.
    DefaultPartition,
    /// Expired partitions are dropped, with their identities.
    ExpiredPartitions,
}

impl Work {
    /// The published name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Folding => "folding",
            Self::DefaultPartition => "default-partition",
            Self::ExpiredPartitions => "expired-partitions",
        }
    }
}

/// What each kind of work may take of a run.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// Of [`Work::Folding`]: a step is an hour.
    pub folding: Share,
    /// Of [`Work::DefaultPartition`]: a step is a deletion of up to 10,000 records.
    pub default_partition: Share,
    /// Of [`Work::ExpiredPartitions`]: a step is a deletion of up to 10,000 identities.
    pub expired_partitions: Share,
}

impl Shares {
    /// Those of a daily run: of 15 minutes, 11, so that the last steps end in time. It keeps pace with 30 million
    /// events a day, where a step takes a tenth of a second.
    pub const DAILY: Self = Self {
        folding: Share::new(10_000, Duration::from_secs(2 * 60)),
        default_partition: Share::new(200, Duration::from_secs(3 * 60)),
        expired_partitions: Share::new(3_000, Duration::from_secs(6 * 60)),
    };
}

/// A share of a run: steps, and time. Whichever is used up first ends the work; the next run continues it.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    steps_left: usize,
    time_max: Duration,
    /// Set by the first step.
    until: Option<Instant>,
    is_spent: bool,
}

impl Share {
    /// A share of so many steps, which begin within this time from the first one on.
    #[must_use]
    pub const fn new(steps: usize, time_max: Duration) -> Self {
        Self {
            steps_left: steps,
            time_max,
            until: None,
            is_spent: false,
        }
    }

    pub(crate) const fn steps_left(&self) -> usize {
        self.steps_left
    }

    /// Takes a step, if one is left. Call it when there is something left to do.
    pub(crate) fn take(&mut self) -> bool {
        let now = Instant::now();
        let until = *self.until.get_or_insert(now + self.time_max);
        let Some(left) = self.steps_left.checked_sub(1).filter(|_| now < until) else {
            self.is_spent = true;
            return false;
        };
        self.steps_left = left;
        true
    }

    /// Whether a step was refused: there is more to do.
    pub(crate) const fn is_spent(&self) -> bool {
        self.is_spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_ends_with_its_steps_or_its_time() {
        let minute = Duration::from_secs(60);
        let mut share = Share::new(2, minute);
        assert_eq!([share.take(), share.take()], [true, true]);
        assert!(!share.is_spent(), "there may be nothing left to do");
        assert!(!share.take() && share.is_spent());
        let mut none = Share::new(2, Duration::ZERO);
        assert!(!none.take() && none.is_spent());
    }
}
