//! Runs work on one message after the other, on a thread of its own.
//!
//! Invariant: one such thread runs at a time, so a program that never ends costs one thread and no
//! more. The limit, and whether the caller still waits, are checked between two messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramThreadError {
    /// An earlier program has not ended.
    #[error("another program still runs over the messages")]
    Busy,
    /// The limit was reached, or the caller no longer waits.
    #[error("the program takes more than {} s", .0.as_secs())]
    TooSlow(Duration),
    /// The thread ended without a result.
    #[error("the program made a thread of this console fail; nothing was changed")]
    Failed,
}

/// Ends the work when whoever waits for it goes away.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Applies `work` to each message until the limit; results are in the order of the messages. `slot`
/// has one permit, which stays with the thread: a thread cannot be ended from outside.
///
/// # Errors
/// When an earlier thread still runs, or when this one takes too long or fails.
pub async fn for_each_message<M, T>(
    slot: &Arc<Semaphore>,
    messages: Arc<Vec<M>>,
    limit: Duration,
    mut work: impl FnMut(&M) -> T + Send + 'static,
) -> Result<Vec<T>, ProgramThreadError>
where
    M: Send + Sync + 'static,
    T: Send + 'static,
{
    let slot = Arc::clone(slot);
    let permit = slot
        .try_acquire_owned()
        .map_err(|_| ProgramThreadError::Busy)?;
    let is_stopped = Arc::new(AtomicBool::new(false));
    let _stop = StopOnDrop(Arc::clone(&is_stopped));
    let task = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        let mut results = Vec::with_capacity(messages.len());
        for message in messages.iter() {
            if begun.elapsed() > limit || is_stopped.load(Ordering::Relaxed) {
                return Err(ProgramThreadError::TooSlow(limit));
            }
            results.push(work(message));
        }
        drop(permit);
        Ok(results)
    });
    task.await.map_err(|_| ProgramThreadError::Failed)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn program_that_does_not_end_keeps_others_out_and_a_dropped_wait_ends_it() {
        let slot = Arc::new(Semaphore::new(1));
        let limit = Duration::from_secs(600);
        let (started, began) = std::sync::mpsc::channel();
        let work = move |(): &()| {
            let _ = started.send(());
        };
        let endless = Arc::new(vec![(); 1_000_000]);
        let mut waiting = Box::pin(for_each_message(&slot, endless, limit, work));
        assert!(futures::poll!(&mut waiting).is_pending());
        began.recv().unwrap();
        let refused = for_each_message(&slot, Arc::new(vec![()]), limit, |()| ()).await;
        assert_eq!(refused, Err(ProgramThreadError::Busy));
        drop(waiting);
        let _free = slot.acquire().await.unwrap();
        assert!(began.try_iter().count() < 1_000_000);
    }

    #[tokio::test]
    async fn limit_is_checked_between_messages() {
        let slot = Arc::new(Semaphore::new(1));
        let messages = Arc::new(vec![1, 2, 3]);
        let double = |number: &i32| number * 2;
        let limit = Duration::from_secs(600);
        let done = for_each_message(&slot, Arc::clone(&messages), limit, double).await;
        assert_eq!(done, Ok(vec![2, 4, 6]));
        let late = for_each_message(&slot, messages, Duration::ZERO, double).await;
        assert_eq!(late, Err(ProgramThreadError::TooSlow(Duration::ZERO)));
    }
}
