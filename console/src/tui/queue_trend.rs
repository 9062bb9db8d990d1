//! Whether the source queue grows or becomes empty, by the last samples of its depth.
//!
//! Invariant: what stands still neither grows nor drains, whatever the rates of an earlier minute were. Pure.

use std::collections::VecDeque;

use chrono::{DateTime, Duration, Utc};
use pipeline::model::QueueDepth;

use super::format::{age_secs, whole};

/// What leaves the queue in so many seconds is just passing through.
pub(crate) const PASSING_SECS: f64 = 5.0;
/// Messages are in flight for at least so many intervals before they count as stuck.
pub(crate) const STUCK_OVER: i32 = GROWTH_OVER;
/// The depth is compared over at least so many intervals.
const GROWTH_OVER: i32 = 5;
/// And over no more than this: of a longer time a queue would still grow long after it does not.
const GROWTH_OVER_MAX: i32 = 7;
/// What a sample may be late and still count to its interval.
pub(crate) const SLACK: Duration = Duration::seconds(1);
/// Samples at either end whose extremes are compared, so that one burst is no growth.
const LOOKS: usize = 3;
/// Messages by which a queue must have grown to be reported.
const GROWTH_MIN: u64 = 10;
/// Over the last [`LOOKS`] samples it must have grown at this part of its rate at least: one that stands does not, while
/// of one that grows in bursts two samples may be alike.
const GROWTH_NOW: f64 = 0.25;

/// Time and depth of the source queue at the last samples, oldest first.
type Samples = VecDeque<(DateTime<Utc>, QueueDepth)>;

/// Time and number of the dead letters at the last samples, oldest first.
type DeadLetters = VecDeque<(DateTime<Utc>, u64)>;

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
    /// In about so many seconds or later: messages stay in flight for longer than [`PASSING_SECS`]. Whether they are
    /// processed slowly or were not completed is not known, so there is no latest time.
    AtLeast(u64),
    /// As much comes in as is completed, or more.
    Not,
    /// The rates are not known, or why the queue fell is not.
    Unknown,
}

impl Growth {
    fn between((from_at, from): (DateTime<Utc>, u64), (to_at, to): (DateTime<Utc>, u64)) -> Self {
        Self {
            from,
            to,
            over_secs: age_secs(from_at, to_at),
        }
    }

    /// Messages more per second.
    pub(crate) fn per_sec(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = self.to.saturating_sub(self.from) as f64 / self.over_secs.max(1) as f64;
        rate
    }
}

/// How a queue that is sampled at this interval grew: its least depth at the end is above its greatest at the beginning,
/// and it still grows. `None` where it did not, or too little was seen.
pub(crate) fn growth(samples: &Samples, interval: Duration) -> Option<Growth> {
    let (last_at, _) = samples.back()?;
    let looks: Vec<(DateTime<Utc>, u64)> = samples
        .iter()
        .filter(|(at, _)| *last_at - *at <= interval * GROWTH_OVER_MAX + SLACK)
        .map(|(at, depth)| (*at, depth.total()))
        .collect();
    let (first, last) = (*looks.first()?, *looks.last()?);
    if last.0 - first.0 < interval * GROWTH_OVER || looks.len() < 2 * LOOKS {
        return None;
    }
    let depths = || looks.iter().map(|(_, depth)| *depth);
    let before = depths().take(LOOKS).max()?;
    let after = depths().rev().take(LOOKS).min()?;
    // A queue that falls again is not one that grows; a tenth is noise.
    let highest = depths().max()?;
    let shortly_before = depths().rev().nth(LOOKS)?;
    let still_grows = last.1 > shortly_before && last.1.saturating_mul(10) >= highest * 9;
    let growth = Growth::between(first, last);
    let newest = Growth::between(*looks.iter().rev().nth(LOOKS - 1)?, last);
    let grows_now = newest.per_sec() >= growth.per_sec() * GROWTH_NOW;
    (after >= before + GROWTH_MIN && still_grows && grows_now).then_some(growth)
}

