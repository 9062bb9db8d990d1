//! `dlq export`: messages as lines of a new file.
//!
//! Invariant: the queue is as it was, but for the receive counts.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::cli::dlq::arguments::ExportArguments;
use crate::cli::selection::by_verdict;
use crate::cli::walk::{self, nothing_remark};
use crate::cli::{CommandError, Exit, Interrupt, Session, remember};
use crate::text::messages_in_words;
use export::Target;
use pipeline::printable;
use redrive::operations::{Export, Exported, Selection, Walk, WalkOptions};

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
    let mut export = Export::begin(Some(&arguments.file))?;
    remember(&Target::Folder(arguments.file.clone()))?;
    let selection = Selection::from(arguments.selection);
    // A whole queue without messages is a file without lines.
    let is_all = selection.is_all();
    let work = async |walk: &mut Walk| {
        export.add_all(walk).await?;
        let is_wanted = is_all || !export.verdicts().is_empty();
        Ok(if is_wanted {
            Some(export.finish().await?)
        } else {
            None
        })
    };
    let options = WalkOptions::default();
    let (exported, walk) =
        walk::through(session, selection, options, "exporting", interrupt, work).await?;
    let exported = exported.as_ref();
    if session.output.is_json() {
        session.output.json(&ExportJson {
            exported: exported.map_or(0, Exported::copies),
            file: exported.and_then(Exported::file),
            verdicts: exported.map_or_else(BTreeMap::new, Exported::verdicts),
            missing: walk.missing(),
            in_flight_elsewhere: walk.leases.in_flight_elsewhere(),
            truncated: walk.truncation().is_some(),
        })?;
    } else if let Some(line) = exported.and_then(exported_line) {
        session.output.text(&format!("{line}\n"))?;
    }
    walk::remarks(session, &walk);
    if exported.is_none() {
        nothing_remark(session, &walk.selection);
        return Ok(Exit::Failed);
    }
    Ok(walk::exit(session, &walk))
}

/// `exported 3 messages (2 ready, 1 unreadable) to messages.jsonl`; nothing where there is no file.
pub(crate) fn exported_line(exported: &Exported) -> Option<String> {
    let verdicts = exported.messages().iter().map(|(_, verdict)| *verdict);
    let by_verdict = match exported.copies() {
        0 => String::new(),
        _ => format!(" ({})", by_verdict(verdicts)),
    };
    Some(printable(&format!(
        "exported {}{by_verdict} to {}",
        messages_in_words(exported.copies() as u64),
        exported.file()?.display()
    )))
}
