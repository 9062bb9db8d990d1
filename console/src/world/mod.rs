//! Everything that is asked of a deployed pipeline: plain async functions on [`World`].
//!
//! Invariant: every call has a limit, and a failure is a [`WorldError`] that names what was asked
//! of whom. Nothing here draws, prints or keeps a copy of what it saw.

mod api;
mod body;
mod collect;
mod connection;
mod dead_letter_search;
mod deleting;
mod error;
mod ingest;
mod letters;
mod metrics;
mod move_task;
pub mod observed;
mod printable;
mod publishing;
mod queues;
mod receive;
mod records;
mod signed;
mod trace;
mod writes;

pub use api::API_BODY_BYTES_MAX;
pub use body::{Body, BodyError};
pub use connection::World;
pub use deleting::DELETE_LETTERS_MAX;
pub use error::{WorldError, WorldErrorKind};
pub use ingest::{INGEST_WINDOW, IngestHistory, IngestRates};
pub use letters::HOLD_MAX;
pub use move_task::{MOVE_TASK_RATE_MAX, MoveRoute, MoveTask, MoveTaskStatus};
pub use printable::{printable, printable_json, printable_lines};
pub use publishing::PUBLISH_BATCH_BYTES_MAX;
pub use writes::{Authority, PlannedChange, WritePermit};

pub(crate) use error::{Attempt, is_server_failure, never_left};
pub(crate) use publishing::batches;
pub(crate) use queues::{BATCH_ENTRIES_MAX, Entry, EntryFailure};
