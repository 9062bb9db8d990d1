//! How long a change of the schema waits for a lock, and how often it is tried again.
//!
//! Invariant: writers queue behind a change that waits for its lock, so each wait is short; between two attempts
//! they go on. Only what wrote nothing is repeated, and a bounded number of times.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::sleep;

use crate::error::StoreError;

/// Limits of one change of the schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Longest wait for one lock, enforced by the database. A migration that sets its own has that.
    pub(crate) lock_timeout: Duration,
    /// Wait before the first repetition; it doubles.
    pub(crate) first_wait: Duration,
    /// Longest wait between two attempts.
    pub(crate) longest_wait: Duration,
    /// Repetitions after the first attempt.
    pub(crate) repeats_max: usize,
}

impl Patience {
    /// Of the function `migrate`: at most 95 s of waits between 13 attempts, of its 15 minutes.
    pub(crate) const OF_MIGRATE: Self = Self {
        lock_timeout: Duration::from_secs(3),
        first_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(10),
        repeats_max: 12,
    };

    /// The statement that sets the limit for locks on a connection.
    pub(crate) fn lock_limit(self) -> String {
        format!("set lock_timeout = {}", self.lock_timeout.as_millis())
    }

    pub(crate) fn attempts(self) -> Attempts {
        Attempts {
            made: 1,
            waits: ExponentialBuilder::default()
                .with_min_delay(self.first_wait)
                .with_max_delay(self.longest_wait)
                .with_max_times(self.repeats_max)
                .build(),
        }
    }
}

/// The attempts of one change.
#[derive(Debug)]
pub(crate) struct Attempts {
    made: usize,
    waits: ExponentialBackoff,
}

impl Attempts {
    /// Waits before the next attempt, where the error is a conflict with another transaction and an attempt is left.
    ///
    /// # Errors
    /// The given error, if it is another one; after the last attempt it says how many there were.
    pub(crate) async fn again(&mut self, error: StoreError) -> Result<(), StoreError> {
        let StoreError::Conflict { operation, detail } = error else {
            return Err(error);
        };
        let Some(wait) = self.waits.next() else {
            return Err(StoreError::Conflict {
                operation,
                detail: format!(
                    "{detail}, {} times: other transactions conflict with it (pg_locks shows which locks they hold); \
                     end the long ones, and run the function migrate again",
                    self.made
                ),
            });
        };
        tracing::info!(operation, detail, wait_ms = wait.as_millis(), "tried again");
        self.made += 1;
        sleep(wait).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Patience = Patience {
        lock_timeout: Duration::from_secs(1),
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(2),
        repeats_max: 3,
    };

    fn conflict() -> StoreError {
        StoreError::Conflict {
            operation: "test",
            detail: "lock timeout".to_owned(),
        }
    }

    #[tokio::test]
    async fn conflict_is_repeated_a_bounded_number_of_times() {
        let mut attempts = SHORT.attempts();
        for _ in 0..SHORT.repeats_max {
            attempts.again(conflict()).await.unwrap();
        }
        let error = attempts.again(conflict()).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
        assert!(
            error.to_string().contains("lock timeout, 4 times"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn other_error_is_not_repeated() {
        let slow = StoreError::TooSlow { operation: "test" };
        let error = SHORT.attempts().again(slow).await.unwrap_err();
        assert!(matches!(error, StoreError::TooSlow { .. }), "{error:?}");
    }
}
