//! Executes what is requested of the pipeline.
//!
//! Invariant: each request is answered by exactly one reply, within its limit, whatever happens: a
//! failure, a hang and a panic are answers too.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::redrives::blocking;
use self::shared::{Shared, fault};
use super::effect::RunControl;
use super::fault::Fault;
use super::limits::{MESSAGES_PER_RECEIVE_MAX, VISIBILITY_TIMEOUT};
use super::message::Msg;
use super::request::{ReplyTo, Request, RequestId, Sought};
use pipeline::environment::Environment;
use pipeline::{Authority, Pipeline, PipelineError};
use redrive::{Control, Pause};

mod delete;
mod patch;
mod redrives;
mod shared;

/// Limit of waiting for earlier requests to the same source. The limit of the request itself
/// counts from then on.
const PERMIT_WITHIN: Duration = Duration::from_secs(20);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Limit of receiving messages, which takes several long polls, and of releasing all of them.
const RECEIVE_WITHIN: Duration = Duration::from_secs(60);
/// Requests to one source at once.
const CONCURRENCY: usize = 4;
/// How long history reaches back.
const HISTORY_WINDOW: Duration = Duration::from_secs(3_600);

/// What answers a request; each has permits of its own, so that one that hangs blocks no other.
#[derive(Clone, Copy, Debug)]
enum Source {
    Queues,
    Metrics,
    Database,
    Api,
    Topic,
    Redrives,
    Journals,
    /// This process: needs no permit.
    Local,
}

/// How a request is executed.
#[derive(Clone, Copy, Debug)]
struct Rules {
    source: Source,
    within: Option<Duration>,
    /// Whether ending it half way leaves something behind: messages that stay hidden or stand in
    /// both queues, an event of which nobody knows whether it was sent.
    is_change: bool,
}

const fn read(source: Source) -> Rules {
    Rules {
        source,
        within: Some(ANSWER_WITHIN),
        is_change: false,
    }
}

const fn change(source: Source, within: Option<Duration>) -> Rules {
    Rules {
        source,
        within,
        is_change: true,
    }
}

#[derive(Debug)]
struct Permits {
    queues: Arc<Semaphore>,
    metrics: Arc<Semaphore>,
    database: Arc<Semaphore>,
    api: Arc<Semaphore>,
    topic: Arc<Semaphore>,
    redrives: Arc<Semaphore>,
    journals: Arc<Semaphore>,
}

impl Permits {
    fn new() -> Self {
        let permits = |number| Arc::new(Semaphore::new(number));
        Self {
            queues: permits(CONCURRENCY),
            metrics: permits(1),
            database: permits(CONCURRENCY),
            api: permits(1),
            topic: permits(1),
            redrives: permits(1),
            journals: permits(1),
        }
    }

    fn of(&self, source: Source) -> Option<Arc<Semaphore>> {
        Some(Arc::clone(match source {
            Source::Queues => &self.queues,
            Source::Metrics => &self.metrics,
            Source::Database => &self.database,
            Source::Api => &self.api,
            Source::Topic => &self.topic,
            Source::Redrives => &self.redrives,
            Source::Journals => &self.journals,
            Source::Local => return None,
        }))
    }
}

/// The tasks that access the pipeline, and what they share. Dropping it ends them all.
#[derive(Debug)]
pub(super) struct Sources {
    shared: Shared,
    permits: Permits,
    /// Tasks that may be ended at any time.
    reads: JoinSet<()>,
    /// Tasks that leave something half done when they are ended.
    changes: JoinSet<()>,
    /// The newest redrive and the handle that controls it.
    controlled: Option<(RequestId, Control)>,
}

impl Sources {
    /// Sources of an environment that answer into `replies`. Nothing is connected yet.
    pub(super) fn new(
        environment: Environment,
        authority: Authority,
        replies: mpsc::Sender<Msg>,
    ) -> Self {
        Self {
            shared: Shared::new(environment, authority, replies),
            permits: Permits::new(),
            reads: JoinSet::new(),
            changes: JoinSet::new(),
            controlled: None,
        }
    }

