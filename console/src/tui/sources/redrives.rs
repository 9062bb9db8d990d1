//! Redrives as the terminal console runs them: tried dry, run under a control, told while they run.
//!
//! Invariant: one redrive has one journal; whatever ends it, what it did until then is told from
//! that journal.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::shared::{Shared, fault};
use crate::tui::fault::Fault;
use crate::tui::message::Msg;
use crate::tui::redrives::{Draft, DryRun, Past, PastRedrive, Progress, RunEnd};
use crate::tui::request::RequestId;
use pipeline::model::{DeadLetter, QueueRole};
use pipeline::{Authority, Pipeline, PipelineError};
use redrive::{
    ControlFile, Counts, Journal, Plan, PlanOptions, RedriveError, Report, RunCommand, RunOptions,
    State, preview, run,
};

/// How often the screen hears of a redrive that runs.
const TOLD_EVERY: Duration = Duration::from_millis(200);
/// Journals that are read for the history at most.
const JOURNALS_READ_MAX: usize = 100;
/// How long reading them may take.
const JOURNALS_READ_WITHIN: Duration = Duration::from_secs(5);

/// Proves what a draft would send. Nothing is written, nothing is sent.
pub(super) async fn dry_run(
    pipeline: &Pipeline,
    draft: &Draft,
    authority: &Authority,
) -> Result<DryRun, Fault> {
    let permitted = with_reason(pipeline, draft, authority).check_write(&operation(pipeline));
    let plan = plan_of(pipeline, draft).await?;
    let messages = held(draft);
    let sends = blocking(move || preview(&plan, &messages)).await?;
    let mut dry = DryRun {
        refusal: permitted.err().as_ref().map(fault),
        reason: authority.reason.clone(),
        ..DryRun::default()
    };
    for send in sends {
        if let Some(problem) = send.problem {
            dry.unsendable += 1;
            dry.problem.get_or_insert(problem);
        } else {
            dry.sent += 1;
            dry.ready += usize::from(send.verdict == event::Verdict::Ready);
            dry.bytes += send.bytes;
        }
    }
    Ok(dry)
}

/// Runs a redrive from its first message on.
pub(super) async fn begin(
    pipeline: &Pipeline,
    id: RequestId,
    draft: Draft,
    shared: &Shared,
) -> Result<RunEnd, Fault> {
    let pipeline = with_reason(pipeline, &draft, &shared.authority);
    // A journal that was never begun would stand in the history.
    pipeline
        .check_write(&operation(&pipeline))
        .map_err(|error| fault(&error))?;
    let plan = plan_of(&pipeline, &draft).await?;
    let journal = blocking(move || {
        let folder = Journal::folder_of_user()?;
        Journal::create(&folder, &plan)
    })
    .await?
    .map_err(|error| not_begun(&error))?;
    // The messages are held here: one that was lost belongs to somebody else.
    let options = RunOptions {
        searches: false,
        ..RunOptions::default()
    };
    follow(&pipeline, id, journal, &held(&draft), &options, shared).await
}

/// Goes on with a redrive where its journal ends.
pub(super) async fn resume(
    pipeline: &Pipeline,
    id: RequestId,
    path: PathBuf,
    shared: &Shared,
) -> Result<RunEnd, Fault> {
    pipeline
        .check_write(&operation(pipeline))
        .map_err(|error| fault(&error))?;
    let journal = blocking(move || Journal::open(&path))
        .await?
        .map_err(|error| not_begun(&error))?;
    shared.control.set_rate(journal.1.plan().rate_per_sec);
    let options = RunOptions::default();
    follow(pipeline, id, journal, &[], &options, shared).await
}

async fn follow(
    pipeline: &Pipeline,
    id: RequestId,
    journal: (Journal, State),
    messages: &[DeadLetter],
    options: &RunOptions,
    shared: &Shared,
) -> Result<RunEnd, Fault> {
    let control = &shared.control;
    let path = journal.0.path().to_owned();
    let told = Progress {
        journal: path.clone(),
        planned: journal.1.plan().entries.len(),
        canary_steps: journal.1.plan().canary_steps.clone(),
        counts: journal.1.counts(),
        command: control.command(),
        rate_per_sec: control.rate_per_sec(),
    };
    let (sender, counts) = watch::channel(told.counts);
    let running = run(pipeline, journal, messages, control, options, sender);
    // Other processes may steer it too.
    let control_file = ControlFile::beside(&path);
    control_file.clear();
    let telling = tell(id, told, counts, &control_file, shared);
    let ended = tokio::select! {
        ended = running => ended,
        never = telling => match never {},
        () = control_file.obey(control) => return Err(lost()),
    };
    control_file.clear();
    let state = state(path.clone()).await?;
    Ok(RunEnd {
        report: Report::of(&state),
        past: in_short(path, &state),
        error: ended.err().map(|error| error.to_string()),
    })
}

