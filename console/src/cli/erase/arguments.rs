//! The arguments of `erase`.
//!
//! Invariant: as in [`crate::cli::arguments`].

use std::sync::Arc;

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args};
use export::Target;
use redrive::triage::Program;

use crate::cli::selection::program;
use crate::cli::time::time;
use crate::cli::values;

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole erase --subject passenger/4711 --dry-run     what is where; nothing is changed
  opsconsole erase --subject passenger/4711               asks for the number that it found
  opsconsole erase --subject passenger/4711 --yes --confirm-count 17 --reason 'request 118'
  opsconsole erase --where '.data.iban != null' --from 2026-11-20 --to 2026-11-21
  opsconsole erase --containing ana@example.org --local   files of this machine only

It erases
  records                from the database. Their partitions are rewritten afterwards, because a
                         deleted row stays in free space of the files; nobody can read or write
                         a partition while it is rewritten. --no-rewrite vacuums only
  dead letters           received, and deleted without a copy
  plans, ended redrives  from this machine, whole: a journal without a part would be damaged
  copies of messages     of `dlq export` and `dlq delete`: rewritten
  exports                of `export`: rewritten file by file
  files of the editor    that a console left in the temporary folder
  queries                questions in SQL and saved filters with the text, of this machine
  audit log              the details of a change, such as the bodies of edits; who, when and
                         where stay
Copies and exports are found wherever this machine wrote them; --also names those that were moved
or written by another one. The identity of a record stays known by its digest, so that a
redelivery is refused. The audit log gets a digest of the subject, program or text, never itself.
Put a space in front of the command, so that the shell keeps it out of its history.

An erasure that was interrupted or killed is given again: what is left is found, and the partitions
that the first one did not rewrite are rewritten; --confirm-count 0 where only these are left.

What cannot be erased is named in the plan and in the report: messages of the queue, the
write-ahead log and backups of the database, other machines. Where a redrive or plan in use has
such messages, nothing is erased; --leave-unfinished leaves it out. A message that is no JSON has
no subject: it is counted and left, and --containing finds it.

JSON output: {\"is_dry_run\", \"is_complete\", \"found\", \"to_erase\", \"erased\", \"items\":
[{\"place\", \"name\", \"found\", \"erased\", \"action\", \"reason\"}], \"partitions\":
[{\"name\", \"bytes\", \"outcome\", \"reason\"}], \"resumes\": TEXT or null, \"unreadable\",
\"program_failures\", \"unseen\": [TEXT], \"stays\": [TEXT]}. place is \"records\" (of one
day), \"dead-letters\", \"redrive\", \"plan\", \"messages\", \"export\", \"temporary\", \"editor\",
\"queries\" or \"audit-log\"; action is \"delete\", \"remove\", \"rewrite\" or \"leave\"; outcome is
\"to-rewrite\", \"to-vacuum\", \"rewritten\", \"vacuumed\", \"gone\" or \"left\". reason is why
something stays, or null. resumes says which earlier erasure of the same is brought to its end.
to_erase of a dry run is the number for --confirm-count.
Exit code 1 if nothing was found, if something that was found is not erased, or if a place was not
seen whole; 2 if the request is not bounded.";

/// What to erase.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["subject", "filter", "containing"]))]
pub struct EraseArguments {
    /// Events with exactly this CloudEvents subject
    #[arg(long)]
    pub subject: Option<String>,
    /// Events on which this jq program returns neither false nor null; needs --from and --to
    #[arg(long = "where", value_name = "JQ", value_parser = program)]
    pub filter: Option<Arc<Program>>,
    /// Events and messages with this text anywhere, also messages that are no JSON; needs --from and --to
    #[arg(long, value_name = "TEXT")]
    pub containing: Option<String>,
    /// Only events of this source
    #[arg(long)]
    pub source: Option<String>,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE", add = values::event_types())]
    pub event_type: Option<String>,
    /// Earliest time of the records, also of exported ones, inclusive: a time, or a span back from now
    #[arg(long, visible_alias = "since", value_name = "TIME", value_parser = time)]
    pub from: Option<DateTime<Utc>>,
    /// Latest time of the records, also of exported ones, exclusive: a time, or a span back from now
    #[arg(long, visible_alias = "until", value_name = "TIME", value_parser = time)]
    pub to: Option<DateTime<Utc>>,
    /// Leave records and dead letters alone: files and exports of this machine only
    #[arg(long)]
    pub local: bool,
    /// A further export (folder or s3://BUCKET/PREFIX), plan, or file of `dlq export`; may be given several times
    #[arg(long, value_name = "TARGET")]
    pub also: Vec<Target>,
    /// Leave out redrives and plans that are in use, instead of refusing
    #[arg(long)]
    pub leave_unfinished: bool,
    /// Vacuum the partitions without rewriting them
    #[arg(long)]
    pub no_rewrite: bool,
    /// Show what would be erased, and change nothing
    #[arg(long, conflicts_with_all = ["yes", "confirm_count"])]
    pub dry_run: bool,
    /// How many --dry-run found in all places: nothing is erased if it is another number now
    #[arg(long, value_name = "N", requires = "yes")]
    pub confirm_count: Option<u64>,
    /// Do not ask; needs --confirm-count
    #[arg(long, requires = "confirm_count")]
    pub yes: bool,
}
