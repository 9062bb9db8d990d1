//! The report of a batch: one line that is both its log line and its CloudWatch metrics.
//!
//! Invariant: one JSON object on one line, with counts, times, failure codes and the ids of the
//! invocation and of traces; never a body, an id or source of an event, or a setting.
//!
//! CloudWatch reads metrics from a log event that is an object with the member `_aws` ("Embedded
//! metric format specification", CloudWatch user guide) and searches the other members like those of
//! any structured log line. So log and metrics cannot disagree. A metric has the name of its member.
//! A failure code is part of a metric's name and not a dimension, because one record has one value per
//! dimension, and one batch can have eight codes. A code is sent only when it occurred: CloudWatch
//! bills each name by the hour in which it was sent.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use event::{FailureCode, ingest_metrics};
use serde::Serialize;

use crate::disposition::Outcome;
use crate::invocation::Invocation;
use crate::trace::TraceId;

/// Traces of failed events in one line: a batch of failures alone stays far below the size of a log
/// event (CloudWatch Logs quotas: 1 MB).
const FAILED_TRACES_MAX: usize = 20;
/// Counts that each batch sends, zeros too: a missing value means that nothing is known.
const COUNTS: [&str; 6] = [
    ingest_metrics::STORED,
    ingest_metrics::LATE,
    ingest_metrics::DUPLICATES,
    ingest_metrics::EXPIRED,
    ingest_metrics::DEAD_LETTERED,
    ingest_metrics::RETRIED,
];

/// The figures of one batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Its messages by disposition.
    pub outcome: Outcome,
    /// Time of the write, with waits for a connection and retries; `None` without an event.
    pub database: Option<Duration>,
    /// Time of the whole batch.
    pub duration: Duration,
    /// `None` where no event was stored.
    pub lag: Option<Lag>,
    /// Stored events whose lag is known and beyond the objective of freshness.
    pub late: usize,
    /// Distinct traces of its events.
    pub traces: usize,
    /// Traces of permanent failures, at most [`FAILED_TRACES_MAX`].
    pub(crate) failed_traces: Vec<FailedTrace>,
}

/// Time from the publish to the commit, over the stored events of a batch.
///
/// An event counts as published when the queue accepted its message (`SentTimestamp`): raw delivery
/// has no earlier time, and SNS delivers within milliseconds. SQS keeps that time when it delivers a
/// message again, so the lag includes all retries. A redriven dead letter is a new message: its lag
/// counts from the redrive. The lag is not the age of the event, which `time` gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The median, by nearest rank.
    pub p50: Duration,
    /// The longest one.
    pub max: Duration,
}

/// How many of these are beyond the objective of freshness.
pub(crate) fn late(lags: &[Duration]) -> usize {
    let limit = Duration::from_secs(ingest_metrics::LATE_AFTER_SECS);
    lags.iter().filter(|lag| **lag > limit).count()
}

impl Lag {
    pub(crate) fn of(mut lags: Vec<Duration>) -> Option<Self> {
        let middle = lags.len().checked_sub(1)? / 2;
        let (_, p50, later) = lags.select_nth_unstable(middle);
        let p50 = *p50;
        Some(Self {
            p50,
            max: later.iter().copied().max().unwrap_or(p50),
        })
    }
}

/// The trace by which a publisher finds an event that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FailedTrace {
    code: &'static str,
    trace_id: TraceId,
}

impl Report {
    /// Adds the trace of a permanent failure.
    pub(crate) fn note_failure(&mut self, code: FailureCode, trace: Option<TraceId>) {
        if let Some(trace_id) = trace
            && self.failed_traces.len() < FAILED_TRACES_MAX
        {
            self.failed_traces.push(FailedTrace {
                code: code.as_str(),
                trace_id,
            });
        }
    }

