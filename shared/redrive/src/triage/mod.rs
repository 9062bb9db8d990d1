//! Finding, grouping, keeping and mending dead letters by what their events say.
//!
//! Invariant: a program sees the event and nothing else of this machine.

mod group;
mod letter_json;
mod pretty;
mod program;
mod spool;

pub use letter_json::{LetterJson, WholeLetterJson};

pub use group::{Group, GroupKey, Groups, pointer};
pub use pretty::pretty;
pub use program::{Program, ProgramError, RunError};
pub use spool::Spool;
