//! Second floor: the facts of a redrive, and the state that they add up to.
//!
//! Invariant: pure. The same facts always give the same state; this floor reads no file, no clock
//! and no queue, and knows only the plan.

mod counts;
pub mod fact;
mod pause;
mod phase;
mod replay;
mod report;
mod summary;

pub use counts::Counts;
pub(crate) use fact::Intended;
pub use pause::Pause;
pub use phase::{MessageState, Phase};
pub use replay::State;
pub use report::{MessageOutcome, MessageReport, Report};
pub use summary::Summary;
