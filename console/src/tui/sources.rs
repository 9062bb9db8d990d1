//! Carries out what is asked of the pipeline.
//!
//! Invariant: each request is answered by exactly one reply, within its limit, whatever happens: a
//! failure, a hang and a panic are answers too.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::message::Steering;
use super::message::{Answer, Fault, Msg, Reply, Request, RequestId};
use super::redrives::PAUSED_BY_OPERATOR;
use pipeline::environment::Environment;
use pipeline::{Authority, Pipeline, PipelineError};
use redrive::Control;

mod delete;
mod patch;
mod redrives;

/// Limit of waiting for other questions to the same source. The limit of the question itself
/// counts from then on.
const TURN_WITHIN: Duration = Duration::from_secs(20);
/// Limit of a question.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Limit of holding messages, which takes several long polls, and of giving back all of them.
const HOLD_WITHIN: Duration = Duration::from_secs(60);
/// Questions to one source at once.
const CONCURRENCY: usize = 4;
/// Messages held at most: SQS takes about 120,000 in flight (Amazon SQS quotas), and others need
/// some of them.
pub(super) const MESSAGES_HELD_MAX: usize = 100_000;
/// Messages of one question: the first ones are seen while the next ones are taken.
const MESSAGES_TAKEN_MAX: usize = 2_000;
/// Holds that one question extends: no more than its limit has time for.
pub(super) const EXTENDED_MAX: usize = 1_000;
/// How long messages are held; extended while they are looked at.
pub(super) const HOLD: Duration = Duration::from_secs(300);
/// How long history reaches back.
const HISTORY_WINDOW: Duration = Duration::from_secs(3_600);

/// The tasks that ask the pipeline, and what they share. Dropping it ends them all.
#[derive(Debug)]
pub(super) struct Sources {
    environment: Environment,
    authority: Authority,
    pipeline: Arc<OnceLock<Pipeline>>,
    queues: Arc<Semaphore>,
    metrics: Arc<Semaphore>,
    database: Arc<Semaphore>,
    api: Arc<Semaphore>,
    redrives: Arc<Semaphore>,
    journals: Arc<Semaphore>,
    programs: Arc<Semaphore>,
    publishes: Arc<Semaphore>,
    /// Tasks that may be ended at any time.
    questions: JoinSet<()>,
    /// Tasks that leave something half done when they are ended.
    changes: JoinSet<()>,
    /// The newest redrive and the handle by which it is steered.
    steered: Option<(RequestId, Control)>,
    replies: mpsc::Sender<Msg>,
}

impl Sources {
    /// Sources of an environment that answer into `replies`. Nothing is connected yet.
    #[must_use]
    pub(super) fn new(
        environment: Environment,
        authority: Authority,
        replies: mpsc::Sender<Msg>,
    ) -> Self {
        let permits = |number| Arc::new(Semaphore::new(number));
        Self {
            environment,
            authority,
            pipeline: Arc::new(OnceLock::new()),
            queues: permits(CONCURRENCY),
            metrics: permits(1),
            database: permits(CONCURRENCY),
            api: permits(1),
            redrives: permits(1),
            journals: permits(1),
            programs: permits(1),
            publishes: permits(1),
            questions: JoinSet::new(),
            changes: JoinSet::new(),
            steered: None,
            replies,
        }
    }

    /// Starts a request. Its reply comes as a message.
    pub(super) fn ask(&mut self, id: RequestId, request: Request) {
        // Finished tasks are let go of, so that the sets stay as small as what is under way.
        while self.questions.try_join_next().is_some() {}
        while self.changes.try_join_next().is_some() {}
        let control = self.control_of(id, &request);
        let tasks = if is_change(&request) {
            &mut self.changes
        } else {
            &mut self.questions
        };
        let shared = Shared {
            pipeline: Arc::clone(&self.pipeline),
            environment: self.environment.clone(),
            authority: self.authority.clone(),
            control,
            programs: Arc::clone(&self.programs),
            replies: self.replies.clone(),
        };
        let permits = match &request {
            Request::Queue(_)
            | Request::HoldMessages
            | Request::ExtendHold(_)
            | Request::ReleaseMessages(_)
            | Request::DeleteMessages(_) => Some(&self.queues),
            Request::History => Some(&self.metrics),
            Request::Totals | Request::Records(_) | Request::Trace { .. } | Request::DryRun(_) => {
                Some(&self.database)
            }
            Request::ApiHealth => Some(&self.api),
            Request::Redrive(_) | Request::ResumeRedrive(_) => Some(&self.redrives),
            Request::Redrives | Request::RedriveReport(_) => Some(&self.journals),
            Request::Publish(_) => Some(&self.publishes),
            // Made here: they wait for nobody.
            Request::Patch { .. }
            | Request::Judge { .. }
            | Request::Search { .. }
            | Request::ReadBody(_)
            | Request::Template(_) => None,
        }
        .map(Arc::clone);
        tasks.spawn(async move {
            let topic = request.topic();
            let result = in_turn(&shared, permits.as_deref(), id, request).await;
            // The receiver is gone only when the console is being left.
            let _ = shared
                .replies
                .send(Msg::Reply(Reply { id, topic, result }))
                .await;
        });
    }

