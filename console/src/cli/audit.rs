//! `audit`: the changes that were made from this machine.
//!
//! Invariant: it reads one local file and connects to nothing.

use super::table::{Align, Keep, Table, moment};
use super::{AuditArguments, CommandError, Exit, Output};
use crate::text::{in_words, was_or_were};
use pipeline::audit::{AuditEntry, AuditLog, Change};

pub(super) fn run(
    log: &AuditLog,
    environment: Option<&str>,
    arguments: &AuditArguments,
    output: Output,
) -> Result<Exit, CommandError> {
    let is_wanted = |change: &Change| environment.is_none_or(|name| change.environment == name);
    let trail = log
        .read_last(arguments.limit as usize, is_wanted)
        .map_err(|error| CommandError::Failed(error.to_string()))?;
    if output.is_json() {
        output.json(&trail)?;
        return Ok(Exit::Done);
    }
    output.table(&table(&trail.entries))?;
    if trail.entries.is_empty() {
        output.note("there are no changes in the audit log");
    }
    if let Some(dropped) = trail.dropped {
        output.note(&format!(
            "{} from {} to {} {} dropped, {} of them without an end: the log keeps its last 16 MB",
            in_words(dropped.changes, "change"),
            moment(dropped.from),
            moment(dropped.until),
            was_or_were(dropped.changes),
            dropped.unfinished
        ));
    }
    if trail.unreadable_lines > 0 {
        output.note(&format!(
            "{} of {} cannot be read",
            in_words(trail.unreadable_lines as u64, "line"),
            log.path().display()
        ));
    }
    Ok(Exit::Done)
}

fn table(entries: &[AuditEntry]) -> Table {
    let mut table = Table::new(&[
        ("BEGUN AT", Align::Left, Keep::Always),
        ("OPERATION", Align::Left, Keep::Always),
        ("ENVIRONMENT", Align::Left, Keep::Always),
        ("TARGET", Align::Left, Keep::Drop(3)),
        ("PLANNED", Align::Right, Keep::Drop(4)),
        ("ENDED", Align::Left, Keep::Cut),
        ("BY", Align::Left, Keep::Drop(2)),
        ("REASON", Align::Left, Keep::Drop(1)),
    ]);
    for entry in entries {
        let change = &entry.change;
        table.row([
            &moment(entry.begun_at),
            change.operation.as_str(),
            Some(change.environment.as_str())
                .filter(|name| !name.is_empty())
                .unwrap_or("-"),
            &change.target,
            &change.planned.to_string(),
            &ending(entry),
            change
                .caller
                .as_deref()
                .or(change.user.as_deref())
                .unwrap_or("-"),
            change.reason.as_deref().unwrap_or("-"),
        ]);
    }
    table
}

/// `moved 3, not sent 1`, and the error of a change that failed.
fn ending(entry: &AuditEntry) -> String {
    let Some(ending) = &entry.ending else {
        return "not ended".to_owned();
    };
    // The table cuts the end.
    let (some, none): (Vec<_>, Vec<_>) = ending.counts.iter().partition(|(_, count)| **count > 0);
    let mut parts: Vec<String> = some
        .into_iter()
        .chain(none)
        .map(|(name, count)| format!("{} {count}", name.replace('_', " ")))
        .collect();
    parts.extend(ending.error.clone());
    parts.join(", ")
}
