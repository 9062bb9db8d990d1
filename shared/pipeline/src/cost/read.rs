//! Reads what was used.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::estimate::CostEstimate;
use super::usage::Usage;
use crate::metric_line::{Line, Subject};
use crate::point::Point;
use crate::queue_role::QueueRole;
use crate::{Pipeline, PipelineError, ingest};

/// How far back the metrics are read.
pub const COST_WINDOW: Duration = Duration::from_secs(7 * 86_400);
/// Their period: shorter than what makes a week too many points, longer than a quiet spell.
const PERIOD_SECS: u32 = 3_600;

const QUEUE_METRICS: [&str; 4] = [
    "NumberOfMessagesSent",
    "NumberOfMessagesReceived",
    "NumberOfMessagesDeleted",
    "NumberOfEmptyReceives",
];

impl Pipeline {
    /// Estimates a month from the metrics of [`COST_WINDOW`], or of the shorter time that they cover.
    ///
    /// # Errors
    /// When CloudWatch does not answer.
    pub async fn cost(&self, now: DateTime<Utc>) -> Result<CostEstimate, PipelineError> {
        let sum = |subject, metric| Line {
            subject,
            metric,
            statistic: "Sum",
        };
        let mut lines = vec![
            sum(Subject::Topic, "NumberOfMessagesPublished"),
            sum(Subject::IngestFunction, "Invocations"),
            sum(Subject::IngestFunction, "Duration"),
            sum(Subject::Api, "Count"),
            Line {
                subject: Subject::Cluster,
                metric: "ServerlessDatabaseCapacity",
                statistic: "Average",
            },
        ];
        for role in [QueueRole::Source, QueueRole::DeadLetter] {
            lines.extend(QUEUE_METRICS.map(|metric| sum(Subject::Queue(role), metric)));
        }
        let own = lines.len();
        lines.extend(ingest::lines());
        let results = self.metric_data(&lines, COST_WINDOW, PERIOD_SECS).await?;
        let (used, ingest) = results.split_at_checked(own).unwrap_or_default();
        let environment = self.environment();
        let usage = Usage {
            instances: environment.database_instances,
            memory_mib: environment.ingest_memory_mib,
            custom_metrics: ingest.iter().filter(|points| !points.is_empty()).count(),
            ..usage(used, now)
        };
        Ok(CostEstimate::of(usage))
    }
}

fn usage(results: &[Vec<Point>], now: DateTime<Utc>) -> Usage {
    let first = results.iter().filter_map(|points| points.first());
    let first = first.map(|point| point.at).min();
    // The metrics may begin at any time of their first period.
    let begin = first.map(|at| at + chrono::Duration::seconds(PERIOD_SECS.into()));
    let mut results = results.iter().map(|points| {
        let before = |point: &&Point| begin.is_some_and(|begin| point.at < begin);
        let (_, whole) = points.split_at(points.iter().take_while(before).count());
        whole
    });
    let mut next = || results.next().unwrap_or_default();
    let sum = |points: &[Point]| {
        (!points.is_empty()).then(|| points.iter().map(|point| point.value).sum::<f64>())
    };
    let (published, invocations, duration_ms, api, capacity) =
        (next(), next(), next(), next(), next());
    let queues: Vec<&[Point]> = (0..2 * QUEUE_METRICS.len()).map(|_| next()).collect();
    let secs = begin.map_or(0.0, |begin| (now - begin).as_seconds_f64());
    Usage {
        observed_secs: secs.clamp(0.0, COST_WINDOW.as_secs_f64()),
        published: sum(published),
        queue_messages: queues
            .iter()
            .filter_map(|points| sum(points))
            .reduce(|a, b| a + b),
        invocations: sum(invocations),
        function_secs: sum(duration_ms).map(|ms| ms / 1_000.0),
        api_requests: sum(api),
        // Of a cluster it is the mean of its instances, and a paused one has values of 0 (Aurora user guide, "Important
        // Amazon CloudWatch metrics for Aurora Serverless v2").
        capacity: sum(capacity).map(|all| all / length(capacity)),
        capacity_min: capacity.iter().map(|point| point.value).reduce(f64::min),
        instances: None,
        memory_mib: None,
        custom_metrics: 0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "some hundred points at most")]
fn length(points: &[Point]) -> f64 {
    points.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_metric_is_unknown_and_the_observed_time_begins_after_the_first_period() {
        let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let point = |hours_ago: i64, value| Point {
            at: now - chrono::Duration::hours(hours_ago),
            value,
        };
        let mut results = vec![Vec::new(); 13];
        results[0] = vec![point(2, 100.0), point(1, 50.0)];
        results[2] = vec![point(3, 9_000.0), point(2, 4_000.0)];
        results[4] = vec![point(2, 0.0), point(1, 0.5)];
        results[6] = vec![point(1, 7.0)];
        results[9] = vec![point(1, 3.0)];
        let usage = usage(&results, now);
        assert_eq!(
            usage,
            Usage {
                observed_secs: 7_200.0,
                published: Some(150.0),
                queue_messages: Some(10.0),
                invocations: None,
                function_secs: Some(4.0),
                api_requests: None,
                capacity: Some(0.25),
                capacity_min: Some(0.0),
                instances: None,
                memory_mib: None,
                custom_metrics: 0,
            }
        );
    }
}