    /// The console is being left: questions end unanswered, a redrive starts no further step.
    pub(super) fn stop(&mut self) {
        if let Some((_, control)) = &self.steered {
            control.cancel();
        }
        self.questions.abort_all();
    }

    /// Tells the redrive of a request what to do; one that has ended hears nothing.
    pub(super) fn steer(&self, id: RequestId, steering: Steering) {
        let Some((_, control)) = self.steered.as_ref().filter(|(running, _)| *running == id) else {
            return;
        };
        match steering {
            Steering::Pause => control.pause(PAUSED_BY_OPERATOR),
            Steering::GoOn => control.resume(),
            Steering::Cancel => control.cancel(),
            Steering::Rate(rate_per_sec) => control.set_rate(rate_per_sec),
        }
    }

    /// The handle by which the redrive of a request is steered; of no use to other requests.
    fn control_of(&mut self, id: RequestId, request: &Request) -> Control {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "only a redrive can be steered"
        )]
        let control = match request {
            Request::Redrive(draft) => Control::new(draft.rate_per_sec),
            Request::ResumeRedrive(_) => Control::new(None),
            _ => return Control::new(None),
        };
        self.steered = Some((id, control.clone()));
        control
    }

    /// Whether something is under way that would be left half done.
    pub(super) fn is_changing(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Waits until one of the changes under way has sent its reply; returns at once without any.
    pub(super) async fn change_ended(&mut self) {
        self.changes.join_next().await;
    }
}

/// What a task needs.
struct Shared {
    pipeline: Arc<OnceLock<Pipeline>>,
    environment: Environment,
    authority: Authority,
    control: Control,
    /// The permit of the one program that may run.
    programs: Arc<Semaphore>,
    replies: mpsc::Sender<Msg>,
}

/// Whether ending the request half way leaves something behind: messages that stay hidden or stand
/// in both queues, an event that nobody knows the fate of.
const fn is_change(request: &Request) -> bool {
    match request {
        Request::HoldMessages
        | Request::ReleaseMessages(_)
        | Request::DeleteMessages(_)
        | Request::Redrive(_)
        | Request::ResumeRedrive(_)
        | Request::Publish(_) => true,
        Request::Queue(_)
        | Request::History
        | Request::Totals
        | Request::ApiHealth
        | Request::ExtendHold(_)
        | Request::ReadBody(_)
        | Request::DryRun(_)
        | Request::Redrives
        | Request::RedriveReport(_)
        | Request::Patch { .. }
        | Request::Judge { .. }
        | Request::Search { .. }
        | Request::Records(_)
        | Request::Trace { .. }
        | Request::Template(_) => false,
    }
}

/// Waits for its turn, then carries the request out within its limit.
async fn in_turn(
    shared: &Shared,
    permits: Option<&Semaphore>,
    id: RequestId,
    request: Request,
) -> Result<Answer, Fault> {
    let late = |what: &str, limit: Duration| Fault {
        message: format!("{what} within {} s", limit.as_secs()),
        hint: Some("^r asks again".to_owned()),
    };
    let _permit = match permits {
        Some(permits) => Some(
            tokio::time::timeout(TURN_WITHIN, permits.acquire())
                .await
                .map_err(|_| {
                    late(
                        "not asked: earlier questions were not answered",
                        TURN_WITHIN,
                    )
                })?,
        ),
        None => None,
    };
    let limit = limit_of(&request);
    let work = async {
        let pipeline = connected(shared).map_err(|error| fault(&error))?;
        answer(&pipeline, id, request, shared).await
    };
    let work = async {
        AssertUnwindSafe(work)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| {
                Err(Fault {
                    message: "the task failed (a defect of this program)".to_owned(),
                    hint: None,
                })
            })
    };
    match limit {
        Some(limit) => tokio::time::timeout(limit, work)
            .await
            .unwrap_or_else(|_| Err(late("no answer", limit))),
        None => work.await,
    }
}

