//! The state of a tunnel, and when its command is started again. Pure.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// Where the tunnel stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The command runs, and its port does not answer yet.
    Opening,
    /// This port of the machine leads to the database.
    Open(u16),
    /// The command ended and is started again in a while.
    Broken(String),
    /// A session that was open has ended; the next need opens another.
    Ended,
    /// The command ended too often.
    GivenUp(String),
}

/// The limits of a tunnel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long the port may take to answer.
    pub(super) open: Duration,
    /// Wait before the first restart; it doubles.
    pub(super) first_wait: Duration,
    pub(super) longest_wait: Duration,
    /// Restarts in a row.
    pub(super) restarts_max: usize,
    /// A tunnel that was open for so long begins to count anew.
    pub(super) steady: Duration,
}

impl Limits {
    /// More than an hour of attempts: a machine that sleeps, a network that is away.
    pub(crate) const USUAL: Self = Self {
        open: Duration::from_secs(30),
        first_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(300),
        restarts_max: 20,
        steady: Duration::from_secs(60),
    };

    pub(super) fn waits(self) -> ExponentialBackoff {
        ExponentialBuilder::default()
            .with_min_delay(self.first_wait)
            .with_max_delay(self.longest_wait)
            .with_max_times(self.restarts_max)
            .build()
    }
}
