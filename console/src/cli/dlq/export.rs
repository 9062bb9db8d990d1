//! `dlq export`: messages as lines of a new file.
//!
//! Invariant: the file holds each selected message that was received, once and whole, or it does not
//! appear; the queue is as it was, but for the receive counts.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use event::Verdict;
use serde::Serialize;

use crate::cli::dlq::arguments::ExportArguments;
use crate::cli::dlq::take::Take;
use crate::cli::selection::by_verdict;
use crate::cli::{CommandError, Exit, Interrupt, Session};
use crate::text::messages_in_words;
use pipeline::model::DeadLetter;
use pipeline::printable;
use redrive::triage::Spool;

/// A message that was written down.
pub(crate) struct Written {
    pub(crate) message_id: String,
    pub(crate) verdict: Verdict,
}

#[derive(Serialize)]
struct ExportJson<'a> {
    exported: usize,
    file: Option<&'a Path>,
    verdicts: BTreeMap<&'static str, usize>,
    missing: Vec<String>,
    in_flight_elsewhere: usize,
    truncated: bool,
}

pub(crate) async fn run(
    session: &Session,
    arguments: ExportArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    // A file that is in the way must not cost the messages a receive.
    let mut spool = Some(begin(&arguments.file)?);
    let selection = arguments.selection.or_all();
    let mut take = Take::begin(session, &selection, "exporting", interrupt).await?;
    let written = match write_down(&mut take, &mut spool, interrupt).await {
        // A whole queue without messages is a file without lines.
        Ok(written) if !written.is_empty() || selection.all => finish(spool).map(|()| written),
        otherwise => otherwise,
    };
    take.leave(interrupt).await;
    let written = written?;
    let is_there = !written.is_empty() || selection.all;
    let file = is_there.then_some(arguments.file.as_path());
    if session.output.is_json() {
        session.output.json(&ExportJson {
            exported: written.len(),
            file,
            verdicts: verdicts(&written),
            missing: take.missing(),
            in_flight_elsewhere: take.held_elsewhere(),
            truncated: take.is_truncated(),
        })?;
    } else if let Some(file) = file {
        session.output.text(&printable(&told(&written, file)))?;
        session.output.text("\n")?;
    }
    take.remarks();
    if file.is_none() {
        selection.nothing_remark(session);
        return Ok(Exit::Failed);
    }
    Ok(take.exit())
}

/// `exported 3 messages (2 ready, 1 unreadable) to messages.jsonl`
pub(crate) fn told(written: &[Written], file: &Path) -> String {
    let by_verdict = match written.is_empty() {
        true => String::new(),
        false => format!(
            " ({})",
            by_verdict(written.iter().map(|message| message.verdict))
        ),
    };
    format!(
        "exported {}{by_verdict} to {}",
        messages_in_words(written.len() as u64),
        file.display()
    )
}

/// Counts of verdicts; those that do not occur are left out.
pub(crate) fn verdicts(written: &[Written]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for message in written {
        *counts.entry(message.verdict.as_str()).or_default() += 1;
    }
    counts
}

/// Begins a file at a path of the operator's.
pub(crate) fn begin(path: &Path) -> Result<Spool, CommandError> {
    Spool::begin(path).map_err(|cause| failed(path, cause))
}

/// Takes all messages of a selection and writes them to the file, where there is one.
pub(crate) async fn write_down(
    take: &mut Take<'_>,
    spool: &mut Option<Spool>,
    interrupt: &mut Interrupt,
) -> Result<Vec<Written>, CommandError> {
    let mut written = Vec::new();
    while let Some(messages) = take.next(interrupt).await? {
        if let Some(spool) = spool {
            tokio::task::block_in_place(|| add(spool, &messages))?;
        }
        written.extend(messages.into_iter().map(|message| Written {
            message_id: message.message_id,
            verdict: message.verdict,
        }));
    }
    Ok(written)
}

fn add(spool: &mut Spool, messages: &[DeadLetter]) -> Result<(), CommandError> {
    for message in messages {
        spool
            .message(message)
            .map_err(|cause| failed(spool.path(), cause))?;
    }
    Ok(())
}

/// Lets the file appear, on the disk.
pub(crate) fn finish(spool: Option<Spool>) -> Result<(), CommandError> {
    let Some(spool) = spool else { return Ok(()) };
    let path = spool.path().to_owned();
    tokio::task::block_in_place(|| spool.finish()).map_err(|cause| failed(&path, cause))
}

fn failed(path: &Path, cause: io::Error) -> CommandError {
    CommandError::File {
        operation: format!("write messages to {path:?}"),
        cause,
    }
}
