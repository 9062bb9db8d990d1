//! Redrives of the screens: dry runs, runs with their progress, the history.
//!
//! Invariant: as in [`redrive::operations`]; this only converts between its types and those of the
//! screens.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::leases::Reserved;
use super::progress::PROGRESS_EVERY;
use super::shared::{Journals, Shared};
use crate::tui::fault::Fault;
use crate::tui::format::clock;
use crate::tui::lines::message_count;
use crate::tui::message::Msg;
use crate::tui::redrives::{Draft, DryRun, Past, PastRedrive, Progress, RunEnd};
use crate::tui::request::RequestId;
use pipeline::model::{DeadLetter, QueueRole};
use pipeline::{Authority, Pipeline, PipelineError};
use redrive::operations::history::{History, HistoryLimits};
use redrive::operations::{self, check_permission};
use redrive::{
    Counts, Journal, Kind, MessageOutcome, MessageReport, Plan, PlanOptions, RedriveError, Report,
    RunOptions, State, Summary, dry_run as proved,
};

/// What is read for the history: within the limit of a question.
const HISTORY_LIMITS: HistoryLimits = HistoryLimits {
    redrives_max: 100,
    journals_max: 100,
    within: Duration::from_secs(5),
};

/// What a draft would send: its messages are judged again, as `redrive plan` judges what it receives. Nothing is
/// written, nothing is sent.
pub(super) async fn dry_run(
    pipeline: &Pipeline,
    draft: &Draft,
    authority: &Authority,
) -> Result<DryRun, Fault> {
    let permitted = check_permission(&with_reason(pipeline, draft, authority), Kind::Redrive);
    let judging = pipeline.judge_again(draft.received().cloned().collect());
    let judged = judging
        .await
        .map_err(|error| Fault::new(error.to_string()))?;
    let draft = &draft.judged(judged.messages.clone());
    let plan = plan_of(pipeline, draft).await?;
    let messages: Vec<_> = draft.received().cloned().collect();
    let kept_back = plan
        .skipped
        .get(draft.skipped.len()..)
        .unwrap_or_default()
        .to_vec();
    let sends = blocking(move || proved(&plan, &messages)).await?;
    let mut dry = DryRun {
        kept_back,
        is_ledger_checked: (!judged.messages.is_empty()).then_some(judged.ledger_error.is_none()),
        judged: judged.messages,
        refusal: permitted.err().as_ref().map(Fault::from),
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
            dry.copies += usize::from(send.verdict == event::Verdict::Ready && send.is_copy);
            dry.bytes += send.bytes;
        }
    }
    Ok(dry)
}

/// Runs a redrive from its first message.
pub(super) async fn begin(
    pipeline: &Pipeline,
    id: RequestId,
    draft: Draft,
    reserved: &Reserved,
    shared: &Shared,
) -> Result<RunEnd, Fault> {
    let pipeline = with_reason(pipeline, &draft, &shared.authority);
    check_permission(&pipeline, Kind::Redrive).map_err(|error| Fault::from(&error))?;
    let plan = plan_of(&pipeline, &draft).await?;
    let journal = operations::begin(&pipeline, plan)
        .await
        .map_err(|error| redrive_fault(&error))?;
    // The messages are leased here: one whose lease was lost belongs to another consumer.
    let options = RunOptions {
        searches: false,
        ..RunOptions::default()
    };
    let messages = reserved.with_handles(draft.received().cloned());
    let end = follow(&pipeline, id, journal, &messages, &options, shared).await;
    let ids: Vec<String> = draft.message_ids().map(str::to_owned).collect();
    let left = match &end {
        Ok(end) => left(&end.report),
        Err(_) => draft.message_ids().collect(),
    };
    reserved.keep_left(&left, &ids, Utc::now());
    end
}

/// Messages that are in the dead-letter queue still.
fn left(report: &Report) -> HashSet<&str> {
    let messages = report.messages.iter();
    let is_left = |message: &&MessageReport| message.outcome != MessageOutcome::Moved;
    let ids = messages.filter(is_left);
    ids.map(|message| message.message_id.as_str()).collect()
}

