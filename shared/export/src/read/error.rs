//! Why records cannot be read.

use std::io;
use std::path::{Path, PathBuf};

use pipeline::PipelineError;

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The request breaks a rule.
    #[error("{0}")]
    Request(String),
    /// So many records have to be looked at that the end would not be waited for.
    #[error("{0}")]
    TooBroad(String),
    /// The pipeline refused, or gave no answer.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A folder or a file cannot be read.
    #[error("read {}: {cause}", .path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A folder without files of an export.
    #[error("{} has no files of an export; give the folder that `export --into` wrote", .0.display())]
    NoFiles(PathBuf),
    /// A file that no export wrote.
    #[error("{} is no file of an export: {detail}", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What shows it.
        detail: String,
    },
    /// A defect of this program.
    #[error("a task failed (a defect of this program): {0}")]
    Task(String),
}

impl ReadError {
    pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |cause| Self::Io {
            path: path.to_owned(),
            cause,
        }
    }

    pub(super) fn foreign(path: &Path, detail: impl Into<String>) -> Self {
        Self::Foreign {
            path: path.to_owned(),
            detail: detail.into(),
        }
    }
}
