//! Runs a plan, or what is left of it, under the eyes of a command or a screen.
//!
//! Invariant: what a run is reported to have done is what its journal has. Other processes can pause,
//! resume and cancel it for as long as it runs, and no longer.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::blocking::blocking;
use crate::control::{Control, RunCommand};
use crate::error::RedriveError;
use crate::journal::{ControlFile, ControlRequest, Journal};
use crate::limits::CONTROL_POLL;
use crate::plan::{Kind, Plan, PlannedPlace};
use crate::run::{RunOptions, run_to_state};
use crate::state::{Counts, Pause, Report, State, Summary};
use pipeline::model::DeadLetter;
use pipeline::{Pipeline, PipelineError};

/// How a run ended.
#[derive(Debug)]
pub struct RunEnd {
    /// The redrive among the others.
    pub summary: Summary,
    /// What it did, message by message.
    pub report: Report,
    /// Why it stopped before its end, if it did.
    pub error: Option<RedriveError>,
}

/// Checks that the environment permits a redrive or a replay, before anything else is done for it.
///
/// # Errors
/// Names what is missing.
pub fn check_permission(pipeline: &Pipeline, kind: Kind) -> Result<(), PipelineError> {
    let destination = PlannedPlace::destination(pipeline, kind).name;
    pipeline.check_write(&format!("{kind} to {destination:?}"))
}

/// Begins the journal of a plan in this user's folder. Nothing is sent yet.
///
/// # Errors
/// When the environment does not permit the redrive, when the plan was started before, or when the
/// journal cannot be written.
pub async fn begin(
    pipeline: &Pipeline,
    plan: impl Into<Arc<Plan>>,
) -> Result<(Journal, State), RedriveError> {
    let plan = plan.into();
    // A journal of a redrive that never starts would be in the history for ever.
    check_permission(pipeline, plan.kind())?;
    plan.check_pipeline(pipeline)?;
    blocking(move || Journal::create(&Journal::folder_of_user()?, plan)).await
}

/// Opens a journal to continue it. It has every body that was sent, so reading it takes time.
///
/// # Errors
/// See [`Journal::open`].
pub async fn open(path: PathBuf) -> Result<(Journal, State), RedriveError> {
    blocking(move || Journal::open(&path)).await
}

/// Runs a journal to its end, see [`crate::run()`]. Cancelling `control` ends it between two
/// batches, stopping it at once; both are in the audit log. Dropping the future leaves a journal to
/// resume, and no end in the audit log.
///
/// # Errors
/// When not even the journal can be read afterwards.
pub async fn execute(
    pipeline: &Pipeline,
    journal: (Journal, State),
    messages: &[DeadLetter],
    control: &Control,
    options: &RunOptions,
    counts: watch::Sender<Counts>,
) -> Result<RunEnd, RedriveError> {
    let path = journal.0.path().to_owned();
    let control_file = ClearedOnDrop(ControlFile::beside(&path));
    control_file.0.clear();
    let ended = tokio::select! {
        ended = run_to_state(pipeline, journal, messages, control, options, counts) => ended,
        never = apply_requests(&control_file.0, control) => match never {},
        never = publish_pauses(&control_file.0, control) => match never {},
    };
    let (state, error) = match ended {
        Ok(ended) => ended,
        Err(error) => {
            let path = path.clone();
            (blocking(move || Journal::read(&path)).await?, Some(error))
        }
    };
    Ok(RunEnd {
        summary: Summary::of(&state),
        report: Report::of(&state),
        error,
    })
}

/// A request that came too late must not reach a later run.
struct ClearedOnDrop(ControlFile);

impl Drop for ClearedOnDrop {
    fn drop(&mut self) {
        self.0.clear();
    }
}

async fn apply_requests(control_file: &ControlFile, control: &Control) -> Infallible {
    let mut interval = tokio::time::interval(CONTROL_POLL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        match control_file.receive().await {
            Some(ControlRequest::Pause) => control.pause(Pause::OtherProcess),
            Some(ControlRequest::Resume) => control.resume(),
            Some(ControlRequest::Cancel) => control.cancel(),
            None => {}
        }
    }
}

async fn publish_pauses(control_file: &ControlFile, control: &Control) -> Infallible {
    let mut shown = RunCommand::Run;
    loop {
        shown = control.wait_for(|command| *command != shown).await;
        control_file.set_pause(match &shown {
            RunCommand::Pause(why) => Some(why),
            RunCommand::Run | RunCommand::Cancel => None,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn requests_are_applied_and_pauses_are_published() {
        let folder = tempfile::tempdir().unwrap();
        let control_file = ControlFile::beside(&folder.path().join("a.journal"));
        let control = Control::new(None);
        let other_process = async {
            control_file.send(ControlRequest::Pause).unwrap();
            while control_file.pause() != Some(Pause::OtherProcess) {
                tokio::task::yield_now().await;
            }
            assert!(!control_file.is_waiting());
            control_file.send(ControlRequest::Resume).unwrap();
            while control_file.pause().is_some() {
                tokio::task::yield_now().await;
            }
            assert_eq!(control.command(), RunCommand::Run);
            control_file.send(ControlRequest::Cancel).unwrap();
            control
                .wait_for(|command| *command == RunCommand::Cancel)
                .await;
        };
        tokio::select! {
            never = apply_requests(&control_file, &control) => match never {},
            never = publish_pauses(&control_file, &control) => match never {},
            done = tokio::time::timeout(Duration::from_secs(20), other_process) => done.unwrap(),
        }
    }
}
