//! Fourth floor: a redrive while it runs: rate, batches over SQS or SNS, canary steps, proof, resume.
//!
//! Invariant: every step is in the journal before the next one relies on it. Whatever ends a run,
//! another one continues from its journal.

mod answers;
mod batch;
mod canary;
mod change;
mod context;
mod delete;
mod drive;
mod identities;
mod options;
mod proof;
mod rate_limiter;
mod resume;
mod sns;
mod source;
mod sqs;
mod step;

pub use drive::run;
pub(crate) use drive::run_to_state;
pub use options::RunOptions;
