//! `dlq delete`: messages out of the queue for good.
//!
//! Invariant: nothing is received or deleted before the queue's name was given; every selected
//! message is reported as deleted, failed or left.

use std::path::Path;

use serde::Serialize;

use crate::cli::confirm::{can_ask, confirmed};
use crate::cli::dlq::arguments::{DeleteArguments, RemovalArguments};
use crate::cli::dlq::export::exported_line;
use crate::cli::selection::by_verdict;
use crate::cli::walk::{self, RELEASING, nothing_remark};
use crate::cli::{CommandError, Exit, Interrupt, Session, progress, remember};
use crate::text::messages_in_words;
use export::Target;
use pipeline::model::QueueRole;
use pipeline::printable;
use redrive::operations::{self, Deleted, Export, Exported, Failure, Selection, Walk, WalkOptions};
use redrive::triage::Spool;

/// Failures that are named one by one; the rest is counted.
const ERRORS_SHOWN_MAX: usize = 20;
/// What a signal is answered with while messages are deleted.
const STOPPING: &str = "interrupted: what is being deleted is brought to its end";

#[derive(Serialize)]
struct DeleteJson<'a> {
    selected: usize,
    exported: usize,
    file: Option<&'a Path>,
    deleted: usize,
    failed: usize,
    unconfirmed: usize,
    left: usize,
    missing: Vec<String>,
    in_flight_elsewhere: usize,
    truncated: bool,
    errors: &'a [Failure],
}

pub(crate) async fn run(
    session: &Session,
    arguments: DeleteArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let removal = &arguments.removal;
    // Neither a refusal nor a missing answer must cost the messages a receive.
    removal.check(session, "delete dead letters")?;
    let export = removal.begin_export(session)?;
    let selection = Selection::from(arguments.selection);
    let options = WalkOptions::default();
    let mut walk = walk::begin(session, selection, options, "receiving", interrupt).await?;
    let deleted = delete(session, &mut walk, export, removal.yes, interrupt).await;
    walk::release_all(session, &walk.leases, interrupt).await;
    let Some((exported, deleted)) = deleted? else {
        return Ok(Exit::Failed);
    };
    report(session, &walk, &exported, &deleted)?;
    walk::remarks(session, &walk);
    let selected = exported.messages().len();
    Ok(if deleted.is_cancelled {
        Exit::Interrupted
    } else if selected == 0 && !walk.selection.is_all() {
        nothing_remark(session, &walk.selection);
        Exit::Failed
    } else if deleted.message_ids.len() == selected {
        walk::exit(session, &walk)
    } else {
        Exit::Failed
    })
}

impl RemovalArguments {
    /// Refuses what is not allowed or not confirmed, before anything is asked of the queue.
    pub(crate) fn check(&self, session: &Session, operation: &str) -> Result<(), CommandError> {
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

    /// Begins the file of what is removed, where one is wanted.
    pub(crate) fn begin_export(&self, session: &Session) -> Result<Export, CommandError> {
        let path = match &self.export {
            _ if self.no_export => None,
            Some(path) => {
                remember(&Target::Folder(path.clone()))?;
                Some(path.clone())
            }
            None => {
                let queue = session.pipeline.queue_name(QueueRole::DeadLetter);
                Some(Spool::path_of_user(queue)?)
            }
        };
        Ok(Export::begin(path.as_deref())?)
    }
}

/// `None` where the operator said no.
async fn delete(
    session: &Session,
    walk: &mut Walk,
    mut export: Export,
    is_agreed: bool,
    interrupt: &mut Interrupt,
) -> Result<Option<(Exported, Deleted)>, CommandError> {
    let receiving = export.add_all(walk);
    interrupt
        .cancels(session.output, RELEASING, receiving)
        .await?;
    let verdicts = export.verdicts();
    if !is_agreed && !verdicts.is_empty() {
        let question = format!(
            "delete {} ({}) of {:?} in {:?}? [y/N] ",
            messages_in_words(verdicts.len() as u64),
            by_verdict(verdicts.iter().copied()),
            session.pipeline.queue_name(QueueRole::DeadLetter),
            session.pipeline.environment().name,
        );
        let on_no = "nothing was deleted";
        if !confirmed(session, &question, on_no, Some(&walk.leases), interrupt).await? {
            return Ok(None);
        }
    }
    if verdicts.is_empty() {
        // Nothing, so no file and no change.
        let nothing = Export::begin(None)?.finish().await?;
        return Ok(Some((nothing, Deleted::default())));
    }
    let exported = export.finish().await?;
    if let Some(line) = exported_line(&exported) {
        session.output.note(&line);
    }
    let cancel = interrupt.cancellation();
    let selection = Some(&walk.selection);
    let bar = progress::reported("deleting");
    let (pipeline, leases) = (&session.pipeline, &walk.leases);
    let deleting = operations::delete(pipeline, leases, &exported, selection, &cancel, bar);
    let deleted = interrupt
        .cancels(session.output, STOPPING, deleting)
        .await?;
    Ok(Some((exported, deleted)))
}

fn report(
    session: &Session,
    walk: &Walk,
    exported: &Exported,
    deleted: &Deleted,
) -> Result<(), CommandError> {
    let output = session.output;
    let failures = &deleted.failures;
    for Failure {
        message_id, cause, ..
    } in failures.iter().take(ERRORS_SHOWN_MAX)
    {
        output.note(&printable(&format!(
            "{message_id}: not confirmed as deleted: {cause}"
        )));
    }
    if failures.len() > ERRORS_SHOWN_MAX {
        output.note("…; --output json names all");
    }
    if let Some(error) = &deleted.audit_error {
        output.note(&error.to_string());
    }
    if output.is_json() {
        return output.json(&DeleteJson {
            selected: exported.messages().len(),
            exported: exported.copies(),
            file: exported.file(),
            deleted: deleted.message_ids.len(),
            failed: failures.len(),
            unconfirmed: deleted.unconfirmed(),
            left: deleted.left,
            missing: walk.missing(),
            in_flight_elsewhere: walk.leases.in_flight_elsewhere(),
            truncated: walk.truncation().is_some(),
            errors: failures,
        });
    }
    output.text(&in_words(deleted))
}

fn in_words(deleted: &Deleted) -> String {
    let of_these = match deleted.unconfirmed() {
        0 => String::new(),
        unconfirmed => format!(", of these {unconfirmed} may be deleted"),
    };
    format!(
        "deleted {}, not confirmed {}{of_these}, left {}\n",
        deleted.message_ids.len(),
        deleted.failures.len(),
        deleted.left
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_may_be_deleted_are_among_those_that_are_not_confirmed() {
        let failure = |may_be_deleted| Failure {
            message_id: "m".to_owned(),
            cause: "cause".to_owned(),
            may_be_deleted,
        };
        let words = |failures| {
            in_words(&Deleted {
                message_ids: vec!["gone".to_owned()],
                failures,
                left: 4,
                ..Deleted::default()
            })
        };
        assert_eq!(
            words(vec![failure(false)]),
            "deleted 1, not confirmed 1, left 4\n"
        );
        assert_eq!(
            words(vec![failure(false), failure(true), failure(true)]),
            "deleted 1, not confirmed 3, of these 2 may be deleted, left 4\n"
        );
    }
}
