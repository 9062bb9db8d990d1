//! Reads the metrics of a time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use event::ingest_metrics;

use super::balance::Account;
use super::flow::{Flow, Flows};
use crate::metric_line::{Line, Subject};
use crate::point::Point;
use crate::queue_role::QueueRole;
use crate::{Pipeline, PipelineError};

/// CloudWatch has the metrics of SQS and those from logs after a minute or two.
const SETTLED_AFTER: TimeDelta = TimeDelta::seconds(180);
/// On an emulator they come every five seconds.
const SETTLED_AFTER_LOOPBACK: TimeDelta = TimeDelta::seconds(10);

const fn sum(subject: Subject, metric: &'static str) -> Line {
    Line {
        subject,
        metric,
        statistic: "Sum",
    }
}

const fn depth(role: QueueRole, metric: &'static str) -> Line {
    Line {
        subject: Subject::Queue(role),
        metric,
        statistic: "Average",
    }
}

const VISIBLE: &str = "ApproximateNumberOfMessagesVisible";
const IN_FLIGHT: &str = "ApproximateNumberOfMessagesNotVisible";
const DELAYED: &str = "ApproximateNumberOfMessagesDelayed";
const SOURCE: Subject = Subject::Queue(QueueRole::Source);

const LINES: [Line; 13] = [
    sum(Subject::Topic, "NumberOfMessagesPublished"),
    sum(SOURCE, "NumberOfMessagesSent"),
    sum(SOURCE, "NumberOfMessagesDeleted"),
    sum(
        Subject::Queue(QueueRole::DeadLetter),
        "NumberOfMessagesDeleted",
    ),
    sum(Subject::Ingest, ingest_metrics::STORED),
    sum(Subject::Ingest, ingest_metrics::DUPLICATES),
    sum(Subject::Ingest, ingest_metrics::EXPIRED),
    sum(Subject::Ingest, ingest_metrics::DEAD_LETTERED),
    depth(QueueRole::Source, VISIBLE),
    depth(QueueRole::Source, IN_FLIGHT),
    depth(QueueRole::Source, DELAYED),
    depth(QueueRole::DeadLetter, VISIBLE),
    depth(QueueRole::DeadLetter, IN_FLIGHT),
];

impl Pipeline {
    /// Balances the hops over the time from `now - since` on, until the metrics are complete.
    ///
    /// # Errors
    /// When CloudWatch does not answer.
    pub async fn account(
        &self,
        since: Duration,
        now: DateTime<Utc>,
    ) -> Result<Account, PipelineError> {
        let period_secs = self.period_secs(since);
        let period = TimeDelta::seconds(period_secs.into());
        let settled = if self.environment().is_loopback() {
            SETTLED_AFTER_LOOPBACK
        } else {
            SETTLED_AFTER
        };
        let since = TimeDelta::from_std(since).unwrap_or(TimeDelta::MAX);
        let from = floor(
            now.checked_sub_signed(since).unwrap_or_default(),
            period_secs,
        );
        let until = floor(now - settled, period_secs).max(from);
        // With the periods before, in which the queues had what waited at the begin.
        let window = (now - from + period * 3).to_std().unwrap_or_default();
        let results = self.metric_data(&LINES, window, period_secs).await?;
        let flows = flows(&results, (from, until), period);
        Ok(Account::of((from, until), period_secs, &flows))
    }
}

fn floor(at: DateTime<Utc>, period_secs: u32) -> DateTime<Utc> {
    let secs = at.timestamp();
    let into = secs.rem_euclid(i64::from(period_secs.max(1)));
    DateTime::from_timestamp(secs - into, 0).unwrap_or(at)
}

fn flows(
    results: &[Vec<Point>],
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    period: TimeDelta,
) -> Flows {
    let mut results = results.iter().map(Vec::as_slice);
    let mut next = || results.next().unwrap_or_default();
    let counts: [&[Point]; 8] = std::array::from_fn(|_| next());
    let [
        source_visible,
        source_in_flight,
        source_delayed,
        dead_visible,
        dead_in_flight,
    ] = std::array::from_fn(|_| next());
    let inside = |points: &[Point]| -> Flow {
        let points = points
            .iter()
            .filter(|point| point.at >= from && point.at < until);
        let is_edge = |point: &&Point| point.at < from + period || point.at >= until - period;
        Flow {
            total: points.clone().map(|point| point.value).sum(),
            edges: points.filter(is_edge).map(|point| point.value).sum(),
        }
    };
    // A service sends no zeros of what did not happen: one that sent anything sent the rest as zero.
    let of = |all: &[&[Point]], points: &[Point]| {
        let has_any = all.iter().any(|points| !points.is_empty());
        has_any.then(|| inside(points))
    };
    let [
        published,
        queued,
        consumed,
        dead_removed,
        stored,
        duplicates,
        expired,
        dead_lettered,
    ] = counts;
    let queues = [queued, consumed, source_visible, dead_visible];
    let ingest = [stored, duplicates, expired, dead_lettered];
    let before = |points: &[Point]| last_before(points, from);
    let after = |points: &[Point]| last_before(points, until);
    Flows {
        published: of(&[published], published),
        queued: of(&queues, queued),
        consumed: of(&queues, consumed),
        waiting_before: before(source_visible) + before(source_in_flight) + before(source_delayed),
        waiting_after: after(source_visible) + after(source_in_flight) + after(source_delayed),
        stored: of(&ingest, stored),
        duplicates: of(&ingest, duplicates),
        expired: of(&ingest, expired),
        dead_lettered: of(&ingest, dead_lettered),
        dead_before: before(dead_visible) + before(dead_in_flight),
        dead_after: after(dead_visible) + after(dead_in_flight),
        dead_removed: of(&queues, dead_removed),
    }
}

/// The newest value from before this time; a queue that had none was empty.
fn last_before(points: &[Point], at: DateTime<Utc>) -> f64 {
    let before = points.iter().rev().find(|point| point.at < at);
    before.map_or(0.0, |point| point.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_periods_of_the_time_count_and_the_edges_are_known() {
        let start = DateTime::from_timestamp(1_795_000_020, 0).unwrap();
        let at = |periods: i64| start + TimeDelta::seconds(60 * periods);
        let point = |periods, value| Point {
            at: at(periods),
            value,
        };
        let mut results = vec![Vec::new(); LINES.len()];
        results[0] = vec![
            point(-1, 900.0),
            point(0, 1.0),
            point(1, 10.0),
            point(2, 100.0),
            point(3, 900.0),
        ];
        results[8] = vec![point(-2, 3.0), point(-1, 5.0), point(2, 7.0), point(3, 9.0)];
        let flows = flows(&results, (at(0), at(3)), TimeDelta::seconds(60));
        let published = Flow {
            total: 111.0,
            edges: 101.0,
        };
        assert_eq!(flows.published, Some(published));
        assert_eq!((flows.waiting_before, flows.waiting_after), (5.0, 7.0));
        assert_eq!(flows.queued, Some(Flow::default()), "the queue has metrics");
        assert_eq!(flows.stored, None, "the ingest sent none");
    }

    #[test]
    fn periods_begin_as_those_of_cloudwatch_do() {
        let at = DateTime::from_timestamp(1_795_000_039, 7).unwrap();
        assert_eq!(floor(at, 60).timestamp(), 1_795_000_020);
    }
}
