//! Why an erasure did not do its work.

use std::io;
use std::path::PathBuf;

use export::ExportError;
use pipeline::audit::AuditError;
use pipeline::{BodyError, PipelineError};
use redrive::RedriveError;
use redrive::operations::OperationError;
use redrive::triage::InterpreterError;

/// Why an erasure did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The pipeline refused or gave no answer.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The dead letters cannot be searched or deleted.
    #[error(transparent)]
    Messages(#[from] OperationError),
    /// The files of the state folder cannot be read or removed.
    #[error(transparent)]
    State(#[from] RedriveError),
    /// An export cannot be read or written.
    #[error("{0}")]
    Export(#[from] ExportError),
    /// The jq program cannot be run.
    #[error(transparent)]
    Program(#[from] InterpreterError),
    /// A body cannot be read from its temporary file.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The audit log cannot be read.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A file cannot be read or removed.
    #[error("{operation} {path:?}: {cause}")]
    File {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        cause: io::Error,
    },
    /// The request breaks a rule; the text has the way out.
    #[error("{0}")]
    Request(String),
    /// Unfinished redrives have messages of the selection.
    #[error(
        "nothing was erased: messages of the selection are in redrives or plans that are in use: {}; finish \
         each redrive (`redrive resume ID`), or leave them out with --leave-unfinished and erase again later",
        .0.join(", ")
    )]
    Unfinished(Vec<String>),
    /// It was cancelled before anything was erased.
    #[error("interrupted: nothing was erased")]
    Cancelled,
    /// A defect of this program.
    #[error("the task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}
