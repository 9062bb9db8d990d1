//! The heat map: columns of time, rows of latency. Pure; invariant: a probe is in at most one column, and there in at
//! most one row; columns stand at fixed times, so that a new probe moves none of them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use pipeline::probe::{Measure, Probe};

/// Upper ends of the rows but the last, in milliseconds.
const BOUNDS_MS: [u64; 10] = [10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
/// Rows of latencies.
pub(super) const ROWS: usize = BOUNDS_MS.len() + 1;
/// What a column can span, in seconds.
const SPANS_SECS: [i64; 15] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 86_400,
];
/// From a few to all of the probes of a column.
const SHADES: [char; 4] = ['░', '▒', '▓', '█'];

/// The probes that began in one span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Column {
    /// How many took so long, by row.
    pub(super) counts: [usize; ROWS],
    /// How many failed.
    pub(super) failed: usize,
}

/// What is drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HeatMap {
    /// What a column spans, in seconds.
    pub(super) span_secs: i64,
    /// When the first column begins; `None` without a probe.
    pub(super) begins_at: Option<DateTime<Utc>>,
    pub(super) columns: Vec<Column>,
}

/// The row of a latency: the first whose bound it does not exceed.
pub(super) fn row_of(took: Duration) -> usize {
    let exceeded = |bound: &&u64| took > Duration::from_millis(**bound);
    BOUNDS_MS.iter().take_while(exceeded).count()
}

/// The upper end of a row; `None` of the last.
pub(super) fn bound_of(row: usize) -> Option<Duration> {
    BOUNDS_MS.get(row).copied().map(Duration::from_millis)
}

/// The character of a cell: blank for none, then by its share of `most`.
pub(super) fn shade(count: usize, most: usize) -> char {
    let quarter = (count * SHADES.len()).div_ceil(most.max(1));
    let shade = quarter
        .checked_sub(1)
        .and_then(|place| SHADES.get(place.min(SHADES.len() - 1)));
    shade.copied().unwrap_or(' ')
}

impl HeatMap {
    /// The map of so many columns at most. A column spans at least the time between two probes.
    pub(super) fn of<'a>(
        probes: impl Iterator<Item = &'a Probe> + Clone,
        measure: Measure,
        columns_max: usize,
        every: Duration,
    ) -> Self {
        let started = || probes.clone().map(|probe| probe.started_at.timestamp());
        let (Some(first), Some(last)) = (started().min(), started().max()) else {
            return Self::default();
        };
        let columns_max = i64::try_from(columns_max).unwrap_or(i64::MAX).max(1);
        let every = i64::try_from(every.as_secs()).unwrap_or(i64::MAX);
        let number = |at: i64, span: i64| at.div_euclid(span);
        let fits =
            |span: &i64| *span >= every && number(last, *span) - number(first, *span) < columns_max;
        let longest = SPANS_SECS.last().copied().unwrap_or(1);
        let span = SPANS_SECS.into_iter().find(fits).unwrap_or(longest);
        // What is older than the longest map is not on it.
        let begin = number(first, span).max(number(last, span) - columns_max + 1);
        let length = usize::try_from(number(last, span) - begin + 1).unwrap_or(1);
        let mut columns = vec![Column::default(); length];
        for probe in probes.clone() {
            let place = number(probe.started_at.timestamp(), span) - begin;
            let place = usize::try_from(place).ok();
            let Some(column) = place.and_then(|place| columns.get_mut(place)) else {
                continue;
            };
            column.failed += usize::from(probe.failure.is_some());
            let row = probe.measured(measure).map(row_of);
            if let Some(count) = row.and_then(|row| column.counts.get_mut(row)) {
                *count += 1;
            }
        }
        Self {
            span_secs: span,
            begins_at: DateTime::from_timestamp(begin * span, 0),
            columns,
        }
    }

    /// The most that one cell has.
    pub(super) fn most(&self) -> usize {
        let counts = self.columns.iter().flat_map(|column| column.counts);
        counts.max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::tui::screens::probe::tests::probe;

    proptest! {
        #[test]
        fn latency_is_in_the_row_whose_bounds_are_around_it(millis in 0_u64..30_000) {
            let took = Duration::from_millis(millis);
            let row = row_of(took);
            prop_assert!(row < ROWS);
            prop_assert!(bound_of(row).is_none_or(|bound| took <= bound));
            let below = row.checked_sub(1).and_then(bound_of);
            prop_assert!(below.is_none_or(|bound| took > bound));
        }

        #[test]
        fn every_probe_is_in_one_column_and_a_map_has_no_more_than_it_may(
            seen in proptest::collection::vec((0_i64..90_000, proptest::option::of(0_u64..20_000)), 1..120),
            columns_max in 1_usize..130,
            every in 1_u64..900,
        ) {
            let start = crate::tui::testing::now();
            let probes: Vec<_> = seen
                .iter()
                .map(|(secs, millis)| probe(start + TimeDelta::seconds(*secs), *millis))
                .collect();
            let every = Duration::from_secs(every);
            let map = HeatMap::of(probes.iter(), Measure::Stored, columns_max, every);
            prop_assert!(map.columns.len() <= columns_max);
            prop_assert_eq!(map.begins_at.unwrap().timestamp().rem_euclid(map.span_secs), 0);
            let drawn = probes.iter().filter(|probe| probe.started_at >= map.begins_at.unwrap());
            let failed = drawn.clone().filter(|probe| probe.failure.is_some()).count();
            prop_assert_eq!(map.columns.iter().map(|column| column.failed).sum::<usize>(), failed);
            let counted: usize = map.columns.iter().flat_map(|column| column.counts).sum();
            prop_assert_eq!(counted, drawn.count() - failed);
            // Only the longest map leaves some out.
            let is_whole = probes.iter().all(|probe| probe.started_at >= map.begins_at.unwrap());
            prop_assert!(is_whole || map.span_secs == *SPANS_SECS.last().unwrap());
        }

        #[test]
        fn shade_is_blank_for_none_alone_and_darkest_for_the_most(count in 0_usize..50, most in 1_usize..50) {
            let of = |count| " ░▒▓█".chars().position(|one| one == shade(count, most)).unwrap();
            prop_assert_eq!(of(count) == 0, count == 0);
            prop_assert!(of(count) <= of(count + 1));
            prop_assert_eq!(of(most), 4);
        }
    }

    #[test]
    fn latency_of_a_bound_is_below_it_and_the_next_one_is_not() {
        for (row, bound) in BOUNDS_MS.into_iter().enumerate() {
            let rows = [bound, bound + 1].map(|millis| row_of(Duration::from_millis(millis)));
            assert_eq!(rows, [row, row + 1], "{bound}");
        }
    }

    #[test]
    fn new_probe_moves_no_column_while_there_is_room() {
        let start = crate::tui::testing::now();
        let at = |secs| probe(start + TimeDelta::seconds(secs), Some(300));
        let mut probes = vec![at(0), at(30)];
        let every = Duration::from_secs(30);
        let map = |probes: &[Probe]| HeatMap::of(probes.iter(), Measure::Total, 10, every);
        let before = map(&probes);
        probes.push(at(60));
        let after = map(&probes);
        assert_eq!(before.begins_at, after.begins_at);
        assert_eq!(before.columns[..], after.columns[..2]);
        assert_eq!(
            after.columns[2].counts[row_of(Duration::from_millis(318))],
            1
        );
        assert_eq!(
            HeatMap::of([].iter(), Measure::Total, 10, every),
            HeatMap::default()
        );
    }
}
