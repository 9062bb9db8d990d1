//! `dlq purge`: the whole dead-letter queue, emptied in one call.
//!
//! Invariant: nothing is received or purged before the queue's name was given.

use std::path::Path;

use serde::Serialize;

use crate::cli::confirm::confirmed;
use crate::cli::dlq::arguments::PurgeArguments;
use crate::cli::dlq::export::exported_line;
use crate::cli::walk::{self, RELEASING};
use crate::cli::{CommandError, Exit, Interrupt, Session};
use crate::text::messages_in_words;
use pipeline::model::QueueRole;
use redrive::operations::{Export, Selection, Walk, WalkOptions, messages_before_purge, purge};

/// What a purge reaches and no file can have.
const REACH: &str = "SQS takes up to 60 seconds for it; messages that are dead-lettered meanwhile \
                     may go too, and are in no file";

#[derive(Serialize)]
struct PurgeJson<'a> {
    purged: bool,
    exported: usize,
    file: Option<&'a Path>,
    #[serde(rename = "letters_before")]
    messages_before: u64,
}

pub(crate) async fn run(
    session: &Session,
    arguments: PurgeArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let removal = &arguments.removal;
    removal.check(session, "purge the dead-letter queue")?;
    let export = removal.begin_export(session)?;
    let (all, options) = (Selection::default(), WalkOptions::default());
    let mut walk = walk::begin(session, all, options, "exporting", interrupt).await?;
    let purged = purge_all(session, &mut walk, export, removal.yes, interrupt).await;
    walk::release_all(session, &walk.leases, interrupt).await;
    if !purged? {
        return Ok(Exit::Failed);
    }
    session.output.note(REACH);
    walk::ledger_remark(session, &walk);
    Ok(walk::ledger_exit(session, &walk))
}

/// Returns whether the operator agreed.
async fn purge_all(
    session: &Session,
    walk: &mut Walk,
    mut export: Export,
    is_agreed: bool,
    interrupt: &mut Interrupt,
) -> Result<bool, CommandError> {
    let pipeline = &session.pipeline;
    if export.keeps_copies() {
        let receiving = export.add_all(walk);
        interrupt
            .cancels(session.output, RELEASING, receiving)
            .await?;
    }
    let counting = messages_before_purge(pipeline, &export);
    let mut before = interrupt
        .cancels(session.output, RELEASING, counting)
        .await?;
    if !is_agreed {
        let question = format!(
            "purge about {} of {:?} in {:?}? {REACH} [y/N] ",
            messages_in_words(before),
            pipeline.queue_name(QueueRole::DeadLetter),
            pipeline.environment().name,
        );
        let on_no = "nothing was purged";
        if !confirmed(session, &question, on_no, Some(&walk.leases), interrupt).await? {
            return Ok(false);
        }
        // More messages may have come while somebody thought.
        before = messages_before_purge(pipeline, &export).await?;
    }
    let exported = export.finish().await?;
    if let Some(line) = exported_line(&exported) {
        session.output.note(&line);
    }
    let cancel = interrupt.cancellation();
    let purging = purge(pipeline, &walk.leases, &exported, before, &cancel);
    let audit_error = interrupt
        .cancels(session.output, RELEASING, purging)
        .await?;
    if let Some(error) = audit_error {
        session.output.note(&error.to_string());
    }
    if session.output.is_json() {
        session.output.json(&PurgeJson {
            purged: true,
            exported: exported.copies(),
            file: exported.file(),
            messages_before: before,
        })?;
    } else {
        let line = format!("purged about {}\n", messages_in_words(before));
        session.output.text(&line)?;
    }
    Ok(true)
}
