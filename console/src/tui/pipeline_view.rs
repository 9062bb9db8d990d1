//! The hops of the pipeline as they were last seen: what the header and the overview show.
//!
//! Invariant: each part is requested on its own, so that one that hangs never hides the others.

use std::collections::VecDeque;

use chrono::{DateTime, Duration, Utc};

use super::outbox::Outbox;
use super::remote::{Fetched, Remote};
use super::request::{Answer, Reply, Request};
use pipeline::model::{
    ApiHealth, History, Point, QueueDepth, QueueRole, QueueSnapshot, RecordTotals,
};

/// How often depth, totals and health are read.
pub(crate) const REFRESH: Duration = Duration::seconds(5);
/// How often the history is read at least.
const HISTORY_REFRESH: Duration = Duration::seconds(15);
/// Samples that rates and growth are computed from: those of the last minute.
const LOOKS_KEPT: usize = 13;
/// A value older than this is shown as stale: three reads were missed.
pub(crate) const STALE_AFTER: Duration = Duration::seconds(16);
/// The same for the history, which is read less often.
pub(crate) const HISTORY_STALE_AFTER: Duration = Duration::seconds(46);
/// A request that has been without an answer for longer than this makes what is shown of it old.
const LATE_AFTER: Duration = Duration::seconds(6);
/// Limits of [`Remote::stale_since`] for what is read every [`REFRESH`], and for the history.
pub(crate) const FRESH: (Duration, Duration) = (STALE_AFTER, LATE_AFTER);
pub(crate) const HISTORY_FRESH: (Duration, Duration) = (HISTORY_STALE_AFTER, LATE_AFTER);
/// Periods by which CloudWatch may be behind with the metrics of SQS before a rate counts as old.
const RATE_PERIODS_MAX: i32 = 3;
/// A metric older than this is not current: CloudWatch has the metrics of SQS within some
/// minutes.
const METRIC_RECENT: Duration = Duration::seconds(300);
/// The rate of records is that of this time: of a longer one it would still be high long after the last
/// record.
const STORED_OVER: Duration = Duration::seconds(11);
/// The depth is compared over at least this time.
const GROWTH_OVER: Duration = Duration::seconds(25);
/// And over no more than this: of a longer one a queue would still grow long after it does not.
const GROWTH_OVER_MAX: Duration = Duration::seconds(36);
/// Samples at either end whose extremes are compared, so that one burst is no growth.
const GROWTH_LOOKS: usize = 3;
/// Messages by which a queue must have grown to be reported.
const GROWTH_MIN: u64 = 10;

/// What is known of the hops.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PipelineView {
    /// The queue that the ingest reads.
    pub(crate) source_queue: Remote<QueueSnapshot>,
    pub(crate) dead_letter_queue: Remote<QueueSnapshot>,
    /// History of the source queue.
    pub(crate) history: Remote<History>,
    /// Totals of the database.
    pub(crate) totals: Remote<RecordTotals>,
    pub(crate) api: Remote<ApiHealth>,
    /// Database time and total of the last samples, oldest first.
    pub(crate) totals_seen: VecDeque<(DateTime<Utc>, u64)>,
    /// Time and depth of the source queue at the last samples, oldest first.
    pub(crate) depths_seen: VecDeque<(DateTime<Utc>, QueueDepth)>,
    /// Since when every sample has had messages of the source queue in flight.
    pub(crate) in_flight_since: Option<DateTime<Utc>>,
    /// Why it cannot come back by itself, where that is known: this program started it, and a part of it
    /// has ended.
    pub(crate) failure: Option<String>,
    /// The redrive of this console that stopped by itself and waits for the operator, and why.
    pub(crate) stopped_redrive: Option<String>,
}

