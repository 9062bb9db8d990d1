//! Exports of records as files that a warehouse loads: Parquet, CSV or JSON lines, one folder a day.
//!
//! Invariant: a file is in its folder whole or not at all, and the checkpoint counts only files that are.
//! A run that was interrupted continues from the checkpoint, so that no record is missing and none is in
//! two files. Memory is bounded, however many records there are.
//!
//! ```
//! use export::{ExportRequest, Format, Scope, Target};
//!
//! let target: Target = "s3://warehouse/events".parse()?;
//! let request = ExportRequest {
//!     scope: Scope::Range {
//!         from: "2026-11-01T00:00:00Z".parse()?,
//!         to: "2026-12-01T00:00:00Z".parse()?,
//!     },
//!     types: vec!["flight.delayed".to_owned()],
//!     source: None,
//!     format: Format::Parquet,
//!     target,
//! };
//! assert_eq!(request.target.to_string(), "s3://warehouse/events");
//! assert_eq!(request.format.extension(), "parquet");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod bucket;
mod checkpoint;
mod chunk;
mod destination;
mod erase;
mod error;
mod folder;
mod format;
mod patience;
mod progress;
mod read;
mod request;
mod run;
mod source;
mod staging;
mod targets;
mod walk;

pub use access::{BUCKET_ACCESS, check_bucket};
pub use erase::ExportFiles;
pub use error::ExportError;
pub use format::Format;
pub use patience::Wait;
pub use progress::{OnProgress, Progress};
pub use read::{ReadError, ReadRecord, ReadRequest, RecordReader};
pub use request::{ExportRequest, Scope, Target, TargetError};
pub use run::{Exported, export};
pub use targets::{remember_target, remembered_targets};
