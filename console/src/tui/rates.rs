//! The rates of the hops, and whether the source queue grows or drains, from what was seen of them. Pure; invariant: a
//! rate is that of a time which was observed whole.

use chrono::{DateTime, Utc};

use super::format::age_secs;
use super::pipeline_view::{PipelineView, stored_points};
use super::polling::fresh;
use super::queue_trend::{self, Draining, Growth, SLACK, STUCK_OVER};
use super::rate::Rate;
use pipeline::model::{History, Point, complete};

/// The rate of records is that of so many intervals: of a longer time it would still be high long after the
/// last record.
const STORED_OVER: i32 = 2;

impl PipelineView {
    /// Records stored per second: by the metrics where the totals of a database that pauses are read too seldom for a
    /// rate, else over the last samples; `None` before the second one, and where rows were removed between them: that
    /// says nothing of those that were stored.
    pub(crate) fn stored_rate(&self) -> Option<Rate> {
        if self.polling.database_pauses {
            return self.rate(stored_points);
        }
        if self.rows_were_removed() {
            return None;
        }
        let mut seen = self.totals_of_rate();
        let (first_at, first) = seen.next()?;
        let (last_at, last) = seen.last()?;
        let secs = (last_at - first_at).as_seconds_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        (secs > 0.0).then(|| Rate {
            per_sec: last.saturating_sub(first) as f64 / secs,
            since: first_at,
            until: last_at,
            is_old: false,
        })
    }

    /// The samples of the totals that their rate is of.
    fn totals_of_rate(&self) -> impl Iterator<Item = (DateTime<Utc>, u64)> {
        let over = self.polling.totals * STORED_OVER + SLACK;
        let last = self.totals_seen.back().map(|(at, _)| *at);
        let seen = self.totals_seen.iter().copied();
        seen.skip_while(move |(at, _)| last.is_some_and(|last| last - *at > over))
    }

    /// Whether there were fewer records at one of the last samples than before.
    pub(crate) fn rows_were_removed(&self) -> bool {
        let totals = self.totals_of_rate().map(|(_, total)| total);
        !totals.is_sorted()
    }

    /// Messages published to the topic.
    pub(crate) fn published_rate(&self) -> Option<Rate> {
        self.rate(|history| Some(&history.published))
    }

    /// Messages deleted from the source queue.
    pub(crate) fn deleted_rate(&self) -> Option<Rate> {
        Rate::of_deleted(&self.history)
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
        Rate::of(&self.history, series)
    }

    /// How the source queue grew over the last samples; `None` where it did not, or too little was seen.
    pub(crate) fn growth(&self, now: DateTime<Utc>) -> Option<Growth> {
        let (last_at, _) = self.depths_seen.back()?;
        let is_fresh = now - *last_at <= fresh(self.polling.queues).0;
        is_fresh.then(|| queue_trend::growth(&self.depths_seen, self.polling.queues))?
    }

    /// Messages in flight, and for how many seconds some have been, while by the history none was
    /// deleted in all that time. `None` where that is not so, or not known yet.
    pub(crate) fn stuck_in_flight(&self, now: DateTime<Utc>) -> Option<(u64, u64)> {
        let since = self.in_flight_since?;
        let (last_at, last) = self.depths_seen.back()?;
        if now - *last_at > fresh(self.polling.queues).0
            || *last_at - since < self.polling.queues * STUCK_OVER
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
    pub(crate) fn draining(&self, now: DateTime<Utc>) -> Draining {
        if self.growth(now).is_some() {
            return Draining::Not;
        }
        let (Some(deleted), Some(sent)) = (self.deleted_per_sec(), self.sent_per_sec()) else {
            return Draining::Unknown;
        };
        let looks = (&self.depths_seen, &self.dead_letters_seen);
        queue_trend::draining(looks, self.polling.queues, (deleted, sent))
    }
}
