//! The hops of the pipeline as they were last seen: what the header and the overview show.
//!
//! Invariant: each part is requested on its own, so that one that hangs never hides the others.

use std::collections::VecDeque;

use chrono::{DateTime, Duration, Utc};

use super::live_samples::LiveSamples;
use super::outbox::Outbox;
use super::polling::{Polling, fresh};
use super::queue_looks::QueueLooks;
use super::queue_trend::PASSING_SECS;
use super::rate::Rate;
use super::remote::{Fetched, Remote};
use super::request::{Answer, Reply, Request};
use pipeline::RaisedAlarm;
use pipeline::model::{
    ApiHealth, History, Point, QueueDepth, QueueRole, QueueSnapshot, RecordTotals,
};
use pipeline::oldest_age::{METRIC_RECENT, OldestAge};
use pipeline::rules;
use pipeline::slo::ErrorBudget;

/// Samples that rates and growth are computed from: those of the last minute.
const LOOKS_KEPT: usize = 13;
/// How often a database that is resuming is asked, and for how long its failures count as that.
const RESUME_INTERVAL: Duration = Duration::seconds(5);
const RESUME_MAX: Duration = Duration::seconds(60);
/// The shortest time without a connection after which a database pauses (Aurora user guide, "Aurora Serverless v2
/// auto-pause").
const PAUSE_MIN: Duration = Duration::seconds(300);
/// Error budgets that were read so lately are shown as those of now.
const BUDGETS_OF_NOW: Duration = Duration::seconds(7);
/// Intervals over which two samples of the totals make a rate that charts show.
const SAMPLES_OVER: i32 = 2;

/// What is known of the hops.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PipelineView {
    /// How often each part is read.
    pub(crate) polling: Polling,
    /// The queue that the ingest reads.
    pub(crate) source_queue: Remote<QueueSnapshot>,
    pub(crate) dead_letter_queue: Remote<QueueSnapshot>,
    /// History of the source queue.
    pub(crate) history: Remote<History>,
    /// Totals of the database.
    pub(crate) totals: Remote<RecordTotals>,
    pub(crate) api: Remote<ApiHealth>,
    /// The alarms that are raised.
    pub(crate) alarms: Remote<Vec<RaisedAlarm>>,
    /// What is left of the error budgets.
    pub(crate) budgets: Remote<Vec<ErrorBudget>>,
    /// When the first of the reads of the totals failed that have failed since.
    pub(crate) totals_failing_since: Option<DateTime<Utc>>,
    /// Database time and total of the last samples, oldest first.
    pub(crate) totals_seen: VecDeque<(DateTime<Utc>, u64)>,
    /// Time and depth of the source queue at the last samples, oldest first.
    pub(crate) depths_seen: VecDeque<(DateTime<Utc>, QueueDepth)>,
    /// Time and number of the dead letters at the last samples, oldest first.
    pub(crate) dead_letters_seen: VecDeque<(DateTime<Utc>, u64)>,
    /// What the samples of both queues say of their oldest messages.
    pub(crate) source_looks: QueueLooks,
    pub(crate) dead_letter_looks: QueueLooks,
    /// What charts show beside the history.
    pub(crate) live: LiveSamples,
    /// When more messages were last seen to wait than are just passing through.
    pub(crate) backlog_at: Option<DateTime<Utc>>,
    /// Since when every sample has had messages of the source queue in flight.
    pub(crate) in_flight_since: Option<DateTime<Utc>>,
    /// Why it cannot come back by itself, where that is known: this program started it, and a part of it
    /// has ended.
    pub(crate) failure: Option<String>,
    /// The redrive of this console that sends nothing until the operator decides, and why it stopped, if by itself.
    pub(crate) stopped_redrive: Option<String>,
}

impl PipelineView {
    /// Requests what is due.
    pub(crate) fn tick(&mut self, outbox: &mut Outbox) {
        let now = outbox.now;
        if self.source_queue.is_due(self.polling.queues, now) {
            self.fetch_source_queue(outbox);
        }
        if self.dead_letter_queue.is_due(self.polling.queues, now) {
            self.fetch_dead_letter_queue(outbox);
        }
        if self.totals_are_due(now) {
            outbox.fetch(&mut self.totals, Reply::Totals, Request::Totals);
        }
        if self
            .api
            .is_due(self.interval(&self.api, self.polling.api), now)
        {
            outbox.fetch(&mut self.api, Reply::ApiHealth, Request::ApiHealth);
        }
        if self.history.is_due(self.history_interval(), now) {
            outbox.fetch(&mut self.history, Reply::History, Request::History);
        }
        if self.alarms.is_due(self.alarms_interval(), now) {
            self.fetch_alarms(outbox);
        }
        if self.budgets.is_due(self.budgets_interval(), now) {
            self.fetch_budgets(outbox);
        }
    }

