//! The periods of a metric that can be shown as a rate. Pure; invariant: a period that was not observed whole is none.

use chrono::{DateTime, Duration, Utc};
use pipeline::model::Point;

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

/// The periods that were over at `now`. The newest one is usually still being counted: as a rate
/// it would always appear as a fall.
pub(crate) fn complete(points: &[Point], period_secs: u32, now: DateTime<Utc>) -> &[Point] {
    let period = Duration::seconds(i64::from(period_secs));
    let over = points
        .iter()
        .take_while(|point| point.at + period <= now)
        .count();
    points.get(..over).unwrap_or_default()
}

/// The [`complete`] periods up to the newest one, without those that begin a metric: it may have begun, or
/// begun again, at any time of such a period, so that its count divided by its length is no rate.
pub(crate) fn observed_whole(
    points: &[Point],
    period_secs: u32,
    now: DateTime<Utc>,
) -> impl DoubleEndedIterator<Item = Point> {
    let period = Duration::seconds(i64::from(period_secs));
    complete(points, period_secs, now)
        .windows(2)
        .filter_map(move |pair| match pair {
            [before, point] if before.at + period == point.at => Some(*point),
            _ => None,
        })
}