/// Tells how a redrive stands whenever that changed, for as long as it is polled.
async fn tell(
    id: RequestId,
    mut told: Progress,
    counts: watch::Receiver<Counts>,
    control_file: &ControlFile,
    shared: &Shared,
) -> std::convert::Infallible {
    let mut tick = tokio::time::interval(TOLD_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_first = true;
    loop {
        tick.tick().await;
        let now = Progress {
            counts: *counts.borrow(),
            command: shared.control.command(),
            rate_per_sec: shared.control.rate_per_sec(),
            ..told.clone()
        };
        if now == told && !is_first {
            continue;
        }
        if now.command != told.command {
            control_file.tell_pause(match &now.command {
                RunCommand::Pause(why) => Some(why),
                RunCommand::Run | RunCommand::Cancel => None,
            });
        }
        let progress = Box::new(now.clone());
        // A full channel only means that the screen is behind; it is told again.
        if shared.replies.try_send(Msg::Progress(id, progress)).is_ok() {
            told = now;
            is_first = false;
        }
    }
}

/// What the redrive of a journal did; it may be running.
pub(super) async fn report(path: PathBuf) -> Result<Report, Fault> {
    Ok(Report::of(&state(path).await?))
}

async fn state(path: PathBuf) -> Result<State, Fault> {
    blocking(move || Journal::read(&path))
        .await?
        .map_err(|error| Fault {
            message: error.to_string(),
            hint: None,
        })
}

/// The redrives of this environment, newest first.
pub(super) async fn past(pipeline: &Pipeline) -> Result<Past, Fault> {
    let environment = pipeline.environment().name.clone();
    let queue_url = pipeline.queue_url(QueueRole::DeadLetter).to_owned();
    blocking(move || {
        let folder = Journal::folder_of_user()?;
        read_all(&folder, &environment, &queue_url)
    })
    .await?
    .map_err(|error: RedriveError| Fault {
        message: error.to_string(),
        hint: None,
    })
}

fn read_all(folder: &Path, environment: &str, queue_url: &str) -> Result<Past, RedriveError> {
    let begun = Instant::now();
    let mut past = Past::default();
    for (number, (_, path)) in Journal::list(folder)?.into_iter().enumerate() {
        if number >= JOURNALS_READ_MAX || begun.elapsed() > JOURNALS_READ_WITHIN {
            past.is_truncated = true;
            break;
        }
        match Journal::read(&path) {
            Ok(state) => {
                if state.plan().is_of(environment, queue_url) {
                    past.redrives.push(in_short(path, &state));
                }
            }
            // Nothing was sent under it.
            Err(RedriveError::Empty(_)) => {}
            Err(error) => {
                past.unreadable.get_or_insert(error.to_string());
            }
        }
    }
    Ok(past)
}

fn in_short(journal: PathBuf, state: &State) -> PastRedrive {
    let plan = state.plan();
    PastRedrive {
        is_running: Journal::is_running(&journal).unwrap_or(false),
        journal,
        created_at: plan.created_at,
        planned: plan.entries.len(),
        canary_steps: plan.canary_steps.clone(),
        skipped: plan.skipped.len(),
        edited: plan
            .entries
            .iter()
            .filter(|entry| entry.edit.is_some())
            .count(),
        counts: state.counts(),
        ending: state.ending(),
    }
}

/// The pipeline, changed for the reason of this redrive.
fn with_reason(pipeline: &Pipeline, draft: &Draft, authority: &Authority) -> Pipeline {
    match &draft.reason {
        None => pipeline.clone(),
        Some(reason) => pipeline.with_authority(Authority {
            reason: Some(reason.clone()),
            ..authority.clone()
        }),
    }
}

async fn plan_of(pipeline: &Pipeline, draft: &Draft) -> Result<Plan, Fault> {
    let messages: Vec<_> = draft
        .messages
        .iter()
        .map(|draft| (&draft.message, draft.new_body.clone()))
        .collect();
    let options = PlanOptions {
        skipped: draft.skipped.clone(),
        rate_per_sec: draft.rate_per_sec,
        canary_steps: draft.canary_steps.clone(),
    };
    Plan::of(pipeline, &messages, options)
        .await
        .map_err(|error| not_begun(&error))
}

fn held(draft: &Draft) -> Vec<DeadLetter> {
    draft
        .messages
        .iter()
        .map(|draft| draft.message.clone())
        .collect()
}

fn operation(pipeline: &Pipeline) -> String {
    format!("redrive to {:?}", pipeline.queue_name(QueueRole::Source))
}

fn not_begun(error: &RedriveError) -> Fault {
    Fault {
        message: error.to_string(),
        hint: match error {
            RedriveError::Pipeline(error) => Some(PipelineError::hint(error)),
            RedriveError::File { .. } => {
                Some("nothing was sent; see that the folder can be written".to_owned())
            }
            RedriveError::Plan(_)
            | RedriveError::PlanFile { .. }
            | RedriveError::Damaged { .. }
            | RedriveError::Empty(_)
            | RedriveError::Begun(_)
            | RedriveError::InUse(_)
            | RedriveError::Stopped(_)
            | RedriveError::Contradiction { .. }
            | RedriveError::Environment(_) => None,
        },
    }
}

fn lost() -> Fault {
    Fault {
        message: "nobody follows the redrive any more (a defect of this program)".to_owned(),
        hint: Some("r resumes it in the history".to_owned()),
    }
}

/// Work that waits for a disk or a processor.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Fault {
        message: "the task failed (a defect of this program)".to_owned(),
        hint: None,
    })
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use event::Verdict;

    use super::*;
    use redrive::{PLAN_SCHEMA_VERSION, PlanEntry, PlannedQueue, body_sha256};

    fn plan(environment: &str, queue_name: &str) -> Plan {
        let queue = |name: &str| PlannedQueue {
            name: name.to_owned(),
            url: format!("http://127.0.0.1:1/{name}"),
        };
        Plan {
            schema_version: PLAN_SCHEMA_VERSION,
            id: uuid::Uuid::now_v7(),
            created_at: Utc::now(),
            environment: environment.to_owned(),
            dead_letter_queue: queue(queue_name),
            destination: queue("source"),
            entries: ["one", "two"]
                .map(|message_id| PlanEntry {
                    message_id: message_id.to_owned(),
                    verdict: Verdict::Ready,
                    body_sha256: body_sha256("{}"),
                    receive_count: 1,
                    group_id: None,
                    edit: None,
                })
                .into(),
            skipped: Vec::new(),
            rate_per_sec: None,
            canary_steps: Vec::new(),
        }
    }

    #[test]
    fn history_is_newest_first_and_of_this_environment_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut newest = None;
        for (environment, queue) in [("a", "1"), ("b", "1"), ("a", "2"), ("a", "1")] {
            let plan = plan(environment, queue);
            newest = Some(
                Journal::create(folder.path(), &plan)
                    .unwrap()
                    .0
                    .path()
                    .to_owned(),
            );
        }
        let mut bytes = std::fs::read(newest.as_ref().unwrap()).unwrap();
        let last = bytes.len() - 5;
        bytes[last] ^= 1;
        let damaged = format!("{}.journal", uuid::Uuid::nil());
        std::fs::write(folder.path().join(&damaged), bytes).unwrap();
        // A process that another test is just starting holds the lock until its exec.
        let begun = Instant::now();
        while Journal::is_running(newest.as_ref().unwrap()).unwrap() {
            assert!(begun.elapsed() < Duration::from_secs(10));
            std::thread::yield_now();
        }
        let past = read_all(folder.path(), "a", "http://127.0.0.1:1/1").unwrap();
        assert_eq!(past.redrives.len(), 2);
        let first = past.redrives.first().unwrap();
        assert_eq!(Some(&first.journal), newest.as_ref());
        assert_eq!((first.planned, first.counts.waiting), (2, 2));
        assert!(first.is_resumable());
        assert!(past.unreadable.unwrap().contains(&damaged));
        let none = read_all(&folder.path().join("missing"), "a", "1").unwrap();
        assert_eq!(none, Past::default());
    }
}
