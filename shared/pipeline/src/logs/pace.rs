//! The pace of the calls that read logs.
//!
//! Invariant: the calls of one connection begin at least so far apart as is asked for, in the order in which they came.

use tokio::sync::Mutex;
use tokio::time::{Duration, Instant, sleep_until};

/// When the next call may begin.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// Waits for the turn of one call. The next one begins `spacing` later. A wait that is given up takes no turn.
    pub(super) async fn turn(&self, spacing: Duration) {
        let mut next = self.next.lock().await;
        if let Some(at) = *next {
            sleep_until(at).await;
        }
        *next = Some(Instant::now() + spacing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn second_call_waits_for_its_time_and_one_that_gives_up_takes_no_turn() {
        let pace = Pace::default();
        let hour = Duration::from_secs(3_600);
        let begins = || Box::pin(pace.turn(hour));
        assert!(futures::poll!(begins()).is_ready());
        let mut waiting = begins();
        assert!(futures::poll!(&mut waiting).is_pending());
        let (third, before) = (begins(), Instant::now());
        drop(waiting);
        assert!(futures::poll!(third).is_pending());
        let next = *pace.next.lock().await;
        assert!(next.is_some_and(|next| next <= before + hour), "{next:?}");
    }
}
