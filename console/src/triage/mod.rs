//! Finding and mending dead letters by what their events say.
//!
//! Invariant: a program sees the event and nothing else of this machine.

mod pretty;
mod program;
mod spool;

pub use pretty::pretty;
pub use program::{Program, ProgramError, RunError};
pub use spool::Spool;
