//! CloudWatch metrics of the topic, the queues and the ingest.
//!
//! Invariant: a metric without a recent value is unknown, not zero.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::primitives::DateTime as AwsTime;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy,
};
use chrono::{DateTime, Utc};
use event::ingest_metrics;

use super::ingest::{self, IngestHistory};
use super::metric_line::{Line, Subject};
use super::model::{History, Point, QueueRole};
use super::oldest_age::OldestAge;
use super::{Attempt, Pipeline, PipelineError};

const QUEUE_NAMESPACE: &str = "AWS/SQS";
const QUEUE_DIMENSION: &str = "QueueName";
/// An older value does not describe the current state.
const RECENT: Duration = Duration::from_secs(180);
/// Period of AWS/SQS metrics (Amazon SQS developer guide, "CloudWatch metrics") and of metrics from logs in
/// the embedded metric format.
const PERIOD_SECS: u32 = 60;
/// Period on an emulator, where the stack publishes every few seconds.
const PERIOD_LOOPBACK_SECS: u32 = 10;
/// Period of an age on an emulator: each value of its own, because the greatest of several outlives a redrive.
const AGE_PERIOD_LOOPBACK_SECS: u32 = 1;
/// Value of a dimension that the environment does not name: it has no metrics.
const NOT_NAMED: &str = "not-named";
/// Most points of one line of the history.
const POINTS_MAX: u32 = 360;

const SOURCE: Subject = Subject::Queue(QueueRole::Source);
const DEAD_LETTER: Subject = Subject::Queue(QueueRole::DeadLetter);

const OLDEST: Line = Line {
    subject: SOURCE,
    metric: "ApproximateAgeOfOldestMessage",
    statistic: "Maximum",
};

const HOPS: [Line; 8] = [
    Line {
        subject: SOURCE,
        metric: "ApproximateNumberOfMessagesVisible",
        statistic: "Average",
    },
    OLDEST,
    Line {
        subject: Subject::Topic,
        metric: "NumberOfMessagesPublished",
        statistic: "Sum",
    },
    Line {
        subject: SOURCE,
        metric: "NumberOfMessagesSent",
        statistic: "Sum",
    },
    Line {
        subject: SOURCE,
        metric: "NumberOfMessagesDeleted",
        statistic: "Sum",
    },
    Line {
        subject: DEAD_LETTER,
        metric: "ApproximateNumberOfMessagesVisible",
        statistic: "Average",
    },
    Line {
        subject: DEAD_LETTER,
        metric: "ApproximateNumberOfMessagesNotVisible",
        statistic: "Average",
    },
    Line {
        subject: DEAD_LETTER,
        ..OLDEST
    },
];

impl Pipeline {
    /// The last `window` of the topic, both queues and the ingest, in one call.
    ///
    /// # Errors
    /// When CloudWatch does not answer.
    pub async fn history(&self, window: Duration) -> Result<History, PipelineError> {
        let period_secs = self.period_secs(window);
        let results = self
            .metric_data(&self.history_lines(), window, period_secs)
            .await?;
        Ok(self.history_of(results, period_secs))
    }

    /// What [`Self::history_of`] is made of, in this order.
    fn history_lines(&self) -> Vec<Line> {
        let mut lines = HOPS.to_vec();
        if self.environment().ingest_function.is_some() {
            lines.extend(ingest::lines());
        }
        lines
    }

    /// Takes the results of [`Self::history_lines`].
    fn history_of(&self, results: Vec<Vec<Point>>, period_secs: u32) -> History {
        let mut results = results.into_iter();
        let mut next = || results.next().unwrap_or_default();
        let mut history = History {
            period_secs,
            depth: next(),
            oldest_age_secs: next(),
            published: next(),
            sent: next(),
            deleted: next(),
            dead_letters: sums(&next(), &next()),
            dead_letter_age_secs: next(),
            ingest: None,
        };
        if self.environment().ingest_function.is_some() {
            let own = results.take(ingest::lines().len());
            history.ingest = Some(Box::new(IngestHistory::of(own)));
        }
        history
    }

    /// Age of a queue's oldest message; `None` when CloudWatch does not respond or has no recent value.
    pub(super) async fn oldest_age(&self, role: QueueRole) -> Option<OldestAge> {
        let line = Line {
            subject: Subject::Queue(role),
            ..OLDEST
        };
        let period_secs = if self.environment().is_loopback() {
            AGE_PERIOD_LOOPBACK_SECS
        } else {
            PERIOD_SECS
        };
        let results = self.metric_data(&[line], RECENT, period_secs).await.ok()?;
        let ages = results.into_iter().next()?;
        OldestAge::newest(&ages, period_secs, Utc::now())
    }

    pub(super) fn period_secs(&self, window: Duration) -> u32 {
        let finest = if self.environment().is_loopback() {
            PERIOD_LOOPBACK_SECS
        } else {
            PERIOD_SECS
        };
        period_secs(window, finest)
    }