    /// As [`Self::history_interval`], from the same service; without the permission it is not asked more often.
    pub(crate) fn alarms_interval(&self) -> Duration {
        if self.alarms.error().is_some() {
            return self.polling.alarms.min(self.polling.history_max);
        }
        self.polling.alarms
    }

    fn fetch_alarms(&mut self, outbox: &mut Outbox) {
        let alarms = &mut self.alarms;
        outbox.fetch(alarms, Reply::RaisedAlarms, Request::RaisedAlarms);
    }

    /// As [`Self::history_interval`], from the same service.
    pub(crate) fn budgets_interval(&self) -> Duration {
        if self.budgets.error().is_some() {
            return self.polling.history_max;
        }
        self.polling.budgets
    }

    /// When the error budgets were read, where that is so long ago that they may be otherwise by now.
    pub(crate) fn old_budgets(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let read_at = self.budgets.fetched()?.fetched_at;
        (now - read_at > BUDGETS_OF_NOW).then_some(read_at)
    }

    fn fetch_budgets(&mut self, outbox: &mut Outbox) {
        let budgets = &mut self.budgets;
        outbox.fetch(budgets, Reply::ErrorBudgets, Request::ErrorBudgets);
    }

    /// A part that failed is read again as soon as the queues: its error must not outlive the outage.
    fn interval<T>(&self, remote: &Remote<T>, interval: Duration) -> Duration {
        if remote.error().is_some_and(|error| !error.is_not_configured) {
            interval.min(self.polling.queues)
        } else {
            interval
        }
    }

    fn history_interval(&self) -> Duration {
        let period_secs = self.history.value().map(|history| history.period_secs);
        self.interval(&self.history, self.polling.history(period_secs))
    }

