//! The times that charts can show.

use chrono::Duration;
use strum::VariantArray;

/// Periods of the metrics, the finest first: each divides a day, and CloudWatch accepts it.
const PERIODS_SECS: [u32; 13] = [
    60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
];
/// Most points of a line that is asked for: more than a terminal has columns.
pub(crate) const POINTS_MAX: u16 = 336;

/// A time that ends now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, VariantArray)]
pub(crate) enum ChartRange {
    Minutes5,
    /// That of the history which is read anyway.
    #[default]
    Hour,
    Hours6,
    Day,
    Week,
}

impl ChartRange {
    pub(crate) const ALL: &'static [Self] = Self::VARIANTS;

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Minutes5 => "5m",
            Self::Hour => "1h",
            Self::Hours6 => "6h",
            Self::Day => "1d",
            Self::Week => "7d",
        }
    }

    /// The key that chooses it.
    pub(crate) const fn key(self) -> char {
        match self {
            Self::Minutes5 => 'm',
            Self::Hour => 'h',
            Self::Hours6 => 'H',
            Self::Day => 'd',
            Self::Week => 'w',
        }
    }

    pub(crate) const fn duration(self) -> Duration {
        match self {
            Self::Minutes5 => Duration::minutes(5),
            Self::Hour => Duration::hours(1),
            Self::Hours6 => Duration::hours(6),
            Self::Day => Duration::days(1),
            Self::Week => Duration::days(7),
        }
    }

    /// Whether the history that is read anyway has all of it.
    pub(crate) const fn is_in_history(self) -> bool {
        match self {
            Self::Minutes5 | Self::Hour => true,
            Self::Hours6 | Self::Day | Self::Week => false,
        }
    }

    /// The time to ask CloudWatch for: at least an hour.
    pub(crate) fn asked(self) -> Duration {
        self.duration().max(Self::Hour.duration())
    }

    /// The finest period with which a line has at most one point for each column.
    pub(crate) fn period_secs(self, columns: u16) -> u32 {
        let columns = i64::from(columns.clamp(1, POINTS_MAX));
        let fits = |period: &u32| self.asked().num_seconds() <= i64::from(*period) * columns;
        let mut periods = PERIODS_SECS.into_iter();
        periods.find(fits).unwrap_or(86_400)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn period_gives_at_most_one_point_a_column() {
        let periods = |columns| {
            ChartRange::ALL
                .iter()
                .map(move |range| range.period_secs(columns))
        };
        assert_eq!(
            periods(72).collect::<Vec<_>>(),
            [60, 60, 300, 1_200, 10_800]
        );
        assert_eq!(periods(152).collect::<Vec<_>>(), [60, 60, 300, 600, 7_200]);
        assert_eq!(
            periods(9_999).collect::<Vec<_>>(),
            [60, 60, 120, 300, 1_800]
        );
    }

    proptest! {
        #[test]
        fn an_answer_is_bounded_at_every_width(columns in 7u16..=u16::MAX) {
            for range in ChartRange::ALL {
                let period = i64::from(range.period_secs(columns));
                let points = range.asked().num_seconds().div_euclid(period);
                prop_assert!(points <= i64::from(columns.min(POINTS_MAX)));
                prop_assert_eq!(period % 60, 0);
            }
        }
    }
}
