//! Executes what is requested of the pipeline.
//!
//! Invariant: each request is answered by exactly one reply, within its limit, whatever happens: a
//! failure, a hang and a panic are answers too.

use std::borrow::Cow;
use std::time::Duration;

use chrono::Utc;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::progress::with_progress;
use self::redrives::blocking;
use self::rules::{Permits, Rules, Source, Work, change, lease, limited, many_reads, read, trace};
use self::shared::Shared;
use super::configuration::Configuration;
use super::effect::RunControl;
use super::fault::Fault;
use super::message::Msg;
use super::polling::Polling;
use super::request::{ReplyTo, Request, RequestId, Sought};
use pipeline::environment::{Environment, Folders};
use pipeline::probe::ProbeSettings;
use pipeline::{Authority, BodyError, Pipeline, PipelineError, QuestionLimits};
use redrive::{Control, Pause};

mod changes;
mod delete;
mod environments;
mod leases;
mod patch;
mod progress;
mod redrives;
mod rules;
mod saved;
mod shared;

/// What a question in SQL may take.
const SQL_LIMITS: QuestionLimits = QuestionLimits {
    rows: 1_000,
    bytes: 8 * 1024 * 1024,
    time: Duration::from_secs(30),
};

/// How long history reaches back.
const HISTORY_WINDOW: Duration = Duration::from_secs(3_600);

/// The dead letters are searched by the time line alone, and there by a key.
const PROBE: ProbeSettings = ProbeSettings {
    hop_limit: Duration::from_secs(30),
    search_dead_letters: false,
};

/// The tasks that access the pipeline, and what they share. Dropping it ends them all.
#[derive(Debug)]
pub(super) struct Sources {
    shared: Shared,
    permits: Permits,
    /// Tasks that may be ended at any time.
    reads: JoinSet<()>,
    /// Tasks that leave messages hidden when they are ended.
    leases: JoinSet<()>,
    /// Tasks that leave something half done when they are ended.
    changes: JoinSet<()>,
    /// The newest redrive and the handle that controls it.
    controlled: Option<(RequestId, Control)>,
    /// Ends the newest peek.
    peeking: CancellationToken,
    /// The newest question in SQL and what cancels it.
    asked: Option<(RequestId, CancellationToken)>,
    /// The newest call to the API that an operator composed, and what cancels it.
    called: Option<(RequestId, CancellationToken)>,
    /// Cancelled when the console is being left.
    leaving: CancellationToken,
}

impl Sources {
    /// Sources of an environment that answer into `replies`. Nothing is connected yet.
    pub(super) fn new(
        environment: Environment,
        authority: Authority,
        configuration: Configuration,
        replies: mpsc::Sender<Msg>,
    ) -> Self {
        Self {
            shared: Shared::new(environment, authority, configuration, replies),
            permits: Permits::new(),
            reads: JoinSet::new(),
            leases: JoinSet::new(),
            changes: JoinSet::new(),
            controlled: None,
            peeking: CancellationToken::new(),
            asked: None,
            called: None,
            leaving: CancellationToken::new(),
        }
    }

