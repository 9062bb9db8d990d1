//! Incidents minute by minute, and the metrics that they leave.

use std::ops::Range;

use libtest_mimic::Failed;

use super::rendered::Metric;

pub(super) const HOUR: usize = 60;
pub(super) const DAY: usize = 24 * HOUR;

/// One minute.
#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    events: f64,
    bad: f64,
    /// Messages that wait at its end.
    waiting: f64,
    /// Dead letters that are there at its end.
    dead: f64,
    duplicates: f64,
    dead_lettered: f64,
    /// Dead letters that were deleted from their queue.
    dead_removed: f64,
}

pub(super) struct Incident {
    pub(super) name: &'static str,
    minutes: Vec<Minute>,
    /// Events and bad ones of all minutes before each.
    sums: Vec<(f64, f64)>,
    /// Whether every event is stored or bad, at once.
    is_plain: bool,
    /// The minute from which on the ingest counts late events: an earlier version does not.
    late_since: usize,
    /// A namespace whose metrics come so many minutes late.
    late: Option<(&'static str, usize)>,
}

impl Incident {
    fn of(name: &'static str, minutes: Vec<Minute>) -> Self {
        let mut sums = vec![(0.0, 0.0)];
        let mut sum = (0.0, 0.0);
        for minute in &minutes {
            sum = (sum.0 + minute.events, sum.1 + minute.bad);
            sums.push(sum);
        }
        Self {
            name,
            is_plain: minutes
                .iter()
                .all(|it| it.waiting + it.dead + it.duplicates + it.dead_lettered == 0.0),
            minutes,
            sums,
            late_since: 0,
            late: None,
        }
    }

    /// The same where the metrics of one service come later than the others.
    pub(super) fn seen_late(mut self, namespace: Option<&'static str>, minutes: usize) -> Self {
        self.late = namespace.map(|namespace| (namespace, minutes));
        self
    }

    /// Events in each minute, and the share of them that is bad.
    fn shaped(name: &'static str, minutes: usize, shape: impl Fn(usize) -> (f64, f64)) -> Self {
        let minute = |number| {
            let (events, share) = shape(number);
            Minute {
                events,
                bad: events * share,
                ..Minute::default()
            }
        };
        Self::of(name, (0..minutes).map(minute).collect())
    }

    /// So many times the share that the objective allows.
    pub(super) fn of_rate(name: &'static str, percent: f64, rate: f64, when: Range<usize>) -> Self {
        let share = rate * (100.0 - percent) / 100.0;
        Self::shaped(name, when.end + DAY, |minute| {
            (1_000.0, if when.contains(&minute) { share } else { 0.0 })
        })
    }

    /// Everything is bad.
    pub(super) fn outage(name: &'static str, events: u32, when: Range<usize>) -> Self {
        Self::shaped(name, when.end + DAY, |minute| {
            let is_away = when.contains(&minute);
            (f64::from(events), f64::from(u8::from(is_away)))
        })
    }

    /// The ingest is replaced by this version after a day; no event is late.
    pub(super) fn upgrade() -> Self {
        let late_since = DAY;
        Self {
            late_since,
            ..Self::shaped("an upgrade of the ingest", 3 * DAY, |_| (1_000.0, 0.0))
        }
    }

    /// An ingest that stores nothing in these minutes, and then what waits, five times as fast as it comes; and the
    /// minute in which the queue is empty again.
    pub(super) fn pause(when: Range<usize>) -> (Self, usize) {
        let drained = when.end + when.len() / 4;
        let shape = |minute: usize| {
            if when.contains(&minute) {
                (0.0, 0.0)
            } else if (when.end..drained).contains(&minute) {
                (5_000.0, 1.0)
            } else {
                (1_000.0, 0.0)
            }
        };
        let pause = Self::shaped("a planned pause", drained + 2 * DAY, shape);
        (pause, drained)
    }

