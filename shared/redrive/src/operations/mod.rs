//! Top floor: what commands and screens do with redrives, once for both.
//!
//! Invariant: an operation that changes something checks the permission first and ends with the end
//! of its audit entry. Nothing here prints, draws or asks; progress goes into a channel, and an
//! operation ends when its control is cancelled or its future is dropped.

mod blocking;
pub mod history;
mod judge;
mod patch;
mod plan;
mod program_thread;
mod run;

pub use judge::{Edited, Judged, NewBody, judge};
pub use patch::{PatchInput, Patched, patch};
pub use plan::{EditCounts, PlanRequest, Planned, freeze, plan, skip_reason};
pub use program_thread::{ProgramThreadError, for_each_message};
pub use run::{RunEnd, begin, check_permission, execute, open};
