//! Keeps the logs of the functions from growing without end.
//!
//! Invariant: nothing is freed that somebody has still to read.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::evidence::Counting;
use crate::log_file::LogFile;

const INTERVAL: Duration = Duration::from_secs(10);

/// Frees what was read of the logs until the future is dropped. What the ingest has counted is read here too: nobody else
/// may ask for it.
pub(crate) async fn free_for_ever(logs: Vec<Arc<LogFile>>, counting: Arc<Counting>) {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let (logs, counting) = (logs.clone(), Arc::clone(&counting));
        let freed = tokio::task::spawn_blocking(move || {
            counting.read_on()?;
            logs.iter().try_for_each(|log| log.free())
        });
        match freed.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the logs of the functions were not freed"),
            Err(error) => tracing::warn!(%error, "the logs of the functions were not freed"),
        }
    }
}
