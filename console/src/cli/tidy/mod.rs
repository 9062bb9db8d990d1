//! `tidy`: removes what earlier work left in the state folder.
//!
//! Invariant: without `--yes` nothing is changed; every item is shown with why it stays or goes.

pub(crate) mod arguments;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytesize::ByteSize;
use chrono::{DateTime, TimeDelta, Utc};
use pipeline::audit::{AuditLog, Forgotten};
use pipeline::environment::Folders;
use pipeline::text::{age_secs, short_span_secs};
use redrive::retention::{
    KeepReason, Outcome, Policy, RemoveReason, StateItem, Tidied, Tidy, TidyError,
};
use serde::Serialize;

use self::arguments::TidyArguments;
use super::table::{Align, Keep, Table, moment};
use super::{CommandError, Exit, Interrupt, Output};

/// What is removed where neither an age nor a size is given.
const AGE_DEFAULT: TimeDelta = TimeDelta::days(30);

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
        Outcome::Kept(KeepReason::Allowed) => {
            ("kept", "within --older-than and --keep-bytes".to_owned())
        }
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