/// Continues a redrive where its journal ends.
pub(super) async fn resume(
    pipeline: &Pipeline,
    id: RequestId,
    path: PathBuf,
    shared: &Shared,
) -> Result<RunEnd, Fault> {
    let journal = operations::open(path)
        .await
        .map_err(|error| redrive_fault(&error))?;
    let kind = journal.1.plan().kind();
    check_permission(pipeline, kind).map_err(|error| Fault::from(&error))?;
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
    let first = Progress {
        journal: path.clone(),
        created_at: journal.1.plan().created_at,
        kind: journal.1.plan().kind(),
        replaces: Summary::of(&journal.1).replaces.unwrap_or(0),
        planned: journal.1.plan().entries.len(),
        canary_steps: journal.1.plan().canary_steps.clone(),
        counts: journal.1.counts(),
        command: control.command(),
        wait: control.wait(),
        rate_per_sec: control.rate_per_sec(),
    };
    let (sender, counts) = watch::channel(first.counts);
    let end = tokio::select! {
        end = operations::execute(pipeline, journal, messages, control, options, sender) => end,
        never = send_progress(id, first, counts, shared) => match never {},
    };
    let end = end.map_err(|error| redrive_fault(&error))?;
    Ok(RunEnd {
        report: end.report,
        past: Box::new(past_redrive(path, end.summary)),
        error: end.error.as_ref().map(end_text),
    })
}

/// Why a redrive stopped, with the messages of others that may stay hidden: no journal has them.
fn end_text(error: &RedriveError) -> String {
    let mut text = error.to_string();
    if let RedriveError::Interrupted { others } = error
        && let Some(until) = others.until.filter(|_| others.messages_max > 0)
    {
        text.push_str(&format!(
            "; up to {} of others may stay hidden until {} UTC",
            message_count(others.messages_max),
            clock(until)
        ));
    }
    text
}

