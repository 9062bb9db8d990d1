//! `redrive run`: load or draft a plan → check → confirm → run → report.
//!
//! Invariant: nothing is sent before it was planned and confirmed, and nothing is asked that a check
//! could have refused. Whatever the run did not move is released before the report is printed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::confirm::{can_ask, confirmed, typed};
use crate::cli::dlq::arguments::DlqRedriveArguments;
use crate::cli::redrive::arguments::{DraftArguments, RedriveOptions, RedriveRunArguments};
use crate::cli::redrive::draft::Draft;
use crate::cli::redrive::dry_run::DryRun;
use crate::cli::redrive::execute::{Settings, execute};
use crate::cli::redrive::outcome::Outcome;
use crate::cli::selection::by_verdict;
use crate::cli::{CommandError, Exit, Interrupt, Session};
use crate::text::{in_words, messages_in_words};
use redrive::operations::history::{PastRedrive, Status};
use redrive::operations::{begin, check_permission};
use redrive::{Journal, Kind, Plan, plan_file};

/// How long a run waits for messages of its plan that other consumers received.
const SEARCH_PATIENCE: Duration = Duration::from_secs(30);

/// `dlq redrive`: the same without proof.
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
        confirm_count: None,
        dry_run: false,
    }
}

/// How a draft is brought to its end.
#[derive(Clone, Copy)]
pub(crate) struct Finish {
    pub(crate) options: RedriveOptions,
    pub(crate) is_dry_run: bool,
    /// How many records are replaced, as somebody has counted before.
    pub(crate) confirm_count: Option<usize>,
}

/// What is reported when the messages are released.
enum Done {
    DryRun(DryRun),
    NotConfirmed,
    Ran(Box<Outcome>),
}

pub(crate) async fn run(
    session: &Session,
    arguments: RedriveRunArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let plan = load(&arguments.draft)?;
    check(session, &arguments, plan.as_ref())?;
    let how = Finish {
        options: arguments.options,
        is_dry_run: arguments.dry_run,
        confirm_count: arguments.confirm_count,
    };
    let rate = how.options.rate;
    let draft = match plan {
        Some(plan) => Draft::of_plan(session, plan, arguments.dry_run, interrupt).await?,
        None => Draft::select(session, &arguments.draft, rate, interrupt).await?,
    };
    finish(session, how, &draft, interrupt).await
}

/// Runs a draft, or shows what it would send, and reports that.
pub(crate) async fn finish(
    session: &Session,
    how: Finish,
    draft: &Draft,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let done = if how.is_dry_run {
        tokio::select! {
            dry_run = DryRun::of(session, draft) => dry_run.map(Done::DryRun),
            () = interrupt.received() => Err(CommandError::Interrupted),
        }
    } else {
        confirm_and_run(session, how, draft, interrupt).await
    };
    draft.release(session, interrupt).await;
    match done? {
        Done::DryRun(dry_run) => dry_run.report(session, draft),
        Done::NotConfirmed => Ok(Exit::Failed),
        Done::Ran(outcome) => outcome.with_draft(draft).report(session, draft.exit),
    }
}

/// The plan that is named, if one is. A plan with faults is refused before anything is asked.
fn load(draft: &DraftArguments) -> Result<Option<Plan>, CommandError> {
    let folder = Journal::folder_of_user()?;
    let usage = |text: String| Err(CommandError::Usage(text));
    let names = &draft.selection.message_ids;
    for name in names {
        let is_path = name.contains(std::path::MAIN_SEPARATOR)
            || Path::new(name).extension().is_some_and(|end| end == "json");
        match plan_file::find(name, &folder) {
            Some(_) if names.len() > 1 => {
                return usage(format!("{name:?} is a plan: run it alone"));
            }
            Some(_) if draft.changes_plans() => {
                return usage(
                    "a plan never changes: --patch, --include-not-ready and --canary make a new one"
                        .to_owned(),
                );
            }
            Some(path) => return Ok(Some(plan_file::read(&path)?)),
            None if is_path => return usage(format!("no plan {name:?}: no such file")),
            None => {}
        }
    }
    Ok(None)
}

/// Refuses what could not be run, before a message is received or a question is asked.
fn check(
    session: &Session,
    arguments: &RedriveRunArguments,
    plan: Option<&Plan>,
) -> Result<(), CommandError> {
    let options = arguments.options;
    let asked = arguments.draft.canary.as_ref().map(|steps| &steps.0);
    let canary_steps = plan.map(|plan| &plan.canary_steps).or(asked);
    check_proof(options, canary_steps)?;
    if let Some(plan) = plan {
        plan.check_pipeline(&session.pipeline)?;
    }
    if arguments.dry_run {
        return Ok(());
    }
    if let Some(plan) = plan {
        check_not_started(plan)?;
    }
    let replaces = plan.is_some_and(|plan| plan.replacement().is_some());
    check_count(options, replaces, arguments.confirm_count)?;
    let kind = plan.map_or(Kind::Redrive, Plan::kind);
    check_permission(&session.pipeline, kind)?;
    check_terminal(options, kind)
}

