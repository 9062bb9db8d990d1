//! What can go wrong while the stack starts, works or stops.
//!
//! Invariant: each failure names the operation and, where there is one, the way out.

use std::io;
use std::time::Duration;

/// A failure of the local stack.
#[derive(Debug, thiserror::Error)]
pub enum DevstackError {
    /// Something that this machine must have is not there.
    #[error("{program} was not found: {advice}")]
    Missing {
        /// What was looked for.
        program: &'static str,
        /// How to get it.
        advice: String,
    },
    /// A file, a folder or a process could not be worked with.
    #[error("{operation}: {cause}")]
    Io {
        /// What was attempted.
        operation: String,
        /// Why it failed.
        cause: io::Error,
    },
    /// A program ended with an error or answered nonsense.
    #[error("{operation}: {detail}")]
    Failed {
        /// What was attempted.
        operation: String,
        /// What the program said, its last lines.
        detail: String,
    },
    /// Something did not happen in time.
    #[error("{operation}: not done within {} s{}", .limit.as_secs(), detail_suffix(.detail))]
    Timeout {
        /// What was waited for.
        operation: String,
        /// How long it was waited for.
        limit: Duration,
        /// The last that was heard, or nothing.
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
