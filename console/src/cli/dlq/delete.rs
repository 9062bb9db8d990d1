//! `dlq delete`: messages out of the queue for good.
//!
//! Invariant: a message is deleted only while it is held here, and only after its copy is in a file
//! on the disk, unless a copy was refused; every selected message is deleted, failed or left.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use crate::cli::confirm::{can_ask, confirmed};
use crate::cli::dlq::arguments::{DeleteArguments, RemovalArguments};
use crate::cli::dlq::export::{Written, begin, finish, told, verdicts, write_down};
use crate::cli::dlq::take::Take;
use crate::cli::selection::{SelectionArguments, by_verdict};
use crate::cli::{CommandError, Exit, Interrupt, Session, progress};
use crate::text::messages_in_words;
use pipeline::audit::Operation;
use pipeline::model::QueueRole;
use pipeline::{DELETE_MESSAGES_MAX, PlannedChange, WritePermit, printable};
use redrive::triage::Spool;

/// Failures that are told one by one; the rest is counted.
const ERRORS_SHOWN_MAX: usize = 20;

#[derive(Default, Serialize)]
struct Report {
    selected: usize,
    exported: usize,
    file: Option<PathBuf>,
    deleted: usize,
    failed: usize,
    /// Messages whose turn did not come.
    left: usize,
    missing: Vec<String>,
    in_flight_elsewhere: usize,
    truncated: bool,
    errors: Vec<MessageError>,
    #[serde(skip)]
    is_interrupted: bool,
}

#[derive(Serialize)]
struct MessageError {
    message_id: String,
    error: String,
}

pub(crate) async fn run(
    session: &Session,
    arguments: DeleteArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let removal = &arguments.removal;
    // Neither a refusal nor a missing answer must cost the messages a receive.
    removal.check(session, "delete dead letters")?;
    let spool = removal.spool(session)?;
    let selection = &arguments.selection;
    let mut take = Take::begin(session, selection, "taking", interrupt).await?;
    let deleted = delete(session, &mut take, selection, removal, spool, interrupt).await;
    take.leave(interrupt).await;
    let Some(mut report) = deleted? else {
        return Ok(Exit::Failed);
    };
    report.missing = take.missing();
    report.in_flight_elsewhere = take.held_elsewhere();
    report.truncated = take.is_truncated();
    report.tell(session)?;
    take.remarks();
    let is_done = report.deleted == report.selected;
    Ok(if report.is_interrupted {
        Exit::Interrupted
    } else if report.selected == 0 && !selection.all {
        selection.nothing_remark(session);
        Exit::Failed
    } else if is_done {
        take.exit()
    } else {
        Exit::Failed
    })
}

impl RemovalArguments {
    /// Refuses what is not allowed or not confirmed, before anything is asked of the queue.
    pub(in crate::cli) fn check(
        &self,
        session: &Session,
        operation: &str,
    ) -> Result<(), CommandError> {
        session.pipeline.check_write(operation)?;
        let queue = session.pipeline.queue_name(QueueRole::DeadLetter);
        if self.confirm_queue != queue {
            return Err(CommandError::Usage(format!(
                "{:?} is not the name of the dead-letter queue, and nothing was changed: confirm \
                 it with --confirm-queue {queue}",
                self.confirm_queue
            )));
        }
        if !self.yes && !can_ask() {
            return Err(CommandError::Usage(format!(
                "there is no terminal to ask on before it is done ({operation}): add --yes"
            )));
        }
        Ok(())
    }

    /// The file of what is removed, where one is wanted.
    pub(in crate::cli) fn spool(&self, session: &Session) -> Result<Option<Spool>, CommandError> {
        if self.no_export {
            return Ok(None);
        }
        let path = match &self.export {
            Some(path) => path.clone(),
            None => Spool::path_of_user(session.pipeline.queue_name(QueueRole::DeadLetter))?,
        };
        begin(&path).map(Some)
    }
}

