//! `redrive run`: a plan, or a plan made in place, carried out.
//!
//! Invariant: nothing is sent before it was planned and agreed to; whatever the run did not move
//! is released.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

use crate::cli::confirm::{self, can_ask};
use crate::cli::dlq::arguments::DlqRedriveArguments;
use crate::cli::redrive::arguments::{DraftArguments, RedriveOptions, RedriveRunArguments};
use crate::cli::redrive::draft::draft;
use crate::cli::redrive::execute::{Outcome, Settings, carry_out};
use crate::cli::redrive::plan;
use crate::cli::selection::by_verdict;
use crate::cli::{CommandError, Exit, Interrupt, Session, walk};
use crate::text::messages_in_words;
use pipeline::model::DeadLetter;
use pipeline::{LeaseSet, printable};
use redrive::operations::{Selection, Walk, WalkOptions, select};
use redrive::{Journal, Plan, PlannedSend, RedriveError, Skipped, State, preview};

/// Visibility timeout while messages are judged and somebody thinks; it is extended meanwhile.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a run waits for messages of its plan that somebody else holds.
const SEARCH_PATIENCE: Duration = Duration::from_secs(30);

/// `redrive run` by other words.
pub(crate) fn without_proof(arguments: DlqRedriveArguments) -> RedriveRunArguments {
    RedriveRunArguments {
        draft: DraftArguments {
            selection: arguments.selection,
            include_not_ready: arguments.include_not_ready,
            ..DraftArguments::default()
        },
        options: RedriveOptions {
            rate: None,
            no_proof: true,
            yes: arguments.yes,
        },
        dry_run: false,
    }
}

pub(crate) async fn run(
    session: &Session,
    arguments: RedriveRunArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let options = arguments.options;
    // What is wrong with the file is told before anything is asked for.
    let plan = match plan_file(&arguments.draft)? {
        Some(path) => Some(plan::read(&path)?),
        None => None,
    };
    if !arguments.dry_run {
        // Neither a refusal nor a missing answer must cost the messages a receive.
        session.pipeline.check_write("redrive dead letters")?;
        if !options.yes && !can_ask() {
            return Err(CommandError::Usage(
                "redrive asks before it moves messages, and there is no terminal to ask on: add \
                 --yes"
                    .to_owned(),
            ));
        }
    }
    let Some(plan) = plan else {
        return run_selection(session, &arguments, interrupt).await;
    };
    plan.check_pipeline(&session.pipeline)?;
    check_proof(options, &plan.canary_steps)?;
    if arguments.dry_run {
        return rehearse_plan(session, &plan, interrupt).await;
    }
    if !options.yes && !confirmed(session, &plan, None, interrupt).await? {
        return Ok(Exit::Failed);
    }
    let journal = begin(&plan)?;
    let settings = settings(options);
    let outcome = carry_out(session, journal, &[], settings, interrupt).await?;
    outcome.with_skipped(&plan).tell(session, Exit::Done)
}

/// The plan that is named, if one is.
fn plan_file(draft: &DraftArguments) -> Result<Option<PathBuf>, CommandError> {
    let usage = |text: String| Err(CommandError::Usage(text));
    for name in &draft.selection.message_ids {
        let is_only = draft.selection.message_ids.len() == 1;
        let is_path = name.contains(std::path::MAIN_SEPARATOR)
            || Path::new(name).extension().is_some_and(|end| end == "json");
        match plan::find(name)? {
            Some(_) if !is_only => return usage(format!("{name:?} is a plan: run it alone")),
            Some(_) if draft.patch.is_some() || draft.include_not_ready => {
                return usage(
                    "a plan never changes: --patch and --include-not-ready make a new one"
                        .to_owned(),
                );
            }
            Some(_) if draft.canary.is_some() => {
                return usage("a plan never changes: --canary makes a new one".to_owned());
            }
            Some(path) => return Ok(Some(path)),
            None if is_path => return usage(format!("no plan {name:?}: no such file")),
            None => {}
        }
    }
    Ok(None)
}

fn check_proof(options: RedriveOptions, canary_steps: &[usize]) -> Result<(), CommandError> {
    if options.no_proof && !canary_steps.is_empty() {
        return Err(CommandError::Usage(
            "a canary goes on when its events are proved: leave out --no-proof".to_owned(),
        ));
    }
    Ok(())
}

fn settings(options: RedriveOptions) -> Settings {
    Settings {
        rate: options.rate,
        proves: !options.no_proof,
        patience: SEARCH_PATIENCE,
        is_attended: !options.yes && can_ask(),
    }
}

/// Begins the journal. A plan that was begun before is not begun again.
fn begin(plan: &Plan) -> Result<(Journal, State), CommandError> {
    let begun = Journal::create(&Journal::folder_of_user()?, plan);
    let Err(RedriveError::Begun(path)) = begun else {
        return Ok(begun?);
    };
    let id = plan.id;
    let is_complete = Journal::read(&path).is_ok_and(|state| state.is_complete());
    Err(CommandError::Failed(if is_complete {
        format!("redrive {id} is finished: see `redrive report {id}`")
    } else {
        format!(
            "redrive {id} was begun before: see `redrive report {id}`, or go on with `redrive \
             resume {id}`"
        )
    }))
}

