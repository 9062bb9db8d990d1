//! Exit codes and errors of commands.
//!
//! Invariant: the exit codes are published and keep their meaning.

use std::io;
use std::process::ExitCode;

use export::ReadError;
use pipeline::environment::EnvironmentError;
use pipeline::{BodyError, PipelineError, PipelineErrorKind};
use redrive::RedriveError;
use redrive::operations::OperationError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed, or the requested object does not exist.
    Failed,
    /// The command line or the configuration is invalid; clap's errors have the same code.
    Usage,
    /// Something could not be reached.
    Unreachable,
    /// Stopped by a signal.
    Interrupted,
}

impl Exit {
    /// The exit of a failed call to the pipeline, the same for all commands.
    #[must_use]
    pub const fn of(kind: PipelineErrorKind) -> Self {
        match kind {
            PipelineErrorKind::Unreachable => Self::Unreachable,
            PipelineErrorKind::Refused
            | PipelineErrorKind::NotConfigured
            | PipelineErrorKind::NotPermitted => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::Interrupted => 130,
        })
    }
}

/// The error of a command.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A call to the pipeline failed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// There is no usable environment.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A redrive could not be planned, started or resumed.
    #[error(transparent)]
    Redrive(#[from] RedriveError),
    /// A body could not be read from or written to the spool file.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A local file or standard input could not be read or written.
    #[error("{operation}: {cause}")]
    File {
        /// The operation with the name of the file.
        operation: String,
        /// Why it failed.
        cause: io::Error,
    },
    /// The command line is invalid.
    #[error("{0}")]
    Usage(String),
    /// Any other error.
    #[error("{0}")]
    Failed(String),
    /// Standard output is closed, e.g. because `head` has read enough.
    #[error("standard output is closed")]
    OutputClosed,
    /// A signal stopped the command.
    #[error("interrupted")]
    Interrupted,
}

impl From<OperationError> for CommandError {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Pipeline(error) => Self::Pipeline(error),
            OperationError::UnknownCode { .. } => Self::Usage(error.to_string()),
            OperationError::Plan(error) => {
                if let RedriveError::Read(error) = &*error
                    && matches!(**error, ReadError::Request(_))
                {
                    return Self::Usage(error.to_string());
                }
                Self::Redrive(*error)
            }
            OperationError::Cancelled => Self::Interrupted,
            OperationError::Export { .. }
            | OperationError::Incomplete(_)
            | OperationError::Program(_)
            | OperationError::Task(_) => Self::Failed(error.to_string()),
        }
    }
}

impl CommandError {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Pipeline(error) | Self::Redrive(RedriveError::Pipeline(error)) => {
                Exit::of(error.kind)
            }
            Self::Environment(error) | Self::Redrive(RedriveError::Environment(error)) => {
                environment_exit(error)
            }
            Self::File { .. } | Self::Body(_) | Self::Failed(_) | Self::Redrive(_) => Exit::Failed,
            Self::Usage(_) => Exit::Usage,
            Self::OutputClosed => Exit::Done,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// What the operator can do; `None` if the error contains it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Pipeline(error) | Self::Redrive(RedriveError::Pipeline(error)) => {
                Some(error.hint())
            }
            Self::Environment(_)
            | Self::Redrive(_)
            | Self::File { .. }
            | Self::Body(_)
            | Self::Usage(_)
            | Self::Failed(_)
            | Self::OutputClosed
            | Self::Interrupted => None,
        }
    }
}

/// A missing environment is a usage error; one that is described but not running is unreachable.
fn environment_exit(error: &EnvironmentError) -> Exit {
    match error {
        EnvironmentError::None
        | EnvironmentError::NotChosen { .. }
        | EnvironmentError::Unknown { .. }
        | EnvironmentError::Invalid { .. }
        | EnvironmentError::File { .. }
        | EnvironmentError::NoHome => Exit::Usage,
        EnvironmentError::StillStarting { .. } | EnvironmentError::Stale { .. } => {
            Exit::Unreachable
        }
        EnvironmentError::AlreadyRunning { .. } => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreachable_services_end_with_3() {
        for (kind, exit) in [
            (PipelineErrorKind::Unreachable, Exit::Unreachable),
            (PipelineErrorKind::Refused, Exit::Failed),
            (PipelineErrorKind::NotConfigured, Exit::Failed),
            (PipelineErrorKind::NotPermitted, Exit::Failed),
        ] {
            assert_eq!(Exit::of(kind), exit, "{kind:?}");
        }
    }
}
