//! The account of simulated traffic, whose metrics are made as CloudWatch has them: sums of periods, and the depth of a
//! queue at one second of each, which is another one for each queue.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::prelude::*;

use super::balance::{Account, HopAccount, HopState};
use super::read::flows;
use crate::point::Point;

const PERIOD: usize = 60;
const PERIODS: usize = 24;
const SECONDS: usize = PERIOD * PERIODS;
/// The periods that are balanced.
const FROM: usize = 6;
const UNTIL: usize = 18;

/// What becomes of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Undelivered,
    Stored,
    Duplicate,
    DeadLettered,
    /// The answer to the first send was lost.
    DeadLetteredTwice,
    MovedByPolicy,
    /// Deleted from the queue by nobody that counts.
    Lost,
}

/// Messages that are published in one second, and end some seconds later.
#[derive(Clone, Copy, Debug)]
struct Wave {
    published_at: usize,
    wait_secs: usize,
    messages: u32,
    end: End,
}

/// What happened in each second.
struct Counts(Vec<f64>);

impl Counts {
    fn new() -> Self {
        Self(vec![0.0; SECONDS])
    }

    fn add(&mut self, second: usize, messages: u32) {
        // What happens later has no metric yet.
        if let Some(count) = self.0.get_mut(second) {
            *count += f64::from(messages);
        }
    }

    fn sums(&self) -> Vec<Point> {
        let sums = self.0.chunks(PERIOD).map(|seconds| seconds.iter().sum());
        points(sums)
    }

    /// Up to and with this second.
    fn until(&self, second: usize) -> f64 {
        self.0.iter().take(second + 1).sum()
    }
}

fn at(period: usize) -> DateTime<Utc> {
    let begin = DateTime::from_timestamp(1_795_000_020, 0).unwrap();
    begin + TimeDelta::seconds(i64::try_from(period * PERIOD).unwrap())
}

fn points(values: impl Iterator<Item = f64>) -> Vec<Point> {
    let values = values.enumerate();
    values
        .map(|(period, value)| Point {
            at: at(period),
            value,
        })
        .collect()
}

/// The second of each period at which the source queue and the dead-letter queue were looked at.
type Sampled = [Vec<usize>; 2];

fn sampled() -> impl Strategy<Value = Sampled> {
    [vec(0..PERIOD, PERIODS), vec(0..PERIOD, PERIODS)]
}

fn hops(waves: &[Wave], [sampled, sampled_dead]: &Sampled) -> Vec<HopAccount> {
    let [
        mut published,
        mut undelivered,
        mut queued,
        mut consumed,
        mut stored,
        mut duplicates,
        mut dead_lettered,
        mut dead_sent,
        mut left,
        mut dead,
    ] = std::array::from_fn(|_| Counts::new());
    for wave in waves {
        let Wave { messages, end, .. } = *wave;
        let delivered_at = wave.published_at + 1;
        let ended_at = delivered_at + wave.wait_secs;
        published.add(wave.published_at, messages);
        if end == End::Undelivered {
            undelivered.add(delivered_at, messages);
            dead_sent.add(delivered_at, messages);
            dead.add(delivered_at, messages);
            continue;
        }
        queued.add(delivered_at, messages);
        left.add(ended_at, messages);
        let outcome = match end {
            End::Stored => &mut stored,
            End::Duplicate => &mut duplicates,
            End::DeadLettered | End::DeadLetteredTwice => &mut dead_lettered,
            End::MovedByPolicy => {
                dead.add(ended_at, messages);
                continue;
            }
            End::Lost | End::Undelivered => continue,
        };
        // The ingest answers first; then the message is deleted.
        outcome.add(ended_at - 1, messages);
        consumed.add(ended_at, messages);
        let copies = match end {
            End::DeadLettered => 1,
            End::DeadLetteredTwice => 2,
            End::Undelivered | End::Stored | End::Duplicate | End::MovedByPolicy | End::Lost => 0,
        };
        for flow in [&mut dead_sent, &mut dead] {
            flow.add(ended_at - 1, messages * copies);
        }
    }
    let seconds = |sampled: &[usize]| -> Vec<usize> {
        let periods = sampled.iter().enumerate();
        periods
            .map(|(period, second)| period * PERIOD + second)
            .collect()
    };
    let waiting = seconds(sampled).into_iter();
    let waiting = points(waiting.map(|second| queued.until(second) - left.until(second)));
    let dead = points(
        seconds(sampled_dead)
            .into_iter()
            .map(|second| dead.until(second)),
    );
    let none = Vec::new;
    let results = [
        published.sums(),
        undelivered.sums(),
        queued.sums(),
        consumed.sums(),
        dead_sent.sums(),
        none(),
        stored.sums(),
        duplicates.sums(),
        none(),
        dead_lettered.sums(),
        waiting,
        none(),
        none(),
        dead,
        none(),
    ];
    let period = TimeDelta::seconds(i64::try_from(PERIOD).unwrap());
    let time = (at(FROM), at(UNTIL));
    let flows = flows(&results, time, period);
    Account::of(time, u32::try_from(PERIOD).unwrap(), &flows).hops
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        Just(End::Undelivered),
        Just(End::Stored),
        Just(End::Duplicate),
        Just(End::DeadLettered),
        Just(End::DeadLetteredTwice),
        Just(End::MovedByPolicy),
    ]
}

