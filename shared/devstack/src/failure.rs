//! Errors of starting, running and stopping the stack.
//!
//! Invariant: each error names the operation and, where there is one, the fix.

use std::io;
use std::time::Duration;

use aws_sdk_sqs::error::SdkError;

/// A failure of the local stack.
#[derive(Debug, thiserror::Error)]
pub enum DevstackError {
    /// Something that this machine needs was not found.
    #[error("{program} was not found: {advice}")]
    Missing {
        /// What is missing.
        program: &'static str,
        /// How to get it.
        advice: String,
    },
    /// A file, a folder or a process failed.
    #[error("{operation}: {cause}")]
    Io {
        /// What was attempted.
        operation: String,
        /// Why it failed.
        cause: io::Error,
    },
    /// A program ended with an error or gave an invalid answer.
    #[error("{operation}: {detail}")]
    Failed {
        /// What was attempted.
        operation: String,
        /// The last lines of the program's output.
        detail: String,
    },
    /// Something did not happen in time.
    #[error("{operation}: not done within {} s{}", .limit.as_secs(), detail_suffix(.detail))]
    Timeout {
        /// What was waited for.
        operation: String,
        /// How long it was waited for.
        limit: Duration,
        /// The last known state; may be empty.
        detail: String,
    },
    /// The database refused or could not be reached.
    #[error("{operation}: {cause}")]
    Database {
        /// What was attempted.
        operation: String,
        /// Why it failed.
        cause: sqlx::Error,
    },
    /// The emulator refused a call or could not be reached.
    #[error("{operation}: {detail}")]
    Aws {
        /// What was attempted.
        operation: String,
        /// The error with its causes.
        detail: String,
    },
}

/// An error and its causes, without the debugging text that the SDK adds.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

fn detail_suffix(detail: &str) -> String {
    if detail.is_empty() {
        String::new()
    } else {
        format!(": {detail}")
    }
}

impl DevstackError {
    pub(crate) fn io(operation: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let operation = operation.into();
        move |cause| Self::Io { operation, cause }
    }

    pub(crate) fn database(operation: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        let operation = operation.into();
        move |cause| Self::Database { operation, cause }
    }

    /// An answer of the emulator, or its error with the causes.
    pub(crate) fn aws<T, E>(operation: &str, outcome: Result<T, SdkError<E>>) -> Result<T, Self>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        outcome.map_err(|error| Self::Aws {
            operation: operation.to_owned(),
            detail: chain(&error),
        })
    }

    /// A field that the SDK declares optional and AWS always sends.
    pub(crate) fn present<T>(value: Option<T>, what: &str) -> Result<T, Self> {
        value.ok_or_else(|| Self::Aws {
            operation: "read a response of the emulator".to_owned(),
            detail: format!("it contains no {what}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_shows_its_cause() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let text = DevstackError::io("write the data folder")(full).to_string();
        assert_eq!(text, "write the data folder: no storage space");
    }
}
