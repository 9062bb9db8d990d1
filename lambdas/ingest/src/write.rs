//! The write of a batch's events.
//!
//! Invariant: it ends before the write deadline, and an event without a confirmed commit is
//! reported as unwritten. Writing it again is harmless: the ledger makes it a duplicate.
//!
//! Errors that pass by themselves are retried while there is time: a conflict with another
//! transaction soon, an unavailable database at longer intervals. A connection may break after the
//! server committed; the retry then finds the rows, and the events count as duplicates, not as
//! stored. Errors that need an operator (a missing table, a refused log-in) are reported at once: SQS
//! delivers the messages again later.

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use event::Event;
use store::{PgPool, StoreError, Written, write_batch};
use tokio::time::{Instant, sleep, timeout_at};

use crate::bisect::{ItemResult, WriteError, bisect};

/// Waits after a conflict: the other transaction is done in milliseconds. The jitter, up to the whole
/// wait, separates two functions that conflict repeatedly.
const AFTER_CONFLICT: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(10))
    .with_max_delay(Duration::from_millis(500))
    .without_max_times()
    .with_jitter();
/// Waits while the database is unavailable: a restart takes seconds, the resume of a paused one half
/// a minute, and a thousand functions must not slow either.
const WHILE_UNAVAILABLE: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(1))
    .without_max_times()
    .with_jitter();

/// The result of a committed event, and the time of the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Committed<T> {
    pub(crate) written: T,
    pub(crate) at: SystemTime,
}

/// Writes all events that the database accepts.
pub(crate) async fn write_events(
    pool: &PgPool,
    events: &[Event<'_>],
    deadline: Instant,
) -> Vec<ItemResult<Committed<Written>>> {
    bisect(events, async |some: &[Event<'_>]| {
        write_until(deadline, async || write_batch(pool, some).await).await
    })
    .await
}

/// Writes all events or none, and retries until the deadline where that can help.
pub(crate) async fn write_until<T, W>(
    deadline: Instant,
    mut write: W,
) -> Result<Vec<Committed<T>>, WriteError>
where
    W: AsyncFnMut() -> Result<Vec<T>, StoreError>,
{
    let mut after_conflict = AFTER_CONFLICT.build();
    let mut while_unavailable = WHILE_UNAVAILABLE.build();
    while Instant::now() < deadline {
        let Ok(answer) = timeout_at(deadline, write()).await else {
            tracing::error!("events not written: no answer from the database in time");
            return Err(WriteError::Unavailable);
        };
        let (error, wait) = match answer {
            Ok(written) => {
                let at = SystemTime::now();
                let committed = written.into_iter().map(|written| Committed { written, at });
                return Ok(committed.collect());
            }
            Err(error) => match error {
                StoreError::EventRefused { .. } => {
                    return Err(WriteError::BadItem(error.refusal().unwrap_or_default()));
                }
                StoreError::Conflict { .. } => (error, after_conflict.next()),
                StoreError::Unavailable { .. } => (error, while_unavailable.next()),
                StoreError::Url { .. }
                | StoreError::NotPermitted { .. }
                | StoreError::TooSlow { .. }
                | StoreError::TooBroad { .. }
                | StoreError::BeyondLast { .. }
                | StoreError::TooManyRows { .. }
                | StoreError::Other { .. } => (error, None),
            },
        };
        match wait {
            Some(wait) if Instant::now() + wait < deadline => {
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(%error, wait_ms, "events not written, will retry");
                sleep(wait).await;
            }
            Some(_) | None => {
                tracing::error!(%error, transient = error.is_transient(), "events not written");
                return Err(WriteError::Unavailable);
            }
        }
    }
    tracing::warn!("no time left to write: the rest is reported for retry");
    Err(WriteError::Unavailable)
}
