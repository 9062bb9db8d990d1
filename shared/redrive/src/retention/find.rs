//! Finds what this program left in the state folder.
//!
//! Invariant: only regular files directly in the program's folders whose name this program gives
//! are found; no symbolic link is followed, and nothing is changed.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{ItemKind, Standing, StateFile, StateItem};
use crate::error::RedriveError;
use crate::journal::Journal;
use crate::journal::{MoveTaskRecord, move_task_record};
use crate::state::State;
use pipeline::environment::Folders;
use pipeline::text::messages_in_words;

/// SQS cancels a move task after this time (SQS developer guide, "Configure a dead-letter queue
/// redrive").
const MOVE_TASK_HOURS_MAX: i64 = 36;
/// A file without its name that was not written for this long has no writer any more.
const WRITE_HOURS_MAX: i64 = 24;
/// Prefix that the crate `tempfile` gives by default, and characters after it.
const TEMPORARY_PREFIX: &str = ".tmp";
const TEMPORARY_CHARS: usize = 6;

/// The files of one redrive, by its id.
#[derive(Default)]
struct RedriveFiles {
    control: Vec<StateFile>,
    plan: Option<StateFile>,
    journal: Option<StateFile>,
}

/// What the name of a file in the folder of redrives says it is.
enum Part {
    Journal,
    Plan,
    Control,
    MoveTask,
}

/// Finds all items, by kind and name.
///
/// # Errors
/// When a folder cannot be read or is a symbolic link. One that does not exist is empty.
pub fn find(folders: &Folders, now: DateTime<Utc>) -> Result<Vec<StateItem>, RedriveError> {
    let mut items = Vec::new();
    let mut redrives: BTreeMap<Uuid, RedriveFiles> = BTreeMap::new();
    for (name, file) in files(&folders.redrives())? {
        match part(&name) {
            Some((id, Part::Journal)) => redrives.entry(id).or_default().journal = Some(file),
            Some((id, Part::Plan)) => redrives.entry(id).or_default().plan = Some(file),
            Some((id, Part::Control)) => redrives.entry(id).or_default().control.push(file),
            Some((id, Part::MoveTask)) => items.push(move_task(id, file, now)),
            None => items.extend(temporary(name, file, now)),
        }
    }
    items.extend(redrives.into_iter().map(|(id, files)| redrive(id, files)));
    for (name, file) in files(&folders.exports())? {
        if is_export(&name) {
            items.push(StateItem {
                standing: unless_locked(&file.path, Standing::Finished),
                kind: ItemKind::Export,
                name,
                files: vec![file],
            });
        } else {
            items.extend(temporary(name, file, now));
        }
    }
    for (name, file) in files(&folders.environments())? {
        items.extend(temporary(name, file, now));
    }
    items.sort_by(|one, other| {
        (one.kind.as_str(), &one.name).cmp(&(other.kind.as_str(), &other.name))
    });
    Ok(items)
}

