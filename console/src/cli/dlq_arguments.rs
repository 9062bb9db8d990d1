//! What can be written behind `dlq`.
//!
//! Invariant: as in [`super::arguments`].

use clap::{ArgGroup, Args, Subcommand};

use super::selection::{FilterArguments, SELECTION, SelectionArguments};

pub(super) const EXAMPLES: &str = "\
Examples:
  opsconsole dlq list --where '.data.minutes > 60'
  opsconsole dlq show 3c4f0c1e-8a52-4d3c-9d0e-6c1f5a7b9e10
  opsconsole dlq redrive --code retries-exhausted --yes

Looking at dead letters receives them: they are held for a moment, their receive count goes up by
one, and they are given back at the end. When the database does not answer, nobody knows what is
already stored: the command does its work, says so, and ends with exit code 3.";

const LIST_HELP: &str = "\
JSON output: [{\"message_id\", \"cause\", \"verdict\", \"failure\": {\"code\", \"detail\", \"pointer\"},
\"reason\": {\"code\", \"message\", \"request_id\"}, \"event\": {\"source\", \"id\", \"type\"}, \"stored_as\",
\"receive_count\", \"sent_at\", \"expires_at\"}]. With a filter up to 10000 letters are looked at.";

const REDRIVE_HELP: &str = "\
Examples:
  opsconsole dlq redrive 3c4f0c1e-8a52-4d3c-9d0e-6c1f5a7b9e10
  opsconsole dlq redrive --code retries-exhausted --yes
  opsconsole dlq redrive --all --include-not-ready

Short for `redrive run … --no-proof`; its help documents the JSON output and the exit codes. Only
letters with the verdict `ready` are moved; the others are skipped and counted by verdict.";

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// List dead letters, oldest first
    #[command(after_help = LIST_HELP)]
    List {
        /// Letters to list, at most
        #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Which of them.
        #[command(flatten)]
        filter: FilterArguments,
    },
    /// Show one dead letter with its body
    Show {
        /// SQS message id
        message_id: String,
    },
    /// Send dead letters back to the source queue
    #[command(after_help = REDRIVE_HELP, group = ArgGroup::new("selection").required(true).multiple(true).args(SELECTION))]
    Redrive(DlqRedriveArguments),
}

/// Which letters to redrive.
#[derive(Debug, Args)]
pub struct DlqRedriveArguments {
    /// Which letters.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Move also letters that would not be stored now: already stored, still invalid, unreadable
    #[arg(long)]
    pub include_not_ready: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}
