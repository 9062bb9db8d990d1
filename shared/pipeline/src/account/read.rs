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

/// Fewest periods of an account: with fewer, the first and the last one of both sides are as much as steady traffic.
const PERIODS_MIN: u32 = 5;

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
const DEAD_LETTER: Subject = Subject::Queue(QueueRole::DeadLetter);

const LINES: [Line; 15] = [
    sum(Subject::Topic, "NumberOfMessagesPublished"),
    // Of all subscriptions of the topic; ours is the only one in this pipeline.
    sum(Subject::Topic, "NumberOfNotificationsRedrivenToDlq"),
    sum(SOURCE, "NumberOfMessagesSent"),
    sum(SOURCE, "NumberOfMessagesDeleted"),
    sum(DEAD_LETTER, "NumberOfMessagesSent"),
    sum(DEAD_LETTER, "NumberOfMessagesDeleted"),
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
    /// When the time is shorter than [`Self::account_span_min`], or when CloudWatch does not answer.
    pub async fn account(
        &self,
        since: Duration,
        now: DateTime<Utc>,
    ) -> Result<Account, PipelineError> {
        let shortest = self.account_span_min();
        if since < shortest {
            return Err(PipelineError::not_configured(
                "balance the hops",
                format!("{} s are too short", since.as_secs()),
                &format!("choose at least {} s", shortest.as_secs()),
            ));
        }
        let period_secs = self.period_secs(since);
        let period = TimeDelta::seconds(period_secs.into());
        let since = TimeDelta::from_std(since).unwrap_or(TimeDelta::MAX);
        let from = floor(
            now.checked_sub_signed(since).unwrap_or_default(),
            period_secs,
        );
        let until = floor(now - self.settled_after(), period_secs).max(from);
        // With the periods before, in which a queue without a value in the first one has its last.
        let window = (now - from + period * 3).to_std().unwrap_or_default();
        let results = self.metric_data(&LINES, window, period_secs).await?;
        let flows = flows(&results, (from, until), period);
        Ok(Account::of((from, until), period_secs, &flows))
    }

    /// The shortest time that can be balanced: what is not complete yet, and some periods of the metrics.
    #[must_use]
    pub fn account_span_min(&self) -> Duration {
        let periods = self.period_secs(Duration::ZERO) * PERIODS_MIN;
        let settled = self.settled_after().to_std().unwrap_or_default();
        settled + Duration::from_secs(periods.into())
    }

    fn settled_after(&self) -> TimeDelta {
        if self.environment().is_loopback() {
            SETTLED_AFTER_LOOPBACK
        } else {
            SETTLED_AFTER
        }
    }
}

fn floor(at: DateTime<Utc>, period_secs: u32) -> DateTime<Utc> {
    let secs = at.timestamp();
    let into = secs.rem_euclid(i64::from(period_secs.max(1)));
    DateTime::from_timestamp(secs - into, 0).unwrap_or(at)
}

pub(super) fn flows(
    results: &[Vec<Point>],
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    period: TimeDelta,
) -> Flows {
    let mut results = results.iter().map(Vec::as_slice);
    let mut next = || results.next().unwrap_or_default();
    let counts: [&[Point]; 10] = std::array::from_fn(|_| next());
    let [
        source_visible,
        source_in_flight,
        source_delayed,
        dead_visible,
        dead_in_flight,
    ] = std::array::from_fn(|_| next());
    let inside = |points: &[Point], last_edge: DateTime<Utc>| -> Flow {
        let points = points
            .iter()
            .filter(|point| point.at >= from && point.at < until);
        let is_edge = |point: &&Point| point.at < from + period || point.at >= last_edge;
        Flow {
            total: points.clone().map(|point| point.value).sum(),
            edges: points.filter(is_edge).map(|point| point.value).sum(),
        }
    };
    let last = until - period;
    let source = Depths {
        metrics: &[source_visible, source_in_flight, source_delayed],
        period,
    };
    let dead = Depths {
        metrics: &[dead_visible, dead_in_flight],
        period,
    };
    // What moved since the depth was last seen is not in it.
    let source_last = source.before(until).at.min(last);
    let dead_last = dead.before(until).at.min(last);
    // A service sends no zeros of what did not happen: one that sent anything sent the rest as zero.
    let of = |all: &[&[Point]], points: &[Point], last_edge| {
        let has_any = all.iter().any(|points| !points.is_empty());
        has_any.then(|| inside(points, last_edge))
    };
    let [
        published,
        undelivered,
        queued,
        consumed,
        dead_sent,
        dead_removed,
        stored,
        duplicates,
        expired,
        dead_lettered,
    ] = counts;
    let topic = [published, undelivered];
    let queues = [queued, consumed, source_visible, dead_visible];
    let ingest = [stored, duplicates, expired, dead_lettered];
    // The value of the first period: between it and the begin lies only what the flows of that period, an edge, moved.
    // The value before could be further away by all that the period before moved, which no flow has. Without one, the
    // newest value from before.
    let begin = from + period;
    let unseen = |end| moved_unseen((&source, queued), (&dead, dead_removed), end);
    Flows {
        published: of(&topic, published, last),
        undelivered: of(&topic, undelivered, last),
        queued: of(&queues, queued, source_last),
        consumed: of(&queues, consumed, source_last),
        waiting_before: source.before(begin).messages,
        waiting_after: source.before(until).messages,
        stored: of(&ingest, stored, last),
        duplicates: of(&ingest, duplicates, last),
        expired: of(&ingest, expired, last),
        dead_lettered: of(&ingest, dead_lettered, last),
        dead_before: dead.before(begin).messages,
        dead_after: dead.before(until).messages,
        dead_sent: of(&queues, dead_sent, dead_last),
        dead_removed: of(&queues, dead_removed, dead_last),
        moved_unseen: unseen(begin) + unseen(until),
    }
}

