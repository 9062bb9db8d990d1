//! `dlq purge`: the whole dead-letter queue, emptied in one call.
//!
//! Invariant: without `--no-export` it is purged only when every message that it had, by its own
//! counts, is in a file on the disk; what dies during the purge itself cannot be.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::confirm::confirmed;
use crate::cli::dlq::arguments::PurgeArguments;
use crate::cli::dlq::delete::details;
use crate::cli::dlq::export::{Written, finish, told, write_down};
use crate::cli::dlq::take::Take;
use crate::cli::selection::SelectionArguments;
use crate::cli::{CommandError, Exit, Interrupt, Session};
use crate::text::messages_in_words;
use pipeline::audit::Operation;
use pipeline::model::{QueueDepth, QueueRole};
use pipeline::{PlannedChange, printable};
use redrive::triage::Spool;

/// What a purge reaches that nobody can write down before.
const REACH: &str = "SQS takes up to 60 seconds for it; messages that die meanwhile may go too, and \
                     are in no file";

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
    let spool = removal.spool(session)?;
    let selection = SelectionArguments::default().or_all();
    let mut take = Take::begin(session, &selection, "exporting", interrupt).await?;
    let purged = purge(session, &mut take, spool, removal.yes, interrupt).await;
    take.leave(interrupt).await;
    purged
}

async fn purge(
    session: &Session,
    take: &mut Take<'_>,
    mut spool: Option<Spool>,
    is_agreed: bool,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let written = match spool {
        Some(_) => write_down(take, &mut spool, interrupt).await?,
        None => Vec::new(),
    };
    let queue = session.pipeline.queue_name(QueueRole::DeadLetter);
    let is_kept = spool.is_some();
    let mut before = count(session, is_kept, written.len(), interrupt).await?;
    if !is_agreed {
        let question = format!(
            "purge about {} of {queue:?} in {:?}? {REACH} [y/N] ",
            messages_in_words(before),
            session.pipeline.environment().name,
        );
        let sweep = take.sweep();
        if !confirmed(session, &question, "nothing was purged", sweep, interrupt).await? {
            return Ok(Exit::Failed);
        }
        // Messages went on dying while somebody thought.
        before = count(session, is_kept, written.len(), interrupt).await?;
    }
    let file = spool.as_ref().map(|spool| spool.path().to_owned());
    finish(spool)?;
    if let Some(file) = &file {
        session.output.note(&printable(&told(&written, file)));
    }
    purge_now(session, take, &written, file.as_ref(), before).await?;
    if session.output.is_json() {
        session.output.json(&PurgeJson {
            purged: true,
            exported: written.len(),
            file: file.as_deref(),
            messages_before: before,
        })?;
    } else {
        session
            .output
            .text(&format!("purged about {}\n", messages_in_words(before)))?;
    }
    session.output.note(REACH);
    take.sweep().ledger_remark();
    Ok(take.sweep().exit())
}

/// Messages that the queue has now. Where copies are kept, all of them must be among those.
async fn count(
    session: &Session,
    is_kept: bool,
    written: usize,
    interrupt: &mut Interrupt,
) -> Result<u64, CommandError> {
    let depth = tokio::select! {
        depth = session.pipeline.queue_depth(QueueRole::DeadLetter) => depth?,
        () = interrupt.received() => return Err(CommandError::Interrupted),
    };
    if is_kept {
        check_whole(depth, written)?;
    }
    Ok(depth.visible + depth.in_flight + depth.delayed)
}

/// Refuses where the queue has, by its own approximate counts, what is not in the file.
fn check_whole(depth: QueueDepth, written: usize) -> Result<(), CommandError> {
    let elsewhere = depth.in_flight.saturating_sub(written as u64);
    let unseen = depth.visible + depth.delayed;
    if elsewhere + unseen == 0 {
        return Ok(());
    }
    Err(CommandError::Failed(format!(
        "nothing was purged: {} held elsewhere and {unseen} more waiting, and no file has them; try \
         again later, remove what can be had with `dlq delete --all`, or purge without a copy: \
         --no-export",
        messages_in_words(elsewhere)
    )))
}

async fn purge_now(
    session: &Session,
    take: &mut Take<'_>,
    written: &[Written],
    file: Option<&PathBuf>,
    before: u64,
) -> Result<(), CommandError> {
    let pipeline = &session.pipeline;
    let permit = pipeline
        .begin_change(PlannedChange {
            operation: Operation::Purge,
            target: pipeline.queue_name(QueueRole::DeadLetter).to_owned(),
            planned: usize::try_from(before).unwrap_or(usize::MAX),
            details: details(
                &SelectionArguments::default(),
                file.map(PathBuf::as_path),
                written,
            ),
        })
        .await?;
    let purged = pipeline.purge_dead_letters(&permit).await;
    let error = purged.as_ref().err().map(ToString::to_string);
    if let Err(error) = permit.end([("exported", written.len())], error).await {
        session.output.note(&error.to_string());
    }
    purged?;
    take.sweep()
        .forget(written.iter().map(|message| message.message_id.as_str()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purge_wants_every_message_in_the_file() {
        let depth = |visible, in_flight, delayed| QueueDepth {
            visible,
            in_flight,
            delayed,
        };
        assert!(check_whole(depth(0, 3, 0), 3).is_ok());
        assert!(check_whole(depth(0, 0, 0), 0).is_ok());
        for (unseen, told) in [
            (depth(0, 4, 0), "1 message held elsewhere"),
            (depth(1, 3, 0), "1 more wait"),
            (depth(0, 3, 1), "1 more wait"),
        ] {
            let error = check_whole(unseen, 3).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
