//! Everything that CloudWatch has of a pipeline over a time of the caller's choice, in one call: the hops, and what
//! AWS measures of the function, the API and the database.
//!
//! Invariant: a metric without values is an empty list, never zeros.

use std::time::Duration;

use event::ingest_metrics;

use crate::metric_line::{Line, Subject};
use crate::model::{History, Point};
use crate::{Pipeline, PipelineError};

/// Longest time that one call reads.
pub const LONG_HISTORY_MAX: Duration = Duration::from_secs(7 * 86_400);
/// Most points of one line.
const POINTS_MAX: u64 = 400;

/// What CloudWatch has of all parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LongHistory {
    /// Topic, queues, ingest.
    pub hops: History,
    /// What Lambda measures of the ingest function.
    pub function: FunctionHistory,
    /// What API Gateway measures.
    pub api: ApiHistory,
    /// What RDS measures of the cluster.
    pub database: DatabaseHistory,
}

/// What Lambda measures of a function, per period.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FunctionHistory {
    /// Invocations.
    pub invocations: Vec<Point>,
    /// Invocations that failed as a whole.
    pub errors: Vec<Point>,
    /// Invocations that were refused for lack of concurrency.
    pub throttles: Vec<Point>,
    /// Milliseconds: the median.
    pub duration_p50_ms: Vec<Point>,
    /// Milliseconds: the 99th percentile.
    pub duration_p99_ms: Vec<Point>,
    /// Most invocations at once.
    pub concurrency: Vec<Point>,
    /// Milliseconds that the database took for a batch, as the ingest measures them: the mean.
    pub database_ms: Vec<Point>,
}

/// What API Gateway measures, per period.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiHistory {
    /// Requests.
    pub requests: Vec<Point>,
    /// Answers with a status from 400 to 499.
    pub client_errors: Vec<Point>,
    /// Answers with a status from 500 on.
    pub server_errors: Vec<Point>,
    /// Milliseconds: the median.
    pub latency_p50_ms: Vec<Point>,
    /// Milliseconds: the 99th percentile.
    pub latency_p99_ms: Vec<Point>,
}

/// What RDS measures of a cluster, per period.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DatabaseHistory {
    /// Aurora capacity units: the mean.
    pub capacity_acu: Vec<Point>,
    /// Most connections at once.
    pub connections: Vec<Point>,
    /// Bytes of the cluster's volume.
    pub volume_bytes: Vec<Point>,
}

const fn line(subject: Subject, metric: &'static str, statistic: &'static str) -> Line {
    Line {
        subject,
        metric,
        statistic,
    }
}

/// In the order of [`LongHistory::of`], after the lines of the hops.
const LINES: [Line; 15] = [
    line(Subject::IngestFunction, "Invocations", "Sum"),
    line(Subject::IngestFunction, "Errors", "Sum"),
    line(Subject::IngestFunction, "Throttles", "Sum"),
    line(Subject::IngestFunction, "Duration", "p50"),
    line(Subject::IngestFunction, "Duration", "p99"),
    line(Subject::IngestFunction, "ConcurrentExecutions", "Maximum"),
    line(Subject::Ingest, ingest_metrics::DATABASE_MS, "Average"),
    line(Subject::Api, "Count", "Sum"),
    line(Subject::Api, "4xx", "Sum"),
    line(Subject::Api, "5xx", "Sum"),
    line(Subject::Api, "Latency", "p50"),
    line(Subject::Api, "Latency", "p99"),
    line(Subject::Cluster, "ServerlessDatabaseCapacity", "Average"),
    line(Subject::Cluster, "DatabaseConnections", "Maximum"),
    line(Subject::Cluster, "VolumeBytesUsed", "Average"),
];

impl Pipeline {
    /// The last `window`, at most [`LONG_HISTORY_MAX`], in periods of at least `period_secs`; with as many as make 400
    /// points of a line at most, and no finer ones than the metrics have.
    ///
    /// # Errors
    /// When CloudWatch does not answer.
    pub async fn long_history(
        &self,
        window: Duration,
        period_secs: u32,
    ) -> Result<LongHistory, PipelineError> {
        let window = window.min(LONG_HISTORY_MAX);
        let period_secs = bounded(period_secs, window).max(self.period_secs(Duration::ZERO));
        let mut lines = self.history_lines();
        lines.extend(LINES);
        let results = self.metric_data(&lines, window, period_secs).await?;
        let mut results = results.into_iter();
        let hops = self.history_of(&mut results, period_secs);
        Ok(LongHistory::of(hops, results))
    }
}

