//! Computes which partitions to create and which have expired. Pure: the time is an argument.
//!
//! Invariant: planned ranges never overlap each other or an existing partition, also after a change of
//! the width.

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, Utc};

/// Width of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartitionWidth {
    /// One UTC day.
    Day,
    /// One calendar month, UTC.
    #[default]
    Month,
}

impl std::str::FromStr for PartitionWidth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "day" => Ok(Self::Day),
            "month" => Ok(Self::Month),
            other => Err(format!("{other:?} is not one of day, month")),
        }
    }
}

/// Settings of partition maintenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionPlan {
    /// Width of the partitions that are created.
    pub width: PartitionWidth,
    /// Number of partitions ahead of the current one.
    pub ahead: u16,
    /// Number of partitions before the current one to keep. Older partitions are dropped, and older
    /// records deleted from the default partition. `None` keeps everything.
    pub keep: Option<u16>,
}

/// From midnight (inclusive) to midnight (exclusive), UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Range {
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
}

/// A partition of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) name: String,
    pub(crate) range: Range,
}

impl PartitionWidth {
    fn start_of(self, date: NaiveDate) -> NaiveDate {
        match self {
            Self::Day => date,
            Self::Month => date.with_day(1).unwrap_or(date),
        }
    }

    /// The date `count` widths later, or earlier where negative; the date itself beyond the calendar.
    fn shifted(self, date: NaiveDate, count: i32) -> NaiveDate {
        let steps = count.unsigned_abs();
        let shifted = match (self, count < 0) {
            (Self::Day, false) => date.checked_add_days(Days::new(steps.into())),
            (Self::Day, true) => date.checked_sub_days(Days::new(steps.into())),
            (Self::Month, false) => date.checked_add_months(Months::new(steps)),
            (Self::Month, true) => date.checked_sub_months(Months::new(steps)),
        };
        shifted.unwrap_or(date)
    }
}

impl PartitionPlan {
    /// The ranges that the plan requires and no partition covers, in order.
    pub(crate) fn missing(&self, existing: &[Partition], now: DateTime<Utc>) -> Vec<Range> {
        let current = self.width.start_of(now.date_naive());
        (0..=i32::from(self.ahead))
            .map(|step| Range {
                from: midnight(self.width.shifted(current, step)),
                to: midnight(self.width.shifted(current, step + 1)),
            })
            .flat_map(|range| range.without(existing))
            .collect()
    }

    /// The partitions that have expired.
    pub(crate) fn expired<'a>(
        &self,
        existing: &'a [Partition],
        now: DateTime<Utc>,
    ) -> Vec<&'a Partition> {
        let Some(horizon) = self.horizon(now) else {
            return Vec::new();
        };
        existing
            .iter()
            .filter(|partition| partition.range.to <= horizon)
            .collect()
    }

    /// Records before this time have expired; `None` where everything is kept.
    pub(crate) fn horizon(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let current = self.width.start_of(now.date_naive());
        let keep = i32::from(self.keep?);
        Some(midnight(self.width.shifted(current, -keep)))
    }
}

impl Range {
    /// The parts of the range that no existing partition covers.
    fn without(self, existing: &[Partition]) -> Vec<Self> {
        let mut covered: Vec<Self> = existing
            .iter()
            .map(|partition| partition.range)
            .filter(|other| other.from < self.to && self.from < other.to)
            .collect();
        covered.sort_unstable();
        let mut gaps = Vec::new();
        let mut from = self.from;
        for other in covered {
            if from < other.from {
                gaps.push(Self {
                    from,
                    to: other.from,
                });
            }
            from = from.max(other.to);
        }
        if from < self.to {
            gaps.push(Self { from, to: self.to });
        }
        gaps
    }

    /// Name of the partition that covers the range: `records_2026_11` or `records_2026_11_24` for a
    /// calendar month or day, else with both ends.
    pub(crate) fn partition_name(self) -> String {
        let first = self.from.date_naive();
        let end = self.to.date_naive();
        let is_day = PartitionWidth::Day.shifted(first, 1) == end;
        let is_month = first.day() == 1 && PartitionWidth::Month.shifted(first, 1) == end;
        if is_month {
            format!("records_{}", first.format("%Y_%m"))
        } else if is_day {
            format!("records_{}", first.format("%Y_%m_%d"))
        } else {
            let ends = (first.format("%Y_%m_%d"), end.format("%Y_%m_%d"));
            format!("records_{}_to_{}", ends.0, ends.1)
        }
    }
}

fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn range(from: &str, to: &str) -> Range {
        let day = |text: &str| midnight(text.parse().unwrap());
        Range {
            from: day(from),
            to: day(to),
        }
    }

    fn partition(from: &str, to: &str) -> Partition {
        let range = range(from, to);
        Partition {
            name: range.partition_name(),
            range,
        }
    }

    fn plan(width: PartitionWidth, ahead: u16, keep: Option<u16>) -> PartitionPlan {
        PartitionPlan { width, ahead, keep }
    }

    #[test]
    fn covers_now_and_the_partitions_ahead_across_the_year() {
        assert_eq!(
            plan(PartitionWidth::Month, 1, None).missing(&[], at("2026-12-31T23:59:59Z")),
            [
                range("2026-12-01", "2027-01-01"),
                range("2027-01-01", "2027-02-01")
            ]
        );
        assert_eq!(
            plan(PartitionWidth::Day, 1, None).missing(
                &[partition("2028-02-28", "2028-02-29")],
                at("2028-02-28T12:00:00Z")
            ),
            [range("2028-02-29", "2028-03-01")]
        );
    }

    #[test]
    fn changed_width_fills_the_gaps_between_what_exists() {
        let existing = [
            partition("2026-11-24", "2026-11-25"),
            partition("2026-11-25", "2026-11-26"),
        ];
        let missing =
            plan(PartitionWidth::Month, 0, None).missing(&existing, at("2026-11-24T10:00:00Z"));
        assert_eq!(
            missing,
            [
                range("2026-11-01", "2026-11-24"),
                range("2026-11-26", "2026-12-01")
            ]
        );
        let names: Vec<String> = missing.into_iter().map(Range::partition_name).collect();
        assert_eq!(
            names,
            [
                "records_2026_11_01_to_2026_11_24",
                "records_2026_11_26_to_2026_12_01"
            ]
        );
    }

    #[test]
    fn expires_partitions_that_end_before_the_horizon() {
        let existing = [
            partition("2026-08-01", "2026-09-01"),
            partition("2026-09-01", "2026-10-01"),
            partition("2026-11-01", "2026-12-01"),
        ];
        let now = at("2026-11-24T10:00:00Z");
        let names = |keep| -> Vec<String> {
            plan(PartitionWidth::Month, 0, keep)
                .expired(&existing, now)
                .into_iter()
                .map(|partition| partition.name.clone())
                .collect()
        };
        assert_eq!(names(Some(2)), ["records_2026_08"]);
        assert_eq!(names(Some(0)), ["records_2026_08", "records_2026_09"]);
        assert!(names(None).is_empty());
    }
}