    /// Starts a request. Its reply comes as a message.
    pub(super) fn start(&mut self, request: Request) {
        use Source::{
            Api, Calls, Changes, Database, Environments, Journals, Local, Logs, Metrics, Queues,
            Redrives, Setup, Topic,
        };
        match request {
            Request::Queue(role, to) => self.ask(read(Queues), to, move |pipeline| async move {
                if Polling::ages_are_in_history(pipeline.environment()) {
                    pipeline.queue_state(role).await
                } else {
                    pipeline.queue_snapshot(role).await
                }
            }),
            Request::History(to) => self.ask(read(Metrics), to, |pipeline| async move {
                pipeline.history(HISTORY_WINDOW).await
            }),
            Request::LongHistory(asked, to) => {
                self.ask(read(Metrics), to, move |pipeline| async move {
                    let (part, window) = (asked.part, asked.window);
                    let read = pipeline.long_history(part, window, asked.period_secs);
                    read.await.map(Box::new)
                });
            }
            Request::Changes(to) => self.run(read(Changes), to, |shared| async move {
                changes::read(&shared.pipeline()?).await
            }),
            Request::AlarmStates(to) => self.ask(read(Metrics), to, |pipeline| async move {
                pipeline.alarm_states().await
            }),
            // A paused database resumes first.
            Request::Storage(to) => self.ask(many_reads(Database), to, |pipeline| async move {
                pipeline.open_tunnel();
                pipeline.storage(Utc::now()).await
            }),
            Request::Deployment(to) => self.ask(read(Changes), to, |pipeline| async move {
                pipeline.ingest_deployed_at().await
            }),
            Request::Totals(to) => self.ask(read(Database), to, |pipeline| async move {
                pipeline.open_tunnel();
                pipeline.record_totals().await
            }),
            Request::ApiHealth(to) => self.ask(read(Api), to, |pipeline| async move {
                pipeline.api_health().await
            }),
            Request::RaisedAlarms(to) => self.ask(read(Metrics), to, |pipeline| async move {
                pipeline.raised_alarms().await
            }),
            Request::ErrorBudgets(to) => self.ask(read(Metrics), to, |pipeline| async move {
                pipeline.error_budgets(Utc::now()).await
            }),
            Request::ReceiveMessages(to) => {
                let receiving = self.shared.leases().map(|leases| leases.receive());
                self.run(lease(), to, |_| async move { receiving?.await });
            }
            Request::ExtendLeases(to) => {
                let extending = self.shared.leases().map(|leases| leases.extend());
                self.run(lease(), to, |_| async move { Ok(extending?.await) });
            }
            Request::ReleaseMessages(to) => {
                let releasing = self.shared.leases().map(|leases| leases.release());
                self.run(lease(), to, |_| async move { Ok(releasing?.await) });
            }
            Request::PeekPrice(to) => self.ask(read(Queues), to, |pipeline| async move {
                pipeline.peek_price().await
            }),
            // Never cut off before its messages are released and its end is in the audit log; its calls have limits.
            Request::PeekQueue(messages_max, to) => {
                self.peeking = self.leaving.child_token();
                let cancel = self.peeking.clone();
                self.run(change(Queues), to, move |shared| async move {
                    let (pipeline, leases) = (shared.pipeline()?, shared.peeked()?);
                    let peeking = pipeline.peek_queue(&leases, messages_max, &cancel);
                    peeking.await.map_err(|error| Fault::from(&error))
                });
            }
            Request::ReleasePeeked(to) => {
                self.peeking.cancel();
                self.run(lease(), to, |shared| async move {
                    Ok(shared.peeked()?.try_release_all().await)
                });
            }
            Request::ReadBodies(bodies, to) => self.run(read(Local), to, |_| async {
                let read = move || {
                    let texts = bodies.iter().map(|body| body.text().map(Cow::into_owned));
                    texts.collect::<Result<_, _>>()
                };
                let texts: Result<_, BodyError> = blocking(read).await?;
                texts.map_err(|error| Fault::new(error.to_string()))
            }),
            Request::DeleteMessages(messages, to) => {
                let ids = messages.iter().map(|message| message.message_id.as_str());
                let reserved = self.shared.leases().map(|leases| leases.reserve(ids));
                let (id, leaving) = (to.id(), self.leaving.clone());
                self.run(change(Queues), to, move |shared| async move {
                    let (pipeline, reserved) = (shared.pipeline()?, reserved?);
                    with_progress(id, &shared.replies, |on_progress| {
                        delete::delete(&pipeline, &reserved, messages, &leaving, on_progress)
                    })
                    .await
                });
            }
            Request::DryRun(draft, to) => self.run(read(Database), to, |shared| async move {
                redrives::dry_run(&shared.pipeline()?, &draft, &shared.authority).await
            }),
            // It may take days, and waits for the operator; all its calls have limits.
            Request::Redrive(draft, to) => {
                let id = self.controlled_by(to.id(), draft.rate_per_sec);
                let ids = draft.message_ids();
                let reserved = self.shared.leases().map(|leases| leases.reserve(ids));
                self.run(change(Redrives), to, move |shared| async move {
                    redrives::begin(&shared.pipeline()?, id, draft, &reserved?, &shared).await
                });
            }
            Request::ResumeRedrive(journal, to) => {
                let id = self.controlled_by(to.id(), None);
                self.run(change(Redrives), to, move |shared| async move {
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
                let id = to.id();
                self.run(read(Local), to, move |shared| async move {
                    let pipeline = shared.pipeline()?;
                    with_progress(id, &shared.replies, |on_progress| {
                        patch::patch(&pipeline, program, messages, on_progress)
                    })
                    .await
                });
            }
            Request::Judge(message, new_body, to) => {
                self.run(read(Local), to, |shared| async move {
                    patch::judge(&shared, message, new_body).await
                });
            }
            Request::Search(query, messages, to) => {
                self.run(read(Local), to, |_| patch::search(query, messages));
            }
            Request::Records(query, to) => {
                self.ask(read(Database), to, |pipeline| async move {
                    pipeline.list_records(&query).await
                });
            }
            Request::Fleet(to) => self.run(many_reads(Environments), to, |shared| async move {
                environments::fleet(shared.configuration).await
            }),
            Request::Environment(name, to) => {
                self.run(read(Local), to, |shared| {
                    environments::load(shared.configuration, name)
                });
            }
            Request::RecordNames(to) => self.ask(read(Database), to, |pipeline| async move {
                pipeline.record_names(Utc::now()).await
            }),
            Request::Sql(sql, to) => {
                let cancel = self.leaving.child_token();
                self.asked = Some((to.id(), cancel.clone()));
                self.ask(many_reads(Database), to, move |pipeline| async move {
                    pipeline.open_tunnel();
                    pipeline.ask_sql(&sql, SQL_LIMITS, &cancel).await
                });
            }
            Request::SavedFilters(to) => self.run(read(Local), to, |_| saved::read()),
            Request::SaveFilter(filter, to) => {
                self.run(read(Local), to, |_| saved::save(filter));
            }
            Request::Lint(to) => self.ask(many_reads(Setup), to, |pipeline| async move {
                pipeline.open_tunnel();
                Ok(pipeline.lint(Utc::now()).await)
            }),
            Request::Logs(tail, to) => self.ask(read(Logs), to, |pipeline| async move {
                pipeline.read_logs(&tail).await
            }),
            Request::Turn(to) => self.run(read(Local), to, |_| async { Ok(()) }),
            Request::Publish(body, to) => {
                // Never cut off before its end is in the audit log.
                self.ask(change(Topic), to, |pipeline| async move {
                    let details = json!({ "event": event::peek_identity(&body) });
                    let never = CancellationToken::new();
                    pipeline.publish_one(&body, details, &never).await
                });
            }
            // Never cut off before its end is in the audit log; what follows ends with the console.
            Request::Probe(to) => {
                let leaving = self.leaving.clone();
                self.run(change(Source::Probe), to, move |shared| async move {
                    let pipeline = shared.pipeline()?;
                    let probe = pipeline.publish_probe(PROBE, &leaving).await;
                    let probe = probe.map_err(|error| Fault::from(&error))?;
                    let probe = probe.ok_or_else(|| Fault::new("the console is being left"))?;
                    Ok(Box::new(probe))
                });
            }
            Request::Trace(sought, to) => {
                self.ask(read(Database), to, move |pipeline| async move {
                    let Sought {
                        key,
                        body,
                        published,
                        searches_dead_letters,
                    } = sought;
                    pipeline
                        .trace(key.as_ref(), &body, &published, searches_dead_letters)
                        .await
                })
            }
            Request::TimeLine(request, to) => {
                let rules = trace(request.search_dead_letters);
                let leaving = self.leaving.clone();
                self.run(rules, to, move |shared| async move {
                    let folders =
                        Folders::of_user().map_err(|error| Fault::new(error.to_string()))?;
                    let pipeline = shared.pipeline()?;
                    let traced = redrive::trace::trace(&pipeline, &folders, &request, &leaving);
                    traced
                        .await
                        .ok_or_else(|| Fault::new("the console is being left"))
                });
            }
            Request::ApiDocument(to) => self.ask(read(Calls), to, |pipeline| async move {
                pipeline.api_document().await.map(Box::new)
            }),
            Request::ApiCall(call, to) => {
                let cancel = self.leaving.child_token();
                self.called = Some((to.id(), cancel.clone()));
                self.ask(read(Calls), to, move |pipeline| async move {
                    let answer = cancel.run_until_cancelled(pipeline.api_call(&call)).await;
                    Ok(answer.transpose()?.map(Box::new))
                });
            }
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
                .map_err(|error| Fault::from(&error))
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
        while self.leases.try_join_next().is_some() {}
        while self.changes.try_join_next().is_some() {}
        let mut shared = self.shared.clone();
        if let Some((_, control)) = self.controlled.as_ref().filter(|(id, _)| *id == to.id()) {
            shared.control = control.clone();
        }
        let replies = shared.replies.clone();
        let permits = self.permits.of(rules.source);
        let task = async move {
            // The futures of the AWS clients are large, and each layer around them holds them again.
            let work = Box::pin(async { work(shared).await });
            let result = limited(rules, permits, work).await;
            // The receiver is gone only when the console is being left.
            let reply = Msg::Reply(Box::new(to.answer(result)));
            let _ = replies.send(reply).await;
        };
        match rules.work {
            Work::Read => self.reads.spawn(task),
            Work::Lease => self.leases.spawn(task),
            Work::Change => self.changes.spawn(task),
        };
    }

    /// The console is being left: reads end unanswered, a redrive starts no further step and a
    /// deletion no further block.
    pub(super) fn stop(&mut self) {
        self.leaving.cancel();
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

    /// Cancels the question of a request; nothing happens where it was answered.
    pub(super) fn cancel_sql(&self, id: RequestId) {
        if let Some((_, cancel)) = self.asked.as_ref().filter(|(asked, _)| *asked == id) {
            cancel.cancel();
        }
    }

    /// Cancels the call of a request; nothing happens where it was answered.
    pub(super) fn cancel_call(&self, id: RequestId) {
        if let Some((_, cancel)) = self.called.as_ref().filter(|(called, _)| *called == id) {
            cancel.cancel();
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

    /// Whether messages are being received or released.
    pub(super) fn is_leasing(&self) -> bool {
        !self.leases.is_empty()
    }

    /// Waits until a change, a receive or a release that is under way has sent its reply; does not
    /// end without any.
    pub(super) async fn work_ended(&mut self) {
        tokio::select! {
            Some(_) = self.changes.join_next() => {}
            Some(_) = self.leases.join_next() => {}
            else => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::request::{Answer, Reply};

    fn rules(within: Option<Duration>, work: Work) -> Rules {
        Rules {
            source: Source::Journals,
            within,
            work,
        }
    }

    fn sources() -> (Sources, mpsc::Receiver<Msg>) {
        let (sender, replies) = mpsc::channel(16);
        let environment = Environment::example();
        (
            Sources::new(
                environment,
                Authority::default(),
                Configuration::default(),
                sender,
            ),
            replies,
        )
    }

    fn to(number: u64) -> ReplyTo<String> {
        ReplyTo::new(RequestId(number), Reply::Template)
    }

    fn body(msg: Msg) -> Answer<String> {
        let Msg::Reply(reply) = msg else {
            panic!("{msg:?}")
        };
        let Reply::Template(answer) = *reply else {
            panic!("{reply:?}")
        };
        answer
    }

    #[tokio::test]
    async fn success_failure_hang_and_panic_are_each_answered_once() {
        let (mut sources, mut replies) = sources();
        let limited = rules(Some(Duration::ZERO), Work::Read);
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

    /// The topic takes the request and does not answer.
    #[tokio::test]
    async fn probe_under_way_keeps_nobody_from_publishing() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let environment = Environment {
            endpoint_url: Some(url.clone()),
            api_url: Some(url),
            ..Environment::example()
        };
        let (sender, _replies) = mpsc::channel(16);
        let mut sources = Sources::new(
            environment,
            Authority::default(),
            Configuration::default(),
            sender,
        );
        let to = ReplyTo::new(RequestId(1), Reply::Probed);
        sources.start(Request::Probe(to));
        let _request = listener.accept().await.unwrap();
        let topic = sources.permits.of(Source::Topic).unwrap();
        assert_eq!(topic.available_permits(), 1);
        let probe = sources.permits.of(Source::Probe).unwrap();
        assert_eq!(probe.available_permits(), 0, "one at a time");
        assert!(sources.is_changing(), "its end is waited for");
    }

    /// The API takes the request and does not answer.
    #[tokio::test]
    async fn cancelled_call_ends_without_an_answer_and_keeps_no_other_from_the_api() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let environment = Environment {
            api_url: Some(format!("http://{}", listener.local_addr().unwrap())),
            ..Environment::example()
        };
        let (sender, mut replies) = mpsc::channel(16);
        let authority = Authority::default();
        let mut sources = Sources::new(environment, authority, Configuration::default(), sender);
        let to = ReplyTo::new(RequestId(1), Reply::ApiAnswered);
        let call = pipeline::api_call::ApiCall::get("/v1/types");
        sources.start(Request::ApiCall(Box::new(call), to));
        let _request = listener.accept().await.unwrap();
        let health = sources.permits.of(Source::Api).unwrap();
        assert_eq!(health.available_permits(), 1);
        sources.cancel_call(RequestId(2));
        assert!(replies.try_recv().is_err(), "it is another one");
        sources.cancel_call(RequestId(1));
        let Some(Msg::Reply(reply)) = replies.recv().await else {
            panic!("no reply");
        };
        let Reply::ApiAnswered(answer) = *reply else {
            panic!("{reply:?}");
        };
        assert_eq!(answer.into_result(), Ok(None));
    }

    #[tokio::test]
    async fn changes_are_finished_and_reads_are_not_when_the_console_is_left() {
        let (mut sources, mut replies) = sources();
        sources.run(rules(None, Work::Read), to(1), |_| std::future::pending());
        assert!(!sources.is_changing());
        let change = Rules {
            source: Source::Local,
            ..rules(None, Work::Change)
        };
        sources.run(change, to(2), |_| async { Ok(String::new()) });
        sources.stop();
        assert!(sources.is_changing());
        sources.work_ended().await;
        assert!(body(replies.recv().await.unwrap()).is_to(RequestId(2)));
        assert!(!sources.is_changing());
    }
}