    /// What an operator meets, for an objective.
    pub(super) fn all(percent: f64) -> Vec<Self> {
        let began = 2 * DAY;
        let budget = (100.0 - percent) / 100.0;
        let rate = |name, rate, minutes| Self::of_rate(name, percent, rate, began..began + minutes);
        vec![
            Self::outage("an outage of ten minutes", 1_000, began..began + 10),
            Self::outage("a blip", 1_000, began..began + 1),
            Self::outage("an outage of a night", 1_000, began..began + 8 * HOUR),
            Self::outage("an outage with little traffic", 1, began..began + 90),
            Self::outage("an outage with hardly any traffic", 2, began..began + 20),
            rate("a fast burn", 17.3, 3 * HOUR),
            rate("a burn just above the second rate", 6.1, 9 * HOUR),
            rate("a burn just below the second rate", 5.9, 9 * HOUR),
            rate("a slow burn", 3.7, DAY),
            rate("a burn that the objective allows", 0.9, DAY),
            Self::shaped("five minutes of every hour", 2 * DAY, |minute| {
                (
                    300.0,
                    if minute % HOUR < 5 {
                        11.0 * budget
                    } else {
                        0.0
                    },
                )
            }),
            Self::shaped("a ramp", 2 * DAY, |minute| {
                let minute = u32::try_from(minute).unwrap();
                // No threshold is met exactly, where the order of a sum would decide.
                (
                    700.0,
                    (f64::from(minute) / 2_880.0 * 19.7 * budget).min(1.0),
                )
            }),
            Self::shaped("nights without traffic", 3 * DAY, |minute| {
                let is_day = minute % DAY > 8 * HOUR;
                let events = if is_day { 40.0 } else { 0.0 };
                (events, if minute % DAY < 9 * HOUR { 0.5 } else { 0.0 })
            }),
            Self::shaped("a minute after a silence", DAY, |minute| {
                (if minute == 900 { 130.0 } else { 0.0 }, 1.0)
            }),
            Self::shaped("nothing at all", HOUR, |_| (0.0, 0.0)),
        ]
    }

    /// A thousand messages a minute, some of them duplicates and dead letters.
    fn traffic(name: &'static str, change: impl Fn(usize, &mut Minute)) -> Self {
        let mut dead = 0.0;
        let minutes = (0..8 * HOUR).map(|number| {
            let mut minute = Minute {
                events: 1_000.0,
                duplicates: 30.0,
                dead_lettered: 20.0,
                waiting: 15.0,
                ..Minute::default()
            };
            change(number, &mut minute);
            dead += minute.dead_lettered;
            minute.dead += dead;
            minute
        });
        Self::of(name, minutes.collect())
    }

    pub(super) fn without_loss() -> Vec<Self> {
        // In the third hour.
        let into = |minute: usize| {
            let into = minute.checked_sub(2 * HOUR).filter(|into| *into < HOUR);
            into.map(|into| f64::from(u32::try_from(into).unwrap()) + 1.0)
        };
        vec![
            Self::traffic("steady traffic", |_, _| {}),
            Self::traffic("twenty times the traffic at once", |number, minute| {
                minute.events = if number < 4 * HOUR { 200.0 } else { 4_000.0 };
            }),
            // Not stored, and so bad here, but they wait; and later all of them are stored.
            Self::traffic("an ingest that is away", |number, minute| {
                if let Some(into) = into(number) {
                    minute.bad = 950.0;
                    minute.waiting = 950.0 * into;
                } else if number == 3 * HOUR {
                    minute.bad = -950.0 * 60.0;
                }
            }),
            // They wait for half an hour. Then the redrive policy moves them, which no metric counts but the growth of
            // the dead-letter queue.
            Self::traffic("retries that ran out", |number, minute| {
                if let Some(into) = into(number) {
                    minute.bad = 950.0;
                    minute.waiting = 950.0 * into.min(30.0);
                    minute.dead = 950.0 * (into - 30.0).max(0.0);
                } else if number >= 3 * HOUR {
                    minute.dead = 950.0 * 30.0;
                    minute.bad = if number == 3 * HOUR {
                        -950.0 * 30.0
                    } else {
                        0.0
                    };
                }
            }),
            // As many as a purge would lose, below.
            Self::traffic(
                "dead letters that are deleted as they come",
                |number, minute| {
                    if into(number).is_some() {
                        minute.bad = 950.0;
                        minute.dead_removed = 950.0;
                    }
                },
            ),
        ]
    }

