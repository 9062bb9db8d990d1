//! The metrics of the ingest from CloudWatch: lag and outcomes of events.
//!
//! Invariant: when the function sent no metrics, its numbers are absent and not zero, because it is not
//! known to be idle. Only a failure code that is absent beside other numbers counts as zero.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use event::{FailureCode, ingest_metrics};
use serde::Serialize;

use super::metric_line::{Line, Subject};
use super::oldest_age::METRIC_RECENT;
use super::point::Point;
use super::{Pipeline, PipelineError};
use crate::text::{age_secs, whole};

/// The time that [`IngestRates`] cover. CloudWatch has metrics from logs after a minute or two; a longer
/// window would show the numbers from before an outage for too long.
pub const INGEST_WINDOW: Duration = Duration::from_secs(180);
/// Shortest time for a rate: a single batch is no stream.
const RATE_SECS_MIN: u64 = 30;

/// History of the ingest, oldest first; a list is empty when no batch sent the metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IngestHistory {
    /// Messages whose event was stored, per period.
    pub stored: Vec<Point>,
    /// Messages whose event was stored before, per period.
    pub duplicates: Vec<Point>,
    /// Messages whose event was not stored because it occurred before the retention horizon, per period.
    pub expired: Vec<Point>,
    /// Messages that were reported for retry, per period.
    pub retried: Vec<Point>,
    /// Milliseconds from publish to commit: the mean of the medians of a period's batches.
    pub lag_p50_ms: Vec<Point>,
    /// Milliseconds from publish to commit: the maximum.
    pub lag_max_ms: Vec<Point>,
    /// Messages that failed permanently, by code, per period.
    pub failed: BTreeMap<FailureCode, Vec<Point>>,
}

/// What the ingest did in the last [`INGEST_WINDOW`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IngestRates {
    /// Seconds that the rates cover, up to the newest batches: from 30 to 180. `None`, as each rate is, until
    /// 30 seconds were observed whole.
    pub window_secs: Option<u64>,
    /// End of that time: the newest batches of which all metrics are known. Without newer ones it does not move.
    pub window_until: Option<DateTime<Utc>>,
    /// The newest batches stored nothing, had no duplicates or expired events, and reported messages for retry.
    pub is_stuck: bool,
    /// Milliseconds from publish to commit: the mean over minutes of the mean of their batches' medians, so a
    /// quiet minute has the same weight as a busy one. `None` when nothing was stored.
    pub lag_p50_ms: Option<u64>,
    /// Milliseconds from publish to commit: the maximum. `None` when nothing was stored.
    pub lag_max_ms: Option<u64>,
    /// Messages whose event was stored.
    pub stored_per_minute: Option<f64>,
    /// Messages whose event was stored before.
    pub duplicates_per_minute: Option<f64>,
    /// Messages whose event was not stored because it occurred before the retention horizon.
    pub expired_per_minute: Option<f64>,
    /// Messages that were reported for retry.
    pub retried_per_minute: Option<f64>,
    /// Messages that failed permanently, by code; only codes that occurred.
    pub failures_per_minute: Option<BTreeMap<FailureCode, f64>>,
}

/// How long the events of one period were on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodLag {
    /// Milliseconds from publish to commit: the mean of the medians of its batches.
    pub p50_ms: u64,
    /// Milliseconds from publish to commit: the maximum.
    pub max_ms: u64,
    /// End of the period.
    pub until: DateTime<Utc>,
}

/// The metrics of a period are complete at the latest when the next one is over.
const COMPLETE_PERIODS: i32 = 2;
/// Windows that are read for the rates of one: what came before shows whether it was observed whole.
const HISTORY_WINDOWS: u32 = 3;

