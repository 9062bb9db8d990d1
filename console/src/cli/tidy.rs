//! `tidy`: removes what earlier work left in the state folder.
//!
//! Invariant: without `--yes` nothing is changed; every item is shown with why it stays or goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytesize::ByteSize;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use pipeline::audit::{AuditLog, Forgotten};
use pipeline::environment::Folders;
use pipeline::text::{age_secs, short_span_secs};
use redrive::retention::{
    KeepReason, Outcome, Policy, RemoveReason, StateItem, Tidied, Tidy, TidyError,
};
use serde::Serialize;

use super::table::{Align, Keep, Table, moment};
use super::{CommandError, Exit, Interrupt, Output};
use crate::tui::filter::{self, SPAN_FORMS};

pub(super) const EXAMPLES: &str = "\
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

/// What is removed where neither an age nor a size is given.
const AGE_DEFAULT: TimeDelta = TimeDelta::days(30);

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

fn policy(arguments: &TidyArguments) -> Result<Policy, CommandError> {
    let default = arguments.keep_bytes.is_none().then_some(AGE_DEFAULT);
    let older_than = arguments.older_than.or(default);
    if older_than.is_none() && (arguments.plans || arguments.audit_log) {
        return Err(CommandError::Usage(
            "--plans and --audit-log go by age: give --older-than too".to_owned(),
        ));
    }
    Ok(Policy {
        older_than,
        keep_bytes: arguments.keep_bytes,
        plans: arguments.plans,
        audit_log: arguments.audit_log,
    })
}

pub(super) async fn run(
    arguments: TidyArguments,
    reason: Option<String>,
    output: Output,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let policy = policy(&arguments)?;
    let folders = Folders::of_user()?;
    let is_cancelled = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&is_cancelled);
    let is_dry_run = !arguments.yes;
    // Journals may be large.
    let mut work = tokio::task::spawn_blocking(move || {
        let log = AuditLog::in_folder(folders.state());
        let mut tidy = Tidy::plan(&folders, &log, policy, Utc::now())?;
        if !is_dry_run {
            tidy.run(&folders, &log, reason, &flag)?;
        }
        Ok::<_, TidyError>(tidy)
    });
    let result = tokio::select! {
        result = &mut work => result,
        () = interrupt.received() => {
            if is_dry_run {
                return Err(CommandError::Interrupted);
            }
            // The item at hand goes whole, and the audit log gets its end.
            is_cancelled.store(true, Ordering::Relaxed);
            work.await
        }
    };
    let tidy = result
        .map_err(|error| CommandError::Failed(format!("tidy the state folder: {error}")))?
        .map_err(|error| CommandError::Failed(error.to_string()))?;
    show(&tidy, is_dry_run, output)?;
    if is_cancelled.load(Ordering::Relaxed) {
        return Err(CommandError::Interrupted);
    }
    let has_failed = tidy
        .items
        .iter()
        .any(|tidied| matches!(tidied.outcome, Outcome::Failed(_)));
    Ok(if has_failed { Exit::Failed } else { Exit::Done })
}

#[derive(Serialize)]
struct Answer<'a> {
    is_dry_run: bool,
    items: Vec<ItemJson<'a>>,
    kept: Sum,
    removed: Sum,
    audit_log: Option<Forgotten>,
}

#[derive(Serialize)]
struct ItemJson<'a> {
    kind: &'static str,
    name: &'a str,
    files: Vec<String>,
    bytes: u64,
    changed_at: Option<DateTime<Utc>>,
    outcome: &'static str,
    reason: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Sum {
    items: usize,
    bytes: u64,
}

impl Sum {
    fn of<'a>(items: impl Iterator<Item = &'a StateItem>) -> Self {
        items.fold(Self::default(), |sum, item| Self {
            items: sum.items + 1,
            bytes: sum.bytes + item.bytes(),
        })
    }
}

fn show(tidy: &Tidy, is_dry_run: bool, output: Output) -> Result<(), CommandError> {
    let goes = |tidied: &&Tidied| match tidied.outcome {
        Outcome::Removed(_) => true,
        Outcome::ToRemove(_) => is_dry_run,
        Outcome::Kept(_) | Outcome::Failed(_) => false,
    };
    let removed = Sum::of(tidy.items.iter().filter(goes).map(|tidied| &tidied.item));
    let stays = tidy.items.iter().filter(|tidied| !goes(tidied));
    let kept = Sum::of(stays.map(|tidied| &tidied.item));
    if output.is_json() {
        return output.json(&Answer {
            is_dry_run,
            items: tidy.items.iter().map(item_json).collect(),
            kept,
            removed,
            audit_log: tidy.audit_log,
        });
    }
    if tidy.items.is_empty() && tidy.audit_log.is_none() {
        output.note("there is nothing in the state folder");
        return Ok(());
    }
    output.table(&table(&tidy.items))?;
    let would = if is_dry_run { "would be " } else { "" };
    if let Some(log) = tidy.audit_log {
        output.note(&format!(
            "audit log: {} {} {would}removed, {} left",
            log.changes,
            if log.changes == 1 {
                "change"
            } else {
                "changes"
            },
            bytes(log.kept_bytes)
        ));
    }
    output.note(&format!(
        "{} {would}removed ({}), {} kept ({})",
        removed.items,
        bytes(removed.bytes),
        kept.items,
        bytes(kept.bytes)
    ));
    if is_dry_run && !tidy.is_empty() {
        output.note("this was a dry run: --yes removes");
    }
    Ok(())
}

fn item_json(tidied: &Tidied) -> ItemJson<'_> {
    let item = &tidied.item;
    let (outcome, reason) = outcome(&tidied.outcome);
    let paths = item.files.iter().map(|file| file.path.display());
    ItemJson {
        kind: item.kind.as_str(),
        name: &item.name,
        files: paths.map(|path| path.to_string()).collect(),
        bytes: item.bytes(),
        changed_at: item.changed_at(),
        outcome,
        reason,
    }
}

fn table(items: &[Tidied]) -> Table {
    let mut table = Table::new(&[
        ("WHAT", Align::Left, Keep::Always),
        ("NAME", Align::Left, Keep::Always),
        ("CHANGED AT", Align::Left, Keep::Drop(2)),
        ("AGE", Align::Right, Keep::Drop(1)),
        ("SIZE", Align::Right, Keep::Always),
        ("OUTCOME", Align::Left, Keep::Always),
        ("REASON", Align::Left, Keep::Cut),
    ]);
    let now = Utc::now();
    for tidied in items {
        let item = &tidied.item;
        let (outcome, reason) = outcome(&tidied.outcome);
        let changed_at = item.changed_at().unwrap_or(now);
        table.row([
            item.kind.as_str(),
            &item.name,
            &moment(changed_at),
            &short_span_secs(age_secs(changed_at, now)),
            &bytes(item.bytes()),
            outcome,
            &reason,
        ]);
    }
    table
}

fn outcome(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Kept(KeepReason::Unfinished(reason)) => ("kept", reason.clone()),
        Outcome::Kept(KeepReason::Allowed) => ("kept", "within what may stay".to_owned()),
        Outcome::ToRemove(reason) => ("to-remove", remove_reason(*reason).to_owned()),
        Outcome::Removed(reason) => ("removed", remove_reason(*reason).to_owned()),
        Outcome::Failed(error) => ("failed", error.clone()),
    }
}

const fn remove_reason(reason: RemoveReason) -> &'static str {
    match reason {
        RemoveReason::Age => "older than --older-than",
        RemoveReason::Size => "more than --keep-bytes",
    }
}

fn bytes(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}
