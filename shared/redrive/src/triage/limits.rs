//! What a jq program may use.
//!
//! Invariant: a worker sets or watches each of them, and a refusal names the one that was reached.

use std::time::Duration;

/// Most memory of a program beside its stack, in bytes.
pub(super) const MEMORY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Most stack of a program, in bytes.
pub(super) const STACK_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Most time of the processor for one event. The system counts whole seconds: one more may pass.
pub(super) const EVENT_TIME_MAX: Duration = Duration::from_secs(2);
/// Most time until there is an answer to one event, also on a machine that is busy with others.
pub(super) const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
