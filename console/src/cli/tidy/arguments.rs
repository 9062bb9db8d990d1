//! The arguments of `tidy`.
//!
//! Invariant: as in [`crate::cli::arguments`].

use bytesize::ByteSize;
use chrono::{TimeDelta, Utc};
use clap::Args;

use crate::tui::filter::{self, SPAN_FORMS};

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole tidy                            what is older than 30 days, as a dry run
  opsconsole tidy --older-than 2w --yes      removes it
  opsconsole tidy --keep-bytes 1GiB          the oldest goes first until 1 GiB is left
  opsconsole tidy --older-than 90d --plans --audit-log --yes --reason 'quarterly'

The console keeps these files in the state folder (Linux: ~/.local/state/opsconsole):
  redrives/ID.journal          each redrive, with copies of the messages that it moved
  redrives/ID.plan.json        saved plans
  redrives/ID.request, .request-taken, .paused    control of a redrive by another process
  redrives/ID.move-task.json   move tasks that were started from this machine
  exports/QUEUE.ID.jsonl       copies of messages, written before they were deleted
  audit.jsonl                  every change that was made from this machine
  environments/NAME.json       a running demo; it goes when the demo ends
A redrive goes with its plan and control files. These always stay: a redrive that runs, was stopped
or has messages that are not moved; a move task that has not ended; a file that another process has
locked or that is no journal this opsconsole can read; any other file; what a symbolic link leads to.
A plan that was never run stays too, unless --plans is given and it is older. Changes in the audit
log stay unless --audit-log is given and they ended before. All environments are meant, whatever
--env says. Not counted here: the demo's programs in the cache folder, and files given by --out.

JSON output: {\"is_dry_run\", \"items\": [{\"kind\", \"name\", \"files\", \"bytes\", \"changed_at\", \"outcome\",
\"reason\"}], \"kept\": {\"items\", \"bytes\"}, \"removed\": {\"items\", \"bytes\"}, \"audit_log\": {\"changes\",
\"bytes\", \"kept_bytes\"}}. kind is \"redrive\", \"plan\", \"move-task\", \"export\" or \"temporary\" (a file
that was left half written); outcome is \"kept\", \"to-remove\", \"removed\" or \"failed\". In a dry run
\"removed\" is what would be. audit_log is null without --audit-log.
Exit code 1 if something could not be removed.";

/// What to keep.
#[derive(Clone, Debug, Args)]
pub struct TidyArguments {
    /// Remove what was last changed longer ago, like 30d or 2w; default: 30d, or no age with
    /// --keep-bytes
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub older_than: Option<TimeDelta>,
    /// Remove the oldest until no more than this is left, like 500MB or 1GiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub keep_bytes: Option<u64>,
    /// Also remove plans that were never run, if they are older
    #[arg(long)]
    pub plans: bool,
    /// Also remove changes from the audit log that ended before
    #[arg(long)]
    pub audit_log: bool,
    /// Remove; without it nothing is changed
    #[arg(long)]
    pub yes: bool,
}

fn span(text: &str) -> Result<TimeDelta, String> {
    let now = Utc::now();
    filter::before(text, now)
        .map(|then| now - then)
        .ok_or_else(|| format!("no span like {SPAN_FORMS}"))
}

fn size(text: &str) -> Result<u64, String> {
    text.parse::<ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| "no size like 500MB or 1GiB".to_owned())
}