/// Sends the progress of a redrive whenever it changed.
async fn send_progress(
    id: RequestId,
    mut sent: Progress,
    counts: watch::Receiver<Counts>,
    shared: &Shared,
) -> std::convert::Infallible {
    let mut tick = tokio::time::interval(PROGRESS_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_first = true;
    loop {
        tick.tick().await;
        let now = Progress {
            counts: *counts.borrow(),
            command: shared.control.command(),
            wait: shared.control.wait(),
            rate_per_sec: shared.control.rate_per_sec(),
            ..sent.clone()
        };
        if now == sent && !is_first {
            continue;
        }
        let progress = Box::new(now.clone());
        // A full channel only means that the screen is behind; it is sent again.
        if shared.replies.try_send(Msg::Progress(id, progress)).is_ok() {
            sent = now;
            is_first = false;
        }
    }
}

/// What the redrive of a journal did; it may be running.
pub(super) async fn report(path: PathBuf, journals: Journals) -> Result<Report, Fault> {
    let turn = journals.lock_owned().await;
    let read = blocking(move || {
        let read = Journal::read(&path);
        drop(turn);
        read
    });
    read.await?
        .map(|state| Report::of(&state))
        .map_err(|error| redrive_fault(&error))
}

/// The redrives of this environment, newest first.
pub(super) async fn past(pipeline: &Pipeline, journals: Journals) -> Result<Past, Fault> {
    let environment = pipeline.environment().name.clone();
    let queue_url = pipeline.queue_url(QueueRole::DeadLetter).to_owned();
    let mut reader = journals.lock_owned().await;
    let history = blocking(move || {
        reader.history(&Journal::folder_of_user()?, HISTORY_LIMITS, |past| {
            let summary = past.summary.as_ref();
            summary.map_or(true, |summary| summary.is_of(&environment, &queue_url))
        })
    });
    history
        .await?
        .map(past_of)
        .map_err(|error| redrive_fault(&error))
}

fn past_of(history: History) -> Past {
    let mut past = Past {
        is_truncated: history.is_truncated,
        ..Past::default()
    };
    for redrive in history.redrives {
        match redrive.summary {
            Ok(summary) => {
                past.redrives.push(PastRedrive {
                    is_running: redrive.is_running,
                    pause: redrive.pause,
                    ..past_redrive(redrive.journal, summary)
                });
            }
            // Nothing was sent under it.
            Err(RedriveError::Empty(_)) => {}
            Err(error) => {
                past.unreadable.get_or_insert(error.to_string());
            }
        }
    }
    past
}

fn past_redrive(journal: PathBuf, summary: Summary) -> PastRedrive {
    PastRedrive {
        journal,
        is_running: false,
        pause: None,
        kind: summary.kind,
        replaces: summary.replaces.unwrap_or(0),
        created_at: summary.created_at,
        planned: summary.planned,
        canary_steps: summary.canary_steps,
        skipped: summary.skipped,
        edited: summary.edited,
        counts: summary.counts,
        ending: summary.ending,
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
    operations::freeze(pipeline, &messages, options)
        .await
        .map_err(|error| redrive_fault(&error))
}

fn redrive_fault(error: &RedriveError) -> Fault {
    Fault {
        message: error.to_string(),
        may_have_happened: false,
        is_not_configured: false,
        is_unreachable: false,
        is_not_permitted: false,
        hint: match error {
            RedriveError::Pipeline(error) => Some(PipelineError::hint(error)),
            RedriveError::File { .. } => {
                Some("nothing was sent; see that the folder can be written".to_owned())
            }
            RedriveError::Plan(_)
            | RedriveError::PlanFile { .. }
            | RedriveError::Damaged { .. }
            | RedriveError::Newer { .. }
            | RedriveError::Interrupted { .. }
            | RedriveError::Empty(_)
            | RedriveError::Begun(_)
            | RedriveError::InUse(_)
            | RedriveError::Stopped(_)
            | RedriveError::Contradiction { .. }
            | RedriveError::Task(_)
            | RedriveError::Read(_)
            | RedriveError::Environment(_) => None,
        },
    }
}

/// Work that waits for a disk or a processor.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Fault {
        message: "the task failed (a defect of this program)".to_owned(),
        hint: None,
        ..Fault::default()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use event::Verdict;
    use pipeline::Hidden;
    use pipeline::environment::Environment;

    use super::*;
    use crate::tui::redrives::DraftMessage;
    use crate::tui::screens::dead_letters::tests::fixtures;

    /// Of an environment without a ledger: what it says was never looked up.
    #[tokio::test]
    async fn dry_run_asks_the_ledger_about_what_it_would_send() {
        let pipeline = Pipeline::connect(&Environment {
            database_url: None,
            api_url: None,
            ..Environment::example()
        })
        .unwrap();
        let message = fixtures::message(1, chrono::Duration::hours(1), &fixtures::valid_body(1));
        let draft = Draft {
            messages: Arc::new(vec![DraftMessage {
                message,
                new_body: None,
            }]),
            skipped: Vec::new(),
            rate_per_sec: None,
            canary_steps: Vec::new(),
            reason: None,
            includes_all: false,
        };
        let dry = dry_run(&pipeline, &draft, &Authority::default()).await;
        let dry = dry.unwrap();
        assert_eq!((dry.sent, dry.is_ledger_checked), (1, Some(false)));
        assert_eq!(dry.judged.len(), 1);
    }

    #[test]
    fn event_that_is_stored_by_now_is_in_the_plan_only_where_all_are_meant() {
        let message = fixtures::message(1, chrono::Duration::hours(1), &fixtures::valid_body(1));
        let stored = fixtures::stored(message.clone());
        let draft = |includes_all| Draft {
            messages: Arc::new(vec![DraftMessage {
                message: message.clone(),
                new_body: None,
            }]),
            skipped: Vec::new(),
            rate_per_sec: None,
            canary_steps: Vec::new(),
            reason: None,
            includes_all,
        };
        let sent = |includes_all| draft(includes_all).judged(vec![stored.clone()]).messages;
        assert_eq!(sent(false).len(), 0);
        assert_eq!(sent(true).len(), 1);
        assert_eq!(sent(true)[0].message.verdict, Verdict::AlreadyStored);
    }

    #[test]
    fn redrive_that_was_stopped_at_once_names_the_messages_of_others_that_stay_hidden() {
        let stopped = |messages_max| RedriveError::Interrupted {
            others: Hidden {
                messages_max,
                until: "2026-11-24T14:05:00Z".parse().ok(),
            },
        };
        let text = end_text(&stopped(40));
        let part = "up to 40 messages of others may stay hidden until 14:05:00 UTC";
        assert!(text.contains(part), "{text}");
        assert!(!end_text(&stopped(0)).contains("hidden"));
    }
}