/// `None` where the operator said no.
async fn delete(
    session: &Session,
    take: &mut Take<'_>,
    selection: &SelectionArguments,
    removal: &RemovalArguments,
    mut spool: Option<Spool>,
    interrupt: &mut Interrupt,
) -> Result<Option<Report>, CommandError> {
    let written = write_down(take, &mut spool, interrupt).await?;
    if written.is_empty() {
        return Ok(Some(Report::default()));
    }
    let queue = session.pipeline.queue_name(QueueRole::DeadLetter);
    if !removal.yes {
        let question = format!(
            "delete {} ({}) of {queue:?} in {:?}? [y/N] ",
            messages_in_words(written.len() as u64),
            by_verdict(written.iter().map(|message| message.verdict)),
            session.pipeline.environment().name,
        );
        let sweep = take.sweep();
        if !confirmed(session, &question, "nothing was deleted", sweep, interrupt).await? {
            return Ok(None);
        }
    }
    let file = spool.as_ref().map(|spool| spool.path().to_owned());
    finish(spool)?;
    if let Some(file) = &file {
        session.output.note(&printable(&told(&written, file)));
    }
    let permit = session
        .pipeline
        .begin_change(PlannedChange {
            operation: Operation::Delete,
            target: queue.to_owned(),
            planned: written.len(),
            details: details(selection, file.as_deref(), &written),
        })
        .await?;
    let mut report = Report {
        selected: written.len(),
        exported: file.as_ref().map_or(0, |_| written.len()),
        file,
        ..Report::default()
    };
    delete_all(session, take, &permit, &written, &mut report, interrupt).await;
    let counts = [
        ("deleted", report.deleted),
        ("failed", report.failed),
        ("left", report.left),
    ];
    let error = report.errors.first().map(|first| first.error.clone());
    let error = error.or_else(|| report.is_interrupted.then(|| "interrupted".to_owned()));
    if let Err(error) = permit.end(counts, error).await {
        session.output.note(&error.to_string());
    }
    Ok(Some(report))
}

/// What explains a removal in the audit log.
pub(crate) fn details(
    selection: &SelectionArguments,
    file: Option<&Path>,
    written: &[Written],
) -> serde_json::Value {
    json!({
        "selection": selection.in_words(),
        "export": file,
        "verdicts": verdicts(written),
    })
}

/// Deletes block by block. A block of which nothing can be deleted is the last one.
async fn delete_all(
    session: &Session,
    take: &mut Take<'_>,
    permit: &WritePermit,
    written: &[Written],
    report: &mut Report,
    interrupt: &mut Interrupt,
) {
    let bar = progress::bar(written.len() as u64, "deleting");
    for block in written.chunks(DELETE_MESSAGES_MAX) {
        take.prolong().await;
        let deleted_before = report.deleted;
        let mut ids = Vec::new();
        let mut handles = Vec::new();
        for message in block {
            match take.handle(&message.message_id) {
                Some(handle) => {
                    ids.push(message.message_id.as_str());
                    handles.push(handle);
                }
                None => report.failed(&message.message_id, "its hold has ended".to_owned()),
            }
        }
        let outcomes = session.pipeline.delete_dead_letters(permit, &handles).await;
        for (message_id, outcome) in ids.iter().zip(outcomes) {
            match outcome {
                Ok(()) => {
                    report.deleted += 1;
                    take.sweep().forget([*message_id]);
                }
                Err(error) => report.failed(message_id, error),
            }
        }
        bar.inc(block.len() as u64);
        let is_stuck = !handles.is_empty() && report.deleted == deleted_before;
        report.is_interrupted = interrupt.is_pending();
        if is_stuck || report.is_interrupted {
            break;
        }
    }
    bar.finish_and_clear();
    report.left = report.selected - report.deleted - report.failed;
}

impl Report {
    fn failed(&mut self, message_id: &str, error: String) {
        self.failed += 1;
        self.errors.push(MessageError {
            message_id: message_id.to_owned(),
            error,
        });
    }

    fn tell(&self, session: &Session) -> Result<(), CommandError> {
        let output = &session.output;
        for failure in self.errors.iter().take(ERRORS_SHOWN_MAX) {
            output.note(&printable(&format!(
                "{}: not deleted: {}",
                failure.message_id, failure.error
            )));
        }
        if self.errors.len() > ERRORS_SHOWN_MAX {
            output.note("…; --output json names all");
        }
        if output.is_json() {
            return output.json(self);
        }
        let Self {
            deleted,
            failed,
            left,
            ..
        } = self;
        output.text(&format!(
            "deleted {deleted}, failed {failed}, left {left}\n"
        ))
    }
}
