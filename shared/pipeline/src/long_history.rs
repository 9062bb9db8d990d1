//! What CloudWatch has of a part of the pipeline over a time of the caller's choice, in one call: the hops, or what AWS
//! measures of the function, the API or the database.
//!
//! Invariant: a metric without values is an empty list, never zeros. Only the metrics of the part are asked for, because
//! each of a call is billed.

use std::time::Duration;

use event::ingest_metrics;

use crate::ingest::IngestHistory;
use crate::metric_line::{Line, Subject};
use crate::metrics::sums;
use crate::model::{History, Point, QueueRole};
use crate::{Pipeline, PipelineError};

/// Longest time that one call reads.
pub const LONG_HISTORY_MAX: Duration = Duration::from_secs(7 * 86_400);
/// Most points of one line.
const POINTS_MAX: u64 = 400;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HistoryPart {
    /// The queues, and the lag of the ingest.
    Hops,
    /// What Lambda measures of the ingest function.
    Function,
    /// What API Gateway measures.
    Api,
    /// What RDS measures of the cluster, and what the ingest stores.
    Database,
}

/// What CloudWatch has of a part; the others are empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LongHistory {
    /// The queues and the ingest. Depth and dead letters are the greatest of a period; of the dead letters, there may have
    /// been more at once.
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

const SOURCE: Subject = Subject::Queue(QueueRole::Source);
const DEAD_LETTER: Subject = Subject::Queue(QueueRole::DeadLetter);
const VISIBLE: &str = "ApproximateNumberOfMessagesVisible";
const IN_FLIGHT: &str = "ApproximateNumberOfMessagesNotVisible";

const HOPS: [Line; 8] = [
    line(SOURCE, VISIBLE, "Maximum"),
    line(SOURCE, "ApproximateAgeOfOldestMessage", "Maximum"),
    line(SOURCE, "NumberOfMessagesSent", "Sum"),
    line(SOURCE, "NumberOfMessagesDeleted", "Sum"),
    line(DEAD_LETTER, VISIBLE, "Average"),
    line(DEAD_LETTER, IN_FLIGHT, "Average"),
    line(DEAD_LETTER, VISIBLE, "Maximum"),
    line(DEAD_LETTER, IN_FLIGHT, "Maximum"),
];

/// After [`HOPS`], where the environment names the ingest.
const LAG: [Line; 2] = [
    line(Subject::Ingest, ingest_metrics::LAG_P50_MS, "Average"),
    line(Subject::Ingest, ingest_metrics::LAG_MAX_MS, "Maximum"),
];

const FUNCTION: [Line; 7] = [
    line(Subject::IngestFunction, "Invocations", "Sum"),
    line(Subject::IngestFunction, "Errors", "Sum"),
    line(Subject::IngestFunction, "Throttles", "Sum"),
    line(Subject::IngestFunction, "Duration", "p50"),
    line(Subject::IngestFunction, "Duration", "p99"),
    line(Subject::IngestFunction, "ConcurrentExecutions", "Maximum"),
    line(Subject::Ingest, ingest_metrics::DATABASE_MS, "Average"),
];

const API: [Line; 5] = [
    line(Subject::Api, "Count", "Sum"),
    line(Subject::Api, "4xx", "Sum"),
    line(Subject::Api, "5xx", "Sum"),
    line(Subject::Api, "Latency", "p50"),
    line(Subject::Api, "Latency", "p99"),
];

const DATABASE: [Line; 5] = [
    line(Subject::Cluster, "ServerlessDatabaseCapacity", "Average"),
    line(Subject::Cluster, "DatabaseConnections", "Maximum"),
    line(Subject::Cluster, "VolumeBytesUsed", "Average"),
    line(Subject::Ingest, ingest_metrics::DATABASE_MS, "Average"),
    line(Subject::Ingest, ingest_metrics::STORED, "Sum"),
];

/// In the order of [`LongHistory::of`].
fn lines(part: HistoryPart, has_ingest: bool) -> Vec<Line> {
    match part {
        HistoryPart::Hops if has_ingest => [&HOPS[..], &LAG[..]].concat(),
        HistoryPart::Hops => HOPS.to_vec(),
        HistoryPart::Function => FUNCTION.to_vec(),
        HistoryPart::Api => API.to_vec(),
        HistoryPart::Database => DATABASE.to_vec(),
    }
}

