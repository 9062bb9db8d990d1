//! The rates of the hops, and whether the source queue grows or drains, from what was seen of them. Pure; invariant: a
//! rate is that of a time which was observed whole.

use chrono::{DateTime, Duration, Utc};

use super::format::{age_secs, whole};
use super::pipeline_view::{PipelineView, stored_points};
use super::polling::fresh;
use super::remote::Fetched;
use pipeline::model::{History, Point, complete, observed_whole};
use pipeline::oldest_age::METRIC_RECENT;

/// Periods by which CloudWatch may be behind with the metrics of SQS before a rate counts as old.
const RATE_PERIODS_MAX: i32 = 3;
/// The rate of records is that of so many intervals: of a longer time it would still be high long after the
/// last record.
const STORED_OVER: i32 = 2;
/// The depth is compared over at least so many intervals.
const GROWTH_OVER: i32 = 5;
/// And over no more than this: of a longer time a queue would still grow long after it does not.
const GROWTH_OVER_MAX: i32 = 7;
/// What a read may be late and still count to its interval.
const SLACK: Duration = Duration::seconds(1);
/// Samples at either end whose extremes are compared, so that one burst is no growth.
const GROWTH_LOOKS: usize = 3;
/// Messages by which a queue must have grown to be reported.
const GROWTH_MIN: u64 = 10;

/// Messages per second in the last complete period of a metric, or records between two samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) per_sec: f64,
    /// Start of that period.
    pub(crate) since: DateTime<Utc>,
    /// End of that period.
    pub(crate) until: DateTime<Utc>,
    /// Whether a newer one should have come.
    pub(crate) is_old: bool,
}

/// How the source queue grew over the last samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Growth {
    /// Messages at the first sample, in-flight ones included.
    pub(crate) from: u64,
    /// Messages at the last sample.
    pub(crate) to: u64,
    /// Seconds between the two.
    pub(crate) over_secs: u64,
}

/// Whether the source queue becomes empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Draining {
    /// In about so many seconds.
    In(u64),
    /// As much comes in as goes out, or more.
    Not,
    /// The rates are not known.
    Unknown,
}

impl Growth {
    /// Messages more per second.
    pub(crate) fn per_sec(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = self.to.saturating_sub(self.from) as f64 / self.over_secs.max(1) as f64;
        rate
    }
}

impl PipelineView {
    /// Records stored per second: by the metrics where the totals of a database that pauses are read too seldom for a
    /// rate, else over the last samples; `None` before the second one.
    pub(crate) fn stored_rate(&self) -> Option<Rate> {
        if self.polling.database_pauses {
            return self.rate(stored_points);
        }
        let over = self.polling.totals * STORED_OVER + SLACK;
        let (last_at, last) = self.totals_seen.back()?;
        let mut seen = self.totals_seen.iter();
        let (first_at, first) = seen.find(|(at, _)| *last_at - *at <= over)?;
        let secs = (*last_at - *first_at).as_seconds_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        (secs > 0.0).then(|| Rate {
            per_sec: last.saturating_sub(*first) as f64 / secs,
            since: *first_at,
            until: *last_at,
            is_old: false,
        })
    }

    /// Messages published to the topic.
    pub(crate) fn published_rate(&self) -> Option<Rate> {
        self.rate(|history| Some(&history.published))
    }

    /// Messages deleted from the source queue.
    pub(crate) fn deleted_rate(&self) -> Option<Rate> {
        self.rate(|history| Some(&history.deleted))
    }

    /// Messages sent to the source queue, by the topic and by redrives.
    pub(crate) fn sent_per_sec(&self) -> Option<f64> {
        let rate = self.rate(|history| Some(&history.sent));
        rate.map(|rate| rate.per_sec)
    }

    pub(crate) fn deleted_per_sec(&self) -> Option<f64> {
        self.deleted_rate().map(|rate| rate.per_sec)
    }

