//! What the audit log of this machine has of one event.
//!
//! Invariant: local files are read and nobody is asked. A change that may have been about the event, and does not say
//! so, is counted as such.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use event::{EventKey, RecordId};
use pipeline::audit::{AuditEntry, AuditLog, Ending, Operation};
use pipeline::ledger_identity;
use pipeline::text::in_words;
use serde_json::Value;

use super::evidence::Known;
use super::fact::{Findings, Gap, Hop, Place, Standing, TraceFact, UnreadCause};
use super::journals::Sought;
use super::words::moment;
use crate::retention::bodies;

/// Changes of the environment that are read.
const CHANGES_MAX: usize = 2_000;
/// How long the copies of deletions are searched; checked between two lines.
const COPIES_WITHIN: Duration = Duration::from_secs(5);

/// What it has.
#[derive(Default)]
pub(super) struct AuditAnswer {
    pub(super) findings: Findings,
    /// The publications of it that SNS took or may have taken, and the deletions with a copy that has it.
    pub(super) known: Vec<(DateTime<Utc>, Known)>,
    /// Records of it of which a correction was begun.
    pub(super) replaced: Vec<RecordId>,
}

/// Changes that may have been about the event.
#[derive(Default)]
struct Silent {
    files: usize,
    erasures: usize,
    without_copy: usize,
    late_copies: usize,
    unreadable_copies: usize,
    without_details: usize,
}

/// What a copy of deleted messages says of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Found,
    Absent,
    /// The time was over before its end.
    Late,
    /// It is there no more: copies are removed by age, and by hand.
    Gone,
    Unreadable,
}

/// Reads the changes in a state folder.
pub(super) fn search(state_folder: &Path, sought: &Sought<'_>) -> AuditAnswer {
    let mut until = None;
    search_with(state_folder, sought, &mut |copy| {
        let until = until.get_or_insert_with(|| Instant::now() + COPIES_WITHIN);
        look_for(copy, sought, *until)
    })
}

/// Looks into the copies of deletions with `look`.
fn search_with(
    state_folder: &Path,
    sought: &Sought<'_>,
    look: &mut dyn FnMut(&Path) -> Look,
) -> AuditAnswer {
    let mut answer = AuditAnswer::default();
    let log = AuditLog::in_folder(state_folder);
    let read = log.read_last(CHANGES_MAX, |change| {
        change.environment == sought.environment
    });
    let trail = match read {
        Ok(trail) => trail,
        Err(error) => {
            let findings = &mut answer.findings;
            findings.not_read(Place::AuditLog, UnreadCause::AuditLog, error.to_string());
            return answer;
        }
    };
    let mut silent = Silent::default();
    // The newest first: it is the last deletion that counts, and the time may not be enough for all copies.
    for entry in trail.entries.iter().rev() {
        answer.take(entry, sought, look, &mut silent);
    }
    answer.findings.facts.reverse();
    let since = trail.entries.first().map(|entry| moment(entry.begun_at));
    let since = since.map_or_else(String::new, |since| format!(" since {since}"));
    let extent = format!(
        "{} of this environment from this machine{since}, at most {CHANGES_MAX}",
        in_words(trail.entries.len() as u64, "change")
    );
    answer.findings.searched(Place::AuditLog, extent);
    // Of a line that was cut off, the change was not begun.
    let unreadable = trail.unreadable_lines.saturating_sub(trail.cut_off_lines);
    if unreadable > 0 {
        let reason = format!(
            "{} could not be read: damaged, or written by a newer version",
            in_words(unreadable as u64, "line")
        );
        let findings = &mut answer.findings;
        findings.not_read(Place::AuditLog, UnreadCause::AuditLog, reason);
    }
    if let Some(dropped) = trail.dropped {
        let reason = format!(
            "the log was too long to keep {} until {}",
            in_words(dropped.changes, "change"),
            moment(dropped.until)
        );
        answer
            .findings
            .gaps
            .push(Gap::unrecorded(Place::AuditLog, reason));
    }
    silent.add_to(&mut answer.findings);
    answer
}

