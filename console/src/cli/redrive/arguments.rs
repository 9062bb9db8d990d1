//! What can be written behind `redrive`.
//!
//! Invariant: as in [`crate::cli::arguments`].

use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgGroup, Args, Subcommand};
use uuid::Uuid;

use crate::cli::rate::rate;
use crate::cli::selection::{SELECTION, SelectionArguments, program};
use crate::cli::values::{self, Redrives};
use pipeline::MOVE_TASK_RATE_MAX;
use redrive::triage::Program;

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole redrive plan --code missing-attribute --patch '.time = .data.at' --canary 1,10,100
  opsconsole redrive show 01976f4e-7c1d-7d10-9a55-3f0e6a1c2b4d --messages
  opsconsole redrive run 01976f4e-7c1d-7d10-9a55-3f0e6a1c2b4d
  opsconsole redrive pause 01976f4e-7c1d-7d10-9a55-3f0e6a1c2b4d     from another terminal
  opsconsole redrive resume 01976f4e-7c1d-7d10-9a55-3f0e6a1c2b4d    paused, or after a crash
  opsconsole redrive report 01976f4e-7c1d-7d10-9a55-3f0e6a1c2b4d --output json

A plan lists its messages and what is sent for each; it never changes. Every redrive writes a
journal in the state folder (Linux: ~/.local/state/opsconsole/redrives). Whatever ends a redrive,
`resume` continues it, and no event is lost or stored twice.";

const PLAN_EXAMPLES: &str = "\
Examples:
  opsconsole redrive plan --all
  opsconsole redrive plan --where '.data.minutes > 60' --out plan.json
  opsconsole redrive plan --code missing-attribute --patch '.time = .data.at' --canary 1,10,100

While the messages are checked they are received, so other consumers cannot see them; then they
are released. Patched events are checked again: a message on which the patch fails, or that would
not be stored after it, is skipped with the reason. Of messages that get one identity (source, id)
with different events only the first is planned, and an edited one whose identity is stored already
is not: the ledger would drop the others, so they would be lost. No option sends them.