const TOTALS: [(&str, &str); 6] = [
    (ingest_metrics::STORED, "Sum"),
    (ingest_metrics::DUPLICATES, "Sum"),
    (ingest_metrics::EXPIRED, "Sum"),
    (ingest_metrics::RETRIED, "Sum"),
    (ingest_metrics::LAG_P50_MS, "Average"),
    (ingest_metrics::LAG_MAX_MS, "Maximum"),
];

impl Pipeline {
    /// Rates of the last minutes; `None` when CloudWatch has no batch in them.
    ///
    /// # Errors
    /// When the environment does not name the function, or CloudWatch does not answer.
    pub async fn ingest_rates(&self) -> Result<Option<IngestRates>, PipelineError> {
        if self.environment().ingest_function.is_none() {
            return Err(PipelineError::not_configured(
                "read metrics of the ingest",
                "the environment does not name the function".to_owned(),
                "add ingest_function to the environment's entry",
            ));
        }
        let period_secs = self.period_secs(INGEST_WINDOW);
        let read = self
            .metric_data(&lines(), INGEST_WINDOW * HISTORY_WINDOWS, period_secs)
            .await?;
        Ok(IngestHistory::of(read).recent(Utc::now(), period_secs))
    }
}

/// The CloudWatch queries, in the order of [`IngestHistory::of`].
pub(super) fn lines() -> Vec<Line> {
    let codes = FailureCode::ALL.map(|code| (ingest_metrics::failed(code), "Sum"));
    TOTALS
        .into_iter()
        .chain(codes)
        .map(|(metric, statistic)| Line {
            subject: Subject::Ingest,
            metric,
            statistic,
        })
        .collect()
}

impl IngestHistory {
    /// From the results of [`lines`].
    pub(super) fn of(results: impl IntoIterator<Item = Vec<Point>>) -> Self {
        let mut results = results.into_iter();
        let mut next = || results.next().unwrap_or_default();
        Self {
            stored: next(),
            duplicates: next(),
            expired: next(),
            retried: next(),
            lag_p50_ms: next(),
            lag_max_ms: next(),
            failed: FailureCode::ALL
                .into_iter()
                .map(|code| (code, next()))
                .filter(|(_, points)| !points.is_empty())
                .collect(),
        }
    }

    /// What the last [`INGEST_WINDOW`] before `now` shows; each point covers `period_secs`. `None` when there
    /// was no batch.
    #[must_use]
    pub fn recent(&self, now: DateTime<Utc>, period_secs: u32) -> Option<IngestRates> {
        let within = |points: &[Point]| {
            let values: Vec<f64> = points
                .iter()
                .filter(|point| now - point.at <= INGEST_TIME)
                .map(|point| point.value)
                .collect();
            (!values.is_empty()).then_some(values)
        };
        let last = self.stored.last()?;
        within(&self.stored)?;
        let window = self.observed(now, chrono::Duration::seconds(period_secs.into()));
        let per_minute = |points: &[Point]| window.as_ref().map(|window| window.per_minute(points));
        let newest = |points: &[Point]| {
            let of_last = points.iter().rfind(|point| point.at == last.at);
            of_last.map_or(0.0, |point| point.value)
        };
        Some(IngestRates {
            window_secs: window.as_ref().map(Window::secs),
            window_until: window.as_ref().map(|window| window.until),
            is_stuck: newest(&self.retried) > 0.0
                && newest(&self.stored) + newest(&self.duplicates) + newest(&self.expired) == 0.0,
            lag_p50_ms: within(&self.lag_p50_ms).map(|values| whole(mean(&values))),
            lag_max_ms: within(&self.lag_max_ms)
                .map(|values| whole(values.into_iter().fold(0.0, f64::max))),
            stored_per_minute: per_minute(&self.stored),
            duplicates_per_minute: per_minute(&self.duplicates),
            expired_per_minute: per_minute(&self.expired),
            retried_per_minute: per_minute(&self.retried),
            failures_per_minute: window.as_ref().map(|window| {
                let rates = self.failed.iter();
                let rates = rates.map(|(code, points)| (*code, window.per_minute(points)));
                rates.filter(|(_, per_minute)| *per_minute > 0.0).collect()
            }),
        })
    }

