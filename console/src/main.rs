//! The `opsconsole` program: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser as _;
use opsconsole::cli::{self, Arguments};

fn main() -> ExitCode {
    if let Some(exit) = cli::answer_completion() {
        return exit;
    }
    redrive::triage::enter_if_asked();
    if let Err(error) = color_eyre::install() {
        eprintln!("install error reports: {error}");
    }
    cli::run(Arguments::parse())
}
