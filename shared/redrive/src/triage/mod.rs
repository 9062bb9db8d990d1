//! Finds, groups, exports and patches dead letters by what their events contain.
//!
//! Invariant: a program sees the event and nothing else of this machine.

mod group;
mod message_json;
mod pretty;
mod program;
mod spool;

pub use message_json::{MessageJson, WholeMessageJson};

pub use group::{Group, GroupKey, Groups, pointer};
pub use pretty::pretty;
pub use program::{Program, ProgramError, RunError};
pub use spool::Spool;
