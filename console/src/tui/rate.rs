//! The rate of a metric, from the history. Pure; invariant: a rate is that of a period which was observed whole.

use chrono::{DateTime, Duration, Utc};

use super::remote::{Fetched, Remote};
use pipeline::model::{History, Point, complete, observed_whole};
use pipeline::oldest_age::METRIC_RECENT;

/// Periods by which CloudWatch may be behind with the metrics of SQS before a rate counts as old.
const RATE_PERIODS_MAX: i32 = 3;

/// Messages per second in the last complete period of a metric, or records between two samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) per_sec: f64,
    /// Start of that period.
    pub(crate) since: DateTime<Utc>,
    /// End of that period.
    pub(crate) until: DateTime<Utc>,
    /// Whether a newer one should have come.
    pub(crate) is_old: bool,
}

impl Rate {
    /// That of one series of a history.
    pub(crate) fn of(
        history: &Remote<History>,
        series: impl Fn(&History) -> Option<&[Point]>,
    ) -> Option<Self> {
        let Fetched {
            value: history,
            fetched_at,
        } = history.fetched()?;
        let points = series(history)?;
        let newest = complete(points, history.period_secs, *fetched_at).last()?;
        let point = observed_whole(points, history.period_secs, *fetched_at)
            .next_back()
            .filter(|point| point.at == newest.at)?;
        let is_recent = *fetched_at - point.at <= METRIC_RECENT;
        let period = Duration::seconds(i64::from(history.period_secs));
        let until = point.at + period;
        (history.period_secs > 0 && is_recent).then(|| Self {
            per_sec: point.value / f64::from(history.period_secs),
            since: point.at,
            until,
            is_old: *fetched_at - until > period * RATE_PERIODS_MAX,
        })
    }

    /// Messages deleted from the source queue.
    pub(crate) fn of_deleted(history: &Remote<History>) -> Option<Self> {
        Self::of(history, |history| Some(&history.deleted))
    }
}
