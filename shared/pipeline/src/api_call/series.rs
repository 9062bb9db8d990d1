//! Calls that are repeated. Pure; invariant: percentiles are of the calls that had an answer, and how many had none is
//! said.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::ApiAnswer;
use crate::probe::percentile;

/// Most calls of a series.
pub const CALLS_MAX: u32 = 100;

/// The calls of a series so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallSeries {
    latencies: Vec<Duration>,
    statuses: BTreeMap<u16, usize>,
    unanswered: usize,
}

/// What the calls of a series sum up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSummary {
    /// How many were sent.
    pub calls: usize,
    /// How many of them had no answer.
    pub unanswered: usize,
    /// How many had each status.
    pub statuses: BTreeMap<u16, usize>,
    /// The shortest latency; `None` where there was no answer, as of all below.
    pub min: Option<Duration>,
    /// The median.
    pub p50: Option<Duration>,
    /// What one of twenty exceeds.
    pub p95: Option<Duration>,
    /// What one of a hundred exceeds.
    pub p99: Option<Duration>,
    /// The longest.
    pub max: Option<Duration>,
}

impl CallSeries {
    /// Counts an answer.
    pub fn answered(&mut self, answer: &ApiAnswer) {
        self.latencies.push(answer.latency);
        *self.statuses.entry(answer.status).or_default() += 1;
    }

    /// Counts a call without an answer.
    pub fn unanswered(&mut self) {
        self.unanswered += 1;
    }

    /// How many were sent.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.latencies.len() + self.unanswered
    }

    /// What they sum up to.
    #[must_use]
    pub fn summary(&self) -> CallSummary {
        let mut ascending = self.latencies.clone();
        ascending.sort_unstable();
        CallSummary {
            calls: self.calls(),
            unanswered: self.unanswered,
            statuses: self.statuses.clone(),
            min: ascending.first().copied(),
            p50: percentile(&ascending, 50),
            p95: percentile(&ascending, 95),
            p99: percentile(&ascending, 99),
            max: ascending.last().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, millis: u64) -> ApiAnswer {
        ApiAnswer {
            status,
            latency: Duration::from_millis(millis),
            content_type: None,
            headers: Vec::new(),
            body: String::new(),
            is_cut: false,
        }
    }

    #[test]
    fn percentiles_are_the_nearest_ranks_of_the_answered_calls() {
        let mut series = CallSeries::default();
        // 1 to 20 ms, not in their order.
        for millis in (1..=20).rev() {
            series.answered(&answer(if millis == 7 { 503 } else { 200 }, millis));
        }
        series.unanswered();
        let summary = series.summary();
        let millis = |took: Option<Duration>| took.map(|took| took.as_millis());
        assert_eq!((summary.calls, summary.unanswered), (21, 1));
        assert_eq!(summary.statuses, BTreeMap::from([(200, 19), (503, 1)]));
        let shown = [
            summary.min,
            summary.p50,
            summary.p95,
            summary.p99,
            summary.max,
        ];
        let expected = [1, 10, 19, 20, 20].map(Some);
        assert_eq!(shown.map(millis), expected);
    }

    #[test]
    fn series_without_an_answer_has_no_latency() {
        let mut series = CallSeries::default();
        series.unanswered();
        let summary = series.summary();
        assert_eq!((summary.calls, summary.unanswered), (1, 1));
        assert_eq!((summary.min, summary.p50, summary.max), (None, None, None));
    }
}
