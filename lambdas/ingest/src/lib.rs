//! A batch of SQS messages becomes records.
//!
//! Invariant: every message of a batch ends in exactly one of: stored, duplicate, dead-lettered
//! with its reason, reported for retry. Nothing else is ever answered, whatever fails.

mod attempt;
mod dead_letters;
mod deps;
mod fate;
mod handle;
mod invocation;
mod isolate;
mod letter;
<<<<<<< HEAD
mod queue_client;
=======
mod report;
>>>>>>> 7a0ee71 (ingest: Report each batch in one line that CloudWatch reads metrics from)
mod settings;
mod trace;

pub use dead_letters::DeadLetterQueue;
pub use deps::Deps;
pub use fate::{Fate, Outcome, RetryReason};
<<<<<<< HEAD
pub use handle::{handle, handle_counted};
pub use invocation::Invocation;
pub use isolate::{Isolated, WriteError, isolate};
pub use queue_client::QueueAccess;
=======
pub use handle::{Deps, handle, handle_counted, handle_reported};
pub use invocation::Invocation;
pub use isolate::{Isolated, WriteError, isolate};
pub use report::{Lag, Report};
>>>>>>> 7a0ee71 (ingest: Report each batch in one line that CloudWatch reads metrics from)
pub use settings::Settings;
