//! Why a redrive could not be planned, started or resumed.
//!
//! Invariant: what goes wrong with one message is an outcome of that message, never an error here.

use std::io;
use std::path::{Path, PathBuf};

use export::ReadError;
use pipeline::environment::EnvironmentError;
use pipeline::{Hidden, PipelineError};

/// Why a redrive did not start, or did not finish.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// A plan breaks a rule, or is for another environment.
    #[error("redrive plan: {0}")]
    Plan(String),
    /// A plan file cannot be used.
    #[error("{}: {detail}", .path.display())]
    PlanFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A file cannot be read or written.
    #[error("{operation} {}: {cause}", .path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        cause: io::Error,
    },
    /// A journal is damaged in its middle.
    #[error("journal {} is damaged at byte {offset}: {detail}", .path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Where its first bad frame begins.
        offset: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// A later version of this program wrote it.
    #[error(
        "{} was written by a newer version of opsconsole ({detail}): use that version for it",
        .path.display()
    )]
    Newer {
        /// The journal or plan file.
        path: PathBuf,
        /// What shows it.
        detail: String,
    },
    /// The process that made the journal ended before it wrote the plan.
    #[error("journal {} has no plan: its redrive never started, and nothing was sent", .0.display())]
    Empty(PathBuf),
    /// There is a journal of this plan.
    #[error("this plan was started before; resume its journal {}", .0.display())]
    Begun(PathBuf),
    /// Another process runs this redrive.
    #[error("journal {} is in use: another process runs this redrive", .0.display())]
    InUse(PathBuf),
    /// The journal accepts no more facts, so the redrive stopped where it was.
    #[error("the journal cannot be written, so the redrive stopped; resume it later: {0}")]
    Stopped(String),
    /// It was stopped at once: the batches under way have no recorded outcome.
    #[error("stopped at once; resume it to settle what was being sent")]
    Interrupted {
        /// Messages of others that a search had received and that may stay hidden.
        others: Hidden,
    },
    /// A fact contradicts the ones before it; it was not written.
    #[error("message {index}: {detail}")]
    Contradiction {
        /// Place of the message in the plan.
        index: usize,
        /// What contradicts what.
        detail: String,
    },
    /// A task of this program ended without a result.
    #[error("a task failed (a defect of this program): {0}")]
    Task(String),
    /// The pipeline refused, or did not answer.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The records of a replay cannot be read.
    #[error(transparent)]
    Read(Box<ReadError>),
    /// There is no folder for journals.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
}

impl From<ReadError> for RedriveError {
    fn from(error: ReadError) -> Self {
        if let ReadError::Pipeline(error) = error {
            return Self::Pipeline(error);
        }
        Self::Read(Box::new(error))
    }
}

impl RedriveError {
    pub(crate) fn plan(detail: String) -> Self {
        Self::Plan(detail)
    }

    pub(crate) fn file<'a>(
        operation: &'static str,
        path: &'a Path,
    ) -> impl Fn(io::Error) -> Self + 'a {
        move |cause| Self::File {
            operation,
            path: path.to_owned(),
            cause,
        }
    }
}