/// The regular files of a folder.
fn files(folder: &Path) -> Result<Vec<(String, StateFile)>, RedriveError> {
    let failed = RedriveError::file("list the files of", folder);
    match folder.symlink_metadata() {
        Ok(found) if found.is_symlink() => {
            return Err(failed(io::Error::other(
                "it is a symbolic link, and links are not followed",
            )));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(&failed)? {
        let entry = entry.map_err(&failed)?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // A file may go while the others are looked at. The metadata are those of a link itself.
        if let Ok(found) = entry.metadata()
            && found.is_file()
            && let Ok(changed_at) = found.modified()
        {
            files.push((
                name,
                StateFile {
                    path: entry.path(),
                    bytes: found.len(),
                    changed_at: changed_at.into(),
                },
            ));
        }
    }
    Ok(files)
}

fn part(name: &str) -> Option<(Uuid, Part)> {
    let (id, end) = name.split_once('.')?;
    let part = match end {
        "journal" => Part::Journal,
        "plan.json" => Part::Plan,
        "request" | "request-taken" | "paused" => Part::Control,
        "move-task.json" => Part::MoveTask,
        _ => return None,
    };
    Some((id_of(id)?, part))
}

/// An id as this program writes it, in no other of its forms.
fn id_of(text: &str) -> Option<Uuid> {
    text.parse().ok().filter(|id: &Uuid| id.to_string() == text)
}

/// `QUEUE.ID.jsonl`.
fn is_export(name: &str) -> bool {
    name.strip_suffix(".jsonl")
        .and_then(|rest| rest.rsplit_once('.'))
        .is_some_and(|(queue, id)| !queue.is_empty() && id_of(id).is_some())
}

fn is_temporary(name: &str) -> bool {
    name.strip_prefix(TEMPORARY_PREFIX).is_some_and(|rest| {
        rest.len() == TEMPORARY_CHARS && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

fn temporary(name: String, file: StateFile, now: DateTime<Utc>) -> Option<StateItem> {
    is_temporary(&name).then(|| {
        let standing = if now - file.changed_at < TimeDelta::hours(WRITE_HOURS_MAX) {
            Standing::Unfinished("it may still be written".to_owned())
        } else {
            unless_locked(&file.path, Standing::Finished)
        };
        StateItem {
            kind: ItemKind::Temporary,
            name,
            files: vec![file],
            standing,
        }
    })
}

fn redrive(id: Uuid, files: RedriveFiles) -> StateItem {
    let standing = match (&files.journal, &files.plan) {
        (Some(journal), plan) => standing(&journal.path, plan.is_some()),
        (None, Some(plan)) => unless_locked(&plan.path, Standing::Planned),
        (None, None) => Standing::Finished,
    };
    let kind = if files.journal.is_none() && files.plan.is_some() {
        ItemKind::Plan
    } else {
        ItemKind::Redrive
    };
    let RedriveFiles {
        control,
        plan,
        journal,
    } = files;
    StateItem {
        kind,
        name: id.to_string(),
        // The journal goes last: a plan alone would look as if it was never run.
        files: control.into_iter().chain(plan).chain(journal).collect(),
        standing,
    }
}

/// How the redrive of a journal stands.
fn standing(journal: &Path, has_plan: bool) -> Standing {
    match Journal::is_running(journal) {
        Ok(false) => {}
        Ok(true) => return Standing::Unfinished("it runs in another process".to_owned()),
        Err(error) => return Standing::Unfinished(error.to_string()),
    }
    match Journal::read(journal) {
        Ok(state) if state.is_complete() => Standing::Finished,
        Ok(state) => Standing::Unfinished(what_is_left(&state)),
        Err(RedriveError::Empty(_)) if has_plan => Standing::Planned,
        Err(RedriveError::Empty(_)) => Standing::Finished,
        Err(error) => Standing::Unfinished(error.to_string()),
    }
}

fn what_is_left(state: &State) -> String {
    let total = state.messages().len();
    let left = total.saturating_sub(state.counts().moved);
    if left == 0 {
        return "it has not ended".to_owned();
    }
    let total = messages_in_words(total as u64);
    format!("{left} of {total} not moved")
}

fn move_task(id: Uuid, file: StateFile, now: DateTime<Utc>) -> StateItem {
    let over = |record: &MoveTaskRecord| {
        record.task.status.is_over()
            || now - record.asked_at > TimeDelta::hours(MOVE_TASK_HOURS_MAX)
    };
    let standing = match move_task_record::read(&file.path) {
        Ok(record) if over(&record) => unless_locked(&file.path, Standing::Finished),
        Ok(_) => Standing::Unfinished("its task was not seen to end".to_owned()),
        Err(error) => Standing::Unfinished(error.to_string()),
    };
    StateItem {
        kind: ItemKind::MoveTask,
        name: id.to_string(),
        files: vec![file],
        standing,
    }
}

/// A standing, unless another process has the file locked.
fn unless_locked(path: &Path, standing: Standing) -> Standing {
    match File::open(path).map(|file| file.try_lock_shared()) {
        Ok(Ok(())) => standing,
        Ok(Err(TryLockError::WouldBlock)) => {
            Standing::Unfinished("another process uses it".to_owned())
        }
        Ok(Err(TryLockError::Error(error))) | Err(error) => Standing::Unfinished(error.to_string()),
    }
}
