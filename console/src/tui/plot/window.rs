//! The time that charts show, and its columns.
//!
//! Invariant: all columns are of the same length and begin at whole multiples of it, so that a value stays in its
//! column while time passes.

use chrono::{DateTime, Duration, Utc};
use ratatui::layout::Rect;

/// Columns left of a chart: labels of the vertical axis, and the axis.
pub(crate) const GUTTER: u16 = 8;

/// The time that charts show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: DateTime<Utc>,
    pub(crate) columns: u16,
    column_millis: i64,
}

impl Window {
    /// The last `range` before the end of the column that contains `at`.
    pub(crate) fn ending(at: DateTime<Utc>, range: Duration, columns: u16) -> Self {
        let columns = columns.max(1);
        let column_millis = (range.num_milliseconds() / i64::from(columns)).max(1);
        let into = at.timestamp_millis().rem_euclid(column_millis);
        let until = at - Duration::milliseconds(into) + Duration::milliseconds(column_millis);
        // Below a millisecond there is nothing.
        let until = DateTime::from_timestamp_millis(until.timestamp_millis()).unwrap_or(until);
        Self {
            from: until - Duration::milliseconds(column_millis * i64::from(columns)),
            columns,
            column_millis,
        }
    }

    /// Columns of a chart in an area of this width.
    pub(crate) const fn columns_in(area: Rect) -> u16 {
        area.width.saturating_sub(GUTTER)
    }

    pub(crate) fn until(&self) -> DateTime<Utc> {
        self.start_of(self.columns)
    }

    /// Length of a column.
    pub(crate) fn column(&self) -> Duration {
        Duration::milliseconds(self.column_millis)
    }

    pub(crate) fn start_of(&self, column: u16) -> DateTime<Utc> {
        self.from + Duration::milliseconds(self.column_millis * i64::from(column))
    }

    /// The column that contains a moment; `None` outside.
    pub(crate) fn column_of(&self, at: DateTime<Utc>) -> Option<u16> {
        let millis = (at - self.from).num_milliseconds();
        let column = u16::try_from(millis.div_euclid(self.column_millis)).ok()?;
        (column < self.columns).then_some(column)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_795_000_000_000 + millis).unwrap()
    }

    #[test]
    fn columns_stay_where_they_are_while_time_passes() {
        let hour = Duration::hours(1);
        let before = Window::ending(at(0), hour, 100);
        let after = Window::ending(at(40_000), hour, 100);
        assert_eq!(before.column(), Duration::seconds(36));
        let moved = before.column_of(at(-90_000)).unwrap() - after.column_of(at(-90_000)).unwrap();
        assert_eq!(before.start_of(moved), after.from);
    }

    proptest! {
        #[test]
        fn every_moment_of_the_window_has_its_column(
            end in 0i64..10_000_000,
            secs in 1i64..700_000,
            columns in 1u16..400,
            part in 0.0f64..1.0,
        ) {
            let window = Window::ending(at(end), Duration::seconds(secs), columns);
            prop_assert!(window.from <= at(end) && at(end) < window.until());
            prop_assert_eq!(window.column_of(at(end)), Some(columns - 1));
            #[expect(clippy::cast_possible_truncation, reason = "a part of the window")]
            let millis = ((window.until() - window.from).num_milliseconds() as f64 * part) as i64;
            let moment = window.from + Duration::milliseconds(millis);
            let column = window.column_of(moment).unwrap();
            prop_assert!(window.start_of(column) <= moment && moment < window.start_of(column + 1));
            prop_assert_eq!(window.column_of(window.until()), None);
            prop_assert_eq!(window.column_of(window.from - Duration::milliseconds(1)), None);
        }
    }
}