fn wave() -> impl Strategy<Value = Wave> {
    (0..SECONDS, 1..400_usize, 1..1_000_u32, end()).prop_map(
        |(published_at, wait_secs, messages, end)| Wave {
            published_at,
            wait_secs,
            messages,
            end,
        },
    )
}

proptest! {
    #[test]
    fn traffic_across_the_edges_is_no_fault(
        waves in vec(wave(), 1..40),
        sampled in sampled(),
    ) {
        for hop in hops(&waves, &sampled) {
            prop_assert!(matches!(hop.state, HopState::Balanced | HopState::Unknown), "{:?}", hop);
        }
    }

    #[test]
    fn loss_beyond_the_uncertainty_is_named_with_its_number(
        waves in vec(wave(), 1..40),
        sampled in sampled(),
        // The depths of the two periods at either end may not have seen all that was queued in them.
        lost_at in (FROM + 2) * PERIOD..(UNTIL - 3) * PERIOD,
    ) {
        let lost = Wave { published_at: lost_at, wait_secs: 10, messages: 200_000, end: End::Lost };
        let waves: Vec<Wave> = waves.into_iter().chain([lost]).collect();
        let hops = hops(&waves, &sampled);
        let queue = &hops[1];
        prop_assert_eq!(queue.state, HopState::Missing, "{:?}", queue);
        let beside = (queue.difference.unwrap() - 200_000).unsigned_abs();
        prop_assert!(beside <= queue.uncertainty, "{:?}", queue);
    }
}

#[test]
fn backlog_that_was_drained_just_before_the_begin_is_not_missing() {
    let stored = |published_at, wait_secs, messages| Wave {
        published_at,
        wait_secs,
        messages,
        end: End::Stored,
    };
    // Gone ten seconds before the begin; since then a few events.
    let backlog = stored(0, FROM * PERIOD - 10, 100_000);
    let few = (1..10).map(|number| stored((FROM + number) * PERIOD, 2, 10));
    let waves: Vec<Wave> = few.chain([backlog]).collect();
    for hop in hops(&waves, &[vec![30; PERIODS], vec![30; PERIODS]]) {
        let expected = (HopState::Balanced, Some(0), 0);
        assert_eq!(
            (hop.state, hop.difference, hop.uncertainty),
            expected,
            "{hop:?}"
        );
    }
}

/// Moved when one queue was looked at in this period and the other one not yet.
#[test]
fn dead_letters_moved_between_two_looks_at_the_queues_are_not_missing() {
    let stored = Wave {
        published_at: (FROM + 4) * PERIOD,
        wait_secs: 2,
        messages: 400,
        end: End::Stored,
    };
    for period in [FROM, UNTIL - 1] {
        let moved = Wave {
            published_at: (period - 2) * PERIOD,
            wait_secs: 2 * PERIOD + 29,
            messages: 50,
            end: End::MovedByPolicy,
        };
        for (source_at, dead_at) in [(40, 20), (20, 40)] {
            let sampled = [vec![source_at; PERIODS], vec![dead_at; PERIODS]];
            let queue = hops(&[stored, moved], &sampled).remove(1);
            assert_eq!(queue.difference.map(i64::abs), Some(50), "{queue:?}");
            assert_eq!(queue.state, HopState::Balanced, "{queue:?}");
        }
    }
}
