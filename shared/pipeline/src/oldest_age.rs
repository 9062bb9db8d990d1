//! The age of the oldest message of a queue.
//!
//! Invariant: it is of the time that it names, and of no other: the oldest message may be gone since. Pure.

use chrono::{DateTime, Duration, Utc};

use crate::point::Point;
use crate::text::{age_secs, clock, span_secs, whole};

/// A metric older than this is not current: CloudWatch has the metrics of SQS within some minutes.
pub const METRIC_RECENT: Duration = Duration::seconds(300);
/// By which CloudWatch has all values of a period that is over.
const COMPLETE_AFTER: Duration = Duration::seconds(10);
/// A value of no longer a period is that of a moment.
const MOMENT: Duration = Duration::seconds(1);
/// A bound of less is shown in seconds.
const SECONDS_MAX: u64 = 600;

/// Age of the oldest message of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldestAge {
    /// The age in seconds, as it was measured.
    pub secs: u64,
    /// Seconds by which it may have become greater until the end of the time that it is of; 0 where that is whole
    /// minutes, of which all values are known.
    pub grown_secs: u64,
    /// Whether the oldest message may have been younger: the metric has the greatest age of its period.
    pub is_bound: bool,
    /// Start of the time that it is of.
    pub since: DateTime<Utc>,
    /// End of that time.
    pub until: DateTime<Utc>,
}

impl OldestAge {
    /// The newest value of the metric, which has the greatest age of each period; `None` where that is old.
    #[must_use]
    pub fn newest(ages: &[Point], period_secs: u32, read_at: DateTime<Utc>) -> Option<Self> {
        let newest = ages.last()?;
        let period = Duration::seconds(period_secs.into());
        let is_recent = read_at - newest.at <= METRIC_RECENT;
        let is_bound = period > MOMENT;
        let end = newest.at + period;
        let until = end.min(read_at);
        let is_of_minutes = [newest.at, end].iter().all(|at| at.timestamp() % 60 == 0);
        let is_exact = !is_bound || (is_of_minutes && end + COMPLETE_AFTER <= read_at);
        (is_recent && newest.value >= 0.0).then(|| Self {
            secs: whole(newest.value),
            grown_secs: if is_exact {
                0
            } else {
                age_secs(newest.at, until)
            },
            is_bound,
            since: newest.at,
            until,
        })
    }

    /// The age in a queue that was empty at one time and counted at a later one: what it has came between them.
    /// `metric` stays where it can be of that.
    #[must_use]
    pub fn after_empty(
        metric: Option<Self>,
        empty_at: DateTime<Utc>,
        counted_at: DateTime<Utc>,
    ) -> Self {
        let can_be = |age: &Self| {
            age.since >= empty_at
                || (age.until > empty_at && age.secs <= age_secs(empty_at, age.until))
        };
        metric.filter(can_be).unwrap_or_else(|| Self {
            secs: age_secs(empty_at, counted_at),
            grown_secs: 0,
            is_bound: true,
            since: counted_at,
            until: counted_at,
        })
    }

    /// `17 s at 07:07:57`, `≤ 1 min 11 s at 07:07`, `≤ 114 s at 07:07:34`, `≤ 12 min at 07:07:34`: for a column, beside
    /// a time to the second the bound has one unit.
    #[must_use]
    pub fn text(self) -> String {
        if self.grown_secs == 0 {
            return format!("{} {}", self.age("≤ "), self.time());
        }
        let secs = self.secs + self.grown_secs;
        let age = if secs < SECONDS_MAX {
            format!("{secs} s")
        } else {
            span_secs(secs.div_ceil(60) * 60)
        };
        format!("≤ {age} {}", self.time())
    }

    /// `17 s at 07:07:57`, `up to 1 min 11 s at 07:07`, `up to 39 s at 07:07:34`
    #[must_use]
    pub fn in_words(self) -> String {
        format!("{} {}", self.age("up to "), self.time())
    }

    /// `17 s at 07:07`, `up to 1 min 11 s at 07:07`; a bound that the whole minute does not have keeps its second.
    #[must_use]
    pub fn in_words_to_the_minute(self) -> String {
        if self.grown_secs > 0 {
            return self.in_words();
        }
        format!("{} {}", self.age("up to "), self.minutes())
    }

