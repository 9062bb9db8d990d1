//! One invocation: its id and its time. Invariant: work stops early enough that the answer, which
//! says what is to be retried, always arrives; an invocation that times out answers nothing.

use std::time::{Duration, SystemTime};

use lambda_runtime::Context;
use tokio::time::Instant;

/// Kept back after the last write, for the dead letters and for the answer.
const MARGIN_MAX: Duration = Duration::from_secs(2);
/// Part of the time left that is kept back where that is less, so that a short invocation works too.
const MARGIN_DIVISOR: u32 = 5;
/// Part of the margin that is the answer's own.
const ANSWER_DIVISOR: u32 = 4;

/// Who asks, and until when an answer is worth something.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Id of the invocation, written into each dead letter.
    pub request_id: String,
    /// When the runtime gives up on the invocation.
    pub deadline: Instant,
    /// The function, as its metrics are told apart.
    pub function_name: String,
    /// The X-Ray trace of the invocation, where the runtime names one.
    pub xray_trace_id: Option<String>,
    margin: Duration,
}

impl Invocation {
    /// Takes it from the Lambda context.
    #[must_use]
    pub fn from_context(context: &Context) -> Self {
        let left = context
            .deadline()
            .duration_since(SystemTime::now())
            .unwrap_or_default();
        Self {
            function_name: context.env_config.function_name.clone(),
            xray_trace_id: context.xray_trace_id.clone(),
            ..Self::new(context.request_id.clone(), left)
        }
    }

    /// An invocation of `ingest` that has this much time from now on and is part of no trace.
    #[must_use]
    pub fn new(request_id: String, left: Duration) -> Self {
        Self {
            request_id,
            deadline: Instant::now() + left,
            function_name: "ingest".to_owned(),
            xray_trace_id: None,
            margin: MARGIN_MAX.min(left / MARGIN_DIVISOR),
        }
    }

    /// Until when the database may work.
    pub(crate) fn write_deadline(&self) -> Instant {
        before(self.deadline, self.margin)
    }

    /// Until when dead letters may be sent.
    pub(crate) fn send_deadline(&self) -> Instant {
        before(self.deadline, self.margin / ANSWER_DIVISOR)
    }
}

fn before(deadline: Instant, margin: Duration) -> Instant {
    deadline.checked_sub(margin).unwrap_or_else(Instant::now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_leave_most_of_the_time_to_the_work() {
        for (left, write, send) in [(2_000, 1_600, 1_900), (10_000, 8_000, 9_500)] {
            let invocation = Invocation::new("id".to_owned(), Duration::from_millis(left));
            let after = |end: Instant| (invocation.deadline - end).as_millis();
            assert_eq!(after(invocation.write_deadline()), u128::from(left - write));
            assert_eq!(after(invocation.send_deadline()), u128::from(left - send));
        }
    }
}
