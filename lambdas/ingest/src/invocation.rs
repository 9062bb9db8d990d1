//! One invocation: its id and its deadlines.
//!
//! Invariant: work stops early enough for the response to arrive. An invocation that times out
//! returns no response, so that SQS would deliver the whole batch again.

use std::time::{Duration, SystemTime};

use lambda_runtime::Context;
use tokio::time::Instant;

/// Reserved after the write deadline for dead letters and the response.
const MARGIN_MAX: Duration = Duration::from_secs(2);
/// Part of the remaining time that is reserved where that is less, for short invocations.
const MARGIN_DIVISOR: u32 = 5;
/// Part of the margin that is reserved for the response.
const RESPONSE_DIVISOR: u32 = 4;

/// The invocation that a batch came with.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Written into each dead letter as `RequestID`.
    pub request_id: String,
    /// When the runtime ends the invocation.
    pub deadline: Instant,
    /// The dimension of its metrics.
    pub function_name: String,
    /// The X-Ray trace of the invocation, if the runtime gives one.
    pub xray_trace_id: Option<String>,
    margin: Duration,
}

impl Invocation {
    /// Reads the Lambda context.
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

    /// An invocation of `ingest` that ends after `left` and has no trace.
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

    pub(crate) fn write_deadline(&self) -> Instant {
        before(self.deadline, self.margin)
    }

    pub(crate) fn send_deadline(&self) -> Instant {
        before(self.deadline, self.margin / RESPONSE_DIVISOR)
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
