//! `replay`: records, or the files of an export, back through the topic.
//!
//! Invariant: arguments and rendering only; the work is in [`redrive::operations`]. What is published was
//! planned, counted and confirmed before.

pub(crate) mod arguments;

use chrono::Utc;
use export::ReadRequest;

use super::redrive::draft::Draft;
use super::redrive::plan::write;
use super::redrive::run::{check_proof, check_terminal, finish};
use super::{CommandError, Exit, Interrupt, Session, progress};
use crate::text::messages_in_words;
use arguments::ReplayArguments;
use redrive::Kind;
use redrive::operations::check_permission;
use redrive::operations::replay::{self, ReplayProgress, ReplayRequest};

pub(super) async fn run(
    session: &Session,
    arguments: ReplayArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let options = arguments.options;
    let sends = !arguments.dry_run && arguments.out.is_none();
    let canary_steps = arguments.canary.clone().map(|steps| steps.0);
    check_proof(options, canary_steps.as_ref())?;
    if sends {
        check_permission(&session.pipeline, Kind::Replay)?;
        check_terminal(options, Kind::Replay)?;
    }
    let request = ReplayRequest {
        read: ReadRequest {
            // What arrives from now on would otherwise be read by the run and not by the plan.
            to: arguments
                .to
                .or_else(|| arguments.files.is_none().then(Utc::now)),
            from: arguments.from,
            types: arguments.types,
            source: arguments.source,
            folder: arguments.files,
        },
        patch: arguments.patch,
        rate_per_sec: options.rate,
        canary_steps: canary_steps.unwrap_or_default(),
    };
    let shown = ReplayProgress {
        reading: progress::reported("reading"),
        patching: progress::reported("patching"),
    };
    let planned = tokio::select! {
        planned = replay::plan(&session.pipeline, request, shown) => planned?,
        () = interrupt.received() => return Err(CommandError::Interrupted),
    };
    let draft = Draft::of_replay(planned);
    remarks(session, &draft);
    match &arguments.out {
        Some(out) => write(session, &draft, Some(out), false),
        None => finish(session, (options, arguments.dry_run), &draft, interrupt).await,
    }
}

/// Shows what is expected, what is left out, and why.
fn remarks(session: &Session, draft: &Draft) {
    draft.skipped_remarks(session);
    draft.edit_remarks(session);
    if draft.selected == 0 {
        session.output.note("no records match");
    } else if let Some(duplicates) = draft.plan.expected_duplicates() {
        let planned = draft.plan.entries.len();
        session.output.note(&format!(
            "expected: of {} {duplicates} duplicates, which the ingest drops, and {} new records",
            messages_in_words(planned as u64),
            planned - duplicates.min(planned)
        ));
    }
}