    fn rate(&self, series: impl Fn(&History) -> Option<&[Point]>) -> Option<Rate> {
        let Fetched {
            value: history,
            fetched_at,
        } = self.history.fetched()?;
        let points = series(history)?;
        let newest = complete(points, history.period_secs, *fetched_at).last()?;
        let point = observed_whole(points, history.period_secs, *fetched_at)
            .next_back()
            .filter(|point| point.at == newest.at)?;
        let is_recent = *fetched_at - point.at <= METRIC_RECENT;
        let period = Duration::seconds(i64::from(history.period_secs));
        let until = point.at + period;
        (history.period_secs > 0 && is_recent).then(|| Rate {
            per_sec: point.value / f64::from(history.period_secs),
            since: point.at,
            until,
            is_old: *fetched_at - until > period * RATE_PERIODS_MAX,
        })
    }

    /// How the source queue grew over the last samples: its least depth at the end is above its
    /// greatest at the beginning. `None` where it did not, or too little was seen.
    pub(crate) fn growth(&self, now: DateTime<Utc>) -> Option<Growth> {
        let (last_at, last) = self.depths_seen.back()?;
        if now - *last_at > fresh(self.polling.queues).0 {
            return None;
        }
        let looks: Vec<(DateTime<Utc>, u64)> = self
            .depths_seen
            .iter()
            .filter(|(at, _)| *last_at - *at <= self.polling.queues * GROWTH_OVER_MAX + SLACK)
            .map(|(at, depth)| (*at, depth.total()))
            .collect();
        let (first_at, first) = *looks.first()?;
        if *last_at - first_at < self.polling.queues * GROWTH_OVER || looks.len() < 2 * GROWTH_LOOKS
        {
            return None;
        }
        let before = looks
            .iter()
            .take(GROWTH_LOOKS)
            .map(|(_, depth)| *depth)
            .max()?;
        let after = looks
            .iter()
            .rev()
            .take(GROWTH_LOOKS)
            .map(|(_, depth)| *depth)
            .min()?;
        let shortly_before = looks.iter().rev().nth(GROWTH_LOOKS)?;
        // A queue that falls again is not one that grows; a tenth is noise.
        let highest = looks.iter().map(|(_, depth)| *depth).max()?;
        let still_grows =
            last.total() > shortly_before.1 && last.total().saturating_mul(10) >= highest * 9;
        (after >= before + GROWTH_MIN && still_grows).then(|| Growth {
            from: first,
            to: last.total(),
            over_secs: age_secs(first_at, *last_at),
        })
    }

    /// Messages in flight, and for how many seconds some have been, while by the history none was
    /// deleted in all that time. `None` where that is not so, or not known yet.
    pub(crate) fn stuck_in_flight(&self, now: DateTime<Utc>) -> Option<(u64, u64)> {
        let since = self.in_flight_since?;
        let (last_at, last) = self.depths_seen.back()?;
        if now - *last_at > fresh(self.polling.queues).0
            || *last_at - since < self.polling.queues * GROWTH_OVER
        {
            return None;
        }
        let history = self.history.fetched()?;
        let over = complete(
            &history.value.deleted,
            history.value.period_secs,
            history.fetched_at,
        );
        let mut meanwhile = over.iter().filter(|point| point.at >= since).peekable();
        meanwhile.peek()?;
        let is_idle = meanwhile.all(|point| point.value <= 0.0);
        is_idle.then(|| (last.in_flight, age_secs(since, now)))
    }

    /// Whether the source queue becomes empty at the present rates, and when.
    pub(crate) fn draining(&self) -> Draining {
        let (Some(queue), Some(deleted), Some(sent)) = (
            self.source_queue.value(),
            self.deleted_per_sec(),
            self.sent_per_sec(),
        ) else {
            return Draining::Unknown;
        };
        // Rates are those of a period before; what the queue did since is in the samples. What stands still, as messages
        // do that wait for their visibility timeout, does not drain at any rate.
        let mut looks = self.depths_seen.iter().rev().take(GROWTH_LOOKS);
        let Some((last_at, last)) = looks.next() else {
            return Draining::Unknown;
        };
        let Some((first_at, first)) = looks.next_back() else {
            return Draining::Unknown;
        };
        let net = deleted - sent;
        let fallen = first.total().saturating_sub(last.total());
        if fallen == 0 {
            return if net <= 0.0 {
                Draining::Not
            } else {
                Draining::Unknown
            };
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
        let (waiting, fallen) = (queue.depth.total() as f64, fallen as f64);
        let per_sec = if net > 0.0 {
            net
        } else {
            fallen / (*last_at - *first_at).as_seconds_f64().max(1.0)
        };
        Draining::In(whole(waiting / per_sec))
    }
}