impl Pipeline {
    /// A part of the last `window`, at most [`LONG_HISTORY_MAX`], in periods of at least `period_secs`; with as many as
    /// make 400 points of a line at most, and no finer ones than the metrics have.
    ///
    /// # Errors
    /// When CloudWatch does not answer.
    pub async fn long_history(
        &self,
        part: HistoryPart,
        window: Duration,
        period_secs: u32,
    ) -> Result<LongHistory, PipelineError> {
        let window = window.min(LONG_HISTORY_MAX);
        let period_secs = bounded(period_secs, window).max(self.period_secs(Duration::ZERO));
        let has_ingest = self.environment().ingest_function.is_some();
        let lines = lines(part, has_ingest);
        let results = self.metric_data(&lines, window, period_secs).await?;
        let mut history = LongHistory::of(part, results);
        history.hops.period_secs = period_secs;
        if !has_ingest {
            history.hops.ingest = None;
        }
        Ok(history)
    }
}

/// A period with which a window has not too many points; a multiple of a minute, as CloudWatch requires.
fn bounded(period_secs: u32, window: Duration) -> u32 {
    let least = window.as_secs().div_ceil(POINTS_MAX).div_ceil(60) * 60;
    period_secs.max(u32::try_from(least).unwrap_or(u32::MAX))
}

impl LongHistory {
    fn of(part: HistoryPart, results: Vec<Vec<Point>>) -> Self {
        let mut results = results.into_iter();
        let mut next = || results.next().unwrap_or_default();
        let mut history = Self::default();
        match part {
            HistoryPart::Hops => {
                history.hops = History {
                    depth: next(),
                    oldest_age_secs: next(),
                    sent: next(),
                    deleted: next(),
                    dead_letters: peaks(&sums(&next(), &next()), [next(), next()]),
                    ingest: Some(Box::new(IngestHistory {
                        lag_p50_ms: next(),
                        lag_max_ms: next(),
                        ..IngestHistory::default()
                    })),
                    ..History::default()
                };
            }
            HistoryPart::Function => {
                history.function = FunctionHistory {
                    invocations: next(),
                    errors: next(),
                    throttles: next(),
                    duration_p50_ms: next(),
                    duration_p99_ms: next(),
                    concurrency: next(),
                    database_ms: next(),
                };
            }
            HistoryPart::Api => {
                history.api = ApiHistory {
                    requests: next(),
                    client_errors: next(),
                    server_errors: next(),
                    latency_p50_ms: next(),
                    latency_p99_ms: next(),
                };
            }
            HistoryPart::Database => {
                history.database = DatabaseHistory {
                    capacity_acu: next(),
                    connections: next(),
                    volume_bytes: next(),
                };
                history.function.database_ms = next();
                history.hops.ingest = Some(Box::new(IngestHistory {
                    stored: next(),
                    ..IngestHistory::default()
                }));
            }
        }
        history
    }
}