async fn run_selection(
    session: &Session,
    arguments: &RedriveRunArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let (request, options) = (&arguments.draft, arguments.options);
    if let Some(canary) = &request.canary {
        check_proof(options, &canary.0)?;
    }
    let mut drafted = draft(
        session,
        request,
        options.rate,
        VISIBILITY_TIMEOUT,
        interrupt,
    )
    .await?;
    drafted.remarks(session, request);
    let exit = drafted.exit(session, request);
    let plan = &drafted.plan;
    if arguments.dry_run {
        let missing = std::mem::take(&mut drafted.missing);
        walk::release_all(session, &drafted.walk.leases, interrupt).await;
        return rehearsed(session, plan, &drafted.messages, missing, exit);
    }
    if plan.entries.is_empty() {
        walk::release_all(session, &drafted.walk.leases, interrupt).await;
        let is_truncated = drafted.walk.truncation().is_some();
        let outcome = Outcome::nothing(drafted.selected, plan, is_truncated);
        return outcome.with_missing(drafted.missing).tell(session, exit);
    }
    if !options.yes && !confirmed(session, plan, Some(&drafted.walk.leases), interrupt).await? {
        return Ok(Exit::Failed);
    }
    let journal = match begin(plan) {
        Ok(journal) => journal,
        Err(error) => {
            walk::release_all(session, &drafted.walk.leases, interrupt).await;
            return Err(error);
        }
    };
    let carried = carry_out(
        session,
        journal,
        &drafted.messages,
        settings(options),
        interrupt,
    )
    .await;
    if let Ok(outcome) = &carried {
        drafted.walk.leases.forget(outcome.moved_ids());
    }
    walk::release_all(session, &drafted.walk.leases, interrupt).await;
    let outcome = carried?.with_skipped(plan).with_missing(drafted.missing);
    outcome
        .with_truncation(drafted.walk.truncation().is_some())
        .tell(session, exit)
}

/// Asks. A no releases everything.
async fn confirmed(
    session: &Session,
    plan: &Plan,
    leases: Option<&LeaseSet>,
    interrupt: &mut Interrupt,
) -> Result<bool, CommandError> {
    let question = format!(
        "redrive {} ({}) to {:?} in {:?}? [y/N] ",
        messages_in_words(plan.entries.len() as u64),
        by_verdict(plan.entries.iter().map(|entry| entry.verdict)),
        plan.destination.name,
        plan.environment,
    );
    confirm::confirmed(session, &question, "nothing was moved", leases, interrupt).await
}

#[derive(Serialize)]
struct RehearsalJson<'a> {
    id: Uuid,
    planned: usize,
    sendable: usize,
    skipped: &'a [Skipped],
    missing: Vec<String>,
    #[serde(rename = "letters")]
    messages: Vec<PlannedSend>,
}

async fn rehearse_plan(
    session: &Session,
    plan: &Plan,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let (all, options) = (
        Selection::default(),
        WalkOptions::of(VISIBILITY_TIMEOUT, None),
    );
    let work = async |walk: &mut Walk| select(walk).await;
    let ((messages, _), walk) =
        walk::through(session, all, options, "receiving", interrupt, work).await?;
    walk::remarks(session, &walk);
    rehearsed(session, plan, &messages, Vec::new(), Exit::Done)
}

/// Tells what would be sent.
fn rehearsed(
    session: &Session,
    plan: &Plan,
    messages: &[DeadLetter],
    missing: Vec<String>,
    exit: Exit,
) -> Result<Exit, CommandError> {
    let sends = preview(plan, messages);
    let sendable = sends.iter().filter(|send| send.problem.is_none()).count();
    let is_whole = sendable == sends.len();
    for send in &sends {
        if let Some(problem) = &send.problem {
            let told = format!("{}: would not be sent: {problem}", send.message_id);
            session.output.note(&printable(&told));
        }
    }
    if session.output.is_json() {
        session.output.json(&RehearsalJson {
            id: plan.id,
            planned: sends.len(),
            sendable,
            skipped: &plan.skipped,
            missing,
            messages: sends,
        })?;
    } else {
        let edited = sends.iter().filter(|send| send.is_edited).count();
        session.output.text(&format!(
            "would send {sendable} of {} ({}) to {:?}, {edited} of them edited, {} bytes; nothing \
             was written\n",
            messages_in_words(sends.len() as u64),
            by_verdict(sends.iter().map(|send| send.verdict)),
            plan.destination.name,
            sends.iter().map(|send| send.bytes).sum::<usize>(),
        ))?;
    }
    Ok(if is_whole { exit } else { Exit::Failed })
}
