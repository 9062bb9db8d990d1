//! The hops of the pipeline as they were last seen: what the header and the overview show.
//!
//! Invariant: each part is asked for on its own, so that one that hangs never hides the others.

use std::collections::VecDeque;

use chrono::{DateTime, Duration, Utc};

use super::message::{Answer, Fault, Reply, Request, Topic};
use super::remote::{Fetched, Remote};
use super::turn::Turn;
use crate::world::observed::{ApiHealth, History, Point, QueueRole, QueueSnapshot, RecordTotals};

/// How often depth, totals and health are read.
pub const REFRESH: Duration = Duration::seconds(5);
/// How often the history is read.
const HISTORY_REFRESH: Duration = Duration::seconds(15);
/// Totals that are kept to tell the rate of stored records.
const TOTALS_KEPT: usize = 13;
/// A value older than this is shown as stale.
pub const STALE_AFTER: Duration = Duration::seconds(16);

/// What is known of the hops.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pipeline {
    /// The queue that the ingest reads.
    pub source_queue: Remote<QueueSnapshot>,
    /// The dead-letter queue.
    pub dead_letter_queue: Remote<QueueSnapshot>,
    /// History of the source queue.
    pub history: Remote<History>,
    /// Totals of the database.
    pub totals: Remote<RecordTotals>,
    /// Health of the API.
    pub api: Remote<ApiHealth>,
    /// Database time and total of the last looks, oldest first.
    pub totals_seen: VecDeque<(DateTime<Utc>, u64)>,
}

impl Pipeline {
    /// Asks for what is due.
    pub fn tick(&mut self, turn: &mut Turn<'_>) {
        if self.source_queue.is_due(REFRESH, turn.now) {
            turn.fetch(&mut self.source_queue, Request::Queue(QueueRole::Source));
        }
        if self.dead_letter_queue.is_due(REFRESH, turn.now) {
            turn.fetch(
                &mut self.dead_letter_queue,
                Request::Queue(QueueRole::DeadLetter),
            );
        }
        if self.totals.is_due(REFRESH, turn.now) {
            turn.fetch(&mut self.totals, Request::Totals);
        }
        if self.api.is_due(REFRESH, turn.now) {
            turn.fetch(&mut self.api, Request::ApiHealth);
        }
        if self.history.is_due(HISTORY_REFRESH, turn.now) {
            turn.fetch(&mut self.history, Request::History);
        }
    }

    /// Asks for everything again.
    pub fn refresh(&mut self, turn: &mut Turn<'_>) {
        turn.fetch(&mut self.source_queue, Request::Queue(QueueRole::Source));
        turn.fetch(
            &mut self.dead_letter_queue,
            Request::Queue(QueueRole::DeadLetter),
        );
        turn.fetch(&mut self.totals, Request::Totals);
        turn.fetch(&mut self.api, Request::ApiHealth);
        turn.fetch(&mut self.history, Request::History);
    }

    /// Takes an answer about a hop.
    pub fn reply(&mut self, reply: Reply, now: DateTime<Utc>) {
        let Reply { id, topic, result } = reply;
        match topic {
            Topic::SourceQueue => {
                self.source_queue.settle(id, expect(result, queue), now);
            }
            Topic::DeadLetterQueue => {
                self.dead_letter_queue
                    .settle(id, expect(result, queue), now);
            }
            Topic::History => {
                self.history.settle(id, expect(result, history), now);
            }
            Topic::Totals => {
                if self.totals.settle(id, expect(result, totals), now)
                    && let Remote::Ready(fetched) = &self.totals
                {
                    // An estimate stands still between two analyses: no rate can be told from it.
                    if fetched.value.total_is_estimate {
                        self.totals_seen.clear();
                    } else {
                        let seen = (fetched.value.database_now, fetched.value.total);
                        self.totals_seen.push_back(seen);
                    }
                    if self.totals_seen.len() > TOTALS_KEPT {
                        self.totals_seen.pop_front();
                    }
                }
            }
            Topic::ApiHealth => {
                self.api.settle(id, expect(result, api), now);
            }
            Topic::Letters
            | Topic::Hold
            | Topic::Release
            | Topic::Redrive
            | Topic::Records
            | Topic::Publish
            | Topic::Trace
            | Topic::Template => {}
        }
    }

    /// Records stored per second over the looks of the last minute; `None` before the second look.
    #[must_use]
    pub fn stored_per_sec(&self) -> Option<f64> {
        let (first_at, first) = self.totals_seen.front()?;
        let (last_at, last) = self.totals_seen.back()?;
        let secs = (*last_at - *first_at).as_seconds_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        (secs > 0.0).then(|| last.saturating_sub(*first) as f64 / secs)
    }

    /// Messages sent to the source queue per second, by the last complete period.
    #[must_use]
    pub fn sent_per_sec(&self) -> Option<f64> {
        self.per_sec(|history| &history.sent)
    }

    /// Messages deleted from the source queue per second, by the last complete period.
    #[must_use]
    pub fn deleted_per_sec(&self) -> Option<f64> {
        self.per_sec(|history| &history.deleted)
    }

    fn per_sec(&self, series: impl Fn(&History) -> &Vec<Point>) -> Option<f64> {
        let Fetched {
            value: history,
            fetched_at,
        } = self.history.fetched()?;
        let point = complete(series(history), history.period_secs, *fetched_at).last()?;
        (history.period_secs > 0).then(|| point.value / f64::from(history.period_secs))
    }

    /// Seconds until the queue is empty at the present rates; `None` when it does not drain or the
    /// rates are not known.
    #[must_use]
    pub fn drain_secs(&self) -> Option<u64> {
        let depth = self.source_queue.value()?.depth;
        let net = self.deleted_per_sec()? - self.sent_per_sec()?;
        #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
        (net > 0.0).then(|| super::format::whole((depth.visible + depth.in_flight) as f64 / net))
    }
}

/// The periods that were over at `now`. The newest one is usually still being counted: as a rate
/// it would always look like a fall.
#[must_use]
pub fn complete(points: &[Point], period_secs: u32, now: DateTime<Utc>) -> &[Point] {
    let period = Duration::seconds(i64::from(period_secs));
    let over = points
        .iter()
        .take_while(|point| point.at + period <= now)
        .count();
    points.get(..over).unwrap_or_default()
}

/// Turns an answer into what was asked for; another kind of answer is a fault of ours and says so.
fn expect<T>(
    result: Result<Answer, Fault>,
    pick: impl FnOnce(Answer) -> Option<T>,
) -> Result<T, Fault> {
    result.and_then(|answer| {
        pick(answer).ok_or_else(|| Fault {
            message: "the answer does not fit the question (a defect of this program)".to_owned(),
            hint: None,
        })
    })
}

macro_rules! pick {
    ($name:ident, $variant:ident, $kind:ty) => {
        fn $name(answer: Answer) -> Option<$kind> {
            if let Answer::$variant(value) = answer {
                Some(value)
            } else {
                None
            }
        }
    };
}

pick!(queue, Queue, QueueSnapshot);
pick!(history, History, History);
pick!(totals, Totals, RecordTotals);
pick!(api, ApiHealth, ApiHealth);