    /// Lag of the newest period whose metrics are complete; `None` where it was long before `now`.
    #[must_use]
    pub fn newest_lag(&self, now: DateTime<Utc>, period_secs: u32) -> Option<PeriodLag> {
        let period = chrono::Duration::seconds(period_secs.into());
        let is_complete = |point: &&Point| point.at + period * COMPLETE_PERIODS <= now;
        let p50 = self.lag_p50_ms.iter().rfind(is_complete)?;
        let max = self.lag_max_ms.iter().rfind(|max| max.at == p50.at)?;
        (now - p50.at <= METRIC_RECENT).then(|| PeriodLag {
            p50_ms: whole(p50.value),
            max_ms: whole(max.value),
            until: p50.at + period,
        })
    }

    /// The time up to the newest batches that was observed whole. `None` when it is too short for a rate.
    fn observed(&self, now: DateTime<Utc>, period: chrono::Duration) -> Option<Window> {
        let complete = self
            .stored
            .iter()
            .rfind(|point| point.at + period * COMPLETE_PERIODS <= now)?;
        let until = complete.at + period;
        let from = until - INGEST_TIME;
        let first = self.stored.first()?;
        let from = if first.at < from {
            from
        } else {
            // The first batches may have come at any time of their period.
            first.at + period
        };
        let window = Window { from, until };
        (window.secs() >= RATE_SECS_MIN).then_some(window)
    }
}

/// A time of which every batch is known.
struct Window {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Window {
    fn secs(&self) -> u64 {
        age_secs(self.from, self.until)
    }

    fn per_minute(&self, points: &[Point]) -> f64 {
        let within = points
            .iter()
            .filter(|point| self.from <= point.at && point.at < self.until);
        let sum: f64 = within.map(|point| point.value).sum();
        #[expect(clippy::cast_precision_loss, reason = "at most some hundred seconds")]
        let per_minute = sum * 600.0 / self.secs() as f64;
        per_minute.round() / 10.0
    }
}

/// [`INGEST_WINDOW`] as the difference of two times.
const INGEST_TIME: chrono::Duration = chrono::Duration::seconds(180);

#[expect(clippy::cast_precision_loss, reason = "some hundred values")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
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

    fn answers() -> Vec<Vec<Point>> {
        let mut answers = vec![Vec::new(); TOTALS.len() + FailureCode::ALL.len()];
        answers[0] = points(&[(-400, 9_000.0), (-180, 30.0), (-60, 21.0)]);
        answers[1] = points(&[(-60, 5.0)]);
        answers[2] = points(&[(-60, 10.0)]);
        answers[3] = points(&[(-60, 0.0)]);
        answers[4] = points(&[(-400, 9_000.0), (-180, 100.0), (-60, 301.0)]);
        answers[5] = points(&[(-180, 1_200.0), (-60, 800.0)]);
        answers[6] = points(&[(-60, 3.0)]);
        answers[13] = points(&[(-400, 7.0)]);
        answers
    }

    #[test]
    fn every_query_has_its_field() {
        let history = IngestHistory::of(answers());
        assert_eq!(history.failed.keys().count(), 2);
        let rates = history.recent(at(0), 30).unwrap();
        let expected = IngestRates {
            window_secs: Some(180),
            window_until: Some(at(-30)),
            is_stuck: false,
            lag_p50_ms: Some(201),
            lag_max_ms: Some(1_200),
            // In the 180 seconds up to -30.
            stored_per_minute: Some(17.0),
            duplicates_per_minute: Some(1.7),
            expired_per_minute: Some(3.3),
            retried_per_minute: Some(0.0),
            failures_per_minute: Some(BTreeMap::from([(FailureCode::NotJson, 1.0)])),
        };
        assert_eq!(rates, expected);
        let json = serde_json::to_value(rates).unwrap();
        assert_eq!(
            json["failures_per_minute"],
            serde_json::json!({"not-json": 1.0})
        );
        let lines = lines();
        assert_eq!(lines.len(), answers().len());
        assert_eq!(lines[13].metric, "failed_refused-by-database");
    }

