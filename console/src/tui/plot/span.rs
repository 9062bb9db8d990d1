//! Values and the time that each is of, from two sources: the periods of a metric and the console's own samples.
//!
//! Invariant: no moment has two values, and one that was not measured has none.

use chrono::{DateTime, Duration, Utc};
use pipeline::model::Point;

/// A value and the time that it is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) from: DateTime<Utc>,
    /// Not included.
    pub(crate) until: DateTime<Utc>,
    pub(crate) value: f64,
}

/// The periods of a metric that was read at this time; the points are in order of time.
pub(crate) fn of_periods(points: &[Point], period: Duration, read_at: DateTime<Utc>) -> Vec<Span> {
    held(points, period)
        .map(|span| Span {
            until: span.until.min(read_at),
            ..span
        })
        .filter(|span| span.from < span.until)
        .collect()
}

/// Samples in order of time: each holds until the next one, and no longer than `holds`.
pub(crate) fn of_samples(samples: &[Point], holds: Duration) -> Vec<Span> {
    held(samples, holds).collect()
}

fn held(points: &[Point], holds: Duration) -> impl Iterator<Item = Span> {
    let next = points.iter().skip(1).map(|point| Some(point.at));
    let next = next.chain([None]);
    points
        .iter()
        .zip(next)
        .map(move |(point, next)| {
            let until = point.at + holds;
            Span {
                from: point.at,
                until: next.map_or(until, |next| until.min(next)),
                value: point.value,
            }
        })
        .filter(|span| span.from < span.until)
}

/// The spans of the first source, and those of the second where the first has none. Each source is in order of time.
pub(crate) fn joined(first: &[Span], second: &[Span]) -> Vec<Span> {
    let mut all = first.to_vec();
    for span in second {
        let mut from = span.from;
        let begin = first.partition_point(|other| other.until <= span.from);
        let cuts = first.get(begin..).unwrap_or_default().iter();
        for cut in cuts.take_while(|cut| cut.from < span.until) {
            if from < cut.from {
                all.push(Span {
                    from,
                    until: cut.from,
                    ..*span
                });
            }
            from = from.max(cut.until);
        }
        if from < span.until {
            all.push(Span { from, ..*span });
        }
    }
    all.sort_by_key(|span| span.from);
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000 + secs, 0).unwrap()
    }

    fn points(values: &[(i64, f64)]) -> Vec<Point> {
        let point = |(secs, value): &(i64, f64)| Point {
            at: at(*secs),
            value: *value,
        };
        values.iter().map(point).collect()
    }

    fn value_at(spans: &[Span], moment: DateTime<Utc>) -> Option<f64> {
        let mut has_it = spans
            .iter()
            .filter(|span| span.from <= moment && moment < span.until);
        let value = has_it.next().map(|span| span.value);
        assert_eq!(has_it.next(), None, "two values at {moment}");
        value
    }

    #[test]
    fn period_that_is_missing_is_a_gap_and_the_newest_ends_when_it_was_read() {
        let spans = of_periods(
            &points(&[(0, 1.0), (60, 2.0), (180, 3.0)]),
            Duration::seconds(60),
            at(200),
        );
        let ends: Vec<_> = spans.iter().map(|span| (span.from, span.until)).collect();
        let expected = [(0, 60), (60, 120), (180, 200)];
        assert_eq!(ends, expected.map(|(from, until)| (at(from), at(until))));
        assert_eq!(value_at(&spans, at(150)), None);
    }

    #[test]
    fn sample_holds_until_the_next_one_and_not_through_an_outage() {
        let samples = points(&[(0, 1.0), (5, 2.0), (60, 3.0)]);
        let spans = of_samples(&samples, Duration::seconds(10));
        for (moment, value) in [(4, Some(1.0)), (5, Some(2.0)), (14, Some(2.0)), (15, None)] {
            assert_eq!(value_at(&spans, at(moment)), value, "{moment}");
        }
    }

    proptest! {
        #[test]
        fn joined_lines_have_each_moment_once_and_invent_none(
            history in prop::collection::btree_map(0i64..40, 0.0f64..9.0, 0..12),
            live in prop::collection::btree_map(0i64..600, 10.0f64..19.0, 0..40),
        ) {
            let history: Vec<_> = history.into_iter().map(|(period, value)| (period * 15, value)).collect();
            let live: Vec<_> = live.into_iter().collect();
            let history = of_periods(&points(&history), Duration::seconds(15), at(600));
            let live = of_samples(&points(&live), Duration::seconds(12));
            for (first, second) in [(&history, &live), (&live, &history)] {
                let joined = joined(first, second);
                prop_assert!(joined.is_sorted_by_key(|span| span.from));
                prop_assert!(joined.iter().all(|span| span.from < span.until));
                for moment in -1..620 {
                    let expected = value_at(first, at(moment)).or(value_at(second, at(moment)));
                    prop_assert_eq!(value_at(&joined, at(moment)), expected);
                }
            }
        }
    }
}
