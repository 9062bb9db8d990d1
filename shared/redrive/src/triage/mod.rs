//! Finds, groups, exports and patches dead letters by what their events contain.
//!
//! Invariant: a program sees the event and nothing else of this machine, and runs in a process of
//! its own, which it may end. A program that uses this crate calls [`enter_if_asked`] first in its
//! `main`; without it jq programs are refused.

mod frame;
mod group;
mod interpreter;
mod limits;
mod message_json;
mod pretty;
mod program;
mod spool;
mod worker;

pub use message_json::{MessageJson, WholeMessageJson};

#[cfg(test)]
pub(crate) use group::tests::message as example;
pub use group::{Group, GroupKey, Groups, pointer};
pub use interpreter::{Interpreter, InterpreterError};
pub use pretty::pretty;
pub use program::{Limit, Program, ProgramError, RunError};
pub use spool::Spool;
/// The entry of a worker where a test binary of this crate is the host.
#[cfg(test)]
#[test]
pub(crate) fn worker_entry() {
    enter_if_asked_by(&["--exact", "triage::worker_entry", "--nocapture"]);
}

pub use worker::{enter_if_asked, enter_if_asked_by};
