//! Top floor: what commands and screens do with dead letters and redrives, once for both.
//!
//! Invariant: whatever changes the pipeline has a permit before and its end in the audit log
//! afterwards, also when it failed or was cancelled. Every operation can be cancelled, reports how
//! far it is, and leaves received messages in the caller's [`LeaseSet`](pipeline::LeaseSet). Nothing
//! here prints, draws or asks.

mod blocking;
mod choice;
mod correct;
mod delete;
mod export;
pub mod glance;
pub mod history;
mod judge;
mod patch;
mod plan;
mod purge;
pub mod replay;
mod run;
mod select;

use std::io;
use std::path::PathBuf;

pub use choice::skip_reason;
pub use delete::{Deleted, Failure, delete};
pub use export::{Export, Exported};
pub use judge::{Edited, JudgeError, Judged, NewBody, judge};
pub use patch::{PatchInput, Patched, patch};
pub use plan::{EditCounts, PlanRequest, Planned, freeze, plan};
pub use purge::{messages_before_purge, purge};
pub use run::{RunEnd, begin, check_permission, execute, open};
pub use select::{ProgramFailures, Selection, Truncation, Walk, WalkOptions, select};

use crate::error::RedriveError;
use crate::triage::InterpreterError;
use pipeline::PipelineError;

/// How far an operation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Messages that are done.
    pub done: usize,
    /// All messages, as far as they are known.
    pub total: usize,
}

/// Hears how far an operation is.
pub type OnProgress = Box<dyn Fn(Progress) + Send + Sync>;

/// Why an operation did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The pipeline refused or gave no answer.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The messages cannot be written to their file.
    #[error("write messages to {path:?}: {cause}")]
    Export {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A cause that no message could ever have: a slip, not an empty selection.
    #[error(
        "no dead letter has the cause {code:?}, and it is no failure code; known are {}",
        .known.join(", ")
    )]
    UnknownCode {
        /// What was asked for.
        code: String,
        /// What could have been.
        known: Vec<String>,
    },
    /// The queue has messages that the file has not.
    #[error("nothing was purged: {0}")]
    Incomplete(String),
    /// The jq program cannot be run.
    #[error(transparent)]
    Program(#[from] InterpreterError),
    /// It was cancelled.
    #[error("interrupted")]
    Cancelled,
    /// A replay cannot be planned.
    #[error(transparent)]
    Plan(Box<RedriveError>),
    /// A defect of this program.
    #[error("the task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl From<RedriveError> for OperationError {
    fn from(error: RedriveError) -> Self {
        if let RedriveError::Pipeline(error) = error {
            return Self::Pipeline(error);
        }
        Self::Plan(Box::new(error))
    }
}