/// At least how many there were at once in each period: the greatest of the mean of all and of the maxima of the visible
/// and of those in flight, which may be of different moments.
fn peaks(means: &[Point], maxima: [Vec<Point>; 2]) -> Vec<Point> {
    let peak = |mean: &Point| {
        let of = |points: &Vec<Point>| {
            let place = points.binary_search_by_key(&mean.at, |point| point.at);
            points.get(place.ok()?).map(|point| point.value)
        };
        let maxima = maxima.iter().filter_map(of);
        Point {
            value: maxima.fold(mean.value, f64::max),
            ..*mean
        }
    };
    means.iter().map(peak).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn point(secs: i64, value: f64) -> Point {
        Point {
            at: DateTime::from_timestamp(1_795_000_000 + secs, 0).unwrap(),
            value,
        }
    }

    /// The history of which each line has one point, whose value is the number of its query.
    fn answered(part: HistoryPart) -> (Vec<Line>, LongHistory) {
        let lines = lines(part, true);
        let answers = (0..u32::try_from(lines.len()).unwrap())
            .map(|number| vec![point(0, f64::from(number))]);
        let history = LongHistory::of(part, answers.collect());
        (lines, history)
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
    fn every_query_has_its_field() {
        let (lines, read) = answered(HistoryPart::Hops);
        let ingest = read.hops.ingest.as_ref().unwrap();
        for (points, expected) in [
            (&read.hops.depth, (VISIBLE, "Maximum")),
            (
                &read.hops.oldest_age_secs,
                ("ApproximateAgeOfOldestMessage", "Maximum"),
            ),
            (&read.hops.sent, ("NumberOfMessagesSent", "Sum")),
            (&read.hops.deleted, ("NumberOfMessagesDeleted", "Sum")),
            (&ingest.lag_p50_ms, ("lag_p50_ms", "Average")),
            (&ingest.lag_max_ms, ("lag_max_ms", "Maximum")),
        ] {
            assert_eq!(metric(&lines, points), expected);
        }
        let (lines, read) = answered(HistoryPart::Function);
        let function = &read.function;
        for (points, expected) in [
            (&function.invocations, ("Invocations", "Sum")),
            (&function.errors, ("Errors", "Sum")),
            (&function.throttles, ("Throttles", "Sum")),
            (&function.duration_p50_ms, ("Duration", "p50")),
            (&function.duration_p99_ms, ("Duration", "p99")),
            (&function.concurrency, ("ConcurrentExecutions", "Maximum")),
            (&function.database_ms, ("database_ms", "Average")),
        ] {
            assert_eq!(metric(&lines, points), expected);
        }
        let (lines, read) = answered(HistoryPart::Api);
        for (points, expected) in [
            (&read.api.requests, ("Count", "Sum")),
            (&read.api.client_errors, ("4xx", "Sum")),
            (&read.api.server_errors, ("5xx", "Sum")),
            (&read.api.latency_p50_ms, ("Latency", "p50")),
            (&read.api.latency_p99_ms, ("Latency", "p99")),
        ] {
            assert_eq!(metric(&lines, points), expected);
        }
        let (lines, read) = answered(HistoryPart::Database);
        let database = &read.database;
        let stored = &read.hops.ingest.as_ref().unwrap().stored;
        for (points, expected) in [
            (
                &database.capacity_acu,
                ("ServerlessDatabaseCapacity", "Average"),
            ),
            (&database.connections, ("DatabaseConnections", "Maximum")),
            (&database.volume_bytes, ("VolumeBytesUsed", "Average")),
            (&read.function.database_ms, ("database_ms", "Average")),
            (stored, ("stored", "Sum")),
        ] {
            assert_eq!(metric(&lines, points), expected);
        }
    }

    #[test]
    fn part_asks_for_its_own_metrics_alone_and_for_no_lag_without_a_named_ingest() {
        use HistoryPart::{Api, Database, Function, Hops};
        let asked = |has_ingest: bool| {
            [Hops, Function, Api, Database].map(|part| lines(part, has_ingest).len())
        };
        assert_eq!(asked(true), [10, 7, 5, 5]);
        assert_eq!(asked(false), [8, 7, 5, 5]);
    }

    #[test]
    fn dead_letters_are_the_most_that_were_seen_and_never_counted_twice() {
        // Received and back again; half of them received; in one period there is no value of those in flight.
        let means = sums(
            &[point(0, 20.0), point(60, 50.0), point(120, 9.0)],
            &[point(0, 17.0), point(60, 50.0)],
        );
        let maxima = [
            vec![point(0, 37.0), point(60, 60.0), point(120, 9.0)],
            vec![point(0, 37.0), point(60, 55.0)],
        ];
        let expected = [point(0, 37.0), point(60, 100.0)];
        assert_eq!(peaks(&means, maxima), expected);
        let maxima = [vec![point(0, 6_000.0)], vec![point(0, 3.0)]];
        assert_eq!(peaks(&[point(0, 500.0)], maxima), [point(0, 6_000.0)]);
    }

    #[test]
    fn period_is_as_wanted_and_never_makes_too_many_points() {
        let day = Duration::from_secs(86_400);
        assert_eq!(bounded(600, day), 600);
        assert_eq!(bounded(1, day), 240);
        assert_eq!(bounded(60, LONG_HISTORY_MAX), 1_560);
    }
}