    fn age(self, bound: &str) -> String {
        let bound = if self.is_bound { bound } else { "" };
        format!("{bound}{}", span_secs(self.secs + self.grown_secs))
    }

    /// A second, or minutes.
    fn time(self) -> String {
        if self.grown_secs > 0 {
            return format!("at {}", clock(self.until));
        }
        if self.until - self.since <= MOMENT {
            return format!("at {}", clock(self.since));
        }
        self.minutes()
    }

    /// A minute, or the first and the last of several.
    fn minutes(self) -> String {
        let minute = |at: DateTime<Utc>| at.format("%H:%M").to_string();
        // Its end is the start of the next period.
        let (first, last) = (
            minute(self.since),
            minute((self.until - MOMENT).max(self.since)),
        );
        if first == last {
            format!("at {first}")
        } else {
            format!("from {first} to {last}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time of 07:00.
    fn at(secs: i64) -> DateTime<Utc> {
        "2026-11-28T07:00:00Z".parse::<DateTime<Utc>>().unwrap() + Duration::seconds(secs)
    }

    fn newest(value: f64, since: i64, period_secs: u32, read_at: i64) -> Option<OldestAge> {
        let older = Point {
            at: at(since - i64::from(period_secs)),
            value: 1.0,
        };
        let point = Point {
            at: at(since),
            value,
        };
        OldestAge::newest(&[older, point], period_secs, at(read_at))
    }

    #[test]
    fn age_is_at_most_the_greatest_of_its_minute_and_not_that_of_its_end() {
        let whole = newest(71.0, 420, 60, 540).unwrap();
        assert_eq!(whole.text(), "≤ 1 min 11 s at 07:07");
        assert_eq!(whole.in_words(), "up to 1 min 11 s at 07:07");
        let long = newest(71.0, 420, 240, 700).unwrap();
        assert_eq!(long.text(), "≤ 1 min 11 s from 07:07 to 07:10");
        assert_eq!(newest(71.0, 420, 60, 721), None, "too old");
    }

    /// The value may be of its first second, and the message stays until the end.
    #[test]
    fn age_of_less_than_a_minute_is_the_greatest_that_it_can_be_at_its_end() {
        let part = newest(5.0, 420, 60, 454).unwrap();
        assert_eq!((part.secs, part.until), (5, at(454)));
        assert_eq!(part.text(), "≤ 39 s at 07:07:34");
        assert_eq!(part.in_words(), "up to 39 s at 07:07:34");
        assert_eq!(part.in_words_to_the_minute(), part.in_words());
        // The last values of the minute may be missing.
        let late = newest(5.0, 420, 60, 481).unwrap();
        assert_eq!(late.text(), "≤ 65 s at 07:08:00");
        let old = newest(661.0, 420, 60, 481).unwrap();
        assert_eq!(old.text(), "≤ 13 min at 07:08:00");
        assert_eq!(old.in_words(), "up to 12 min 1 s at 07:08:00");
        let short = newest(35.0, 460, 10, 490).unwrap();
        assert_eq!(short.text(), "≤ 45 s at 07:07:50");
    }

    #[test]
    fn age_of_one_value_is_exact_and_of_its_second() {
        let age = newest(17.0, 477, 1, 480).unwrap();
        assert_eq!(age.text(), "17 s at 07:07:57");
        assert_eq!(age.in_words(), age.text());
        assert_eq!(age.in_words_to_the_minute(), "17 s at 07:07");
    }

    #[test]
    fn what_is_in_a_queue_that_was_empty_is_no_older_than_that() {
        let metric = newest(299.0, 420, 60, 490);
        let after =
            |empty_at, counted_at| OldestAge::after_empty(metric, at(empty_at), at(counted_at));
        for (empty_at, counted_at, text) in [
            // The metric is of a time before, or of a message that was there before.
            (490, 500, "≤ 10 s at 07:08:20"),
            (470, 500, "≤ 30 s at 07:08:20"),
            // It was empty so long before that the metric can be of what came then.
            (180, 500, "≤ 4 min 59 s at 07:07"),
            (100, 500, "≤ 4 min 59 s at 07:07"),
        ] {
            assert_eq!(after(empty_at, counted_at).text(), text, "{empty_at}");
        }
        let unknown = OldestAge::after_empty(None, at(490), at(500));
        assert_eq!(unknown.text(), "≤ 10 s at 07:08:20");
    }
}