impl Silent {
    fn add_to(self, findings: &mut Findings) {
        let Self {
            files,
            erasures,
            without_copy,
            late_copies,
            unreadable_copies,
            without_details,
        } = self;
        let unrecorded = [
            (
                files,
                "publications of files from this machine, whose events the log does not list",
            ),
            (
                erasures,
                "erasures from this machine, of which the log has a digest and no identity",
            ),
            (
                without_copy,
                "deletions from this machine that have no copy, or whose copy is there no more",
            ),
            (
                without_details,
                "changes from this machine whose details were too long or were erased",
            ),
        ];
        for (number, what) in unrecorded.into_iter().filter(|(number, _)| *number > 0) {
            let gap = Gap::unrecorded(Place::AuditLog, format!("{what}: {number}"));
            findings.gaps.push(gap);
        }
        let late = format!("was not searched within {} s", COPIES_WITHIN.as_secs());
        let unread = [
            (late_copies, UnreadCause::Time, late.as_str()),
            (unreadable_copies, UnreadCause::File, "could not be read"),
        ];
        for (number, cause, why) in unread.into_iter().filter(|(number, ..)| *number > 0) {
            let deletions = in_words(number as u64, "deletion");
            let reason =
                format!("the copy of what was deleted {why}: {deletions} from this machine");
            findings.not_read(Place::AuditLog, cause, reason);
        }
    }
}

impl AuditAnswer {
    /// There is none.
    pub(super) fn unread(why: String) -> Self {
        let mut answer = Self::default();
        let findings = &mut answer.findings;
        findings.not_read(Place::AuditLog, UnreadCause::Time, why);
        answer
    }

    fn take(
        &mut self,
        entry: &AuditEntry,
        sought: &Sought<'_>,
        look: &mut dyn FnMut(&Path) -> Look,
        silent: &mut Silent,
    ) {
        let details = &entry.change.details;
        if details.get("left_out_bytes").is_some()
            || details.get("erased") == Some(&Value::Bool(true))
        {
            silent.without_details += 1;
            return;
        }
        match entry.change.operation {
            Operation::Publish => match details.get("event") {
                Some(event) if is_identity(event, sought.key) => self.published(entry),
                Some(_) => {}
                None => silent.files += 1,
            },
            Operation::Redrive | Operation::Replay => self.edited(entry, sought),
            Operation::Replace => self.replaced(entry, sought.key),
            Operation::Delete | Operation::Purge => self.deleted(entry, look, silent),
            Operation::Erase => silent.erasures += 1,
            // The records of move tasks name these; a peek moves nothing.
            Operation::MoveTask | Operation::Peek | Operation::Tidy => {}
        }
    }

    fn add(&mut self, entry: &AuditEntry, hop: Hop, standing: Standing, text: String) {
        let reason = entry.change.reason.as_ref();
        let reason = reason.map_or_else(String::new, |reason| format!(" (reason: {reason})"));
        self.findings.facts.push(TraceFact {
            at: Some(entry.begun_at),
            hop,
            standing,
            text: format!("{text}{reason}"),
            read_from: Place::AuditLog,
            reference: Some(entry.id.to_string()),
        });
    }

    fn published(&mut self, entry: &AuditEntry) {
        let counted = |name| {
            entry
                .ending
                .as_ref()
                .map_or(0, |ending| counted(ending, name))
        };
        let (standing, outcome) = if counted("published") > 0 {
            (Standing::Good, "SNS confirmed it")
        } else if counted("failed") > counted("unconfirmed") {
            (Standing::Bad, "SNS did not take it")
        } else {
            (Standing::Doubtful, "no answer of SNS is on record")
        };
        let known = match standing {
            Standing::Good => Some(Known::Sent),
            Standing::Doubtful => Some(Known::PerhapsSent),
            Standing::Bad | Standing::Neutral => None,
        };
        self.known
            .extend(known.map(|known| (entry.begun_at, known)));
        let text = format!(
            "published to {} by {}: {outcome}",
            entry.change.target,
            who(entry)
        );
        self.add(entry, Hop::Published, standing, text);
    }

    fn edited(&mut self, entry: &AuditEntry, sought: &Sought<'_>) {
        let edits = entry.change.details.get("edits").and_then(Value::as_array);
        let body =
            |edit: &Value, name: &str| edit.get(name).and_then(Value::as_str).map(str::to_owned);
        let is_it = |edit: &&Value| {
            let bodies = ["before", "after"].map(|name| body(edit, name));
            bodies.iter().flatten().any(|body| sought.is_event_of(body))
        };
        if edits.is_some_and(|edits| edits.iter().any(|edit| is_it(&edit))) {
            let text = format!(
                "{} begun by {} with an edited body of it",
                entry.change.operation.as_str(),
                who(entry)
            );
            self.add(entry, Hop::Edited, Standing::Neutral, text);
        }
    }

