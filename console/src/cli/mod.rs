//! The command line: every action of the console as a command.
//!
//! Invariant: a command answers on standard output, speaks on standard error, and ends with a
//! documented exit code.

mod arguments;
mod exit;
mod interrupt;
mod json_text;
mod output;
mod table;

use std::process::ExitCode;

pub use arguments::*;

/// Runs.
pub fn run(_arguments: Arguments) -> ExitCode {
    exit::Exit::Done.into()
}