/// The connection; made by whoever needs it first.
fn connected(shared: &Shared) -> Result<Pipeline, PipelineError> {
    if let Some(pipeline) = shared.pipeline.get() {
        return Ok(pipeline.clone());
    }
    let made = Pipeline::connect(&shared.environment)?.with_authority(shared.authority.clone());
    Ok(shared.pipeline.get_or_init(|| made).clone())
}

/// Limit of a request, if it has one.
const fn limit_of(request: &Request) -> Option<Duration> {
    match request {
        // A change is never cut off before its end is in the audit log; all its calls have limits.
        Request::Redrive(_)
        | Request::ResumeRedrive(_)
        | Request::DeleteMessages(_)
        | Request::Publish(_) => None,
        Request::HoldMessages | Request::ReleaseMessages(_) => Some(HOLD_WITHIN),
        Request::Queue(_)
        | Request::History
        | Request::Totals
        | Request::ApiHealth
        | Request::ExtendHold(_)
        | Request::ReadBody(_)
        | Request::DryRun(_)
        | Request::Redrives
        | Request::RedriveReport(_)
        | Request::Patch { .. }
        | Request::Judge { .. }
        | Request::Search { .. }
        | Request::Records(_)
        | Request::Trace { .. }
        | Request::Template(_) => Some(ANSWER_WITHIN),
    }
}

async fn answer(
    pipeline: &Pipeline,
    id: RequestId,
    request: Request,
    shared: &Shared,
) -> Result<Answer, Fault> {
    let answered = match request {
        Request::Queue(role) => pipeline.queue_snapshot(role).await.map(Answer::Queue),
        Request::History => pipeline.history(HISTORY_WINDOW).await.map(Answer::History),
        Request::Totals => pipeline.record_totals().await.map(Answer::Totals),
        Request::ApiHealth => pipeline.api_health().await.map(Answer::ApiHealth),
        Request::HoldMessages => pipeline
            .hold_dead_letters(MESSAGES_TAKEN_MAX, HOLD)
            .await
            .map(Answer::Messages),
        Request::ExtendHold(handles) => pipeline
            .extend_hold(&handles, HOLD)
            .await
            .map(Answer::Extended),
        Request::ReleaseMessages(handles) => pipeline
            .release_dead_letters(&handles)
            .await
            .map(Answer::Count),
        Request::ReadBody(body) => {
            let text = redrives::blocking(move || body.text().map(Cow::into_owned)).await?;
            return text.map(Answer::Body).map_err(|error| Fault {
                message: error.to_string(),
                hint: None,
            });
        }
        Request::DeleteMessages(messages) => {
            return delete::delete(pipeline, messages)
                .await
                .map(Answer::Deleted);
        }
        Request::DryRun(draft) => {
            return redrives::dry_run(pipeline, &draft, &shared.authority)
                .await
                .map(Answer::DryRun);
        }
        Request::Redrive(draft) => {
            return redrives::begin(pipeline, id, draft, shared)
                .await
                .map(|end| Answer::Redriven(Box::new(end)));
        }
        Request::ResumeRedrive(path) => {
            return redrives::resume(pipeline, id, path, shared)
                .await
                .map(|end| Answer::Redriven(Box::new(end)));
        }
        Request::Redrives => return redrives::past(pipeline).await.map(Answer::Redrives),
        Request::RedriveReport(path) => {
            return redrives::report(path)
                .await
                .map(|report| Answer::RedriveReport(Box::new(report)));
        }
        Request::Patch { program, messages } => {
            return patch::patch(pipeline, &shared.programs, program, messages)
                .await
                .map(Answer::Patched);
        }
        Request::Judge { message, new_body } => {
            return patch::judge(pipeline, message, new_body)
                .await
                .map(Answer::Patched);
        }
        Request::Search { query, messages } => {
            return patch::search(&shared.programs, query, messages)
                .await
                .map(Answer::Found);
        }
        Request::Records(query) => pipeline.list_records(&query).await.map(Answer::Records),
        Request::Publish(body) => {
            let details = json!({ "event": event::peek_identity(&body) });
            let never = CancellationToken::new();
            let published = pipeline.publish_one(&body, details, &never).await;
            published.map(Answer::Published)
        }
        Request::Trace {
            key,
            body,
            published,
        } => pipeline
            .trace(key.as_ref(), &body, &published)
            .await
            .map(Answer::Traced),
        Request::Template(number) => Ok(Answer::Template(super::templates::fresh(number))),
    };
    answered.map_err(|error| fault(&error))
}

fn fault(error: &PipelineError) -> Fault {
    Fault {
        message: error.to_string(),
        hint: Some(error.hint()),
    }
}
