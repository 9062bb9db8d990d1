//! Where the files go.
//!
//! Invariant: a name appears with its whole content or not at all; it is durable when the call returns.

use std::path::{Path, PathBuf};

use pipeline::Pipeline;

use crate::bucket::Bucket;
use crate::checkpoint::CHECKPOINT;
use crate::chunk::Staged;
use crate::error::ExportError;
use crate::folder::Folder;
use crate::request::Target;

pub(crate) enum Destination {
    Folder(Folder),
    Bucket(Bucket),
}

impl Destination {
    /// Opens the target; a folder is created and locked against other exports.
    pub(crate) async fn open(pipeline: &Pipeline, target: &Target) -> Result<Self, ExportError> {
        Ok(match target {
            Target::Folder(path) => Self::Folder(Folder::open(path)?),
            Target::Bucket { bucket, prefix } => {
                Self::Bucket(Bucket::open(pipeline, bucket, prefix).await?)
            }
        })
    }

    /// Folder of this machine for files that are being written.
    pub(crate) fn staging(&self) -> &Path {
        match self {
            Self::Folder(folder) => folder.staging(),
            Self::Bucket(bucket) => bucket.staging(),
        }
    }

    /// The checkpoint; `None` if there is none.
    pub(crate) async fn read_checkpoint(&mut self) -> Result<Option<Vec<u8>>, ExportError> {
        match self {
            Self::Folder(folder) => folder.read(CHECKPOINT),
            Self::Bucket(bucket) => bucket.read_checkpoint().await,
        }
    }

    /// Writes or replaces the checkpoint. One that another export has written since it was read stays, and the
    /// error is [`ExportError::InUse`].
    pub(crate) async fn write_checkpoint(&mut self, content: Vec<u8>) -> Result<(), ExportError> {
        match self {
            Self::Folder(folder) => folder.write(CHECKPOINT, &content),
            Self::Bucket(bucket) => bucket.write_checkpoint(content).await,
        }
    }

    /// Moves a complete file into its place.
    pub(crate) async fn publish(&self, staged: &Staged) -> Result<(), ExportError> {
        match self {
            Self::Folder(folder) => folder.publish(staged),
            Self::Bucket(bucket) => bucket.publish(staged).await,
        }
    }

    /// Removes a file, if it exists.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), ExportError> {
        match self {
            Self::Folder(folder) => folder.remove(name),
            Self::Bucket(bucket) => bucket.remove(name).await,
        }
    }

    /// The files in the folders of the target, with their folders.
    pub(crate) async fn list(&self) -> Result<Vec<String>, ExportError> {
        match self {
            Self::Folder(folder) => folder.list(),
            Self::Bucket(bucket) => bucket.list().await,
        }
    }

    /// A file to read on this machine: the file itself, or a copy.
    pub(crate) async fn fetch(&self, name: &str) -> Result<PathBuf, ExportError> {
        match self {
            Self::Folder(folder) => Ok(folder.path_of(name)),
            Self::Bucket(bucket) => bucket.fetch(name).await,
        }
    }
}
