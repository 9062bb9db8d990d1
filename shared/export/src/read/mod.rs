//! Records that are read back: from the pipeline, or from the files of an export.
//!
//! Invariant: records come in an order that is the same each time, so that a reader that starts again finds
//! each of them behind those that it found it behind before. A file is read as it is, or refused with its
//! name; memory is bounded, whatever a file holds.

mod compact;
mod error;
mod files;
mod reader;
mod record;
mod request;

pub use error::ReadError;
pub use reader::RecordReader;
pub use record::ReadRecord;
pub use request::ReadRequest;
