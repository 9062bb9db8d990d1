//! Third floor: what is on this machine's disk: journals, plan files, control files, records of move
//! tasks.
//!
//! Invariant: every file is for this user alone, and is read back whole or refused with its fault.
//! This floor asks no queue and no ledger.

mod control_file;
mod facts;
mod file;
mod frame;
pub(crate) mod move_task_record;
pub mod plan_file;
mod private_file;
mod recorder;
mod unread;

pub use control_file::{ControlFile, ControlRequest};
pub(crate) use facts::{Clue, Facts};
pub use file::{Journal, Storage};
pub use move_task_record::MoveTaskRecord;
pub(crate) use recorder::Recorder;
