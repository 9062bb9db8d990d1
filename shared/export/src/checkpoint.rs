//! The checkpoint of an export: what its finished files hold, and where the next file starts.
//!
//! Invariant: it is written only after the files that it counts are in their place.

use serde::{Deserialize, Serialize};

use crate::error::ExportError;
use crate::walk::Position;

/// Name beside the files. Readers of data folders leave out names with a leading underscore.
pub(crate) const CHECKPOINT: &str = "_opsconsole_export.json";

const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    version: u32,
    /// Name of the environment.
    pub(crate) environment: String,
    /// The request in words; another request needs another target.
    pub(crate) request: String,
    /// Where the next file starts.
    pub(crate) position: Position,
    /// Whether everything requested was written.
    pub(crate) is_finished: bool,
    /// Number of the next chunk, which is part of its files' names.
    pub(crate) next_chunk: u64,
    /// Rows of all finished files.
    pub(crate) rows: u64,
    /// Number of finished files.
    pub(crate) files: u64,
    /// Bytes of all finished files.
    pub(crate) bytes: u64,
    /// Files of the chunk that was being moved into its place. After a crash some of them may be there.
    pub(crate) pending: Vec<String>,
}

impl Checkpoint {
    pub(crate) fn new(environment: &str, request: &str, position: Position) -> Self {
        Self {
            version: VERSION,
            environment: environment.to_owned(),
            request: request.to_owned(),
            position,
            is_finished: false,
            next_chunk: 0,
            rows: 0,
            files: 0,
            bytes: 0,
            pending: Vec::new(),
        }
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, ExportError> {
        let refused = |detail: String| ExportError::Checkpoint {
            name: CHECKPOINT.to_owned(),
            detail,
        };
        let checkpoint: Self =
            serde_json::from_slice(bytes).map_err(|error| refused(error.to_string()))?;
        if checkpoint.version != VERSION {
            return Err(refused(format!(
                "its version is {}, this program writes {VERSION}",
                checkpoint.version
            )));
        }
        Ok(checkpoint)
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, ExportError> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| ExportError::write("write", CHECKPOINT, error))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