/// Refuses canary steps that nobody would prove.
pub(crate) fn check_proof(
    options: RedriveOptions,
    canary_steps: Option<&Vec<usize>>,
) -> Result<(), CommandError> {
    if options.no_proof && canary_steps.is_some_and(|steps| !steps.is_empty()) {
        return Err(CommandError::Usage(
            "a canary continues when its events are proved: leave out --no-proof".to_owned(),
        ));
    }
    Ok(())
}

/// Refuses to replace records without a number that somebody has read, and a number that nothing is compared
/// with.
pub(crate) fn check_count(
    options: RedriveOptions,
    replaces: bool,
    confirm_count: Option<usize>,
) -> Result<(), CommandError> {
    let wrong = match (replaces, confirm_count) {
        (true, None) if options.yes => {
            "records are replaced for good: add --confirm-count with the number that --dry-run shows"
        }
        (false, Some(_)) => "--confirm-count is for a replay that replaces records",
        (true, None | Some(_)) | (false, None) => return Ok(()),
    };
    Err(CommandError::Usage(wrong.to_owned()))
}

/// Refuses what has to be confirmed where nobody can be asked.
pub(crate) fn check_terminal(options: RedriveOptions, kind: Kind) -> Result<(), CommandError> {
    if options.yes || can_ask() {
        return Ok(());
    }
    let what = match kind {
        Kind::Redrive => "moves messages",
        Kind::Replay => "publishes records again",
    };
    Err(CommandError::Usage(format!(
        "{kind} asks before it {what}, and there is no terminal to ask on: add --yes"
    )))
}

/// A plan is run once; what is left of it is resumed.
fn check_not_started(plan: &Plan) -> Result<(), CommandError> {
    let id = plan.id;
    let past = PastRedrive::read(id, &Journal::folder_of_user()?);
    if past.summary.is_err() {
        return Ok(());
    }
    let status = past.status();
    Err(CommandError::Failed(match status {
        Status::Finished => format!("redrive {id} is finished: see `redrive report {id}`"),
        Status::Running | Status::Paused => {
            format!("redrive {id} is {} in another process", status.as_str())
        }
        Status::Incomplete | Status::Cancelled | Status::Interrupted | Status::Unreadable => {
            format!(
                "redrive {id} was started before: see `redrive report {id}`, or continue with `redrive \
             resume {id}`"
            )
        }
    }))
}

async fn confirm_and_run(
    session: &Session,
    how: Finish,
    draft: &Draft,
    interrupt: &mut Interrupt,
) -> Result<Done, CommandError> {
    let plan = &draft.plan;
    if plan.entries.is_empty() {
        return Ok(Done::Ran(Box::new(Outcome::nothing())));
    }
    let leases = draft.leases();
    if !is_confirmed(session, how, draft, interrupt).await? {
        return Ok(Done::NotConfirmed);
    }
    let journal = begin(&session.pipeline, Arc::clone(plan)).await?;
    let settings = Settings::of(how.options, SEARCH_PATIENCE);
    let outcome = execute(session, journal, &draft.messages, settings, interrupt).await?;
    if let Some(leases) = leases {
        leases.forget(outcome.moved_ids());
    }
    Ok(Done::Ran(Box::new(outcome)))
}

async fn is_confirmed(
    session: &Session,
    how: Finish,
    draft: &Draft,
    interrupt: &mut Interrupt,
) -> Result<bool, CommandError> {
    let plan = &draft.plan;
    let replaced = plan.replacement().map_or(0, |planned| planned.replaces);
    if replaced > 0 {
        return is_count_confirmed(session, how, (plan, replaced), interrupt).await;
    }
    if how.options.yes {
        return Ok(true);
    }
    let expected = plan.expected_duplicates();
    let question = format!(
        "{} {} ({}) to {:?} in {:?}{}? [y/N] ",
        plan.kind(),
        messages_in_words(plan.entries.len() as u64),
        by_verdict(plan.entries.iter().map(|entry| entry.verdict)),
        plan.destination.name,
        plan.environment,
        expected.map_or_else(String::new, |count| format!(
            ", {} expected",
            in_words(count as u64, "duplicate")
        )),
    );
    let on_no = match plan.kind() {
        Kind::Redrive => "nothing was moved",
        Kind::Replay => "nothing was published",
    };
    confirmed(session, &question, on_no, draft.leases(), interrupt).await
}

/// Replaced records are gone, so their number is typed, or was given.
async fn is_count_confirmed(
    session: &Session,
    how: Finish,
    (plan, replaced): (&Plan, usize),
    interrupt: &mut Interrupt,
) -> Result<bool, CommandError> {
    if let Some(expected) = how.confirm_count {
        if expected == replaced {
            return Ok(true);
        }
        return Err(CommandError::Failed(format!(
            "nothing was replaced: {} would be, and --confirm-count has {expected}; look again with --dry-run",
            in_words(replaced as u64, "record")
        )));
    }
    let question = format!(
        "this cannot be undone. Type {replaced} to replace {} in {:?}: ",
        in_words(replaced as u64, "record"),
        plan.environment
    );
    let expected = replaced.to_string();
    let on_no = "nothing was replaced";
    typed(session, &question, &expected, on_no, None, interrupt).await
}