/// The depth of a queue, by the parts of it that have metrics.
struct Depths<'a> {
    metrics: &'a [&'a [Point]],
    period: TimeDelta,
}

/// A depth, and the period of the oldest of its parts.
struct Depth {
    at: DateTime<Utc>,
    messages: f64,
}

impl Depths<'_> {
    /// By the newest values from before this time; a queue that had none was empty.
    fn before(&self, end: DateTime<Utc>) -> Depth {
        let newest = self.metrics.iter().filter_map(|points| {
            let mut before = points.iter().rev();
            before.find(|point| point.at < end)
        });
        let oldest = newest.clone().map(|point| point.at).min();
        Depth {
            at: oldest.unwrap_or(end - self.period),
            messages: newest.map(|point| point.value).sum(),
        }
    }
}

/// Messages at most that the redrive policy moved between the seconds of the two newest depths from before this time.
///
/// The one that was looked at first is `early`, the other one `late`. Where it is the source queue that was late, what
/// was moved was in it before, or was sent to it since, and is not in it now; where it is the dead-letter queue, what
/// was moved is in it now, or was removed, and was not in it before.
fn moved_unseen(
    (source, queued): (&Depths<'_>, &[Point]),
    (dead, removed): (&Depths<'_>, &[Point]),
    end: DateTime<Utc>,
) -> f64 {
    let total = |points: &[Point], from: DateTime<Utc>| -> f64 {
        let inside = points
            .iter()
            .filter(|point| point.at >= from && point.at < end);
        inside.map(|point| point.value).sum()
    };
    let (source_late, dead_late) = (source.before(end), dead.before(end));
    let first = source_late.at.min(dead_late.at);
    let (source_early, dead_early) = (source.before(first), dead.before(first));
    let fell = source_early.messages - source_late.messages + total(queued, source_early.at);
    let rose = dead_late.messages - dead_early.messages + total(removed, dead_early.at);
    fell.max(rose).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PipelineErrorKind;
    use crate::environment::Environment;

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
        // Visible: without a value in the first period. In flight: with one.
        results[10] = vec![point(-2, 3.0), point(-1, 5.0), point(2, 7.0), point(3, 9.0)];
        results[11] = vec![point(-1, 40.0), point(0, 20.0), point(1, 60.0)];
        let flows = flows(&results, (at(0), at(3)), TimeDelta::seconds(60));
        let published = Flow {
            total: 111.0,
            edges: 101.0,
        };
        assert_eq!(flows.published, Some(published));
        assert_eq!(
            (flows.waiting_before, flows.waiting_after),
            (25.0, 67.0),
            "the last value of the time is that at its end"
        );
        assert_eq!(flows.queued, Some(Flow::default()), "the queue has metrics");
        assert_eq!(flows.stored, None, "the ingest sent none");
    }

    #[test]
    fn what_moved_since_the_depth_was_last_seen_is_uncertain() {
        let start = DateTime::from_timestamp(1_795_000_020, 0).unwrap();
        let at = |periods: i64| start + TimeDelta::seconds(60 * periods);
        let steady = |value| -> Vec<Point> {
            let point = |periods| Point {
                at: at(periods),
                value,
            };
            (0..6).map(point).collect()
        };
        let mut results = vec![Vec::new(); LINES.len()];
        let (sent, visible) = (4, 13);
        assert_eq!(LINES[sent].metric, "NumberOfMessagesSent");
        assert_eq!(LINES[visible].metric, VISIBLE);
        results[sent] = steady(10.0);
        let edges = |results: &[Vec<Point>]| {
            let flows = flows(results, (at(0), at(6)), TimeDelta::seconds(60));
            flows.dead_sent.unwrap().edges
        };
        results[visible] = steady(3.0);
        assert_eq!(edges(&results), 20.0);
        // The services stopped to send it two periods before the end.
        results[visible].truncate(4);
        assert_eq!(edges(&results), 40.0);
    }

    #[tokio::test]
    async fn time_that_is_too_short_is_refused() {
        let environment = |endpoint_url| Environment {
            endpoint_url,
            ..Environment::example()
        };
        let secs = Duration::from_secs;
        let local = Some("http://127.0.0.1:1".to_owned());
        for (endpoint_url, shortest) in [(None, 480), (local, 60)] {
            let pipeline = Pipeline::connect(&environment(endpoint_url)).unwrap();
            assert_eq!(pipeline.account_span_min(), secs(shortest));
            let account = pipeline.account(secs(shortest - 1), Utc::now());
            let error = account.await.unwrap_err();
            assert_eq!(error.kind, PipelineErrorKind::NotConfigured, "{error:?}");
        }
    }

    #[test]
    fn periods_begin_as_those_of_cloudwatch_do() {
        let at = DateTime::from_timestamp(1_795_000_039, 7).unwrap();
        assert_eq!(floor(at, 60).timestamp(), 1_795_000_020);
    }
}
