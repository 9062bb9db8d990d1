//! The write of a batch's events. Invariant: it ends before the write deadline, and what is not
//! known to be written is said to be unwritten (a repetition is harmless: the ledger knows).
//!
//! What passes by itself is tried again while there is time: a conflict with another transaction
//! soon, a database that is away at longer intervals. A connection may break after the server
//! committed; the next attempt then finds what the first one wrote, and these events count as
//! duplicates, not as stored. What somebody has to mend (a missing table, a refused log-in) is
//! reported at once: SQS delivers it again later, at no cost until then.

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use event::Event;
use store::{PgPool, StoreError, Written, write_batch};
use tokio::time::{Instant, sleep, timeout_at};

use crate::bisect::{Isolated, WriteError, isolate};

/// Waits after a conflict: the other transaction is done in milliseconds. The jitter, as long as the
/// wait, parts two functions that meet again and again.
const AFTER_CONFLICT: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(10))
    .with_max_delay(Duration::from_millis(500))
    .without_max_times()
    .with_jitter();
/// Waits while the database is away: a restart takes seconds, the resume of a paused one half a
/// minute, and a thousand functions must not hinder either.
const WHILE_AWAY: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(1))
    .without_max_times()
    .with_jitter();

/// What became of an event, and when that was committed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Committed {
    pub(crate) written: Written,
    pub(crate) at: SystemTime,
}

/// Writes the events, without those that the database refuses.
pub(crate) async fn write_events(
    pool: &PgPool,
    events: &[Event<'_>],
    deadline: Instant,
) -> Vec<Isolated<Committed>> {
    isolate(events, async |some: &[Event<'_>]| {
        write_until(pool, some, deadline).await
    })
    .await
}

/// Writes all of the events or none, trying again what can succeed until there is no time left.
async fn write_until(
    pool: &PgPool,
    events: &[Event<'_>],
    deadline: Instant,
) -> Result<Vec<Committed>, WriteError> {
    let mut after_conflict = AFTER_CONFLICT.build();
    let mut while_away = WHILE_AWAY.build();
    while Instant::now() < deadline {
        let Ok(answer) = timeout_at(deadline, write_batch(pool, events)).await else {
            tracing::error!("events not written: the database did not answer in time");
            return Err(WriteError::World);
        };
        let (error, wait) = match answer {
            Ok(written) => {
                let at = SystemTime::now();
                let committed = written.into_iter().map(|written| Committed { written, at });
                return Ok(committed.collect());
            }
            Err(error) => match error {
                StoreError::EventRefused { .. } => {
                    return Err(WriteError::Item(error.refusal().unwrap_or_default()));
                }
                StoreError::Conflict { .. } => (error, after_conflict.next()),
                StoreError::Unavailable { .. } => (error, while_away.next()),
                StoreError::Url { .. }
                | StoreError::TooManyRows { .. }
                | StoreError::Other { .. } => (error, None),
            },
        };
        match wait {
            Some(wait) if Instant::now() + wait < deadline => {
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(%error, wait_ms, "events not written yet");
                sleep(wait).await;
            }
            Some(_) | None => {
                tracing::error!(%error, transient = error.is_transient(), "events not written");
                return Err(WriteError::World);
            }
        }
    }
    tracing::warn!("no time left to write, the rest is reported for retry");
    Err(WriteError::World)
}
