//! The values of a metric, period by period. Pure; invariant: a period that was not observed whole says nothing of a
//! whole period.

use chrono::{DateTime, Duration, Utc};

/// One value of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Start of the period.
    pub at: DateTime<Utc>,
    /// The value, in the metric's own unit.
    pub value: f64,
}

/// The periods that were over at `now`; `points` ascend. The newest one is usually still being counted: as a rate
/// it would always appear as a fall.
#[must_use]
pub fn complete(points: &[Point], period_secs: u32, now: DateTime<Utc>) -> &[Point] {
    let period = Duration::seconds(i64::from(period_secs));
    let over = points
        .iter()
        .take_while(|point| point.at + period <= now)
        .count();
    points.get(..over).unwrap_or_default()
}

/// The [`complete`] periods up to the newest one, without those that begin a metric: it may have begun, or
/// begun again, at any time of such a period, so that its count divided by its length is no rate.
pub fn observed_whole(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn period_that_begins_a_metric_or_is_still_counted_is_not_whole() {
        let start = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let at = |minute| Point {
            at: start + Duration::minutes(minute),
            value: 0.0,
        };
        let points = [0, 1, 2, 5, 6, 7].map(at);
        let minutes = |secs| {
            let now = start + Duration::seconds(secs);
            let whole = observed_whole(&points, 60, now);
            let minutes = whole.map(|point| (point.at - start).num_minutes());
            minutes.collect::<Vec<_>>()
        };
        assert_eq!(minutes(8 * 60), [1, 2, 6, 7]);
        assert_eq!(minutes(8 * 60 - 1), [1, 2, 6]);
        assert_eq!(minutes(2 * 60), [1]);
        assert_eq!(minutes(2 * 60 - 1), [0; 0]);
    }
}
