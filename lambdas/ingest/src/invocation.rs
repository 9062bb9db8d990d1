//! One invocation: its id and its time. Invariant: work stops early enough that the answer, which
//! says what is to be retried, always arrives; an invocation that times out answers nothing.

use std::time::{Duration, SystemTime};

use lambda_runtime::Context;
use tokio::time::Instant;

/// Kept back for the answer itself.
const ANSWER_MARGIN: Duration = Duration::from_millis(500);
/// Kept back for the dead letters, which follow the last write.
const DEAD_LETTERS_MARGIN: Duration = Duration::from_millis(1_500);

/// Who asks, and until when an answer is worth something.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Id of the invocation, written into each dead letter.
    pub request_id: String,
    /// When the runtime gives up on the invocation.
    pub deadline: Instant,
}

impl Invocation {
    /// Takes both from the Lambda context.
    #[must_use]
    pub fn from_context(context: &Context) -> Self {
        let left = context
            .deadline()
            .duration_since(SystemTime::now())
            .unwrap_or_default();
        Self {
            request_id: context.request_id.clone(),
            deadline: Instant::now() + left,
        }
    }

    /// Until when the database may work.
    pub(crate) fn write_deadline(&self) -> Instant {
        before(self.deadline, ANSWER_MARGIN + DEAD_LETTERS_MARGIN)
    }

    /// Until when dead letters may be sent.
    pub(crate) fn send_deadline(&self) -> Instant {
        before(self.deadline, ANSWER_MARGIN)
    }
}

fn before(deadline: Instant, margin: Duration) -> Instant {
    deadline.checked_sub(margin).unwrap_or_else(Instant::now)
}
