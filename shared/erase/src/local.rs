//! Finds messages in the files of this machine, and erases them.
//!
//! Invariant: a redrive that is not finished is never touched. A file goes, or is replaced, as it was when it
//! was searched, or stays.

use std::fs::{self, File};
use std::io::{self, BufRead as _, Read as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use export::Target;
use pipeline::Body;
use pipeline::environment::Folders;
use redrive::retention::{self, ItemKind, Rewrite, Standing, StateFile, StateItem};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::error::EraseError;
use crate::finding::{Action, Finding, Place};
use crate::matcher::{Answer, Matcher};

/// Bodies that wait for the matcher.
const READ_AHEAD_MAX: usize = 64;
/// Bytes of lines of a file that is rewritten.
const LINES_BYTES_MAX: usize = 4 << 20;
/// Largest file of the external editor; more than any queue takes.
const EDITOR_BYTES_MAX: u64 = 2 << 20;
/// Names of the files of the external editor, in the temporary folder.
const EDITOR_PREFIX: &str = "opsconsole-";
const EDITOR_SUFFIX: &str = ".json";

/// A place on this machine.
pub(crate) struct LocalItem {
    item: StateItem,
    place: Place,
}

/// What was found on this machine: parallel lists.
#[derive(Default)]
pub(crate) struct Local {
    pub(crate) items: Vec<LocalItem>,
    pub(crate) findings: Vec<Finding>,
    /// Bodies that are no event, and were left.
    pub(crate) unreadable: u64,
    /// Places in use that have messages of the selection.
    pub(crate) in_use: Vec<String>,
}

impl Local {
    /// Searches the state folder, the files of the editor, and files elsewhere.
    pub(crate) async fn find(
        folders: &Folders,
        named: &[PathBuf],
        matcher: &mut Matcher,
        cancel: &CancellationToken,
    ) -> Result<Self, EraseError> {
        let mut local = Self::default();
        let mut items = items(folders.clone()).await?;
        for path in named {
            let is_it = |known: &LocalItem| known.item.files.iter().any(|file| file.path == *path);
            if !items.iter().any(is_it) {
                items.push(named_item(path)?);
            }
        }
        for found in items {
            let searching = local.search(found, matcher);
            let searched = cancel.run_until_cancelled(searching).await;
            searched.ok_or(EraseError::Cancelled)??;
        }
        Ok(local)
    }

    async fn search(&mut self, found: LocalItem, matcher: &mut Matcher) -> Result<(), EraseError> {
        let mut count = 0;
        let mut fault = None;
        for file in &found.item.files {
            let searched = if found.place == Place::Editor {
                search_text(&file.path, matcher).await
            } else if found.place == Place::Queries {
                search_lines(&file.path, matcher)
            } else if has_bodies(&file.path) || found.place == Place::Temporary {
                search_bodies(&file.path, matcher).await
            } else {
                continue;
            };
            match searched {
                Ok((yes, unreadable)) => {
                    count += yes;
                    self.unreadable += unreadable;
                }
                Err(EraseError::File { cause, .. }) => fault = Some(cause.to_string()),
                Err(error) => return Err(error),
            }
        }
        if count == 0 && fault.is_none() {
            return Ok(());
        }
        let action = match (&found.item.standing, fault) {
            (Standing::Unfinished(reason), None) => {
                if matches!(found.place, Place::Redrive | Place::Plan) {
                    self.in_use.push(format!(
                        "{} {} ({reason})",
                        found.place.as_str(),
                        found.item.name
                    ));
                }
                Action::Leave(format!("in use: {reason}"))
            }
            (Standing::Unfinished(reason), Some(fault)) => Action::Leave(format!(
                "cannot be searched ({fault}), and in use: {reason}"
            )),
            // Half written, and nobody reads it.
            (Standing::Finished | Standing::Planned, _) if found.place == Place::Temporary => {
                Action::Remove
            }
            (Standing::Finished | Standing::Planned, Some(fault)) => {
                Action::Leave(format!("cannot be searched: {fault}"))
            }
            (Standing::Finished | Standing::Planned, None)
                if matches!(found.place, Place::Messages | Place::Queries) =>
            {
                Action::Rewrite
            }
            (Standing::Finished | Standing::Planned, None) => Action::Remove,
        };
        self.findings
            .push(Finding::new(found.place, found.name(), count, action));
        self.items.push(found);
        Ok(())
    }

    /// Erases what was found, each item as it was.
    pub(crate) async fn erase(
        self,
        matcher: &mut Matcher,
        cancel: &CancellationToken,
    ) -> Vec<Finding> {
        let Self {
            items,
            mut findings,
            ..
        } = self;
        for (found, finding) in items.into_iter().zip(&mut findings) {
            if cancel.is_cancelled() {
                finding.error = Some("interrupted".to_owned());
                continue;
            }
            let erased = match finding.action {
                Action::Leave(_) | Action::Delete => continue,
                Action::Remove => {
                    let removing =
                        tokio::task::spawn_blocking(move || retention::remove(&found.item));
                    let removed = removing.await.map_err(EraseError::from);
                    let found = finding.found;
                    removed.and_then(|removed| Ok(removed.map(|()| found)?))
                }
                Action::Rewrite => rewrite(&found, matcher).await,
            };
            match erased {
                Ok(erased) => finding.erased = erased,
                Err(error) => finding.error = Some(error.to_string()),
            }
        }
        findings
    }
}

impl LocalItem {
    /// The id, or the file where it has no other name.
    fn name(&self) -> String {
        match (self.place, self.item.files.first()) {
            (Place::Redrive | Place::Plan, _) | (_, None) => self.item.name.clone(),
            (_, Some(file)) => file.path.display().to_string(),
        }
    }
}

/// The items of the state folder, and the files of the external editor.
async fn items(folders: Folders) -> Result<Vec<LocalItem>, EraseError> {
    tokio::task::spawn_blocking(move || {
        let found = retention::find(&folders, Utc::now())?.into_iter();
        let mut items: Vec<LocalItem> = found
            .filter_map(|item| {
                let place = match item.kind {
                    ItemKind::Redrive => Place::Redrive,
                    ItemKind::Plan => Place::Plan,
                    ItemKind::Export => Place::Messages,
                    ItemKind::Temporary => Place::Temporary,
                    // It has counts and no message.
                    ItemKind::MoveTask => return None,
                };
                Some(LocalItem { item, place })
            })
            .collect();
        let temporary = std::env::temp_dir();
        let editor = editor_files(&temporary)
            .map_err(|cause| failed("list the files of", &temporary, cause))?;
        items.extend(editor);
        items.extend(query_files(&folders));
        Ok(items)
    })
    .await?
}

/// The files of the external editor that can be read: a console was killed, or its editor is open.
fn editor_files(folder: &Path) -> io::Result<Vec<LocalItem>> {
    let mut items = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let is_ours = name.starts_with(EDITOR_PREFIX) && name.ends_with(EDITOR_SUFFIX);
        if is_ours
            && entry.file_type()?.is_file()
            && File::open(entry.path()).is_ok()
            && let Ok(file) = state_file(&entry.path())
        {
            items.push(LocalItem {
                place: Place::Editor,
                item: StateItem {
                    kind: ItemKind::Temporary,
                    name,
                    files: vec![file],
                    standing: Standing::Finished,
                },
            });
        }
    }
    Ok(items)
}

