//! How fast messages are sent: the operator's rate, and below it what SQS accepts without throttling.
//!
//! Invariant: over any time, no more messages pass than the rate allows for it plus one batch, also
//! where the rate changes meanwhile: only one batch at a time waits for its turn to pass.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::control::{Control, RunCommand};
use crate::limits::{CLIMB_PER_SEC, MEASURE, RATE_FLOOR_PER_SEC, THROTTLE_ONCE};
use pipeline::BATCH_ENTRIES_MAX;

/// Bucket of messages that may go, and the rate at which it fills.
#[derive(Debug)]
struct Bucket {
    /// Messages that may go now; negative when a batch is reserved ahead of its time.
    allowance: f64,
    filled_at: Instant,
    /// The rate since then; `None` for no limit.
    filled_per_sec: Option<f64>,
    /// The rate that throttling left, and the one at which it happened.
    throttled: Option<Throttled>,
    /// Messages in the current and in the last measured span.
    measured_since: Instant,
    measured: f64,
    rate_measured: f64,
}

#[derive(Clone, Copy, Debug)]
struct Throttled {
    rate: f64,
    /// Above this, throttling is forgotten.
    ceiling: f64,
    since: Instant,
}

/// The rate of one redrive.
#[derive(Debug)]
pub(super) struct RateLimiter {
    bucket: Mutex<Bucket>,
    /// Held by the batch that goes next; the others wait in the order in which they came.
    turn: tokio::sync::Mutex<()>,
}

impl RateLimiter {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            bucket: Mutex::new(Bucket {
                allowance: 0.0,
                filled_at: now,
                filled_per_sec: None,
                throttled: None,
                measured_since: now,
                measured: 0.0,
                rate_measured: 0.0,
            }),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// Waits until messages may go, at the rate as it is then. Returns how many of `count_max` may; a
    /// command ends the wait.
    pub(super) async fn take(&self, count_max: usize, control: &Control) -> Option<usize> {
        let _turn = self.turn.lock().await;
        let mut changes = control.changes();
        while control.command() == RunCommand::Run {
            let count = count_max.min(batch_entries(control));
            #[expect(
                clippy::cast_precision_loss,
                reason = "a batch has ten messages at most"
            )]
            let taken = count as f64;
            let wait = self
                .lock()
                .take(taken, control.rate_per_sec(), Instant::now());
            if wait.is_zero() {
                return Some(count);
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => return Some(count),
                () = changes.next() => self.lock().give_back(taken),
            }
        }
        None
    }

    /// SQS throttled: half as fast from now on, climbing back.
    pub(super) fn throttled(&self) {
        self.lock().throttle(Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Messages of a batch: no more than one second's worth, so that a slow rate is an even one.
pub(super) fn batch_entries(control: &Control) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 10"
    )]
    let entries = |rate: f64| rate.clamp(1.0, 10.0) as usize;
    control.rate_per_sec().map_or(BATCH_ENTRIES_MAX, entries)
}

impl Bucket {
    /// Reserves messages, ahead of their time if need be, and returns how long they have to wait.
    fn take(&mut self, count: f64, wanted: Option<f64>, now: Instant) -> Duration {
        let rate = self.rate(wanted, now);
        self.measure(count, now);
        let Some(rate) = rate else {
            (self.allowance, self.filled_at, self.filled_per_sec) = (0.0, now, None);
            return Duration::ZERO;
        };
        let elapsed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        // More than a second's worth is not kept: a pause must not be followed by a burst.
        #[expect(clippy::cast_precision_loss, reason = "ten")]
        let full = BATCH_ENTRIES_MAX as f64;
        // What a raised rate did not allow before is not made up for.
        let filled = elapsed * self.filled_per_sec.map_or(rate, |before| before.min(rate));
        self.allowance = (self.allowance + filled).min(full.min(rate));
        (self.filled_at, self.filled_per_sec) = (now, Some(rate));
        self.allowance -= count;
        if self.allowance >= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(-self.allowance / rate).unwrap_or(Duration::MAX)
    }

    /// The messages of a wait that ended before its time.
    fn give_back(&mut self, count: f64) {
        self.allowance += count;
    }

    /// The rate now; `None` for no limit.
    fn rate(&mut self, wanted: Option<f64>, now: Instant) -> Option<f64> {
        let Some(throttled) = self.throttled.map(|throttled| throttled.climbed(now)) else {
            return wanted;
        };
        let limit = wanted.map_or(throttled.ceiling, |wanted| wanted.min(throttled.ceiling));
        if throttled.rate >= limit {
            self.throttled = None;
            return wanted;
        }
        Some(throttled.rate)
    }

    fn throttle(&mut self, now: Instant) {
        let before = self.throttled.map(|throttled| throttled.climbed(now));
        if before.is_some_and(|before| now.duration_since(before.since) < THROTTLE_ONCE) {
            return;
        }
        let measured = self.rate_measured.max(self.measured);
        let at = before.map_or(measured, |before| before.rate.min(measured));
        self.throttled = Some(Throttled {
            rate: (at / 2.0).max(RATE_FLOOR_PER_SEC),
            ceiling: before.map_or(measured, |before| before.ceiling.max(measured)),
            since: now,
        });
    }

