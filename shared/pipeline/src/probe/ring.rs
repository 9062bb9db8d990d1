//! The last probes of a series, and what they sum up to. Pure; invariant: at most so many are kept as were asked for, and
//! a value that is shown was measured.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use super::millis::millis_or_null;
use super::seen::{Measure, Probe};

/// The last probes.
#[derive(Clone, Debug)]
pub struct ProbeRing {
    capacity: usize,
    probes: VecDeque<Probe>,
    made: u64,
}

impl ProbeRing {
    /// A ring that keeps so many, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            probes: VecDeque::new(),
            made: 0,
        }
    }

    /// Adds one; the oldest goes where there is no room.
    pub fn push(&mut self, probe: Probe) {
        if self.probes.len() >= self.capacity {
            self.probes.pop_front();
        }
        self.probes.push_back(probe);
        self.made += 1;
    }

    /// The probes, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Probe> + ExactSizeIterator + Clone {
        self.probes.iter()
    }

    /// How many were ever added.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.made
    }

    /// What those that are kept sum up to. `slower_than` is the limit of the whole way, where there is one.
    #[must_use]
    pub fn summary(&self, slower_than: Option<Duration>) -> ProbeSummary {
        let failed = self.iter().filter(|probe| probe.failure.is_some()).count();
        let slow = slower_than.map(|limit| {
            let slow = self.iter().filter(|probe| probe.is_slower_than(limit));
            slow.count()
        });
        ProbeSummary {
            probes: self.made,
            kept: self.iter().len(),
            failed,
            slow,
            measures: Measure::ALL
                .into_iter()
                .map(|measure| self.measure(measure))
                .collect(),
        }
    }

    fn measure(&self, measure: Measure) -> MeasureSummary {
        let values = self.iter().filter_map(|probe| probe.measured(measure));
        let mut values: Vec<Duration> = values.collect();
        values.sort_unstable();
        MeasureSummary {
            measure,
            count: values.len(),
            p50: percentile(&values, 50),
            p99: percentile(&values, 99),
            max: values.last().copied(),
        }
    }
}

/// The smallest value that at least `percent` percent of the values do not exceed (nearest rank); `None` of none.
#[must_use]
pub fn percentile(ascending: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (ascending.len() * percent.min(100)).div_ceil(100).max(1);
    ascending.get(rank - 1).copied()
}

/// What the kept probes of a series sum up to. The JSON fields are published.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbeSummary {
    /// How many were made.
    pub probes: u64,
    /// How many of them, the newest, the numbers below are of.
    pub kept: usize,
    /// Of those, how many failed.
    pub failed: usize,
    /// Of those, how many took longer than was asked for; `None` where nothing was.
    pub slow: Option<usize>,
    /// One entry for each measure.
    pub measures: Vec<MeasureSummary>,
}