/// The files of questions and filters that were kept.
fn query_files(folders: &Folders) -> impl Iterator<Item = LocalItem> {
    let paths = [folders.sql_history(), folders.record_filters()];
    paths.into_iter().filter_map(|path| {
        let file = state_file(&path).ok()?;
        Some(LocalItem {
            place: Place::Queries,
            item: StateItem {
                kind: ItemKind::Export,
                name: path.display().to_string(),
                files: vec![file],
                standing: Standing::Finished,
            },
        })
    })
}

/// A file that was named: a plan, or lines of messages.
fn named_item(path: &Path) -> Result<LocalItem, EraseError> {
    let file = state_file(path).map_err(|cause| failed("read", path, cause))?;
    let (kind, place) = if is_plan(path) {
        (ItemKind::Plan, Place::Plan)
    } else {
        (ItemKind::Export, Place::Messages)
    };
    Ok(LocalItem {
        place,
        item: StateItem {
            kind,
            name: path.display().to_string(),
            files: vec![file],
            standing: Standing::Finished,
        },
    })
}

/// The files among the targets that were named, and the other targets.
pub(crate) fn divide(also: &[Target]) -> (Vec<PathBuf>, Vec<Target>) {
    let (mut files, mut targets) = (Vec::new(), Vec::new());
    for target in also {
        let target = target.absolute();
        if let Target::Folder(path) = &target
            && path.is_file()
        {
            files.push(path.clone());
        } else {
            targets.push(target);
        }
    }
    (files, targets)
}

fn is_plan(path: &Path) -> bool {
    #[derive(Deserialize)]
    struct Plan {
        #[expect(dead_code, reason = "the name alone is of interest")]
        dead_letter_queue: serde::de::IgnoredAny,
    }
    let is_plan = |file| serde_json::from_reader::<_, Plan>(io::BufReader::new(file)).is_ok();
    File::open(path).is_ok_and(is_plan)
}