    fn replaced(&mut self, entry: &AuditEntry, key: &EventKey) {
        let replacements = entry.change.details.get("replacements");
        let identity = ledger_identity(key);
        for replacement in replacements.and_then(Value::as_array).into_iter().flatten() {
            if replacement.get("identity").and_then(Value::as_str) == Some(identity.as_str()) {
                let record_id = replacement.get("record_id");
                self.replaced
                    .extend(record_id.and_then(Value::as_i64).map(RecordId));
                let record = record_id.map_or_else(String::new, Value::to_string);
                let text = format!(
                    "a correction of record {record} was begun by {}",
                    who(entry)
                );
                self.add(entry, Hop::Replaced, Standing::Neutral, text);
            }
        }
    }

    fn deleted(
        &mut self,
        entry: &AuditEntry,
        look: &mut dyn FnMut(&Path) -> Look,
        silent: &mut Silent,
    ) {
        let export = entry.change.details.get("export").and_then(Value::as_str);
        match export.map(|path| look(Path::new(path))) {
            Some(Look::Found) => {}
            Some(Look::Absent) => return,
            Some(Look::Late) => {
                silent.late_copies += 1;
                return;
            }
            Some(Look::Unreadable) => {
                silent.unreadable_copies += 1;
                return;
            }
            Some(Look::Gone) | None => {
                silent.without_copy += 1;
                return;
            }
        }
        let file = export.unwrap_or_default();
        let planned = entry.change.planned;
        let ending = entry.ending.as_ref();
        let is_purge = entry.change.operation == Operation::Purge;
        let outcome = match (is_purge, ending) {
            (_, None) => "its end is not on record".to_owned(),
            (true, Some(ending)) if ending.error.is_none() => "the queue was purged".to_owned(),
            (true, Some(_)) => "SQS did not confirm it".to_owned(),
            (false, Some(ending)) => match counted(ending, "deleted") {
                deleted if deleted == planned => "all were deleted".to_owned(),
                deleted => format!("{deleted} of {planned} were deleted"),
            },
        };
        let is_certain = ending.is_some_and(|ending| match is_purge {
            true => ending.error.is_none(),
            false => counted(ending, "deleted") == planned,
        });
        let is_refused = ending.is_some_and(|ending| {
            let perhaps = ["deleted", "unknown", "unconfirmed"];
            !is_purge && perhaps.iter().all(|name| counted(ending, name) == 0)
        });
        let text = format!(
            "among {} of a {} by {}: {outcome}; the copy is in {file}",
            in_words(planned, "dead letter"),
            if is_purge { "purge" } else { "deletion" },
            who(entry)
        );
        self.add(entry, Hop::Deleted, Standing::Bad, text);
        if !is_refused {
            let file = file.to_owned();
            let known = Known::Deleted { file, is_certain };
            self.known.push((entry.begun_at, known));
        }
    }
}

/// Whether a file of copies has the event.
fn look_for(path: &Path, sought: &Sought<'_>, until: Instant) -> Look {
    match sought.clue().may_be_in_file(path, until) {
        Ok(Some(true)) => {}
        Ok(Some(false)) => return Look::Absent,
        Ok(None) => return Look::Late,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Look::Gone,
        Err(_) => return Look::Unreadable,
    }
    let (mut is_found, mut is_late) = (false, false);
    let look = |body: String| {
        is_found = sought.is_event_of(&body);
        is_late = Instant::now() >= until;
        !is_found && !is_late
    };
    match bodies(path, look) {
        Err(_) => Look::Unreadable,
        Ok(()) if is_found => Look::Found,
        Ok(()) if is_late => Look::Late,
        Ok(()) => Look::Absent,
    }
}

fn is_identity(event: &Value, key: &EventKey) -> bool {
    let part = |name: &str| event.get(name).and_then(Value::as_str);
    (part("source"), part("id")) == (Some(key.source.as_str()), Some(key.id.as_str()))
}

fn counted(ending: &Ending, name: &str) -> u64 {
    ending.counts.get(name).copied().unwrap_or_default()
}

fn who(entry: &AuditEntry) -> &str {
    let change = &entry.change;
    let known = change.user.as_deref().or(change.caller.as_deref());
    known.unwrap_or("an unknown user")
}

#[cfg(test)]
mod tests;