/// Messages per second in the last complete period of a metric.
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
    /// Requests what is due.
    pub(crate) fn tick(&mut self, outbox: &mut Outbox) {
        let now = outbox.now;
        if self.source_queue.is_due(REFRESH, now) {
            self.fetch_source_queue(outbox);
        }
        if self.dead_letter_queue.is_due(REFRESH, now) {
            self.fetch_dead_letter_queue(outbox);
        }
        if self.totals.is_due(REFRESH, now) {
            outbox.fetch(&mut self.totals, Reply::Totals, Request::Totals);
        }
        if self.api.is_due(REFRESH, now) {
            outbox.fetch(&mut self.api, Reply::ApiHealth, Request::ApiHealth);
        }
        // A history that failed is read again as soon as the rest: its error must not outlive the
        // outage.
        let every = if self.history.error().is_some() {
            REFRESH
        } else {
            self.history_refresh()
        };
        if self.history.is_due(every, now) {
            outbox.fetch(&mut self.history, Reply::History, Request::History);
        }
    }

    /// How often the history is read: where its periods are shorter, as often as a period ends.
    fn history_refresh(&self) -> Duration {
        let period_secs = self.history.value().map(|history| history.period_secs);
        let period = period_secs.filter(|secs| *secs > 0);
        period.map_or(HISTORY_REFRESH, |secs| {
            Duration::seconds(secs.into()).clamp(REFRESH, HISTORY_REFRESH)
        })
    }

    /// Requests everything again.
    pub(crate) fn refresh(&mut self, outbox: &mut Outbox) {
        self.fetch_source_queue(outbox);
        self.fetch_dead_letter_queue(outbox);
        outbox.fetch(&mut self.totals, Reply::Totals, Request::Totals);
        outbox.fetch(&mut self.api, Reply::ApiHealth, Request::ApiHealth);
        outbox.fetch(&mut self.history, Reply::History, Request::History);
    }

    fn fetch_source_queue(&mut self, outbox: &mut Outbox) {
        let queue = &mut self.source_queue;
        outbox.fetch(queue, Reply::SourceQueue, |to| {
            Request::Queue(QueueRole::Source, to)
        });
    }

    fn fetch_dead_letter_queue(&mut self, outbox: &mut Outbox) {
        let queue = &mut self.dead_letter_queue;
        outbox.fetch(queue, Reply::DeadLetterQueue, |to| {
            Request::Queue(QueueRole::DeadLetter, to)
        });
    }

    pub(crate) fn source_queue_came(&mut self, answer: Answer<QueueSnapshot>, now: DateTime<Utc>) {
        if self.source_queue.settle(answer, now)
            && let Remote::Ready(fetched) = &self.source_queue
        {
            let depth = fetched.value.depth;
            keep(&mut self.depths_seen, (now, depth));
            let since = self.in_flight_since.unwrap_or(now);
            self.in_flight_since = (depth.in_flight > 0).then_some(since);
        }
    }

    pub(crate) fn totals_came(&mut self, answer: Answer<RecordTotals>, now: DateTime<Utc>) {
        if self.totals.settle(answer, now)
            && let Remote::Ready(fetched) = &self.totals
        {
            // An estimate changes only with an analysis: no rate can be computed from it.
            if fetched.value.total_is_estimate {
                self.totals_seen.clear();
            } else {
                let seen = (fetched.value.database_now, fetched.value.total);
                keep(&mut self.totals_seen, seen);
            }
        }
    }

    /// Records stored per second over the last samples; `None` before the second one.
    pub(crate) fn stored_per_sec(&self) -> Option<f64> {
        let (last_at, last) = self.totals_seen.back()?;
        let mut seen = self.totals_seen.iter();
        let (first_at, first) = seen.find(|(at, _)| *last_at - *at <= STORED_OVER)?;
        let secs = (*last_at - *first_at).as_seconds_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        (secs > 0.0).then(|| last.saturating_sub(*first) as f64 / secs)
    }

    /// Messages sent to the source queue.
    pub(crate) fn sent_rate(&self) -> Option<Rate> {
        self.rate(|history| &history.sent)
    }

    /// Messages deleted from the source queue.
    pub(crate) fn deleted_rate(&self) -> Option<Rate> {
        self.rate(|history| &history.deleted)
    }

    pub(crate) fn sent_per_sec(&self) -> Option<f64> {
        self.sent_rate().map(|rate| rate.per_sec)
    }

    pub(crate) fn deleted_per_sec(&self) -> Option<f64> {
        self.deleted_rate().map(|rate| rate.per_sec)
    }

    fn rate(&self, series: impl Fn(&History) -> &Vec<Point>) -> Option<Rate> {
        let Fetched {
            value: history,
            fetched_at,
        } = self.history.fetched()?;
        let points = series(history);
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

    /// Whether the newest batches of the ingest stored nothing and were reported for retry.
    pub(crate) fn ingest_is_stuck(&self) -> bool {
        self.history.fetched().is_some_and(|fetched| {
            let history = &fetched.value;
            let ingest = history.ingest.as_deref();
            ingest
                .and_then(|ingest| ingest.recent(fetched.fetched_at, history.period_secs))
                .is_some_and(|rates| rates.is_stuck)
        })
    }

    /// How the source queue grew over the last samples: its least depth at the end is above its
    /// greatest at the beginning. `None` where it did not, or too little was seen.
    pub(crate) fn growth(&self, now: DateTime<Utc>) -> Option<Growth> {
        let (last_at, last) = self.depths_seen.back()?;
        if now - *last_at > STALE_AFTER {
            return None;
        }
        let looks: Vec<(DateTime<Utc>, u64)> = self
            .depths_seen
            .iter()
            .filter(|(at, _)| *last_at - *at <= GROWTH_OVER_MAX)
            .map(|(at, depth)| (*at, depth.total()))
            .collect();
        let (first_at, first) = *looks.first()?;
        if *last_at - first_at < GROWTH_OVER || looks.len() < 2 * GROWTH_LOOKS {
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
        let still_grows = last.total() > shortly_before.1;
        (after >= before + GROWTH_MIN && still_grows).then(|| Growth {
            from: first,
            to: last.total(),
            over_secs: super::format::age_secs(first_at, *last_at),
        })
    }

    /// Messages in flight, and for how many seconds some have been, while by the history none was
    /// deleted in all that time. `None` where that is not so, or not known yet.
    pub(crate) fn stuck_in_flight(&self, now: DateTime<Utc>) -> Option<(u64, u64)> {
        let since = self.in_flight_since?;
        let (last_at, last) = self.depths_seen.back()?;
        if now - *last_at > STALE_AFTER || *last_at - since < GROWTH_OVER {
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
        is_idle.then(|| (last.in_flight, super::format::age_secs(since, now)))
    }

    /// Whole seconds for which something that is shown has been without an answer for so long
    /// that it counts as stale; 0 where nothing has.
    pub(crate) fn stale_secs(&self, now: DateTime<Utc>) -> u64 {
        [
            self.source_queue.stale_since(FRESH, now),
            self.dead_letter_queue.stale_since(FRESH, now),
            self.totals.stale_since(FRESH, now),
            self.api.stale_since(FRESH, now),
            self.history.stale_since(HISTORY_FRESH, now),
        ]
        .into_iter()
        .flatten()
        .min()
        .map_or(0, |since| super::format::age_secs(since, now))
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
        let net = deleted - sent;
        if net <= 0.0 {
            return Draining::Not;
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
        let secs = (queue.depth.visible + queue.depth.in_flight) as f64 / net;
        Draining::In(super::format::whole(secs))
    }
}

fn keep<T>(looks: &mut VecDeque<T>, look: T) {
    looks.push_back(look);
    if looks.len() > LOOKS_KEPT {
        looks.pop_front();
    }
}

/// The periods that were over at `now`. The newest one is usually still being counted: as a rate
/// it would always appear as a fall.
pub(crate) fn complete(points: &[Point], period_secs: u32, now: DateTime<Utc>) -> &[Point] {
    let period = Duration::seconds(i64::from(period_secs));
    let over = points
        .iter()
        .take_while(|point| point.at + period <= now)
        .count();
    points.get(..over).unwrap_or_default()
}

/// The [`complete`] periods up to the newest one, without those that begin a metric: it may have begun, or
/// begun again, at any time of such a period, so that its count divided by its length is no rate.
pub(crate) fn observed_whole(
    points: &[Point],
    period_secs: u32,
    now: DateTime<Utc>,
) -> impl DoubleEndedIterator<Item = Point> {
    let period = Duration::seconds(i64::from(period_secs));
    complete(points, period_secs, now)
        .windows(2)
        .filter_map(move |pair| match pair {
            [before, point] if before.at + period == point.at => Some(*point),
            _ => None,
        })
}