fn state_file(path: &Path) -> io::Result<StateFile> {
    let metadata = path.symlink_metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(StateFile {
        path: path.to_owned(),
        bytes: metadata.len(),
        changed_at: DateTime::<Utc>::from(metadata.modified()?),
    })
}

/// Whether a file of an item has bodies; a control file has none.
fn has_bodies(path: &Path) -> bool {
    let name = path.to_string_lossy();
    !(name.ends_with(".request") || name.ends_with(".request-taken") || name.ends_with(".paused"))
}

/// Counts the bodies of a file that are chosen, and those that are no event.
async fn search_bodies(path: &Path, matcher: &mut Matcher) -> Result<(u64, u64), EraseError> {
    let (sender, mut bodies) = mpsc::channel(READ_AHEAD_MAX);
    let file = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        retention::bodies(&file, |body| sender.blocking_send(Body::from(body)).is_ok())
    });
    let mut counts = (0, 0);
    let mut batch = Vec::new();
    while bodies.recv_many(&mut batch, READ_AHEAD_MAX).await > 0 {
        count(&matcher.messages(&batch).await?, &mut counts);
        batch.clear();
    }
    reading
        .await?
        .map_err(|cause| failed("search", path, cause))?;
    Ok(counts)
}

/// The same for a file that is one body.
async fn search_text(path: &Path, matcher: &mut Matcher) -> Result<(u64, u64), EraseError> {
    let mut text = String::new();
    let read =
        File::open(path).and_then(|file| file.take(EDITOR_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|cause| failed("search", path, cause))?;
    let mut counts = (0, 0);
    count(&matcher.messages(&[Body::from(text)]).await?, &mut counts);
    Ok(counts)
}

/// Counts the lines that have the text that is erased. No line is an event.
fn search_lines(path: &Path, matcher: &Matcher) -> Result<(u64, u64), EraseError> {
    let failed = |cause| failed("search", path, cause);
    let lines = io::BufReader::new(File::open(path).map_err(failed)?).lines();
    let mut found = 0;
    for line in lines {
        found += u64::from(matcher.is_text_in_query(&line.map_err(failed)?));
    }
    Ok((found, 0))
}

fn count(answers: &[Answer], counts: &mut (u64, u64)) {
    for answer in answers {
        match answer {
            Answer::Yes => counts.0 += 1,
            Answer::No => {}
            Answer::Unreadable => counts.1 += 1,
        }
    }
}

/// A line of a file of messages.
#[derive(Deserialize)]
struct Line {
    body: String,
}

/// Leaves out the lines that are chosen; returns how many.
async fn rewrite(found: &LocalItem, matcher: &mut Matcher) -> Result<u64, EraseError> {
    let mut erased = 0;
    for file in &found.item.files {
        let path = file.path.clone();
        let failed = |cause| failed("rewrite", &path, cause);
        let mut rewrite = Rewrite::begin(file)?;
        loop {
            let lines = rewrite.next_lines(LINES_BYTES_MAX).map_err(failed)?;
            if lines.is_empty() {
                break;
            }
            let chosen = if found.place == Place::Queries {
                let has_text = |line: &String| matcher.is_text_in_query(line);
                lines.iter().map(has_text).collect()
            } else {
                chosen_messages(&lines, matcher, failed).await?
            };
            for (line, is_chosen) in lines.iter().zip(chosen) {
                if is_chosen {
                    erased += 1;
                } else {
                    rewrite.keep(line).map_err(failed)?;
                }
            }
        }
        rewrite.finish()?;
    }
    Ok(erased)
}

/// Which lines have a message that is chosen.
async fn chosen_messages(
    lines: &[String],
    matcher: &mut Matcher,
    failed: impl Fn(io::Error) -> EraseError,
) -> Result<Vec<bool>, EraseError> {
    let bodies = lines.iter().map(|line| serde_json::from_str::<Line>(line));
    let bodies = bodies.map(|line| line.map(|line| Body::from(line.body)));
    let bodies: Vec<Body> = bodies
        .collect::<Result<_, _>>()
        .map_err(|error| failed(error.into()))?;
    let answers = matcher.messages(&bodies).await?;
    let is_chosen = |answer| answer == Answer::Yes;
    Ok(answers.into_iter().map(is_chosen).collect())
}

fn failed(operation: &'static str, path: &Path, cause: io::Error) -> EraseError {
    EraseError::File {
        operation,
        path: path.to_owned(),
        cause,
    }
}