    pub(super) fn with_loss() -> Vec<Self> {
        let is_within =
            |minute: usize, hours: usize| (2 * HOUR..(2 + hours) * HOUR).contains(&minute);
        vec![
            Self::traffic("a queue that is purged", |number, minute| {
                if is_within(number, 1) {
                    minute.bad = 950.0;
                }
            }),
            // Where SNS's metrics are late, what is missing must be more than what was published in that time.
            Self::traffic("one in twenty is missing", |number, minute| {
                if is_within(number, 5) {
                    minute.bad = 50.0;
                }
            }),
        ]
    }

    pub(super) fn minutes(&self) -> usize {
        self.minutes.len()
    }

    /// Events and bad ones.
    pub(super) fn counts(&self, window: Range<usize>) -> (f64, f64) {
        let (from, until) = (self.sums[window.start], self.sums[window.end]);
        (until.0 - from.0, until.1 - from.1)
    }

    /// What CloudWatch has of a metric of an objective in this window, in minute `now`. A service sends no zeros.
    pub(super) fn metric(
        &self,
        objective: &str,
        metric: &Metric,
        window: Range<usize>,
        now: usize,
    ) -> Result<Option<f64>, Failed> {
        let late = self.late.filter(|it| it.0 == metric.source.namespace);
        let come = now.saturating_sub(late.map_or(0, |(_, minutes)| minutes));
        let from = window.start;
        let until = window.end.min(come).max(from);
        let window = from..until;
        let (events, bad) = self.counts(from..until);
        let minutes = if self.is_plain {
            &[]
        } else {
            &self.minutes[window]
        };
        let sum = |of: fn(&Minute) -> f64| minutes.iter().map(of).sum::<f64>();
        let most = |of: fn(&Minute) -> f64| minutes.iter().map(of).fold(0.0, f64::max);
        let sent = |value: f64| Ok((value > 0.0).then_some(value));
        let ingest = |value: f64| Ok((events > 0.0).then_some(value));
        let is_dead_letter_queue = metric.source.value.ends_with("dead-letters");
        match (
            metric.source.namespace.as_str(),
            metric.metric.as_str(),
            metric.stat.as_str(),
        ) {
            // The ingest sends all its counts with each batch.
            ("OpsConsole/Ingest", "stored", "Sum") if objective == "durability" => {
                ingest(events - bad - sum(|it| it.duplicates) - sum(|it| it.dead_lettered))
            }
            // A late event is stored.
            ("OpsConsole/Ingest", "stored", "Sum") => ingest(events),
            ("OpsConsole/Ingest", "late", "Sum") if until <= self.late_since => Ok(None),
            ("OpsConsole/Ingest", "late", "Sum") => {
                ingest(self.counts(from.max(self.late_since)..until).1)
            }
            ("OpsConsole/Ingest", "duplicates", "Sum") => ingest(sum(|it| it.duplicates)),
            ("OpsConsole/Ingest", "dead_lettered", "Sum") => ingest(sum(|it| it.dead_lettered)),
            ("OpsConsole/Ingest", "expired", "Sum") => Ok(None),
            ("AWS/SNS", "NumberOfMessagesPublished", "Sum") => sent(events),
            ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum")
                if is_dead_letter_queue =>
            {
                sent(most(|it| it.dead))
            }
            ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Minimum")
                if is_dead_letter_queue =>
            {
                let least = minutes.iter().map(|it| it.dead).reduce(f64::min);
                sent(least.unwrap_or(0.0))
            }
            ("AWS/SQS", "NumberOfMessagesDeleted", "Sum") if is_dead_letter_queue => {
                sent(sum(|it| it.dead_removed))
            }
            ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum") => {
                sent(most(|it| it.waiting))
            }
            ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "Maximum") => Ok(None),
            ("AWS/ApiGateway", "Count", "Sum") | ("AWS/ApiGateway", "Latency", "SampleCount") => {
                sent(events)
            }
            ("AWS/ApiGateway", "5xx", "Sum") => sent(bad),
            ("AWS/ApiGateway", "Latency", "PR(:1000)") => {
                Ok((events > 0.0).then(|| 100.0 * (events - bad) / events))
            }
            other => Err(format!("no incident has {other:?}").into()),
        }
    }
}
