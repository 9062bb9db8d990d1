//! What a jq program may use.
//!
//! Invariant: a worker sets or watches each of them, and a refusal names the one that was reached.

use std::time::Duration;

/// Most memory of a program beside its stack, in bytes.
pub(super) const MEMORY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Most stack of a program, in bytes.
pub(super) const STACK_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Most time of a program for one event.
pub(super) const EVENT_TIME_MAX: Duration = Duration::from_secs(2);