    /// Requests everything again.
    pub(crate) fn refresh(&mut self, outbox: &mut Outbox) {
        self.fetch_source_queue(outbox);
        self.fetch_dead_letter_queue(outbox);
        outbox.fetch(&mut self.totals, Reply::Totals, Request::Totals);
        outbox.fetch(&mut self.api, Reply::ApiHealth, Request::ApiHealth);
        outbox.fetch(&mut self.history, Reply::History, Request::History);
        self.fetch_alarms(outbox);
        self.fetch_budgets(outbox);
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
            self.live
                .take(|live| &mut live.depth, now, float(depth.visible));
            self.source_looks.look(depth.total(), now);
            if Rate::of_deleted(&self.history).is_some() && !self.is_passing() {
                self.backlog_at = Some(now);
            }
            let since = self.in_flight_since.unwrap_or(now);
            self.in_flight_since = (depth.in_flight > 0).then_some(since);
        }
        self.take_ages_from_history();
    }

    pub(crate) fn dead_letter_queue_came(
        &mut self,
        answer: Answer<QueueSnapshot>,
        now: DateTime<Utc>,
    ) {
        if self.dead_letter_queue.settle(answer, now)
            && let Remote::Ready(fetched) = &self.dead_letter_queue
        {
            let total = fetched.value.depth.total();
            keep(&mut self.dead_letters_seen, (now, total));
            self.dead_letter_looks.look(total, now);
            self.live
                .take(|live| &mut live.dead_letters, now, float(total));
        }
        self.take_ages_from_history();
    }

    pub(crate) fn history_came(&mut self, answer: Answer<History>, now: DateTime<Utc>) {
        self.history.settle(answer, now);
        self.take_ages_from_history();
    }

    /// Ages of the oldest messages, where the queues are read without them.
    fn take_ages_from_history(&mut self) {
        if !self.polling.ages_from_history {
            return;
        }
        let Some(Fetched { value, fetched_at }) = self.history.fetched() else {
            return;
        };
        let period_secs = value.period_secs;
        let newest = |ages: &[Point]| OldestAge::newest(ages, period_secs, *fetched_at);
        let source = newest(&value.oldest_age_secs);
        let dead_letters = newest(&value.dead_letter_age_secs);
        if let Some(queue) = self.source_queue.value_mut() {
            queue.oldest = source;
        }
        if let Some(queue) = self.dead_letter_queue.value_mut() {
            queue.oldest = dead_letters;
        }
    }

    /// Age of the oldest message of the source queue.
    pub(crate) fn oldest_message(&self) -> Option<OldestAge> {
        let Fetched { value, fetched_at } = self.source_queue.fetched()?;
        self.source_looks.oldest(value.oldest, *fetched_at)
    }

    /// The same, unless it may be that of a backlog which is gone: CloudWatch has the greatest age of a minute, and has
    /// it after that.
    pub(crate) fn old_message(&self) -> Option<OldestAge> {
        let age = self.oldest_message()?;
        let is_of_backlog = self.backlog_at.is_some_and(|at| age.since <= at);
        (!is_of_backlog || !self.is_passing()).then_some(age)
    }

    /// Whether no more messages wait than leave within seconds.
    pub(crate) fn is_passing(&self) -> bool {
        let queue = self.source_queue.value();
        let deleted = Rate::of_deleted(&self.history).map(|rate| rate.per_sec);
        let leave = deleted.unwrap_or_default() * PASSING_SECS;
        queue.is_some_and(|queue| leave > 0.0 && queue.depth.visible <= super::format::whole(leave))
    }

    /// Age of the oldest dead letter.
    pub(crate) fn oldest_dead_letter(&self) -> Option<OldestAge> {
        let Fetched { value, fetched_at } = self.dead_letter_queue.fetched()?;
        self.dead_letter_looks.oldest(value.oldest, *fetched_at)
    }

    pub(crate) fn totals_came(&mut self, answer: Answer<RecordTotals>, now: DateTime<Utc>) {
        let is_counted = self.totals.settle(answer, now);
        self.totals_failing_since = match &self.totals {
            Remote::Failed { failed_at, .. } => self.totals_failing_since.or(Some(*failed_at)),
            Remote::Ready(_) => None,
            Remote::Idle | Remote::Loading { .. } => self.totals_failing_since,
        };
        if is_counted && let Remote::Ready(fetched) = &self.totals {
            // An estimate changes only with an analysis: no rate can be computed from it.
            if fetched.value.total_is_estimate {
                self.totals_seen.clear();
            } else {
                let seen = (fetched.value.database_now, fetched.value.total);
                let before = self.totals_seen.back().copied();
                keep(&mut self.totals_seen, seen);
                self.take_stored(before, seen, now);
            }
        }
    }

    /// Records per second since the sample before; what is erased meanwhile makes it unknown.
    fn take_stored(
        &mut self,
        before: Option<(DateTime<Utc>, u64)>,
        (at, total): (DateTime<Utc>, u64),
        now: DateTime<Utc>,
    ) {
        let Some((before_at, before)) = before else {
            return;
        };
        let over = at - before_at;
        let is_next = over <= self.polling.totals * SAMPLES_OVER;
        let more = total.checked_sub(before).filter(|_| is_next);
        if let Some(more) = more.filter(|_| over > Duration::zero()) {
            let per_sec = float(more) / over.as_seconds_f64();
            self.live.take(|live| &mut live.stored, now - over, per_sec);
        }
    }

    pub(crate) fn api_came(&mut self, answer: Answer<ApiHealth>, now: DateTime<Utc>) {
        if self.api.settle(answer, now)
            && let Remote::Ready(fetched) = &self.api
        {
            let millis = fetched.value.latency.as_secs_f64() * 1_000.0;
            self.live.take(|live| &mut live.health_ms, now, millis);
        }
    }

    pub(crate) fn history_stale_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.history
            .stale_since(fresh(self.polling.history_max), now)
    }

    /// Whether the totals are read now. Where the database pauses, only after the ingest stored something: that
    /// had woken it, and nothing else changes them.
    fn totals_are_due(&self, now: DateTime<Utc>) -> bool {
        if self.totals_resume_since().is_some() {
            return self.totals.is_due(RESUME_INTERVAL, now);
        }
        let may_read = !self.polling.database_pauses || self.has_stored_since_totals();
        // Whether it stores again is seen in the records before the metrics have it.
        let interval = if self.ingest_is_stuck() {
            self.polling.queues.min(self.polling.totals)
        } else {
            self.interval(&self.totals, self.polling.totals)
        };
        may_read && self.totals.is_due(interval, now)
    }

    /// Whether by the metrics the ingest stored something after the totals were read; of totals that were never
    /// read, lately.
    fn has_stored_since_totals(&self) -> bool {
        let Some(Fetched { value, fetched_at }) = self.history.fetched() else {
            return false;
        };
        let period = Duration::seconds(value.period_secs.into());
        let since = self.totals.fetched().map_or_else(
            || *fetched_at - METRIC_RECENT,
            |totals| totals.fetched_at - period,
        );
        stored_points(value)
            .unwrap_or_default()
            .iter()
            .any(|point| point.at > since && point.value > 0.0)
    }

    /// Whether the totals were not read because that would wake the database.
    pub(crate) fn database_may_sleep(&self) -> bool {
        self.polling.database_pauses && matches!(self.totals, Remote::Idle)
    }

    /// Since when a paused database has been resuming, as far as this can be known: for a minute after the first
    /// read that failed, an answer is still to be expected (Aurora user guide, "Aurora Serverless v2 auto-pause":
    /// it resumes within 15 seconds, after a long pause within 30 or more). One that stored something lately was not
    /// paused.
    pub(crate) fn totals_resume_since(&self) -> Option<DateTime<Utc>> {
        let since = self.totals_failing_since?;
        let last = match &self.totals {
            Remote::Failed { failed_at, .. } => *failed_at,
            Remote::Loading { since, .. } => *since,
            Remote::Idle | Remote::Ready(_) => return None,
        };
        let may_resume = self.polling.database_pauses
            && last - since < RESUME_MAX
            && !self.has_stored_after(since - PAUSE_MIN);
        may_resume.then_some(since)
    }

    /// Whether by the metrics or the newest record that was seen something was stored after this time.
    fn has_stored_after(&self, time: DateTime<Utc>) -> bool {
        let points = self.history.value().and_then(stored_points);
        let by_metrics = points
            .unwrap_or_default()
            .iter()
            .any(|point| point.at > time && point.value > 0.0);
        by_metrics || self.newest_record().is_some_and(|at| at > time)
    }

    /// When the newest record came that was seen, by this machine's clock.
    fn newest_record(&self) -> Option<DateTime<Utc>> {
        let totals = self.totals.fetched()?;
        rules::newest_record(&totals.value, totals.fetched_at)
    }

    /// Since when the totals shown have been old. Where the database pauses they stay right while nothing is
    /// stored.
    pub(crate) fn totals_stale_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let by_age = self.totals.stale_since(fresh(self.polling.totals), now)?;
        let is_settled = self.polling.database_pauses
            && !self.totals.is_loading()
            && self.history_stale_since(now).is_none()
            && !self.has_stored_since_totals();
        (!is_settled).then_some(by_age)
    }

    /// Whether the newest batches of the ingest stored nothing and were reported for retry, as far as is known: no
    /// record came after the metrics of these batches began.
    pub(crate) fn ingest_is_stuck(&self) -> bool {
        self.history.fetched().is_some_and(|fetched| {
            rules::ingest_is_stuck(&fetched.value, fetched.fetched_at, self.newest_record())
        })
    }

    /// Whole seconds for which something that is shown has been without an answer for so long
    /// that it counts as stale; 0 where nothing has.
    pub(crate) fn stale_secs(&self, now: DateTime<Utc>) -> u64 {
        let queues = fresh(self.polling.queues);
        [
            self.source_queue.stale_since(queues, now),
            self.dead_letter_queue.stale_since(queues, now),
            self.totals_stale_since(now),
            self.api.stale_since(fresh(self.polling.api), now),
            self.history_stale_since(now),
        ]
        .into_iter()
        .flatten()
        .min()
        .map_or(0, |since| super::format::age_secs(since, now))
    }
}

/// Events that the ingest stored, per period; `None` where it is not named.
pub(super) fn stored_points(history: &History) -> Option<&[Point]> {
    Some(&history.ingest.as_ref()?.stored)
}

#[expect(clippy::cast_precision_loss, reason = "drawn for people")]
const fn float(number: u64) -> f64 {
    number as f64
}

fn keep<T>(looks: &mut VecDeque<T>, look: T) {
    looks.push_back(look);
    if looks.len() > LOOKS_KEPT {
        looks.pop_front();
    }
}
