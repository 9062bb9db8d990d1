//! Carries out what is asked of the world.
//!
//! Invariant: each request is answered by exactly one reply, within its limit, whatever happens: a
//! failure, a hang and a panic are answers too.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::message::{Answer, Fault, Msg, Reply, Request, RequestId};
use crate::environment::Environment;
use crate::world::{World, WorldError};

/// Limit of a question.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Limit of a redrive; it shows its progress.
const REDRIVE_WITHIN: Duration = Duration::from_secs(3_600);
/// Limit of holding letters: several long polls.
const HOLD_WITHIN: Duration = Duration::from_secs(60);
/// Questions to one source at once.
const CONCURRENCY: usize = 4;
/// Letters held at most.
pub(super) const LETTERS_HELD_MAX: usize = 2_000;
/// How long letters are held; extended while they are looked at.
pub(super) const HOLD: Duration = Duration::from_secs(300);
/// How long history reaches back.
const HISTORY_WINDOW: Duration = Duration::from_secs(3_600);

/// The tasks that ask the world, and what they share. Dropping it ends them all.
#[derive(Debug)]
pub(super) struct Sources {
    environment: Environment,
    /// Name that the operator typed at start to allow changes in production.
    confirmation: Option<String>,
    world: Arc<OnceLock<World>>,
    queues: Arc<Semaphore>,
    metrics: Arc<Semaphore>,
    database: Arc<Semaphore>,
    api: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    tasks: JoinSet<()>,
    replies: mpsc::Sender<Msg>,
}

impl Sources {
    /// Sources of an environment that answer into `replies`. Nothing is connected yet.
    #[must_use]
    pub(super) fn new(
        environment: Environment,
        confirmation: Option<String>,
        replies: mpsc::Sender<Msg>,
    ) -> Self {
        let permits = |number| Arc::new(Semaphore::new(number));
        Self {
            environment,
            confirmation,
            world: Arc::new(OnceLock::new()),
            queues: permits(CONCURRENCY),
            metrics: permits(1),
            database: permits(CONCURRENCY),
            api: permits(1),
            writes: permits(1),
            tasks: JoinSet::new(),
            replies,
        }
    }

    /// Starts a request. Its reply comes as a message.
    pub(super) fn ask(&mut self, id: RequestId, request: Request) {
        // Finished tasks are let go of, so that the set stays as small as what is under way.
        while self.tasks.try_join_next().is_some() {}
        let permits = self.permits_of(&request);
        let replies = self.replies.clone();
        let world = Arc::clone(&self.world);
        let environment = self.environment.clone();
        let confirmation = self.confirmation.clone();
        self.tasks.spawn(async move {
            let topic = request.topic();
            let limit = limit_of(&request);
            let work = async {
                let _permit = permits.acquire().await;
                let world = connected(&world, &environment, confirmation.as_deref())
                    .map_err(|error| fault(&error))?;
                answer(&world, id, request, &replies).await
            };
            let result =
                match tokio::time::timeout(limit, AssertUnwindSafe(work).catch_unwind()).await {
                    Ok(Ok(result)) => result,
                    Ok(Err(_)) => Err(Fault {
                        message: "the task failed (a defect of this program)".to_owned(),
                        hint: None,
                    }),
                    Err(_) => Err(Fault {
                        message: format!("no answer within {} s", limit.as_secs()),
                        hint: Some("^r asks again".to_owned()),
                    }),
                };
            // The receiver is gone only when the console is being left.
            let _ = replies.send(Msg::Reply(Reply { id, topic, result })).await;
        });
    }

    /// The connection, if one was ever made.
    #[must_use]
    pub(super) fn world(&self) -> Option<World> {
        self.world.get().cloned()
    }

    fn permits_of(&self, request: &Request) -> Arc<Semaphore> {
        Arc::clone(match request {
            Request::Queue(_)
            | Request::HoldLetters
            | Request::ExtendHold(_)
            | Request::ReleaseLetters(_) => &self.queues,
            Request::History => &self.metrics,
            Request::Totals | Request::Records(_) | Request::Trace { .. } => &self.database,
            Request::ApiHealth => &self.api,
            Request::Redrive(_) | Request::Publish(_) | Request::Template(_) => &self.writes,
        })
    }
}

/// The connection; made by whoever needs it first.
fn connected(
    world: &OnceLock<World>,
    environment: &Environment,
    confirmation: Option<&str>,
) -> Result<World, WorldError> {
    if let Some(world) = world.get() {
        return Ok(world.clone());
    }
    let made = World::connect(environment)?;
    let made = match confirmation {
        Some(name) => made.confirmed(name),
        None => made,
    };
    Ok(world.get_or_init(|| made).clone())
}

const fn limit_of(request: &Request) -> Duration {
    match request {
        Request::Redrive(_) => REDRIVE_WITHIN,
        Request::HoldLetters => HOLD_WITHIN,
        Request::Queue(_)
        | Request::History
        | Request::Totals
        | Request::ApiHealth
        | Request::ExtendHold(_)
        | Request::ReleaseLetters(_)
        | Request::Records(_)
        | Request::Publish(_)
        | Request::Trace { .. }
        | Request::Template(_) => ANSWER_WITHIN,
    }
}

async fn answer(
    world: &World,
    id: RequestId,
    request: Request,
    replies: &mpsc::Sender<Msg>,
) -> Result<Answer, Fault> {
    let answered = match request {
        Request::Queue(role) => world.queue_snapshot(role).await.map(Answer::Queue),
        Request::History => world.history(HISTORY_WINDOW).await.map(Answer::History),
        Request::Totals => world.record_totals().await.map(Answer::Totals),
        Request::ApiHealth => world.api_health().await.map(Answer::ApiHealth),
        Request::HoldLetters => world
            .hold_dead_letters(LETTERS_HELD_MAX, HOLD)
            .await
            .map(Answer::Letters),
        Request::ExtendHold(handles) => world.extend_hold(&handles, HOLD).await.map(Answer::Count),
        Request::ReleaseLetters(handles) => world
            .release_dead_letters(&handles)
            .await
            .map(Answer::Count),
        Request::Redrive(letters) => {
            let progress = |done| {
                // A full channel only means that the screen is behind; the next one will do.
                let _ = replies.try_send(Msg::Progress { id, done });
            };
            world.redrive(letters, progress).await.map(Answer::Redriven)
        }
        Request::Records(query) => world.list_records(&query).await.map(Answer::Records),
        Request::Publish(body) => match world.publish(&[body]).await.into_iter().next() {
            Some(published) => published.map(Answer::Published),
            None => {
                return Err(Fault {
                    message: "nothing was sent".to_owned(),
                    hint: None,
                });
            }
        },
        Request::Trace {
            key,
            body,
            published,
        } => world
            .trace(key.as_ref(), &body, &published)
            .await
            .map(Answer::Traced),
        Request::Template(number) => Ok(Answer::Template(super::templates::fresh(number))),
    };
    answered.map_err(|error| fault(&error))
}

fn fault(error: &WorldError) -> Fault {
    Fault {
        message: error.to_string(),
        hint: Some(error.hint()),
    }
}