    /// Starts a request. Its reply comes as a message.
    pub(super) fn start(&mut self, request: Request) {
        use Source::{Api, Database, Journals, Local, Metrics, Queues, Redrives, Topic};
        let received = Some(RECEIVE_WITHIN);
        match request {
            Request::Queue(role, to) => self.ask(read(Queues), to, move |pipeline| async move {
                pipeline.queue_snapshot(role).await
            }),
            Request::History(to) => self.ask(read(Metrics), to, |pipeline| async move {
                pipeline.history(HISTORY_WINDOW).await
            }),
            Request::Totals(to) => self.ask(read(Database), to, |pipeline| async move {
                pipeline.record_totals().await
            }),
            Request::ApiHealth(to) => self.ask(read(Api), to, |pipeline| async move {
                pipeline.api_health().await
            }),
            Request::ReceiveMessages(to) => {
                self.ask(change(Queues, received), to, |pipeline| async move {
                    let (most, hidden) = (MESSAGES_PER_RECEIVE_MAX, VISIBILITY_TIMEOUT);
                    pipeline.hold_dead_letters(most, hidden).await
                });
            }
            Request::ExtendVisibility(handles, to) => {
                self.ask(read(Queues), to, |pipeline| async move {
                    pipeline.extend_hold(&handles, VISIBILITY_TIMEOUT).await
                });
            }
            Request::ReleaseMessages(handles, to) => {
                self.ask(change(Queues, received), to, |pipeline| async move {
                    pipeline.release_dead_letters(&handles).await
                });
            }
            Request::ReadBody(body, to) => self.run(read(Local), to, |_| async {
                let text = blocking(move || body.text().map(Cow::into_owned)).await?;
                text.map_err(|error| Fault::new(error.to_string()))
            }),
            // Its calls have limits of their own, and their number is the operator's choice.
            Request::DeleteMessages(messages, to) => {
                self.run(change(Queues, None), to, |shared| async move {
                    delete::delete(&shared.pipeline()?, messages).await
                });
            }
            Request::DryRun(draft, to) => self.run(read(Database), to, |shared| async move {
                redrives::dry_run(&shared.pipeline()?, &draft, &shared.authority).await
            }),
            // It may take days, and waits for the operator; all its calls have limits.
            Request::Redrive(draft, to) => {
                let id = self.controlled_by(to.id(), draft.rate_per_sec);
                self.run(change(Redrives, None), to, move |shared| async move {
                    redrives::begin(&shared.pipeline()?, id, draft, &shared).await
                });
            }
            Request::ResumeRedrive(journal, to) => {
                let id = self.controlled_by(to.id(), None);
                self.run(change(Redrives, None), to, move |shared| async move {
                    redrives::resume(&shared.pipeline()?, id, journal, &shared).await
                });
            }
            Request::Redrives(to) => self.run(read(Journals), to, |shared| async move {
                redrives::past(&shared.pipeline()?, shared.journals).await
            }),
            Request::RedriveReport(journal, to) => {
                self.run(read(Journals), to, |shared| {
                    redrives::report(journal, shared.journals)
                });
            }
            Request::Patch(program, messages, to) => {
                self.run(read(Local), to, |shared| async move {
                    let pipeline = shared.pipeline()?;
                    patch::patch(&pipeline, &shared.programs, program, messages).await
                });
            }
            Request::Judge(message, new_body, to) => {
                self.run(read(Local), to, |shared| async move {
                    patch::judge(&shared.pipeline()?, message, new_body).await
                });
            }
            Request::Search(query, messages, to) => {
                self.run(read(Local), to, |shared| async move {
                    patch::search(&shared.programs, query, messages).await
                });
            }
            Request::Records(query, to) => {
                self.ask(read(Database), to, |pipeline| async move {
                    pipeline.list_records(&query).await
                });
            }
            Request::Publish(body, to) => {
                // Never cut off before its end is in the audit log; its calls have limits.
                self.ask(change(Topic, None), to, |pipeline| async move {
                    let details = json!({ "event": event::peek_identity(&body) });
                    let never = CancellationToken::new();
                    pipeline.publish_one(&body, details, &never).await
                });
            }
            Request::Trace(sought, to) => self.ask(read(Database), to, |pipeline| async move {
                let Sought {
                    key,
                    body,
                    published,
                } = sought;
                pipeline.trace(key.as_ref(), &body, &published).await
            }),
            Request::Template(number, to) => self.run(read(Local), to, move |_| async move {
                Ok(super::templates::fresh(number))
            }),
        }
    }

    /// Runs what needs the pipeline alone.
    fn ask<T, W>(
        &mut self,
        rules: Rules,
        to: ReplyTo<T>,
        work: impl FnOnce(Pipeline) -> W + Send + 'static,
    ) where
        T: Send + 'static,
        W: Future<Output = Result<T, PipelineError>> + Send,
    {
        self.run(rules, to, |shared| async move {
            work(shared.pipeline()?)
                .await
                .map_err(|error| fault(&error))
        });
    }

    fn run<T, W>(
        &mut self,
        rules: Rules,
        to: ReplyTo<T>,
        work: impl FnOnce(Shared) -> W + Send + 'static,
    ) where
        T: Send + 'static,
        W: Future<Output = Result<T, Fault>> + Send,
    {
        // Finished tasks are removed, so that the sets stay as small as what is under way.
        while self.reads.try_join_next().is_some() {}
        while self.changes.try_join_next().is_some() {}
        let mut shared = self.shared.clone();
        if let Some((_, control)) = self.controlled.as_ref().filter(|(id, _)| *id == to.id()) {
            shared.control = control.clone();
        }
        let replies = shared.replies.clone();
        let permits = self.permits.of(rules.source);
        let task = async move {
            let result = limited(rules, permits, async { work(shared).await }).await;
            // The receiver is gone only when the console is being left.
            let reply = Msg::Reply(Box::new(to.answer(result)));
            let _ = replies.send(reply).await;
        };
        if rules.is_change {
            self.changes.spawn(task);
        } else {
            self.reads.spawn(task);
        }
    }

