//! How requests are executed: what answers them, how long they may take, what their end leaves.
//!
//! Invariant: a request waits for a permit and for its work, each within a limit.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::Semaphore;

use crate::tui::fault::Fault;

/// Limit of waiting for earlier requests to the same source. The limit of the request itself
/// counts from then on.
const PERMIT_WITHIN: Duration = Duration::from_secs(20);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Limit of many reads at once, some of which need another one, or the time in which a paused database resumes; each has
/// a limit of its own.
const MANY_WITHIN: Duration = Duration::from_secs(75);
/// Limit of receiving messages, and of releasing all of them.
const LEASE_WITHIN: Duration = Duration::from_secs(60);
/// Requests to one source at once.
const CONCURRENCY: usize = 4;
/// Reads of logs at once: of the tail, and of one request.
const LOG_READS: usize = 2;
/// Calls to the API that an operator composes: one, and the document beside it.
const CALLS: usize = 2;

/// What answers a request; each has permits of its own, so that one that hangs blocks no other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Queues,
    Metrics,
    Database,
    Api,
    /// The API, for what an operator sends to it: the health of it is read all the same.
    Calls,
    Topic,
    /// The whole way of one event. It waits for the ledger long after the topic has answered, and must keep nobody from
    /// publishing.
    Probe,
    Redrives,
    Journals,
    /// The logs of the functions.
    Logs,
    /// The audit log, and when the function was deployed.
    Changes,
    /// How all parts are set up.
    Setup,
    /// All environments.
    Environments,
    /// All places that may know one event.
    Trace,
    /// This process: needs no permit.
    Local,
}

/// How a request is executed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) source: Source,
    pub(super) within: Option<Duration>,
    pub(super) work: Work,
}

/// What ending a request half way leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Read,
    /// Messages that stay hidden until their timeouts end.
    Lease,
    /// Messages in both queues, an event of which nobody knows whether it was sent, a change without
    /// an end in the audit log.
    Change,
}

pub(super) const fn read(source: Source) -> Rules {
    Rules {
        source,
        within: Some(ANSWER_WITHIN),
        work: Work::Read,
    }
}

pub(super) const fn many_reads(source: Source) -> Rules {
    Rules {
        source,
        within: Some(MANY_WITHIN),
        work: Work::Read,
    }
}

/// Receives messages, which takes several long polls, extends or releases them.
pub(super) const fn lease() -> Rules {
    Rules {
        source: Source::Queues,
        within: Some(LEASE_WITHIN),
        work: Work::Lease,
    }
}

/// Many reads, one of which receives messages and releases them where that is searched for.
pub(super) const fn trace(receives: bool) -> Rules {
    Rules {
        work: if receives { Work::Lease } else { Work::Read },
        ..many_reads(Source::Trace)
    }
}

/// Its calls have limits of their own, and their number is the operator's choice.
pub(super) const fn change(source: Source) -> Rules {
    Rules {
        source,
        within: None,
        work: Work::Change,
    }
}

#[derive(Debug)]
pub(super) struct Permits {
    queues: Arc<Semaphore>,
    metrics: Arc<Semaphore>,
    database: Arc<Semaphore>,
    api: Arc<Semaphore>,
    calls: Arc<Semaphore>,
    topic: Arc<Semaphore>,
    probe: Arc<Semaphore>,
    redrives: Arc<Semaphore>,
    journals: Arc<Semaphore>,
    logs: Arc<Semaphore>,
    changes: Arc<Semaphore>,
    setup: Arc<Semaphore>,
    environments: Arc<Semaphore>,
    trace: Arc<Semaphore>,
}

impl Permits {
    pub(super) fn new() -> Self {
        let permits = |number| Arc::new(Semaphore::new(number));
        Self {
            queues: permits(CONCURRENCY),
            metrics: permits(1),
            database: permits(CONCURRENCY),
            api: permits(1),
            calls: permits(CALLS),
            topic: permits(1),
            probe: permits(1),
            redrives: permits(1),
            journals: permits(1),
            logs: permits(LOG_READS),
            changes: permits(1),
            setup: permits(1),
            environments: permits(1),
            trace: permits(CONCURRENCY),
        }
    }

    pub(super) fn of(&self, source: Source) -> Option<Arc<Semaphore>> {
        Some(Arc::clone(match source {
            Source::Queues => &self.queues,
            Source::Metrics => &self.metrics,
            Source::Database => &self.database,
            Source::Api => &self.api,
            Source::Calls => &self.calls,
            Source::Topic => &self.topic,
            Source::Probe => &self.probe,
            Source::Redrives => &self.redrives,
            Source::Journals => &self.journals,
            Source::Logs => &self.logs,
            Source::Changes => &self.changes,
            Source::Setup => &self.setup,
            Source::Environments => &self.environments,
            Source::Trace => &self.trace,
            Source::Local => return None,
        }))
    }
}

/// Waits for a permit, then for the work, each within its limit. A panic is a failure.
pub(super) async fn limited<T>(
    rules: Rules,
    permits: Option<Arc<Semaphore>>,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let late = |what: &str, limit: Duration| Fault {
        message: format!("{what} within {} s", limit.as_secs()),
        hint: Some("^r tries again".to_owned()),
        ..Fault::default()
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
