//! The write of a batch's events. Invariant: it ends before the write deadline, and what is not
//! known to be written is said to be unwritten (a repetition is harmless: the ledger knows).

use event::Event;
use store::{PgPool, Written, write_batch};
use tokio::time::{Instant, timeout_at};

use crate::isolate::{Isolated, WriteError, isolate};

/// Writes the events, without those that the database refuses.
pub(crate) async fn write_events(
    pool: &PgPool,
    events: &[Event<'_>],
    deadline: Instant,
) -> Vec<Isolated<Written>> {
    isolate(events, async |some: &[Event<'_>]| {
        if Instant::now() >= deadline {
            tracing::warn!("no time left to write, the rest is reported for retry");
            return Err(WriteError::World);
        }
        match timeout_at(deadline, write_batch(pool, some)).await {
            Ok(Ok(written)) => Ok(written),
            Ok(Err(error)) if error.is_event_fault() => {
                Err(WriteError::Item(error.refusal().unwrap_or_default()))
            }
            Ok(Err(error)) => {
                tracing::error!(%error, transient = error.is_transient(), "events not written");
                Err(WriteError::World)
            }
            Err(_) => {
                tracing::error!("events not written: the database did not answer in time");
                Err(WriteError::World)
            }
        }
    })
    .await
}
