//! What can be written behind `dlq`.
//!
//! Invariant: as in [`crate::cli::arguments`].

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use crate::cli::selection::{FilterArguments, SELECTION, SelectionArguments};

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole dlq group
  opsconsole dlq list --where '.data.minutes > 60'
  opsconsole dlq show 3c4f0c1e-8a52-4d3c-9d0e-6c1f5a7b9e10
  opsconsole dlq export messages.jsonl
  opsconsole dlq redrive --code retries-exhausted --yes

Looking at dead letters receives them: they are hidden from other consumers until the command ends
and releases them, and their receive count goes up by one. When the database does not answer, it is
unknown what is already stored: the command does its work, says so, and ends with exit code 3.";

const LIST_HELP: &str = "\
JSON output: [{\"message_id\", \"cause\", \"verdict\", \"failure\": {\"code\", \"detail\", \"pointer\"},
\"reason\": {\"code\", \"message\", \"request_id\"}, \"event\": {\"source\", \"id\", \"type\"}, \"stored_as\",
\"replaces\", \"receive_count\", \"sent_at\", \"expires_at\"}]. `replaces` is the record that a message
replaces, and absent in others: ready means then that this record is stored with another text.
With a filter the whole queue is looked at, up to 100000 messages.";

const GROUP_HELP: &str = "\
Examples:
  opsconsole dlq group
  opsconsole dlq group --type flight.delayed --output json

Messages are in one group when they have the same cause and the same place in the event, with `*`
for item numbers; where no place is known, the same detail, with `*` for numbers, UUIDs and what is
quoted. The largest group is first.

