//! A batch of SQS messages becomes records.
//!
//! Invariant: every message of a batch ends in exactly one of: stored, duplicate, expired,
//! dead-lettered with its reason, reported for retry, whatever fails.

mod batch;
mod bisect;
mod dead_letter_entry;
mod dead_letters;
mod deps;
mod disposition;
mod handle;
mod invocation;
mod queue_client;
mod replacement;
mod report;
mod settings;
mod trace;
mod write;

pub use batch::{Batch, Message, SystemAttributes};
pub use dead_letters::DeadLetterQueue;
pub use deps::Deps;
pub use disposition::Outcome;
pub use handle::{handle, handle_counted, handle_reported};
pub use invocation::Invocation;
pub use queue_client::QueueAccess;
pub use report::{Lag, Report};
pub use settings::Settings;
