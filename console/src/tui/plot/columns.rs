//! Folds the values of a line into the columns of a chart.
//!
//! Invariant: a column in which nothing was measured has no value.

use super::span::Span;
use super::window::Window;

/// What several values in one column become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fold {
    /// The mean over their time: of rates and medians.
    Mean,
    /// The greatest: a peak is not lost.
    Max,
}

/// The value of each column; the spans are in order of time.
pub(crate) fn folded(spans: &[Span], window: Window, fold: Fold) -> Vec<Option<f64>> {
    (0..window.columns)
        .map(|column| {
            let (from, until) = (window.start_of(column), window.start_of(column + 1));
            let begin = spans.partition_point(|span| span.until <= from);
            let within = spans.get(begin..).unwrap_or_default().iter();
            let within = within.take_while(|span| span.from < until);
            let mut weights = 0.0;
            let mut sum = 0.0;
            let mut max: Option<f64> = None;
            for span in within {
                let weight = (span.until.min(until) - span.from.max(from)).as_seconds_f64();
                weights += weight;
                sum += span.value * weight;
                max = Some(max.map_or(span.value, |max| max.max(span.value)));
            }
            match fold {
                Fold::Max => max,
                Fold::Mean => (weights > 0.0).then(|| sum / weights),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Duration, Utc};
    use proptest::prelude::*;

    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000 + secs, 0).unwrap()
    }

    fn span(from: i64, until: i64, value: f64) -> Span {
        Span {
            from: at(from),
            until: at(until),
            value,
        }
    }

    fn window(columns: u16) -> Window {
        Window::ending(at(-1), Duration::seconds(10 * i64::from(columns)), columns)
    }

    #[test]
    fn period_longer_than_a_column_fills_its_columns_and_a_gap_fills_none() {
        let spans = [span(-60, -30, 4.0), span(-10, 0, 2.0)];
        let expected = [Some(4.0), Some(4.0), Some(4.0), None, None, Some(2.0)];
        for fold in [Fold::Mean, Fold::Max] {
            assert_eq!(folded(&spans, window(6), fold), expected);
        }
    }

    #[test]
    fn several_values_of_a_column_are_their_mean_over_time_or_their_peak() {
        let spans = [span(-10, -4, 1.0), span(-4, 0, 6.0)];
        assert_eq!(folded(&spans, window(1), Fold::Mean), [Some(3.0)]);
        assert_eq!(folded(&spans, window(1), Fold::Max), [Some(6.0)]);
    }

    proptest! {
        #[test]
        fn column_has_a_value_exactly_where_something_was_measured_and_within_it(
            measured in prop::collection::btree_map(-40i64..0, 1.0f64..9.0, 0..20),
            columns in 1u16..12,
        ) {
            let spans: Vec<_> = measured.iter().map(|(from, value)| span(*from, from + 1, *value)).collect();
            let window = window(columns);
            for fold in [Fold::Mean, Fold::Max] {
                let folded = folded(&spans, window, fold);
                prop_assert_eq!(folded.len(), usize::from(columns));
                for (column, value) in (0..).zip(folded) {
                    let inside: Vec<f64> = spans
                        .iter()
                        .filter(|span| window.column_of(span.from) == Some(column))
                        .map(|span| span.value)
                        .collect();
                    let low = inside.iter().copied().fold(f64::INFINITY, f64::min);
                    let high = inside.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    prop_assert_eq!(value.is_some(), !inside.is_empty());
                    prop_assert!(value.is_none_or(|value| low - 1e-9 <= value && value <= high + 1e-9));
                }
            }
        }
    }
}