JSON output: {\"id\", \"file\", \"environment\", \"destination\", \"selected\", \"planned\", \"verdicts\":
{VERDICT: n}, \"skipped\": [{\"message_id\", \"verdict\", \"reason\"}], \"would_be_lost\", \"missing\":
[MESSAGE_ID], \"edits\": {\"changed\", \"become_valid\", \"change_identity\", \"failed\"}, \"rate_per_sec\",
\"canary_steps\", \"truncated\"}. `verdicts` counts what is planned, after the edits; `would_be_lost`
counts those of `skipped` that would be lost; `file` is null for `--out -` and when nothing is
planned; `--out -` prints the plan itself.
Exit code 1 if nothing is planned although something was selected, if a named message is not
planned, if a patch failed, if a message would be lost, or if the queue has more messages than
were received.";

const RUN_EXAMPLES: &str = "\
Examples:
  opsconsole redrive run plan.json
  opsconsole redrive run --code retries-exhausted --canary 1,10,100 --rate 20 --yes
  opsconsole redrive run --all --dry-run --output json

Before a message is sent, its event is looked up: one that was stored since the plan was made stays.
After each canary step, and at the end, the events are looked up until each is stored or has failed
again; --no-proof leaves both out. If one event of a step is not stored, the redrive pauses. With
--yes there is no operator to decide, so it ends there, and `redrive resume` continues it. After a
signal (Ctrl-C) the running batches are finished.

JSON output: {\"id\", \"journal\", \"state\", \"selected\", \"moved\", \"sent_not_deleted\", \"unknown\",
\"not_sent\", \"skipped\", \"would_be_lost\", \"waiting\", \"stored\", \"duplicates\", \"dead_again\",
\"unproved\", \"truncated\", \"errors\": [{\"message_id\", \"error\"}]}. `state` is finished, incomplete
(messages are left that a resume tries again), cancelled or interrupted; `unknown` may have been
sent and are still here; `skipped` were left out by the plan, `would_be_lost` of them because they
would be lost (null where a redrive is resumed); `duplicates` counts those of `stored` that have no
record of their own; `waiting` were not tried; `dead_again` failed again; `stored`, `duplicates`,
`dead_again` and `unproved` are null where nothing was looked up.
With --dry-run: {\"id\", \"planned\", \"sendable\", \"skipped\": [..], \"missing\": [..], \"letters\":
[{\"message_id\", \"verdict\", \"failure\", \"is_edited\", \"bytes\", \"attributes\", \"problem\"}]}, and
nothing is written.
Where dead letters replace records, the dry run has `replaces` (the record id), and a run with
proof has `replaced`, the records that were proved to be replaced.
Exit code 1 if a message failed, failed again, was not proved or not tried, and where
`redrive plan` ends with 1.";

const CONTROL_HELP: &str = "\
JSON output: {\"id\", \"state\"}. Exit code 1 if it does not run.";

const RESUME_HELP: &str = "\
A paused redrive continues in the process that runs it. One that was interrupted or cancelled
continues here, from its journal: messages that may have been sent are looked up first. One that is
finished is only reported.

JSON output: {\"id\", \"state\"} where it continues in another process, else as of `redrive run`.";

const LIST_HELP: &str = "\
PIPELINE is other where the environment has another dead-letter queue now. UNCONFIRMED counts
those that were or may have been sent and whose deletion SQS did not confirm: they may be moved.
NOT SENT counts those of NOT MOVED that were not sent; of a redrive that runs, those that it
tried. Of a replay MOVED counts those that were published.

JSON output: [{\"id\", \"kind\", \"environment\", \"pipeline\", \"created_at\", \"state\",
\"pause\", \"planned\", \"replaces\", \"counts\": {..}, \"error\"}]. `kind` is redrive or replay. `replaces`
counts messages that replace a record (KIND is replacement for such a replay). `pipeline` is
same, or other if the environment has another dead-letter queue now, like each new demo; null if
there is no such environment. `state` is running, paused, finished, incomplete (messages are left
that a resume tries again), cancelled, interrupted (its process ended first) or unreadable
(`error` is the cause, and the rest is null); `pause` is the reason of a pause. In `counts`,
`stored` and `dead_again` are null where nothing was looked up; `duplicates` counts those of
`stored` that have no record of their own, if there are any; `unsendable` counts those of
`not_sent` that a resume cannot send either.";

const REPORT_HELP: &str = "\
JSON output: {\"id\", \"created_at\", \"environment\", \"planned\", \"counts\": {\"waiting\", \"intended\",
\"not_sent\", \"unknown\", \"sent_not_deleted\", \"moved\", \"stored\", \"dead_again\"}, \"ending\", \"letters\":
[{\"message_id\", \"outcome\", \"cause\", \"sent_message_id\", \"replaces\", \"proof\"}], \"replaces\",
\"replaced\", \"state\", \"pause\"}. `replaces` counts messages that replace a record, `replaced` those of
which that was proved. `outcome` is
waiting, not-sent, unknown, sent-not-deleted, moved, or published by a replay, which has
`kind`: replay; `counts` are those of `redrive list`;
`proof` is stored, already-stored (with `duplicate_of`: the message of the redrive that had the same
event) or dead-again (failed again), with the record or the new dead letter.";

const NATIVE_EXAMPLES: &str = "\
Examples:
  opsconsole redrive native start --rate 100
  opsconsole redrive native watch
  opsconsole redrive native cancel

Own engine (`redrive run`): selects, checks, patches, canary steps, proof; this machine stays on.
Native move task: SQS moves the whole queue by itself, unchecked, at 500 messages/s at most.

The messages get new ids and keep the attributes with their failure. The counts of SQS are
approximate and late. A queue has one task at a time; cancel does not move messages back. The
dead-letter queue must be that of an SQS queue, not of an SNS subscription. If SQS refuses, or has
no move tasks like the emulator of the demo, the command ends with exit code 1; use `redrive run`
there.

JSON output of start, watch, and of each of list: {\"handle\", \"status\", \"moved\", \"to_move\",
\"rate_per_sec\", \"source_arn\", \"destination_arn\", \"started_at\", \"failure_reason\", \"asked_at\",
\"seen_at\"}; of cancel: {\"handle\", \"moved\"}. `status` is running, completed, cancelling, cancelled,
failed or unknown; `asked_at` is null for a task that was not started from this machine; `seen_at`
is when SQS reported it.";

/// What to do with redrives.
#[derive(Debug, Subcommand)]
pub enum RedriveCommand {
    /// Check messages and write a plan: what would be sent for each
    #[command(after_help = PLAN_EXAMPLES, group = ArgGroup::new("selection").required(true).multiple(true).args(SELECTION))]
    Plan(RedrivePlanArguments),
    /// Show what a plan would do
    Show {
        /// File of the plan, or id of its redrive
        #[arg(add = values::plans())]
        plan: String,
        /// Every message, with its edit
        #[arg(long, alias = "letters")]
        messages: bool,
    },
    /// Run a plan, or plan and run at once
    #[command(after_help = RUN_EXAMPLES, group = ArgGroup::new("selection").required(true).multiple(true).args(SELECTION))]
    Run(RedriveRunArguments),
    /// Pause a running redrive between two batches
    #[command(after_help = CONTROL_HELP)]
    Pause {
        /// Its id, as `redrive list` shows it
        #[arg(value_parser = redrive_id, add = values::redrives(Redrives::Running))]
        id: Uuid,
    },
    /// End a running redrive after the running batches
    #[command(after_help = CONTROL_HELP)]
    Cancel {
        /// Its id, as `redrive list` shows it
        #[arg(value_parser = redrive_id, add = values::redrives(Redrives::Running))]
        id: Uuid,
    },
    /// Continue a redrive that is paused, cancelled or interrupted
    #[command(after_help = RESUME_HELP)]
    Resume {
        /// Its id, as `redrive list` shows it
        #[arg(value_parser = redrive_id, add = values::redrives(Redrives::Unfinished))]
        id: Uuid,
        /// How it continues, where it continues here.
        #[command(flatten)]
        options: RedriveOptions,
    },
    /// List the redrives of this machine, newest first
    #[command(after_help = LIST_HELP)]
    List {
        /// Redrives to list, at most
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Show what happened to every message of a redrive
    #[command(after_help = REPORT_HELP)]
    Report {
        /// Its id, as `redrive list` shows it
        #[arg(value_parser = redrive_id, add = values::redrives(Redrives::All))]
        id: Uuid,
    },
    /// Let SQS itself move the whole dead-letter queue (StartMessageMoveTask)
    #[command(subcommand, after_help = NATIVE_EXAMPLES)]
    Native(NativeCommand),
}

/// What to do with move tasks.
#[derive(Debug, Subcommand)]
pub enum NativeCommand {
    /// Start a task that moves all dead letters to the source queue
    Start {
        /// Messages per second at most; default: as SQS chooses
        #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOVE_TASK_RATE_MAX)))]
        rate: Option<u32>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Follow the newest task to its end; exit code 1 if it failed or was cancelled
    Watch {
        /// Show it once, and do not wait for the end
        #[arg(long)]
        once: bool,
    },
    /// Stop a task; it does not move messages back
    Cancel {
        /// Its handle; default: that of the running task
        handle: Option<String>,
    },
    /// The tasks that SQS knows, and those that were started from this machine, newest first
    List,
}

/// Which messages, and what is sent for them.
#[derive(Clone, Debug, Default, Args)]
pub struct DraftArguments {
    /// Which messages.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Send what this jq program makes of each event
    #[arg(long, value_name = "JQ", value_parser = program)]
    pub patch: Option<Arc<Program>>,
    /// Also send messages that would not be stored now: already stored, still invalid, unreadable
    #[arg(long)]
    pub include_not_ready: bool,
    /// Stop after so many messages, and continue when all their events are stored
    #[arg(long, value_name = "N,N,…", value_parser = canary)]
    pub canary: Option<CanarySteps>,
}

/// What to plan, and where to write it.
#[derive(Debug, Args)]
pub struct RedrivePlanArguments {
    /// Which messages, and what is sent for them.
    #[command(flatten)]
    pub draft: DraftArguments,
    /// Messages per second at most; default: as fast as SQS accepts them
    #[arg(long, allow_negative_numbers = true, value_name = "R", value_parser = rate)]
    pub rate: Option<f64>,
    /// File of the plan; `-` prints it; default: in the state folder, by its id
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// What to run.
#[derive(Debug, Args)]
#[command(mut_arg("message_ids", |argument| argument
    .value_name("PLAN|MESSAGE_ID")
    .add(values::plans())
    .help("One plan (its file, or its id), or SQS message ids")))]
pub struct RedriveRunArguments {
    /// Which messages, and what is sent for them, where there is no plan.
    #[command(flatten)]
    pub draft: DraftArguments,
    /// How it runs.
    #[command(flatten)]
    pub options: RedriveOptions,
    /// How many records a plan of `replay --replace` replaces; needs --yes
    #[arg(long, value_name = "N", requires = "yes")]
    pub confirm_count: Option<usize>,
    /// Show what would be sent, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// How a redrive runs.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct RedriveOptions {
    /// Messages per second at most; default: what the plan says, else as fast as SQS accepts them
    #[arg(long, allow_negative_numbers = true, value_name = "R", value_parser = rate)]
    pub rate: Option<f64>,
    /// Do not look up what became of the events
    #[arg(long)]
    pub no_proof: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

impl DraftArguments {
    /// Whether they ask for something that only a new plan can have.
    pub(crate) fn changes_plans(&self) -> bool {
        self.patch.is_some() || self.include_not_ready || self.canary.is_some()
    }
}

/// Ascending numbers of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanarySteps(pub Vec<usize>);

pub(crate) fn canary(text: &str) -> Result<CanarySteps, String> {
    let mut before = 0;
    let mut steps = Vec::new();
    for part in text.split(',') {
        let step = part.trim().parse().unwrap_or(0);
        if step <= before {
            return Err("not ascending whole numbers like 1,10,100".to_owned());
        }
        before = step;
        steps.push(step);
    }
    Ok(CanarySteps(steps))
}

fn redrive_id(text: &str) -> Result<Uuid, String> {
    text.parse().map_err(|_| {
        "it is not the id of a redrive; `opsconsole redrive list` shows them".to_owned()
    })
}