/// How long one measure took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeasureSummary {
    /// What.
    pub measure: Measure,
    /// In how many probes it was seen.
    pub count: usize,
    /// The median.
    #[serde(rename = "p50_ms", serialize_with = "millis_or_null")]
    pub p50: Option<Duration>,
    /// What one of a hundred exceeds.
    #[serde(rename = "p99_ms", serialize_with = "millis_or_null")]
    pub p99: Option<Duration>,
    /// The longest.
    #[serde(rename = "max_ms", serialize_with = "millis_or_null")]
    pub max: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use ::event::EventKey;
    use chrono::{DateTime, TimeDelta};
    use proptest::prelude::*;

    use super::*;
    use crate::probe::{FailureReason, ProbeFailure, ProbeHop, PublishedHop, StoredHop};

    /// A probe that took so long in an environment without an API; one that took nothing failed.
    fn probe(number: u64, millis: u64) -> Probe {
        let at = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        Probe {
            environment: "test".to_owned(),
            key: EventKey {
                source: "s".to_owned(),
                id: number.to_string(),
            },
            started_at: at,
            published: Some(PublishedHop {
                took: Duration::ZERO,
                sns_message_id: "m".to_owned(),
                acknowledged_at: at,
            }),
            stored: (millis > 0).then(|| StoredHop {
                took: Duration::from_millis(millis),
                record_id: ::event::RecordId(1),
                ingested_at: None,
                ingested_after: None,
            }),
            readable: None,
            has_api: false,
            failure: (millis == 0).then(|| ProbeFailure {
                hop: ProbeHop::Stored,
                reason: FailureReason::TimeOver,
                detail: "late".to_owned(),
            }),
            database_clock: None,
        }
    }

    proptest! {
        #[test]
        fn percentile_is_the_smallest_value_that_enough_do_not_exceed(
            mut millis in proptest::collection::vec(0_u64..50, 1..200),
            percent in 1_usize..=100,
        ) {
            millis.sort_unstable();
            let values: Vec<_> = millis.iter().copied().map(Duration::from_millis).collect();
            let found = percentile(&values, percent).unwrap();
            let not_above = |limit| values.iter().filter(|value| **value <= limit).count();
            prop_assert!(values.contains(&found));
            prop_assert!(not_above(found) * 100 >= percent * values.len());
            if let Some(below) = values.iter().rev().find(|value| **value < found) {
                prop_assert!(not_above(*below) * 100 < percent * values.len());
            }
        }

        #[test]
        fn ring_keeps_the_newest_and_sums_up_those_alone(
            capacity in 1_usize..20,
            millis in proptest::collection::vec(0_u64..5_000, 0..60),
            limit in 0_u64..5_000,
        ) {
            let mut ring = ProbeRing::new(capacity);
            for (number, millis) in (0..).zip(&millis) {
                ring.push(probe(number, *millis));
            }
            let kept = &millis[millis.len().saturating_sub(capacity)..];
            let ids: Vec<_> = ring.iter().map(|probe| probe.key.id.parse::<usize>().unwrap()).collect();
            let first = millis.len() - kept.len();
            prop_assert_eq!(ids, (first..millis.len()).collect::<Vec<_>>());
            let summary = ring.summary(Some(Duration::from_millis(limit)));
            prop_assert_eq!(summary.probes, millis.len() as u64);
            prop_assert_eq!(summary.kept, kept.len());
            prop_assert_eq!(summary.failed, kept.iter().filter(|millis| **millis == 0).count());
            let slow = kept.iter().filter(|millis| **millis > limit).count();
            prop_assert_eq!(summary.slow, Some(slow));
            let total = summary.measures.last().unwrap();
            let max = kept.iter().copied().filter(|millis| *millis > 0).max();
            prop_assert_eq!(total.max, max.map(Duration::from_millis));
            prop_assert_eq!(total.count, summary.kept - summary.failed);
        }
    }

    #[test]
    fn insert_before_the_answer_of_sns_is_not_measured_and_never_zero() {
        let mut ring = ProbeRing::new(3);
        for micros in [-20_000, -1, 40_000] {
            let mut early = probe(0, 100);
            let stored = early.stored.as_mut().unwrap();
            stored.ingested_after = Some(TimeDelta::microseconds(micros));
            ring.push(early);
        }
        let summary = ring.summary(None);
        let ingested = summary.measures.iter();
        let mut ingested = ingested.filter(|one| one.measure == Measure::Ingested);
        let ingested = ingested.next().unwrap();
        let measured = Some(Duration::from_millis(40));
        assert_eq!((ingested.count, ingested.p50), (1, measured));
    }

    #[test]
    fn of_nothing_there_is_no_percentile() {
        assert_eq!(percentile(&[], 50), None);
        let summary = ProbeRing::new(0).summary(None);
        assert_eq!((summary.kept, summary.slow), (0, None));
        assert!(summary.measures.iter().all(|one| one.p99.is_none()));
    }
}
