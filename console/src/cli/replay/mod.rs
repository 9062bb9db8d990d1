//! `replay`: records, or the files of an export, back through the topic.
//!
//! Invariant: arguments and rendering only; the work is in [`redrive::operations`]. What is published was
//! planned, counted and confirmed before.

pub(crate) mod arguments;

use chrono::Utc;
use export::ReadRequest;

use super::redrive::arguments::RedriveOptions;
use super::redrive::draft::Draft;
use super::redrive::plan::write;
use super::redrive::run::{Finish, check_count, check_proof, check_terminal, finish};
use super::{CommandError, Exit, Interrupt, Session, progress};
use crate::text::{in_words, messages_in_words, replacement_in_words};
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
    let replaces = arguments.replace;
    let canary_steps = arguments.canary.clone().map(|steps| steps.0);
    check_proof(options, canary_steps.as_ref())?;
    check_source(&arguments)?;
    if sends {
        check_count(options, replaces, arguments.confirm_count)?;
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
        replaces,
        rate_per_sec: options.rate,
        canary_steps: canary_steps.unwrap_or_else(|| default_canary(replaces, options)),
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
        Some(out) => write(session, &draft, (Some(out), None), false),
        None => {
            let how = Finish {
                options,
                is_dry_run: arguments.dry_run,
                confirm_count: arguments.confirm_count,
            };
            finish(session, how, &draft, interrupt).await
        }
    }
}

/// Where the ingest does not permit replacements, one message shows it, and not every message of the plan.
fn default_canary(replaces: bool, options: RedriveOptions) -> Vec<usize> {
    if replaces && !options.no_proof {
        return vec![1];
    }
    Vec::new()
}

/// Refuses to replace records by themselves.
fn check_source(arguments: &ReplayArguments) -> Result<(), CommandError> {
    if arguments.replace && arguments.patch.is_none() && arguments.files.is_none() {
        return Err(CommandError::Usage(
            "--replace needs --patch or --files: the records have their own text already"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Shows what is expected, what is left out, and why.
fn remarks(session: &Session, draft: &Draft) {
    draft.skipped_remarks(session);
    draft.edit_remarks(session);
    if draft.selected == 0 {
        session.output.note("no records match");
    } else if let Some(planned) = draft.plan.replacement() {
        session.output.note(&replacement_in_words(planned));
    } else if let Some(duplicates) = draft.plan.expected_duplicates() {
        let planned = draft.plan.entries.len();
        session.output.note(&format!(
            "expected: of {} {}, which the ingest drops, and {}",
            messages_in_words(planned as u64),
            in_words(duplicates as u64, "duplicate"),
            in_words((planned - duplicates.min(planned)) as u64, "new record")
        ));
    }
}