    /// The line, without its end.
    #[must_use]
    pub fn line(&self, invocation: &Invocation, at: SystemTime) -> String {
        let outcome = &self.outcome;
        let failed: BTreeMap<&'static str, usize> = outcome
            .codes
            .iter()
            .map(|(code, count)| (ingest_metrics::failed(*code), *count))
            .collect();
        let lags = self
            .lag
            .map(|_| [ingest_metrics::LAG_P50_MS, ingest_metrics::LAG_MAX_MS]);
        let counts = COUNTS.into_iter().chain(failed.keys().copied());
        let database = self.database.map(|_| ingest_metrics::DATABASE_MS);
        let times = database.into_iter().chain(lags.into_iter().flatten());
        let metrics = counts
            .map(|name| (name, "Count"))
            .chain(times.map(|name| (name, "Milliseconds")))
            .map(|(name, unit)| Metric { name, unit })
            .collect();
        let line = Line {
            aws: Metadata {
                timestamp: milliseconds(at.duration_since(UNIX_EPOCH).unwrap_or_default()),
                directives: [Directive {
                    namespace: ingest_metrics::NAMESPACE,
                    dimensions: [[ingest_metrics::DIMENSION]],
                    metrics,
                }],
            },
            function_name: &invocation.function_name,
            level: level(outcome),
            message: "batch handled",
            request_id: &invocation.request_id,
            xray_trace_id: invocation.xray_trace_id.as_deref(),
            received: outcome.total(),
            stored: outcome.stored,
            late: self.late,
            replaced: (outcome.replaced > 0).then_some(outcome.replaced),
            duplicates: outcome.duplicates,
            expired: outcome.expired,
            dead_lettered: outcome.dead_lettered,
            retried: outcome.retried,
            failed: &failed,
            database_ms: self.database.map(milliseconds),
            lag_p50_ms: self.lag.map(|lag| milliseconds(lag.p50)),
            lag_max_ms: self.lag.map(|lag| milliseconds(lag.max)),
            duration_ms: milliseconds(self.duration),
            traces: self.traces,
            failed_traces: &self.failed_traces,
        };
        // Numbers and strings under string keys always serialize.
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Writes the line to standard output and not through the log, which would nest it: CloudWatch
    /// reads metrics only where the whole log event is the object.
    pub(crate) fn write(&self, invocation: &Invocation) {
        let mut line = self.line(invocation, SystemTime::now());
        line.push('\n');
        if let Err(error) = std::io::stdout().lock().write_all(line.as_bytes()) {
            tracing::error!(%error, "report of a batch not written");
        }
    }
}

/// A batch of which messages were refused, or are to come again, is one that an operator searches for.
const fn level(outcome: &Outcome) -> &'static str {
    if outcome.dead_lettered + outcome.retried > 0 {
        "WARN"
    } else {
        "INFO"
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "_aws")]
    aws: Metadata,
    #[serde(rename = "FunctionName")]
    function_name: &'a str,
    level: &'static str,
    message: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    xray_trace_id: Option<&'a str>,
    received: usize,
    stored: usize,
    late: usize,
    /// Of these; no metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<usize>,
    duplicates: usize,
    expired: usize,
    dead_lettered: usize,
    retried: usize,
    #[serde(flatten)]
    failed: &'a BTreeMap<&'static str, usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_p50_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_max_ms: Option<u64>,
    duration_ms: u64,
    traces: usize,
    #[serde(skip_serializing_if = "<[FailedTrace]>::is_empty")]
    failed_traces: &'a [FailedTrace],
}

#[derive(Serialize)]
struct Metadata {
    #[serde(rename = "Timestamp")]
    timestamp: u64,
    #[serde(rename = "CloudWatchMetrics")]
    directives: [Directive; 1],
}