/// A period with which a window has not too many points; a multiple of a minute, as CloudWatch requires.
fn bounded(period_secs: u32, window: Duration) -> u32 {
    let least = window.as_secs().div_ceil(POINTS_MAX).div_ceil(60) * 60;
    period_secs.max(u32::try_from(least).unwrap_or(u32::MAX))
}

impl LongHistory {
    fn of(hops: History, mut results: impl Iterator<Item = Vec<Point>>) -> Self {
        let mut next = || results.next().unwrap_or_default();
        Self {
            hops,
            function: FunctionHistory {
                invocations: next(),
                errors: next(),
                throttles: next(),
                duration_p50_ms: next(),
                duration_p99_ms: next(),
                concurrency: next(),
                database_ms: next(),
            },
            api: ApiHistory {
                requests: next(),
                client_errors: next(),
                server_errors: next(),
                latency_p50_ms: next(),
                latency_p99_ms: next(),
            },
            database: DatabaseHistory {
                capacity_acu: next(),
                connections: next(),
                volume_bytes: next(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::environment::Environment;

    /// A line of one point, whose value is the number of its query.
    fn answers(number: usize) -> Vec<Vec<Point>> {
        let answer = |value| Point {
            at: DateTime::from_timestamp(1_795_000_000, 0).unwrap(),
            value,
        };
        (0..u32::try_from(number).unwrap())
            .map(|number| vec![answer(f64::from(number))])
            .collect()
    }

    /// The metric of the query whose answer a field has.
    fn metric(lines: &[Line], points: &[Point]) -> (&'static str, &'static str) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "numbers of queries"
        )]
        let line = lines[points[0].value as usize];
        (line.metric, line.statistic)
    }

    #[test]
    fn every_query_has_its_field_with_and_without_a_named_ingest() {
        for ingest_function in [Some("ingest".to_owned()), None] {
            let environment = Environment {
                ingest_function: ingest_function.clone(),
                ..Environment::example()
            };
            let pipeline = Pipeline::connect(&environment).unwrap();
            let mut lines = pipeline.history_lines();
            lines.extend(LINES);
            let mut results = answers(lines.len()).into_iter();
            let hops = pipeline.history_of(&mut results, 60);
            let read = LongHistory::of(hops, results);
            assert_eq!(read.hops.ingest.is_some(), ingest_function.is_some());
            if let Some(ingest) = &read.hops.ingest {
                assert_eq!(metric(&lines, &ingest.stored).0, "stored");
                assert_eq!(metric(&lines, &ingest.lag_max_ms).0, "lag_max_ms");
            }
            let function = &read.function;
            for (points, expected) in [
                (
                    &read.hops.depth,
                    ("ApproximateNumberOfMessagesVisible", "Average"),
                ),
                (&read.hops.deleted, ("NumberOfMessagesDeleted", "Sum")),
                (&function.invocations, ("Invocations", "Sum")),
                (&function.errors, ("Errors", "Sum")),
                (&function.throttles, ("Throttles", "Sum")),
                (&function.duration_p50_ms, ("Duration", "p50")),
                (&function.duration_p99_ms, ("Duration", "p99")),
                (&function.concurrency, ("ConcurrentExecutions", "Maximum")),
                (&function.database_ms, ("database_ms", "Average")),
                (&read.api.requests, ("Count", "Sum")),
                (&read.api.client_errors, ("4xx", "Sum")),
                (&read.api.server_errors, ("5xx", "Sum")),
                (&read.api.latency_p50_ms, ("Latency", "p50")),
                (&read.api.latency_p99_ms, ("Latency", "p99")),
                (
                    &read.database.capacity_acu,
                    ("ServerlessDatabaseCapacity", "Average"),
                ),
                (
                    &read.database.connections,
                    ("DatabaseConnections", "Maximum"),
                ),
                (&read.database.volume_bytes, ("VolumeBytesUsed", "Average")),
            ] {
                assert_eq!(metric(&lines, points), expected);
            }
        }
    }

    #[test]
    fn period_is_as_wanted_and_never_makes_too_many_points() {
        let day = Duration::from_secs(86_400);
        assert_eq!(bounded(600, day), 600);
        assert_eq!(bounded(1, day), 240);
        assert_eq!(bounded(60, LONG_HISTORY_MAX), 1_560);
    }
}