    /// The console is being left: reads end unanswered, a redrive starts no further step.
    pub(super) fn stop(&mut self) {
        if let Some((_, control)) = &self.controlled {
            control.cancel();
        }
        self.reads.abort_all();
    }

    /// A redrive is not even waited for: its end is put on record, and a resume settles the rest.
    pub(super) fn stop_at_once(&self) {
        if let Some((_, control)) = &self.controlled {
            control.stop();
        }
    }

    /// Controls the redrive of a request; nothing happens where it has ended.
    pub(super) fn control(&self, id: RequestId, change: RunControl) {
        let running = self.controlled.as_ref();
        let Some((_, control)) = running.filter(|(running, _)| *running == id) else {
            return;
        };
        match change {
            RunControl::Pause => control.pause(Pause::Operator),
            RunControl::Continue => control.resume(),
            RunControl::Cancel => control.cancel(),
            RunControl::Rate(rate_per_sec) => control.set_rate(rate_per_sec),
        }
    }

    fn controlled_by(&mut self, id: RequestId, rate_per_sec: Option<f64>) -> RequestId {
        self.controlled = Some((id, Control::new(rate_per_sec)));
        id
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

/// Waits for a permit, then for the work, each within its limit. A panic is a failure.
async fn limited<T>(
    rules: Rules,
    permits: Option<Arc<Semaphore>>,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let late = |what: &str, limit: Duration| Fault {
        message: format!("{what} within {} s", limit.as_secs()),
        hint: Some("^r tries again".to_owned()),
    };
    let _permit = match &permits {
        Some(permits) => Some(
            tokio::time::timeout(PERMIT_WITHIN, permits.acquire())
                .await
                .map_err(|_| {
                    let what = "not sent: earlier requests were not answered";
                    late(what, PERMIT_WITHIN)
                })?,
        ),
        None => None,
    };
    let work = AssertUnwindSafe(work).catch_unwind();
    let ended = match rules.within {
        Some(limit) => tokio::time::timeout(limit, work)
            .await
            .map_err(|_| late("no answer", limit))?,
        None => work.await,
    };
    ended.unwrap_or_else(|_| Err(Fault::new("the task failed (a defect of this program)")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::request::{Answer, Reply};

    fn rules(within: Option<Duration>, is_change: bool) -> Rules {
        Rules {
            source: Source::Journals,
            within,
            is_change,
        }
    }

    fn sources() -> (Sources, mpsc::Receiver<Msg>) {
        let (sender, replies) = mpsc::channel(16);
        let environment = Environment::example();
        (
            Sources::new(environment, Authority::default(), sender),
            replies,
        )
    }

    fn to(number: u64) -> ReplyTo<String> {
        ReplyTo::new(RequestId(number), Reply::Body)
    }

    fn body(msg: Msg) -> Answer<String> {
        let Msg::Reply(reply) = msg else {
            panic!("{msg:?}")
        };
        let Reply::Body(answer) = *reply else {
            panic!("{reply:?}")
        };
        answer
    }

    #[tokio::test]
    async fn success_failure_hang_and_panic_are_each_answered_once() {
        let (mut sources, mut replies) = sources();
        let limited = rules(Some(Duration::ZERO), false);
        sources.run(limited, to(1), |_| async { Ok("text".to_owned()) });
        sources.run(limited, to(2), |_| async { Err(Fault::new("refused")) });
        sources.run(limited, to(3), |_| std::future::pending());
        sources.run(limited, to(4), |_| async { panic!("a defect") });
        let expected = [
            Ok("text"),
            Err("refused"),
            Err("no answer within 0 s"),
            Err("the task failed (a defect of this program)"),
        ];
        for (id, expected) in (1..).map(RequestId).zip(expected) {
            let answer = body(replies.recv().await.unwrap());
            assert!(answer.is_to(id));
            let result = answer.into_result().map_err(|fault| fault.message);
            assert_eq!(result, expected.map(str::to_owned).map_err(str::to_owned));
        }
        drop(sources);
        assert!(replies.recv().await.is_none(), "nothing more comes");
    }

    #[tokio::test]
    async fn changes_are_finished_and_reads_are_not_when_the_console_is_left() {
        let (mut sources, mut replies) = sources();
        sources.run(rules(None, false), to(1), |_| std::future::pending());
        assert!(!sources.is_changing());
        let change = Rules {
            source: Source::Local,
            ..rules(None, true)
        };
        sources.run(change, to(2), |_| async { Ok(String::new()) });
        sources.stop();
        assert!(sources.is_changing());
        sources.change_ended().await;
        assert!(body(replies.recv().await.unwrap()).is_to(RequestId(2)));
        assert!(!sources.is_changing());
    }
}