JSON output: [{\"cause\", \"place\", \"detail\", \"letters\", \"verdicts\": {VERDICT: n}, \"first_sent_at\",
\"last_sent_at\", \"first_expires_at\", \"sent_last_hour\", \"sent_hour_before\",
\"example_message_id\"}]. One of `place` and `detail` is null, or both. The trend is `sent_last_hour`
against `sent_hour_before`, by when each message was first sent. The example is the newest message.
Exit code 1 if more messages wait than were received.";

const EXPORT_HELP: &str = "\
Examples:
  opsconsole dlq export messages.jsonl
  opsconsole dlq export late.jsonl --type flight.delayed --where '.data.minutes > 60'

One JSON object a line, as `dlq show` writes it: everything of `dlq list`, and \"first_received_at\",
\"group_id\", \"attributes\": {NAME: {\"type\", \"value\" or \"value_base64\"}} and \"body\". The file is new,
readable by you alone, and appears when it is complete. Up to 100000 messages are received; all of
them are hidden from other consumers until the end, or for 10 minutes if this process is killed. In
a queue that is being filled it stops at twice as many messages as there were at the start.

JSON output: {\"exported\", \"file\", \"verdicts\": {VERDICT: n}, \"missing\": [MESSAGE_ID],
\"in_flight_elsewhere\", \"truncated\"}. `in_flight_elsewhere` counts messages that others have
received, by the queue's approximate count; they are not in the file.
Exit code 1, and no file, if nothing matches; exit code 1 if a named message is missing, or if more
messages wait than were received.";

const DELETE_HELP: &str = "\
Examples:
  opsconsole dlq delete 3c4f0c1e-8a52-4d3c-9d0e-6c1f5a7b9e10 --confirm-queue events-dead-letters
  opsconsole dlq delete --code not-json --confirm-queue events-dead-letters --yes

The messages are written to a file first, as `dlq export` does (Linux: in
~/.local/state/opsconsole/exports), and only what is in it is deleted. The audit log has the
deletion and names the file.

JSON output: {\"selected\", \"exported\", \"file\", \"deleted\", \"failed\", \"unconfirmed\", \"left\",
\"missing\": [MESSAGE_ID], \"in_flight_elsewhere\", \"truncated\", \"errors\": [{\"message_id\",
\"error\", \"may_be_deleted\"}]}; `failed` counts messages whose deletion SQS did not confirm,
`unconfirmed` those of them that had no answer and may be deleted. Those `left` were not tried: a
signal came, or nothing could be deleted any more. `file` is null where there is none.
Exit code 1 if a selected message is not deleted, if nothing matches, if a named message is missing,
or if more messages wait than were received; 2, and nothing is done, if the name is not right.";

const PURGE_HELP: &str = "\
Examples:
  opsconsole dlq purge --confirm-queue events-dead-letters
  opsconsole dlq purge --confirm-queue events-dead-letters --no-export --yes

The messages are written to a file first, as `dlq export` does. It is refused while others have
received messages, while messages are delayed, and while more wait than can be received, because the
file would not have them; --no-export reads nothing and purges all the same. SQS takes up to 60
seconds for a purge: messages that are dead-lettered meanwhile may go too, and are in no file. It
takes one purge a minute. `dlq delete --all` has neither limit: it deletes what is in the file and
nothing else.

JSON output: {\"purged\", \"exported\", \"file\", \"letters_before\"}; `letters_before` is the queue's own
approximate count, `file` is null with --no-export.
Exit code 1 if it is refused, 2, and nothing is done, if the name is not right.";

const REDRIVE_HELP: &str = "\
Examples:
  opsconsole dlq redrive 3c4f0c1e-8a52-4d3c-9d0e-6c1f5a7b9e10
  opsconsole dlq redrive --code retries-exhausted --yes
  opsconsole dlq redrive --all --include-not-ready

Short for `redrive run … --no-proof`, without a patch and canary steps; nothing is looked up
afterwards. Its help documents the JSON output and the exit codes. Only
messages with the verdict `ready` are moved; the others are skipped and counted by verdict.";

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// List dead letters, oldest first
    #[command(after_help = LIST_HELP)]
    List {
        /// Messages to list, at most
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
    /// Count dead letters by their cause
    #[command(after_help = GROUP_HELP)]
    Group {
        /// Which of them.
        #[command(flatten)]
        filter: FilterArguments,
    },
    /// Write dead letters to a new file, as JSON lines; they stay in the queue
    #[command(visible_alias = "snapshot", after_help = EXPORT_HELP)]
    Export(ExportArguments),
    /// Delete dead letters, after writing them to a file
    #[command(after_help = DELETE_HELP, group = ArgGroup::new("selection").required(true).multiple(true).args(SELECTION))]
    Delete(DeleteArguments),
    /// Empty the whole dead-letter queue, after writing it to a file
    #[command(after_help = PURGE_HELP)]
    Purge(PurgeArguments),
    /// Send dead letters back to the source queue
    #[command(after_help = REDRIVE_HELP, group = ArgGroup::new("selection").required(true).multiple(true).args(SELECTION))]
    Redrive(DlqRedriveArguments),
}

/// Which messages to write where.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The file; it must not exist yet
    pub file: PathBuf,
    /// Which messages; all where nothing is said.
    #[command(flatten)]
    pub selection: SelectionArguments,
}

/// Which messages to delete.
#[derive(Debug, Args)]
pub struct DeleteArguments {
    /// Which messages.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// How.
    #[command(flatten)]
    pub removal: RemovalArguments,
}

/// How to purge.
#[derive(Debug, Args)]
pub struct PurgeArguments {
    /// How.
    #[command(flatten)]
    pub removal: RemovalArguments,
}

/// How a removal is confirmed, and what is kept of the messages.
#[derive(Debug, Args)]
pub struct RemovalArguments {
    /// Name of the dead-letter queue, typed: nothing is removed without it
    #[arg(long, value_name = "DEAD_LETTER_QUEUE")]
    pub confirm_queue: String,
    /// File to write the messages to; it must not exist yet; default: a new one in the state folder
    #[arg(long, value_name = "FILE", conflicts_with = "no_export")]
    pub export: Option<PathBuf>,
    /// Keep no copy
    #[arg(long)]
    pub no_export: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// Which messages to redrive.
#[derive(Debug, Args)]
pub struct DlqRedriveArguments {
    /// Which messages.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Move also messages that would not be stored now: already stored, still invalid, unreadable
    #[arg(long)]
    pub include_not_ready: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}
