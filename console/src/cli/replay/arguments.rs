//! The arguments of `replay`.
//!
//! Invariant: as in [`crate::cli::arguments`].

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use clap::Args;

use crate::cli::redrive::arguments::{CanarySteps, RedriveOptions, canary};
use crate::cli::selection::program;
use crate::cli::time::time;
use crate::cli::values;
use redrive::triage::Program;

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole replay --from 2026-11-01 --to 2026-11-02 --type flight.delayed --dry-run
  opsconsole replay --since 1h --type flight.delayed --canary 1,10,100 --rate 50
  opsconsole replay --since 1d --patch '.id += \"-again\"'      stored as new records
  opsconsole replay --files november                          what `export --into november` wrote
  opsconsole replay --files november --out plan.json          then: opsconsole redrive run plan.json
  opsconsole replay --since 1d --type bag.scanned --patch '.data.gate |= ascii_upcase' --replace --dry-run
  opsconsole replay --files november --replace --yes --confirm-count 12

Every subscriber of the topic gets the events again, without the message attributes that they once
had. The ingest drops an event whose source and id it has stored: the number of these duplicates is
counted in the ledger and shown before anything is sent, and such an event is reported as a
duplicate, never as newly stored. New ids, or records that the database has lost, are stored. An
edited event with an identity that is stored is skipped: the ledger would drop it. Events before the
retention horizon are skipped too.

With --replace the records are corrected. An event whose source and id are stored with another
text takes the place of that record: the old one leaves the records, the counts and the ledger in
the transaction that stores the new one, which gets a new record id. The plan names the record
that it saw, and the ingest replaces only that one: if another is stored by then, nothing changes
and the message is a dead letter `replacement-stale`. What is stored with the same text is counted
and not sent; what is not stored yet becomes a new record; an identity whose record was erased or
has expired gets none again. An ingest replaces records only where REPLACEMENTS_ALLOWED is set
(Terraform: ingest.replacements_allowed); elsewhere the messages are dead letters
`replacement-not-permitted`. It asks for the number of records. Without --canary it sends one
message first. The proof waits for another record with the new text. The audit log gets the
digests of identities and of old and new texts. The bytes of old records stay in free space of the
database's files until that is used again: after a leak, use `erase`.

A replay is a redrive with another source: `redrive list, show, pause, cancel, resume, report` work
on it. A run reads the records or files again, so that an event that was erased since the plan is
not sent. Killed at any point, `redrive resume` continues it; an event of which nobody knows whether
it was sent is sent again.

JSON output: as of `redrive run`, with `expected_duplicates`; `moved` counts messages that the
topic confirmed, and `sent_not_deleted` is 0. With --dry-run and with --out: as of
`redrive run --dry-run` and `redrive plan`, with `expected_duplicates`; `message_id` is
`record ID`, or FILE#ROW. With --replace: also `replacement` {\"replaces\", \"same_text\",
\"not_stored\"}, as planned, in the letters of a dry run `replaces` (the record id), and after a
run `replaced`, the records that were proved to be replaced.
Exit code 1 if no record is planned (with --replace: unless all have their text already), if a
patch failed, if a message would be lost, and where `redrive run` ends with 1.";

/// Which records, changed how, and how they are published.
#[derive(Debug, Args)]
#[command(mut_arg("rate", |argument| argument
    .help("Messages per second at most; default: as fast as SNS accepts them")))]
pub struct ReplayArguments {
    /// Earliest time of the event, inclusive: a time, or a span back from now
    #[arg(long, visible_alias = "since", value_name = "TIME", value_parser = time, required_unless_present = "files")]
    pub from: Option<DateTime<Utc>>,
    /// Latest time of the event, exclusive: a time, or a span back from now; default: now
    #[arg(long, visible_alias = "until", value_name = "TIME", value_parser = time)]
    pub to: Option<DateTime<Utc>>,
    /// Exact event type; may be given several times
    #[arg(long = "type", value_name = "TYPE", add = values::event_types())]
    pub types: Vec<String>,
    /// Exact event source
    #[arg(long)]
    pub source: Option<String>,
    /// Read the files that `export` wrote into this folder, instead of the records
    #[arg(long, value_name = "DIR")]
    pub files: Option<PathBuf>,
    /// Send what this jq program makes of each event
    #[arg(long, value_name = "JQ", value_parser = program)]
    pub patch: Option<Arc<Program>>,
    /// Correct: each event takes the place of the record that is stored for its source and id
    #[arg(long)]
    pub replace: bool,
    /// How many records --dry-run would replace: nothing is replaced if it is another number now
    #[arg(long, value_name = "N", requires_all = ["replace", "yes"])]
    pub confirm_count: Option<usize>,
    /// Stop after so many messages, and continue when all their events are stored
    #[arg(long, value_name = "N,N,…", value_parser = canary)]
    pub canary: Option<CanarySteps>,
    /// How it is sent.
    #[command(flatten)]
    pub options: RedriveOptions,
    /// Show what would be sent, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write the plan to this file and send nothing; `-` prints it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "yes", "no_proof"])]
    pub out: Option<PathBuf>,
}
