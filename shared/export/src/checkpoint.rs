//! The checkpoint of an export: what its finished files hold, and where the next file starts.
//!
//! Invariant: it is written only after the files that it counts are in their place.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use uuid::Uuid;

use crate::error::ExportError;
use crate::request::Target;
use crate::walk::Position;

/// Name beside the files. Readers of data folders leave out names with a leading underscore.
pub(crate) const CHECKPOINT: &str = "_opsconsole_export.json";

const VERSION: u32 = 2;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    version: u32,
    /// Name of the environment.
    pub(crate) environment: String,
    /// When the schema of its database was created: another database needs another target.
    pub(crate) database_created_at: DateTime<Utc>,
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
    /// Files that may be in their place without being counted: those of a chunk that was being moved, after a
    /// crash.
    pub(crate) pending: Vec<String>,
    /// The run that wrote the checkpoint. Without it two runs could write the same bytes, which a bucket takes
    /// for the same version.
    pub(crate) run: RunId,
}

/// Marks what one run writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct RunId(String);

impl RunId {
    pub(crate) fn new() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// Part of the names of the run's files: no two runs write the same file.
    pub(crate) fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Checkpoint {
    pub(crate) fn new(
        environment: &str,
        database_created_at: DateTime<Utc>,
        request: &str,
        position: Position,
        run: RunId,
    ) -> Self {
        Self {
            version: VERSION,
            environment: environment.to_owned(),
            database_created_at,
            request: request.to_owned(),
            position,
            is_finished: false,
            next_chunk: 0,
            rows: 0,
            files: 0,
            bytes: 0,
            pending: Vec::new(),
            run,
        }
    }

    /// Reads the checkpoint of a target.
    pub(crate) fn read(bytes: &[u8], target: &Target) -> Result<Self, ExportError> {
        let refused = |error: serde_json::Error| ExportError::Checkpoint {
            name: format!("{target}/{CHECKPOINT}"),
            detail: error.to_string(),
        };
        let Versioned { version } = serde_json::from_slice(bytes).map_err(refused)?;
        if version != VERSION {
            return Err(ExportError::OtherVersion {
                target: target.to_string(),
                found: version,
                written: VERSION,
            });
        }
        serde_json::from_slice(bytes).map_err(refused)
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, ExportError> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| ExportError::write("write", CHECKPOINT, error))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
