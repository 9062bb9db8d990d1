//! A batch of SQS messages becomes records.
//!
//! Invariant: every message of a batch ends in exactly one of: stored, duplicate, dead-lettered
//! with its reason, reported for retry. Nothing else is ever answered, whatever fails.

mod attempt;
mod batch;
mod dead_letters;
mod deps;
mod fate;
mod handle;
mod invocation;
mod isolate;
mod letter;
mod queue_client;
mod report;
mod settings;
mod trace;

pub use batch::{Batch, Message, SystemAttributes};
pub use dead_letters::DeadLetterQueue;
pub use deps::Deps;
pub use fate::{Fate, Outcome, RetryReason};
pub use handle::{handle, handle_counted, handle_reported};
pub use invocation::Invocation;
pub use isolate::{Isolated, WriteError, isolate};
pub use queue_client::QueueAccess;
pub use report::{Lag, Report};
pub use settings::Settings;