    /// Queries these lines; the results are in the same order, each oldest first.
    pub(super) async fn metric_data(
        &self,
        lines: &[Line],
        window: Duration,
        period_secs: u32,
    ) -> Result<Vec<Vec<Point>>, PipelineError> {
        let attempt = Attempt::start(
            format!("read metrics of {:?}", self.queue_name(QueueRole::Source)),
            self.aws_address("monitoring"),
        );
        let end = SystemTime::now();
        let start = end.checked_sub(window).unwrap_or(SystemTime::UNIX_EPOCH);
        let queries = lines
            .iter()
            .enumerate()
            .map(|(number, line)| self.query(id(number), line, period_secs));
        let answer = self
            .aws()
            .await
            .cloudwatch
            .get_metric_data()
            .set_metric_data_queries(Some(queries.collect()))
            .start_time(AwsTime::from(start))
            .end_time(AwsTime::from(end))
            .scan_by(ScanBy::TimestampAscending)
            .send()
            .await
            .map_err(|error| attempt.sdk(&error))?;
        let results = answer.metric_data_results();
        let of = |number| {
            let id = id(number);
            results.iter().find(|result| result.id() == Some(&id))
        };
        Ok((0..lines.len())
            .map(|number| of(number).map(points).unwrap_or_default())
            .collect())
    }

    fn query(&self, id: String, line: &Line, period_secs: u32) -> MetricDataQuery {
        let environment = self.environment();
        let (namespace, dimension, value) = match line.subject {
            Subject::Queue(role) => (QUEUE_NAMESPACE, QUEUE_DIMENSION, self.queue_name(role)),
            Subject::Ingest => (
                ingest_metrics::NAMESPACE,
                ingest_metrics::DIMENSION,
                named(environment.ingest_function.as_deref()),
            ),
            Subject::IngestFunction => (
                "AWS/Lambda",
                "FunctionName",
                named(environment.ingest_function.as_deref()),
            ),
            Subject::Topic => ("AWS/SNS", "TopicName", self.topic_name()),
            Subject::Api => (
                "AWS/ApiGateway",
                "ApiId",
                environment.api_id().unwrap_or(NOT_NAMED),
            ),
            Subject::Cluster => (
                "AWS/RDS",
                "DBClusterIdentifier",
                named(environment.database_cluster.as_deref()),
            ),
        };
        let metric = Metric::builder()
            .namespace(namespace)
            .metric_name(line.metric)
            .dimensions(Dimension::builder().name(dimension).value(value).build())
            .build();
        let stat = MetricStat::builder()
            .metric(metric)
            .period(i32::try_from(period_secs).unwrap_or(i32::MAX))
            .stat(line.statistic)
            .build();
        MetricDataQuery::builder()
            .id(id)
            .metric_stat(stat)
            .return_data(true)
            .build()
    }
}

fn named(name: Option<&str>) -> &str {
    name.unwrap_or(NOT_NAMED)
}

/// Id of a query: it starts with a lower-case letter (CloudWatch API reference, "MetricDataQuery").
fn id(number: usize) -> String {
    format!("m{number}")
}

/// The finest period with which a line has at most [`POINTS_MAX`] points. Above the finest one it is a
/// multiple of a minute, as CloudWatch requires.
fn period_secs(window: Duration, finest: u32) -> u32 {
    let needed = window.as_secs().div_ceil(u64::from(POINTS_MAX));
    let needed = u32::try_from(needed).unwrap_or(u32::MAX);
    if needed <= finest {
        finest
    } else {
        needed.div_ceil(60).saturating_mul(60)
    }
}

/// The points, oldest first.
fn points(result: &MetricDataResult) -> Vec<Point> {
    let mut points: Vec<Point> = result
        .timestamps()
        .iter()
        .zip(result.values())
        .filter_map(|(at, value)| {
            Some(Point {
                at: DateTime::from_timestamp(at.secs(), at.subsec_nanos())?,
                value: *value,
            })
        })
        .collect();
    points.sort_by_key(|point| point.at);
    points
}

/// Sums of the periods that are in both lines; with a missing value, the sum would look like a decrease.
pub(super) fn sums(one: &[Point], other: &[Point]) -> Vec<Point> {
    one.iter()
        .filter_map(|point| {
            let same = other
                .binary_search_by_key(&point.at, |other| other.at)
                .ok()?;
            Some(Point {
                at: point.at,
                value: point.value + other.get(same)?.value,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn period_grows_with_the_window_in_whole_minutes() {
        assert_eq!(period_secs(Duration::from_secs(3_600), 10), 10);
        assert_eq!(period_secs(Duration::from_secs(3_601), 10), 60);
        assert_eq!(period_secs(Duration::from_secs(6 * 3_600), 60), 60);
        assert_eq!(period_secs(Duration::from_secs(24 * 3_600), 60), 240);
    }

    #[test]
    fn points_come_oldest_first() {
        let result = MetricDataResult::builder()
            .timestamps(AwsTime::from_secs(120))
            .timestamps(AwsTime::from_secs(60))
            .values(2.0)
            .values(1.0)
            .build();
        let values: Vec<f64> = points(&result).iter().map(|point| point.value).collect();
        assert_eq!(values, [1.0, 2.0]);
    }

    #[test]
    fn sums_include_messages_in_flight_and_need_both_values() {
        let point = |secs, value| Point {
            at: DateTime::from_timestamp(secs, 0).unwrap(),
            value,
        };
        let visible = [point(0, 37.0), point(60, 0.0), point(120, 30.0)];
        let in_flight = [point(0, 0.0), point(60, 37.0)];
        assert_eq!(
            sums(&visible, &in_flight),
            [point(0, 37.0), point(60, 37.0)],
            "holding messages is no fall"
        );
    }
}
