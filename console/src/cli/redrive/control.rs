//! `redrive pause`, `cancel` and `resume`: a redrive that another process runs, or ran.
//!
//! Invariant: an order that nobody takes is withdrawn, so that it cannot hit a later run.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

use crate::cli::confirm::{can_ask, confirmed};
use crate::cli::redrive::arguments::RedriveOptions;
use crate::cli::redrive::execute::{Outcome, Settings, carry_out};
use crate::cli::redrive::history::look;
use crate::cli::{CommandError, Exit, Interrupt, Output, Session};
use crate::text::messages_in_words;
use redrive::{ControlFile, ControlRequest, Journal, Report, RunOptions, State};

/// An order that is not taken within this is withdrawn. Longer than any look for control_file waits.
const TAKE_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks whether an order was taken.
const TAKE_POLL: Duration = Duration::from_millis(50);

#[derive(Serialize)]
struct Steered {
    id: Uuid,
    state: &'static str,
}

/// The journal of a redrive.
pub(crate) fn journal(id: Uuid) -> Result<PathBuf, CommandError> {
    let path = Journal::folder_of_user()?.join(format!("{id}.journal"));
    if path.is_file() {
        Ok(path)
    } else {
        Err(CommandError::Failed(format!(
            "there is no redrive {id}; `redrive list` shows them"
        )))
    }
}

/// ControlFile a running redrive to pause or to end.
pub(crate) async fn request(
    id: Uuid,
    request: ControlRequest,
    output: Output,
) -> Result<Exit, CommandError> {
    let path = journal(id)?;
    if !Journal::is_running(&path)? {
        let state = look(&path).state();
        return Err(CommandError::Failed(format!(
            "redrive {id} does not run: it is {state}"
        )));
    }
    give(&path, request).await?;
    // At its end a run clears the control_file that came too late.
    let state = look(&path).state();
    let is_too_late = request != ControlRequest::Cancel || state == "finished";
    if !Journal::is_running(&path)? && is_too_late {
        return Err(CommandError::Failed(format!(
            "redrive {id} ended before it took the order: it is {state}"
        )));
    }
    let (state, words) = match request {
        ControlRequest::Pause => ("paused", "waits when the running batches have ended"),
        ControlRequest::Resume => ("running", "goes on"),
        ControlRequest::Cancel => ("cancelled", "ends when the running batches have ended"),
    };
    if output.is_json() {
        output.json(&Steered { id, state })?;
    } else {
        output.text(&format!("redrive {id} {words}\n"))?;
    }
    Ok(Exit::Done)
}

/// Gives an order and waits until it was taken.
async fn give(path: &Path, request: ControlRequest) -> Result<(), CommandError> {
    let control_file = ControlFile::beside(path);
    control_file.send(request)?;
    let deadline = Instant::now() + TAKE_LIMIT;
    while control_file.is_waiting() {
        if Instant::now() >= deadline {
            control_file.withdraw();
            return Err(CommandError::Failed(
                "the process that runs the redrive takes no control_file: steer it where it runs"
                    .to_owned(),
            ));
        }
        tokio::time::sleep(TAKE_POLL).await;
    }
    Ok(())
}

/// Whether there is nothing to go on with; `proves` also looks up events of which nothing is known.
fn is_over(state: &State, proves: bool) -> bool {
    let counts = state.counts();
    state.is_complete() && (!proves || counts.stored + counts.dead_again == counts.moved)
}

/// Goes on with a redrive: where it runs, or else here. One that is finished is only told.
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
    let opened = tokio::task::spawn_blocking(move || Journal::open(&path)).await;
    let journal = opened.map_err(|error| CommandError::Failed(error.to_string()))??;
    let has_ledger = session.pipeline.environment().database_url.is_some();
    let proves = has_ledger && !options.no_proof;
    if is_over(&journal.1, proves) {
        let outcome = Outcome::of(Report::of(&journal.1), journal.0.path(), proves);
        session.output.note(&format!(
            "redrive {id} is finished: see `redrive report {id}`"
        ));
        return outcome.tell(session, Exit::Done);
    }
    session.pipeline.check_write("redrive dead letters")?;
    let plan = journal.1.plan();
    plan.check_pipeline(&session.pipeline)?;
    if plan.entries.len() == journal.1.counts().moved {
        session.output.note(&format!(
            "redrive {id} has moved all its messages before; their events are looked up"
        ));
    }
    let left = plan.entries.len() - journal.1.counts().moved;
    if left > 0 && !options.yes && can_ask() {
        let question = format!(
            "go on with redrive {id} in {:?} with what is left, {left} of {}? [y/N] ",
            plan.environment,
            messages_in_words(plan.entries.len() as u64)
        );
        if !confirmed(session, &question, "nothing was moved", None, interrupt).await? {
            return Ok(Exit::Failed);
        }
    }
    let settings = Settings {
        rate: options.rate,
        proves: !options.no_proof,
        // The holds of a process that crashed last for a while.
        patience: RunOptions::default().search_patience,
        is_attended: !options.yes && std::io::stdin().is_terminal(),
    };
    let outcome = carry_out(session, journal, &[], settings, interrupt).await?;
    outcome.tell(session, Exit::Done)
}