    fn measure(&mut self, count: f64, now: Instant) {
        let span = now.saturating_duration_since(self.measured_since);
        if span >= MEASURE {
            self.rate_measured = self.measured / span.as_secs_f64();
            (self.measured, self.measured_since) = (0.0, now);
        }
        self.measured += count;
    }
}

impl Throttled {
    /// The rate now, after it climbed.
    fn climbed(self, now: Instant) -> Self {
        let elapsed = now.saturating_duration_since(self.since).as_secs_f64();
        Self {
            rate: self.rate + self.ceiling * CLIMB_PER_SEC * elapsed,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(now: Instant) -> Bucket {
        Bucket {
            allowance: 0.0,
            filled_at: now,
            filled_per_sec: None,
            throttled: None,
            measured_since: now,
            measured: 0.0,
            rate_measured: 0.0,
        }
    }

    /// Time that messages take at a rate, batch by batch, each batch waiting for its turn.
    fn time_for(bucket: &mut Bucket, messages: usize, rate: Option<f64>, now: &mut Instant) -> f64 {
        let begin = *now;
        for _ in 0..messages / 10 {
            *now += bucket.take(10.0, rate, *now);
        }
        now.duration_since(begin).as_secs_f64()
    }

    #[test]
    fn rate_is_kept_and_can_change_while_running() {
        let mut now = Instant::now();
        let mut bucket = bucket(now);
        let seconds = time_for(&mut bucket, 200, Some(100.0), &mut now);
        assert!((1.9..=2.1).contains(&seconds), "{seconds}");
        let seconds = time_for(&mut bucket, 200, Some(20.0), &mut now);
        assert!((9.5..=10.5).contains(&seconds), "{seconds}");
        let seconds = time_for(&mut bucket, 200, None, &mut now);
        assert!(seconds < 0.01, "{seconds}");
    }

    #[test]
    fn pause_is_not_followed_by_a_burst() {
        let mut now = Instant::now();
        let mut bucket = bucket(now);
        now += Duration::from_secs(600);
        let seconds = time_for(&mut bucket, 100, Some(10.0), &mut now);
        assert!(seconds > 8.9, "{seconds}");
    }

    #[tokio::test]
    async fn only_the_next_batch_waits_for_its_time_also_after_the_rate_changed() {
        let limiter = RateLimiter::new();
        let control = Control::new(Some(0.001));
        let mut batches: Vec<_> = (0..8)
            .map(|_| Box::pin(limiter.take(1, &control)))
            .collect();
        for rate in [0.001, 0.002] {
            control.set_rate(Some(rate));
            for batch in &mut batches {
                assert!(futures::poll!(batch).is_pending());
            }
            let allowance = limiter.lock().allowance;
            assert!(allowance >= -1.0, "{allowance} at {rate}");
        }
    }

    #[tokio::test]
    async fn batch_that_waits_is_no_larger_than_one_second_of_a_rate_that_was_lowered() {
        let limiter = RateLimiter::new();
        let control = Control::new(Some(20.0));
        let mut batch = Box::pin(limiter.take(10, &control));
        assert!(futures::poll!(&mut batch).is_pending());
        control.set_rate(Some(2.0));
        assert!(futures::poll!(&mut batch).is_pending());
        let allowance = limiter.lock().allowance;
        assert!(allowance >= -2.0, "{allowance}");
    }

    #[test]
    fn higher_rate_begins_with_its_own_interval_and_without_a_burst() {
        let mut now = Instant::now();
        let mut bucket = bucket(now);
        assert_eq!(bucket.take(1.0, Some(0.1), now), Duration::from_secs(10));
        now += Duration::from_secs(5);
        bucket.give_back(1.0);
        let wait = bucket.take(1.0, Some(2.0), now).as_secs_f64();
        assert!((0.2..=0.5).contains(&wait), "{wait}");
    }

    #[test]
    fn throttling_halves_the_rate_once_and_it_climbs_back() {
        let mut now = Instant::now();
        let mut bucket = bucket(now);
        time_for(&mut bucket, 500, Some(100.0), &mut now);
        bucket.throttle(now);
        bucket.throttle(now);
        let rate = bucket.rate(Some(100.0), now).unwrap();
        assert!((45.0..=55.0).contains(&rate), "{rate}");
        now += Duration::from_secs(2);
        let climbed = bucket.rate(Some(100.0), now).unwrap();
        assert!(climbed > rate + 10.0 && climbed < 100.0, "{climbed}");
        now += Duration::from_secs(10);
        assert_eq!(bucket.rate(Some(100.0), now), Some(100.0));
        assert_eq!(bucket.rate(None, now), None);
    }

    #[test]
    fn throttling_without_a_rate_never_stops_the_redrive() {
        let mut now = Instant::now();
        let mut bucket = bucket(now);
        for _ in 0..20 {
            bucket.throttle(now);
            now += THROTTLE_ONCE;
        }
        assert!(
            bucket
                .rate(None, now)
                .is_none_or(|rate| rate >= RATE_FLOOR_PER_SEC)
        );
    }
}
