//! How often each part of the pipeline is read without a key press.
//!
//! Invariant: nothing that is read by itself wakes a paused database, and on AWS, where each call is billed,
//! nothing is read more often than its data changes.

use chrono::Duration;
use pipeline::environment::Environment;

use super::limits::IDLE_LIMIT;

/// An answer that takes longer makes what is shown of its part old.
const LATE_AFTER: Duration = Duration::seconds(6);

/// Intervals between two reads of each part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Polling {
    /// Depth and settings of the queues.
    pub(crate) queues: Duration,
    /// Health of the API, which does not ask the database.
    pub(crate) api: Duration,
    /// Shortest interval of the metrics, used where their periods are as short.
    pub(crate) history_min: Duration,
    /// Longest interval of the metrics.
    pub(crate) history_max: Duration,
    /// Raised alarms, which CloudWatch evaluates once a minute. The call is free of charge.
    pub(crate) alarms: Duration,
    /// Error budgets: sums of 30 days, which a quarter of an hour hardly changes.
    pub(crate) budgets: Duration,
    /// Log lines, while they are followed. An account may call `FilterLogEvents` five times a second in most regions
    /// (CloudWatch Logs quotas), for each function once, and others read logs too.
    pub(crate) logs: Duration,
    /// Totals of the database.
    pub(crate) totals: Duration,
    /// Whether the database pauses when nobody is connected. Then its totals are read by themselves only after
    /// the ingest stored something, which had woken it anyway.
    pub(crate) database_pauses: bool,
    /// Whether the age of the oldest message is taken from the history, in place of a call for each queue.
    pub(crate) ages_from_history: bool,
}

impl Default for Polling {
    fn default() -> Self {
        Self::LOCAL
    }
}

impl Polling {
    /// On this machine calls cost nothing, and an emulator publishes metrics every few seconds.
    const LOCAL: Self = Self {
        queues: Duration::seconds(5),
        api: Duration::seconds(5),
        history_min: Duration::seconds(5),
        history_max: Duration::seconds(15),
        alarms: Duration::seconds(15),
        budgets: Duration::seconds(60),
        logs: Duration::seconds(1),
        totals: Duration::seconds(5),
        database_pauses: false,
        ages_from_history: false,
    };

    /// On AWS. The metrics of SQS have one value a minute (Amazon SQS developer guide, "CloudWatch metrics"), and
    /// each of them is billed in each call (Amazon CloudWatch pricing, `GetMetricData`).
    const AWS: Self = Self {
        queues: Duration::seconds(10),
        api: Duration::seconds(60),
        history_min: Duration::seconds(60),
        history_max: Duration::seconds(60),
        alarms: Duration::seconds(60),
        budgets: Duration::seconds(900),
        logs: Duration::seconds(5),
        totals: Duration::seconds(60),
        database_pauses: false,
        ages_from_history: true,
    };

    /// On AWS, while nobody uses the console.
    const AWS_UNTOUCHED: Self = Self {
        queues: Duration::seconds(60),
        api: Duration::seconds(300),
        history_min: Duration::seconds(300),
        history_max: Duration::seconds(300),
        alarms: Duration::seconds(300),
        budgets: Duration::seconds(3_600),
        logs: Duration::seconds(60),
        totals: Duration::seconds(300),
        ..Self::AWS
    };

    /// The intervals for an environment in which no key was pressed for this long.
    pub(crate) fn of(environment: &Environment, untouched: Duration) -> Self {
        let untouched = untouched.to_std();
        let is_untouched = untouched.is_ok_and(|untouched| untouched >= IDLE_LIMIT);
        let intervals = match (environment.is_loopback(), is_untouched) {
            (true, _) => Self::LOCAL,
            (false, false) => Self::AWS,
            (false, true) => Self::AWS_UNTOUCHED,
        };
        Self {
            database_pauses: environment.database_pauses,
            ..intervals
        }
    }

    /// Whether the ages of the oldest messages come with the history, in place of a call for each queue.
    pub(crate) fn ages_are_in_history(environment: &Environment) -> bool {
        Self::of(environment, Duration::zero()).ages_from_history
    }

    /// Whether an age that is shown would stand still for long, if it were drawn only when an answer comes.
    pub(crate) fn is_slower_than_a_glance(&self) -> bool {
        self.queues > Self::LOCAL.queues
    }

    /// Interval of the metrics where they have periods of this many seconds.
    pub(crate) fn history(&self, period_secs: Option<u32>) -> Duration {
        let period = period_secs.filter(|secs| *secs > 0);
        period.map_or(self.history_max, |secs| {
            Duration::seconds(secs.into()).clamp(self.history_min, self.history_max)
        })
    }
}

/// Limits of [`super::remote::Remote::stale_since`] for what is read at this interval: three reads were missed,
/// or the answer to the last one is late.
pub(crate) fn fresh(interval: Duration) -> (Duration, Duration) {
    (interval * 3 + Duration::seconds(1), LATE_AFTER)
}
