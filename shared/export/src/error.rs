//! Why an export ended early.
//!
//! Invariant: each error says what stands and how to go on; what the checkpoint counts stays.

use std::io;

use chrono::{DateTime, Utc};
use event::RecordId;
use pipeline::PipelineError;

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The records cannot be read.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A file or an object cannot be read or written.
    #[error("{operation} {name}: {cause}; the same command continues from the last checkpoint")]
    Write {
        /// What was tried.
        operation: &'static str,
        /// The file or object.
        name: String,
        /// Why it failed.
        cause: io::Error,
    },
    /// The target holds an export of something else.
    #[error("{target} holds an export of {found}; use another target for {requested}")]
    OtherExport {
        /// The folder or bucket.
        target: String,
        /// What the checkpoint there describes.
        found: String,
        /// What was requested.
        requested: String,
    },
    /// The checkpoint is not one of this program.
    #[error("{name} is no checkpoint of an export ({detail}); use another target")]
    Checkpoint {
        /// Name of the checkpoint.
        name: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The checkpoint is of another version of this program, which counts something else.
    #[error("{}", other_version(target, *found, *written))]
    OtherVersion {
        /// The folder or bucket.
        target: String,
        /// The version of the checkpoint.
        found: u32,
        /// The version that this program writes.
        written: u32,
    },
    /// Another process exports into the same target, or did so meanwhile. Nothing of this run is left there that
    /// the checkpoint does not count.
    #[error("another export is writing to {0}; wait for its end")]
    InUse(String),
    /// The checkpoint is of another database, whose record ids are others.
    #[error(
        "{target} holds an export of a database that was created at {found}, and this one was created at \
         {present}; export into another target, everything or a range of time"
    )]
    OtherDatabase {
        /// The folder or bucket.
        target: String,
        /// When the schema of the exported database was created.
        found: DateTime<Utc>,
        /// When that of the present one was.
        present: DateTime<Utc>,
    },
    /// A record that the export has read is another one now.
    #[error(
        "record {record_id} is not the one that the export into {target} has read: the database was restored \
         to an earlier time; export into another target, everything or a range of time"
    )]
    Restored {
        /// The folder or bucket.
        target: String,
        /// The last record that was read.
        record_id: RecordId,
    },
    /// The request breaks a rule.
    #[error("{0}")]
    Request(String),
    /// The caller cancelled.
    #[error("interrupted; the same command continues from the last checkpoint")]
    Cancelled,
}

fn other_version(target: &str, found: u32, written: u32) -> String {
    if found < written {
        format!(
            "{target} holds an export of an earlier version of this program, which cannot be continued (its \
             checkpoint has version {found}, this program writes {written}): export into another target, \
             everything or a range of time; the files there stay as they are"
        )
    } else {
        format!(
            "{target} holds an export of a later version of this program (its checkpoint has version {found}, \
             this program writes {written}): use that version, or another target"
        )
    }
}

impl ExportError {
    pub(crate) fn write(
        operation: &'static str,
        name: impl Into<String>,
        cause: impl Into<io::Error>,
    ) -> Self {
        Self::Write {
            operation,
            name: name.into(),
            cause: cause.into(),
        }
    }
}