    #[test]
    fn batches_are_seen_for_three_minutes_and_lag_needs_a_stored_event() {
        assert_eq!(IngestHistory::default().recent(at(0), 60), None);
        let history = IngestHistory::of(answers());
        assert_eq!(history.recent(at(600), 60), None, "too long ago");
        let mut answers = answers();
        answers[4] = Vec::new();
        let rates = IngestHistory::of(answers).recent(at(0), 30).unwrap();
        assert_eq!(rates.lag_p50_ms, None);
    }

    #[test]
    fn lag_is_of_one_period_whose_metrics_are_complete() {
        let history = IngestHistory::of(answers());
        let lag = |now, period_secs| history.newest_lag(at(now), period_secs);
        let of = |p50_ms, max_ms, until| PeriodLag {
            p50_ms,
            max_ms,
            until: at(until),
        };
        assert_eq!(lag(0, 30), Some(of(301, 800, -30)));
        assert_eq!(lag(0, 60), Some(of(100, 1_200, -120)), "the newest is not");
        assert_eq!(lag(241, 30), None, "too long ago");
        assert_eq!(IngestHistory::default().newest_lag(at(0), 30), None);
    }

    /// A stream of 20 events a second from `began` on, as the metrics show it: a period is there as soon as
    /// it has a batch, and its batches of the last five seconds are missing.
    fn stream(began: i64, now: i64) -> IngestHistory {
        let mut stored = Vec::new();
        for period in (0..now).step_by(10) {
            let secs = (period + 10).min(now - 5) - period.max(began);
            if secs > 0 {
                #[expect(clippy::cast_precision_loss, reason = "some seconds")]
                stored.push((period, 20.0 * secs as f64));
            }
        }
        IngestHistory {
            stored: points(&stored),
            ..IngestHistory::default()
        }
    }

    #[test]
    fn rate_of_a_new_stream_is_unknown_until_it_is_right() {
        for began in 0..10 {
            let mut known_from = None;
            for now in began + 6..400 {
                let rates = stream(began, now).recent(at(now), 10).unwrap();
                assert_eq!(
                    rates.window_secs.is_some(),
                    rates.stored_per_minute.is_some()
                );
                if let Some(rate) = rates.stored_per_minute {
                    assert!((rate - 1_200.0).abs() < 0.01, "{began} {now}: {rate}");
                    known_from.get_or_insert(now);
                } else {
                    assert_eq!(known_from, None, "{began} {now}: known before");
                }
            }
            assert!(known_from.is_some_and(|secs| secs <= 50));
        }
    }

    #[test]
    fn ingest_that_reports_everything_for_retry_is_stuck_from_its_first_such_batch() {
        for (stored, duplicates, expired, retried, is_stuck) in [
            (0.0, 0.0, 0.0, 3.0, true),
            (1.0, 0.0, 0.0, 3.0, false),
            (0.0, 1.0, 0.0, 3.0, false),
            (0.0, 0.0, 1.0, 3.0, false),
            (0.0, 0.0, 0.0, 0.0, false),
        ] {
            let mut answers = answers();
            answers[0] = points(&[(-60, 900.0), (-5, stored)]);
            answers[1] = points(&[(-60, 5.0), (-5, duplicates)]);
            answers[2] = points(&[(-60, 10.0), (-5, expired)]);
            answers[3] = points(&[(-60, 0.0), (-5, retried)]);
            let rates = IngestHistory::of(answers).recent(at(0), 5).unwrap();
            assert_eq!(rates.is_stuck, is_stuck);
        }
    }
}
