//! `redrive pause`, `cancel` and `resume`: a redrive that another process runs, or ran.
//!
//! Invariant: a request that nobody receives is withdrawn, so that it cannot reach a later run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

use crate::cli::confirm::{can_ask, confirmed};
use crate::cli::redrive::arguments::RedriveOptions;
use crate::cli::redrive::execute::{Settings, execute};
use crate::cli::redrive::outcome::Outcome;
use crate::cli::{CommandError, Exit, Interrupt, Output, Session};
use crate::text::messages_in_words;
use redrive::operations;
use redrive::operations::history::{PastRedrive, Status};
use redrive::{ControlFile, ControlRequest, Journal, RedriveError, Report, RunOptions, State};

/// A request that is not received within this is withdrawn: many times the 250 ms between two looks
/// of a run.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks whether a request was received.
const REQUEST_POLL: Duration = Duration::from_millis(50);

#[derive(Serialize)]
struct ControlledJson {
    id: Uuid,
    state: &'static str,
}

/// The journal of a redrive.
pub(crate) fn journal(id: Uuid) -> Result<PathBuf, CommandError> {
    let path = Journal::path_in(&Journal::folder_of_user()?, id);
    if path.is_file() {
        Ok(path)
    } else {
        Err(CommandError::Failed(format!(
            "there is no redrive {id}; `redrive list` shows them"
        )))
    }
}

/// Asks the process that runs a redrive to pause, continue or end it.
pub(crate) async fn request(
    id: Uuid,
    request: ControlRequest,
    output: Output,
) -> Result<Exit, CommandError> {
    let path = journal(id)?;
    let status =
        || Ok::<_, CommandError>(PastRedrive::read(id, &Journal::folder_of_user()?).status());
    if !Journal::is_running(&path)? {
        return Err(CommandError::Failed(format!(
            "redrive {id} does not run: it is {}",
            status()?.as_str()
        )));
    }
    send(&path, request).await?;
    // At its end a run removes requests that came too late.
    let status = status()?;
    let is_too_late = request != ControlRequest::Cancel || status == Status::Finished;
    if !Journal::is_running(&path)? && is_too_late {
        return Err(CommandError::Failed(format!(
            "redrive {id} ended before it received the request: it is {}",
            status.as_str()
        )));
    }
    let (state, words) = match request {
        ControlRequest::Pause => ("paused", "pauses after the running batches"),
        ControlRequest::Resume => ("running", "continues"),
        ControlRequest::Cancel => ("cancelled", "ends after the running batches"),
    };
    if output.is_json() {
        output.json(&ControlledJson { id, state })?;
    } else {
        output.text(&format!("redrive {id} {words}\n"))?;
    }
    Ok(Exit::Done)
}

/// Sends a request and waits until it was received.
async fn send(path: &Path, request: ControlRequest) -> Result<(), CommandError> {
    let control_file = ControlFile::beside(path);
    control_file.send(request)?;
    let deadline = Instant::now() + REQUEST_LIMIT;
    while control_file.is_waiting() {
        if Instant::now() >= deadline {
            control_file.withdraw();
            return Err(CommandError::Failed(
                "another process has this redrive open and does not answer: it may be waiting for \
                 its confirmation, or be reading the journal; control it where it runs"
                    .to_owned(),
            ));
        }
        tokio::time::sleep(REQUEST_POLL).await;
    }
    // A run that is just beginning removes what it finds, as left by an earlier one.
    let is_lost = || control_file.pause().is_none() && Journal::is_running(path).unwrap_or(false);
    while request == ControlRequest::Pause && is_lost() {
        if Instant::now() >= deadline {
            return Err(CommandError::Failed(
                "the redrive did not pause: it was beginning, or it is ending; try again"
                    .to_owned(),
            ));
        }
        tokio::time::sleep(REQUEST_POLL).await;
    }
    Ok(())
}

/// Whether nothing is left to do; with `proves`, also no event to look up.
fn is_over(state: &State, proves: bool) -> bool {
    state.is_complete() && (!proves || state.counts().unproved() == 0)
}

/// Continues a redrive: where it runs, or else here. One that is finished is only reported.
pub(crate) async fn resume(
    session: &Session,
    id: Uuid,
    options: RedriveOptions,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let path = journal(id)?;
    if Journal::is_running(&path)? {
        return request(id, ControlRequest::Resume, session.output).await;
    }
    let journal = match operations::open(path).await {
        // Somebody was faster.
        Err(RedriveError::InUse(_)) => {
            return request(id, ControlRequest::Resume, session.output).await;
        }
        opened => opened?,
    };
    let state = &journal.1;
    let has_ledger = session.pipeline.has_ledger();
    let proves = has_ledger && !options.no_proof;
    if is_over(state, proves) {
        let outcome = Outcome::of(&Report::of(state), journal.0.path(), proves);
        session.output.note(&format!(
            "redrive {id} is finished: see `redrive report {id}`"
        ));
        let outcome = outcome.with_skipped(&state.plan().skipped);
        return outcome.report(session, Exit::Done);
    }
    let plan = state.plan();
    let skipped = plan.skipped.clone();
    let kind = plan.kind();
    operations::check_permission(&session.pipeline, kind)?;
    plan.check_pipeline(&session.pipeline)?;
    let left = state.counts().left();
    if left == 0 {
        session.output.note(&format!(
            "{kind} {id} has sent all it can; the events that were sent are looked up"
        ));
    } else if !options.yes && can_ask() {
        let question = format!(
            "continue {kind} {id} in {:?} with what is left, {left} of {}? [y/N] ",
            plan.environment,
            messages_in_words(plan.entries.len() as u64)
        );
        if !confirmed(session, &question, "nothing was sent", None, interrupt).await? {
            return Ok(Exit::Failed);
        }
    }
    // Without their handles on record, the leases of a process that crashed are waited for.
    let settings = Settings::of(options, RunOptions::default().search_patience);
    let outcome = execute(session, journal, &[], settings, interrupt).await?;
    outcome.with_skipped(&skipped).report(session, Exit::Done)
}