/// Whether a queue that is sampled at this interval becomes empty, with messages deleted and sent per second in the last
/// period of their metrics. What its redrive policy moves to the dead-letter queue, whose samples are given too, makes it
/// shorter and is not completed.
pub(crate) fn draining(
    (samples, dead_letters): (&Samples, &DeadLetters),
    interval: Duration,
    (deleted, sent): (f64, f64),
) -> Draining {
    let (Some((newest_at, _)), Some((dead_at, dead))) = (samples.back(), dead_letters.back())
    else {
        return Draining::Unknown;
    };
    if *newest_at - *dead_at > interval + SLACK {
        return Draining::Unknown;
    }
    // Rates are those of a period before; what the queue did since is in the samples. What stands still, as messages
    // do that wait for their visibility timeout, does not drain at any rate.
    // What was moved is seen in a sample of the dead letters that is not older.
    let is_unchecked = |(at, _): &&(DateTime<Utc>, QueueDepth)| at > dead_at;
    let looks = samples.iter().rev().skip_while(is_unchecked);
    let looks: Vec<_> = looks.take(LOOKS).collect();
    let [(last_at, last), .., (first_at, first)] = looks.as_slice() else {
        return Draining::Unknown;
    };
    let mut before = dead_letters.iter().rev();
    let Some((_, dead_before)) = before.find(|(at, _)| *at <= *first_at + SLACK) else {
        return Draining::Unknown;
    };
    let moved = dead.saturating_sub(*dead_before);
    let net = deleted - sent;
    let fallen = first.total().saturating_sub(last.total() + moved);
    if fallen == 0 {
        return if net <= 0.0 {
            Draining::Not
        } else {
            Draining::Unknown
        };
    }
    // Nothing is known to be completed: others may have purged it, or moved messages on.
    if deleted <= 0.0 {
        return Draining::Unknown;
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
    let (waiting, fallen) = (last.total() as f64, fallen as f64);
    let per_sec = if net > 0.0 {
        net
    } else {
        fallen / (*last_at - *first_at).as_seconds_f64().max(1.0)
    };
    let secs = whole(waiting / per_sec);
    if stands_in_flight(samples, deleted) {
        return Draining::AtLeast(secs);
    }
    Draining::In(secs)
}

/// Whether more messages were in flight at each of the last samples than the ingest completes in some seconds.
fn stands_in_flight(samples: &Samples, deleted_per_sec: f64) -> bool {
    let looks = samples.iter().rev().take(LOOKS);
    let least = looks.map(|(_, depth)| depth.in_flight).min();
    least.is_some_and(|least| least > whole(deleted_per_sec * PASSING_SECS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples of visible messages and of those in flight, at this interval.
    fn samples(interval_secs: i64, depths: &[(u64, u64)]) -> Samples {
        let start = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let sample = |(number, &(visible, in_flight))| {
            let at = start + Duration::seconds(interval_secs * number);
            let depth = QueueDepth {
                visible,
                in_flight,
                delayed: 0,
            };
            (at, depth)
        };
        (0_i64..).zip(depths).map(sample).collect()
    }

    /// Samples of the dead letters at the same times.
    fn dead_letters(samples: &Samples, numbers: &[u64]) -> DeadLetters {
        let times = samples.iter().map(|(at, _)| *at);
        times.zip(numbers.iter().copied()).collect()
    }

    fn grew(depths: [u64; 8]) -> Option<(u64, u64)> {
        let depths = depths.map(|visible| (visible, 0));
        let growth = growth(&samples(10, &depths), Duration::seconds(10));
        growth.map(|growth| (growth.from, growth.to))
    }

    #[test]
    fn queue_that_stands_after_it_grew_does_not_grow() {
        let rises = [0, 30, 55, 200, 350, 500, 650, 772];
        assert_eq!(grew(rises), Some((0, 772)));
        for stands in [
            [0, 30, 55, 200, 350, 772, 772, 772],
            [0, 30, 55, 200, 350, 772, 772, 776],
            [55, 200, 350, 500, 770, 772, 773, 776],
        ] {
            assert_eq!(grew(stands), None, "{stands:?}");
        }
    }

    /// 200 messages every other interval, and nothing is consumed.
    #[test]
    fn queue_that_grows_in_bursts_grows_at_each_sample() {
        let after_a_burst = [0, 200, 200, 400, 400, 600, 600, 800];
        let before_the_next = [200, 200, 400, 400, 600, 600, 800, 800];
        assert_eq!(grew(after_a_burst), Some((0, 800)));
        assert_eq!(grew(before_the_next), Some((200, 800)));
    }

    /// Batches that take long, as with a slow database, stand in flight as those do that were not completed.
    #[test]
    fn what_stands_in_flight_leaves_at_no_known_time() {
        let of = |depths: &[(u64, u64)]| {
            let samples = samples(5, depths);
            let dead_letters = dead_letters(&samples, &[7, 7, 7]);
            draining((&samples, &dead_letters), INTERVAL, (24.0, 9.0))
        };
        let stands = of(&[(90, 155), (50, 155), (10, 155)]);
        assert_eq!(stands, Draining::AtLeast(11));
        let passes = of(&[(600, 40), (500, 100), (400, 40)]);
        assert_eq!(passes, Draining::In(29));
    }

    const INTERVAL: Duration = Duration::seconds(5);

    /// The database is dead: 160 messages are moved to the dead-letter queue after their retries.
    #[test]
    fn messages_that_become_dead_letters_do_not_drain() {
        let samples = samples(5, &[(3_975, 20), (4_060, 20), (3_835, 20)]);
        let of = |dead: [u64; 3], rates| {
            let dead_letters = dead_letters(&samples, &dead);
            draining((&samples, &dead_letters), INTERVAL, rates)
        };
        assert_eq!(of([684, 684, 844], (0.0, 20.0)), Draining::Not);
        assert_eq!(of([684, 684, 844], (8.0, 20.0)), Draining::Not);
        // By a period of before the outage more is deleted than sent.
        assert_eq!(of([684, 684, 844], (40.0, 20.0)), Draining::Unknown);
        assert_eq!(of([684, 684, 684], (40.0, 20.0)), Draining::In(193));
        // What fell is no dead letter, and is not known to be completed.
        assert_eq!(of([684, 684, 684], (0.0, 20.0)), Draining::Unknown);
        assert_eq!(of([684, 684, 700], (8.0, 20.0)), Draining::In(311));
    }

    #[test]
    fn fall_that_no_sample_of_the_dead_letters_explains_is_not_judged() {
        let samples = samples(5, &[(900, 0), (800, 0), (700, 0), (600, 0)]);
        let of = |dead_letters: &DeadLetters, interval| {
            draining((&samples, dead_letters), interval, (20.0, 0.0))
        };
        let mut dead = dead_letters(&samples, &[7, 7, 7, 7]);
        assert_eq!(of(&dead, INTERVAL), Draining::In(30));
        // The samples end one before: what the last one of the queue lost may be there by now.
        dead.pop_back();
        assert_eq!(of(&dead, INTERVAL), Draining::In(35));
        dead.pop_back();
        assert_eq!(of(&dead, INTERVAL), Draining::Unknown, "it is too old");
        assert_eq!(of(&DeadLetters::new(), INTERVAL), Draining::Unknown);
        let late = dead_letters(&samples, &[7, 7, 7, 7]).split_off(3);
        assert_eq!(of(&late, INTERVAL), Draining::Unknown, "it begins too late");
    }
}