#[derive(Serialize)]
struct Directive {
    #[serde(rename = "Namespace")]
    namespace: &'static str,
    #[serde(rename = "Dimensions")]
    dimensions: [[&'static str; 1]; 1],
    /// One per member above and one per code at most: the format allows a hundred.
    #[serde(rename = "Metrics")]
    metrics: Vec<Metric>,
}

#[derive(Serialize)]
struct Metric {
    #[serde(rename = "Name")]
    name: &'static str,
    #[serde(rename = "Unit")]
    unit: &'static str,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::disposition::{Disposition, RetryReason};

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn after(milliseconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(milliseconds)
    }

    fn line_of(report: &Report) -> Value {
        let mut invocation = Invocation::new("request-1".to_owned(), Duration::from_secs(1));
        invocation.function_name = "events-ingest".to_owned();
        invocation.xray_trace_id = Some("Root=1-2-3".to_owned());
        let line = report.line(&invocation, after(1_795_000_000_123));
        assert!(!line.contains('\n'), "{line}");
        serde_json::from_str(&line).unwrap()
    }

    fn full() -> Report {
        let mut report = Report {
            outcome: Outcome::of(&[
                Disposition::Stored,
                Disposition::Stored,
                Disposition::Duplicate,
                Disposition::Expired,
                Disposition::DeadLettered(FailureCode::InvalidTime),
                Disposition::Retry(RetryReason::Database),
            ]),
            database: Some(Duration::from_millis(7)),
            duration: Duration::from_millis(9),
            lag: Lag::of(vec![
                Duration::from_millis(61_000),
                Duration::from_millis(100),
            ]),
            late: 1,
            traces: 3,
            ..Report::default()
        };
        let body = format!(r#"{{"traceparent":"00-{TRACE}-00f067aa0ba902b7-01"}}"#);
        report.note_failure(FailureCode::InvalidTime, TraceId::of_body(&body));
        report.note_failure(FailureCode::InvalidTime, None);
        report
    }

    #[test]
    fn batch_is_one_record_that_cloudwatch_reads_metrics_from() {
        let count = |name: &str| json!({"Name": name, "Unit": "Count"});
        let time = |name: &str| json!({"Name": name, "Unit": "Milliseconds"});
        let expected = json!({
            "_aws": {
                "Timestamp": 1_795_000_000_123_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "OpsConsole/Ingest",
                    "Dimensions": [["FunctionName"]],
                    "Metrics": [
                        count("stored"), count("late"), count("duplicates"), count("expired"),
                        count("dead_lettered"), count("retried"), count("failed_invalid-time"),
                        time("database_ms"), time("lag_p50_ms"), time("lag_max_ms"),
                    ],
                }],
            },
            "FunctionName": "events-ingest",
            "level": "WARN", "message": "batch handled",
            "request_id": "request-1", "xray_trace_id": "Root=1-2-3",
            "received": 6, "stored": 2, "late": 1, "duplicates": 1, "expired": 1, "dead_lettered": 1,
            "retried": 1,
            "failed_invalid-time": 1,
            "database_ms": 7, "lag_p50_ms": 100, "lag_max_ms": 61_000, "duration_ms": 9,
            "traces": 3,
            "failed_traces": [{"code": "invalid-time", "trace_id": TRACE}],
        });
        assert_eq!(line_of(&full()), expected);
    }

    #[test]
    fn every_metric_is_a_number_of_the_record_and_every_dimension_a_text() {
        for report in [Report::default(), full()] {
            let line = line_of(&report);
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            let metrics = directive["Metrics"].as_array().unwrap();
            assert!(metrics.len() <= 100);
            for metric in metrics {
                let name = metric["Name"].as_str().unwrap();
                assert!(line[name].is_u64(), "{name}: {line}");
            }
            for dimension in directive["Dimensions"][0].as_array().unwrap() {
                assert!(line[dimension.as_str().unwrap()].is_string());
            }
        }
    }

    #[test]
    fn level_is_a_warning_where_a_message_was_refused_or_is_to_come_again() {
        let of = |disposition| {
            let outcome = Outcome::of(&[Disposition::Stored, disposition]);
            line_of(&Report {
                outcome,
                ..Report::default()
            })["level"]
                .clone()
        };
        assert_eq!(of(Disposition::Duplicate), "INFO");
        assert_eq!(of(Disposition::Retry(RetryReason::Database)), "WARN");
        let refused = Disposition::DeadLettered(FailureCode::InvalidTime);
        assert_eq!(of(refused), "WARN");
    }

    #[test]
    fn batch_that_stored_nothing_has_no_lag_and_it_is_not_zero() {
        assert_eq!(Lag::of(Vec::new()), None);
        let line = line_of(&Report::default());
        assert_eq!(line.get("lag_p50_ms"), None);
        assert_eq!(line.get("database_ms"), None);
        assert_eq!(line["stored"], 0);
    }

    #[test]
    fn lag_is_the_median_by_nearest_rank_and_the_longest() {
        let lag = |lags: &[u64]| {
            let lags = lags.iter().copied().map(Duration::from_millis);
            Lag::of(lags.collect()).map(|lag| (lag.p50.as_millis(), lag.max.as_millis()))
        };
        assert_eq!(lag(&[100]), Some((100, 100)));
        assert_eq!(lag(&[900, 100]), Some((100, 900)));
        assert_eq!(lag(&[300, 900, 100]), Some((300, 900)));
    }

    #[test]
    fn event_is_late_after_a_minute() {
        let lags = [0, 59_999, 60_000, 60_001, 400_000].map(Duration::from_millis);
        assert_eq!(late(&lags), 2);
        assert_eq!(late(&[]), 0);
        assert_eq!(line_of(&Report::default())["late"], 0, "sent as zero");
    }

    #[test]
    fn traces_of_many_failures_are_cut() {
        let mut report = Report::default();
        let body = format!(r#"{{"traceparent":"00-{TRACE}-00f067aa0ba902b7-01"}}"#);
        for _ in 0..1_000 {
            report.note_failure(FailureCode::NotJson, TraceId::of_body(&body));
        }
        assert_eq!(report.failed_traces.len(), FAILED_TRACES_MAX);
    }
}
