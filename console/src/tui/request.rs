//! The requests to the pipeline, and the typed answers.
//!
//! Invariant: a request is answered at most once and with its own kind of result. Only its
//! [`ReplyTo`] makes the answer, which cannot be copied and names the [`Reply`] that it becomes.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use event::{EventKey, Page, Record, RecordQuery};

use super::fault::Fault;
use super::patch::{Found, PatchInput, PatchInputs, Patched, Query};
use super::plot::Mark;
use super::received::{LeaseTimes, Received};
use super::redrives::{Draft, DryRun, Past, RunEnd};
use super::search::SearchInputs;
use crate::saved_filters::SavedFilter;
use pipeline::alarm_states::AlarmState;
use pipeline::api_call::ApiCall;
use pipeline::api_document::ApiDocument;
use pipeline::environment::Environment;
use pipeline::fleet::FleetRow;
use pipeline::lint::LintReport;
use pipeline::logs::{LogRead, LogTail};
use pipeline::long_history::{HistoryPart, LongHistory};
use pipeline::model::{
    ApiAnswer, ApiHealth, DeadLetter, History, Published, QueueRole, QueueSnapshot, RecordTotals,
    TraceState,
};
use pipeline::probe::Probe;
use pipeline::queue_peek::{Peek, PeekPrice};
use pipeline::slo::ErrorBudget;
use pipeline::storage::Storage;
use pipeline::{Body, Hidden, RaisedAlarm, RecordNames, SqlAnswer};
use redrive::Report;
use redrive::trace::{EventTrace, TraceRequest};

/// Number of a request, unique in one run of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RequestId(pub(crate) u64);

/// Where the answer to one request goes.
#[derive(Debug)]
pub(crate) struct ReplyTo<T> {
    id: RequestId,
    reply: fn(Answer<T>) -> Reply,
}

impl<T> ReplyTo<T> {
    pub(crate) const fn new(id: RequestId, reply: fn(Answer<T>) -> Reply) -> Self {
        Self { id, reply }
    }

    pub(crate) const fn id(&self) -> RequestId {
        self.id
    }

    pub(crate) fn answer(self, result: Result<T, Fault>) -> Reply {
        (self.reply)(Answer {
            id: self.id,
            result,
        })
    }
}

/// The answer to one request.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    id: RequestId,
    result: Result<T, Fault>,
}

impl<T> Answer<T> {
    #[cfg(test)]
    pub(crate) const fn new(id: RequestId, result: Result<T, Fault>) -> Self {
        Self { id, result }
    }

    pub(crate) fn is_to(&self, id: RequestId) -> bool {
        self.id == id
    }

    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            id: self.id,
            result: self.result.map(change),
        }
    }

    pub(crate) const fn is_ok(&self) -> bool {
        self.result.is_ok()
    }

    pub(crate) fn into_result(self) -> Result<T, Fault> {
        self.result
    }
}

/// One request and where its answer goes.
#[derive(Debug)]
pub(crate) enum Request {
    Queue(QueueRole, ReplyTo<QueueSnapshot>),
    History(ReplyTo<History>),
    /// The metrics of a part over a time of the operator's choice.
    LongHistory(HistoryAsked, ReplyTo<Box<LongHistory>>),
    /// The changes of the last days that are known.
    Changes(ReplyTo<Vec<Mark>>),
    /// All alarms of the pipeline.
    AlarmStates(ReplyTo<Vec<AlarmState>>),
    /// The partitions of the records.
    Storage(ReplyTo<Storage>),
    /// When the ingest was deployed last.
    Deployment(ReplyTo<Option<DateTime<Utc>>>),
    Totals(ReplyTo<RecordTotals>),
    ApiHealth(ReplyTo<ApiHealth>),
    /// The alarms of the pipeline that are raised.
    RaisedAlarms(ReplyTo<Vec<RaisedAlarm>>),
    /// What is left of the error budgets.
    ErrorBudgets(ReplyTo<Vec<ErrorBudget>>),
    /// Receive dead letters with a long visibility timeout.
    ReceiveMessages(ReplyTo<Received>),
    /// Extend the visibility timeouts of the received messages that end soon.
    ExtendLeases(ReplyTo<LeaseTimes>),
    /// Make all received messages visible again, but for those of a redrive or a deletion under way.
    /// The answer has those that may stay hidden.
    ReleaseMessages(ReplyTo<Hidden>),
    /// What a peek into the source queue costs; nothing is received.
    PeekPrice(ReplyTo<PeekPrice>),
    /// Receive up to so many messages of the source queue, and release them.
    PeekQueue(usize, ReplyTo<Peek>),
    /// End the peek under way, and release what it left. The answer has what may stay hidden.
    ReleasePeeked(ReplyTo<Hidden>),
    /// Read bodies that were written to the disk.
    ReadBodies(Vec<Body>, ReplyTo<Vec<String>>),
    /// Delete these for good, after a copy was written.
    DeleteMessages(Vec<DeadLetter>, ReplyTo<Deleted>),
    /// Compute what a redrive would send; nothing is written.
    DryRun(Draft, ReplyTo<DryRun>),
    Redrive(Draft, ReplyTo<RunEnd>),
    /// Continue the redrive of this journal.
    ResumeRedrive(PathBuf, ReplyTo<RunEnd>),
    /// The redrives of this environment, from their journals.
    Redrives(ReplyTo<Past>),
    /// What the redrive of this journal did, message by message.
    RedriveReport(PathBuf, ReplyTo<Report>),
    /// What a jq program would make of messages.
    Patch(String, PatchInputs, ReplyTo<Patched>),
    /// The verdict of a message with another body.
    Judge(PatchInput, String, ReplyTo<Patched>),
    Search(Query, SearchInputs, ReplyTo<Found>),
    Records(RecordQuery, ReplyTo<Page<Record>>),
    /// Read every environment once.
    Fleet(ReplyTo<Vec<FleetRow>>),
    /// What is configured for an environment by its name.
    Environment(String, ReplyTo<Box<Environment>>),
    /// The types and sources that records have.
    RecordNames(ReplyTo<RecordNames>),
    /// Ask the database in SQL; `None` where it was cancelled.
    Sql(String, ReplyTo<Option<SqlAnswer>>),
    /// The filters of records that were given a name.
    SavedFilters(ReplyTo<Vec<SavedFilter>>),
    /// Save one, and read them all.
    SaveFilter(SavedFilter, ReplyTo<Vec<SavedFilter>>),
    /// Check how the pipeline is set up.
    Lint(ReplyTo<LintReport>),
    /// Read on in the logs of the functions.
    Logs(Box<LogTail>, ReplyTo<LogRead>),
    /// Nothing: the answer is the turn for the next part of long work, after what waits already.
    Turn(ReplyTo<()>),
    /// Publish one body, as it is.
    Publish(String, ReplyTo<Published>),
    /// Publish a marked event and follow it to the API.
    Probe(ReplyTo<Box<Probe>>),
    /// Look once where a published event is.
    Trace(Sought, ReplyTo<TraceState>),
    /// Everything that is known of one event.
    TimeLine(Box<TraceRequest>, ReplyTo<EventTrace>),
    /// Read the document of the API.
    ApiDocument(ReplyTo<Box<ApiDocument>>),
    /// Send a call to the API; `None` where it was cancelled.
    ApiCall(Box<ApiCall>, ReplyTo<Option<Box<ApiAnswer>>>),
    /// A fresh event (new id, time of now) made from the template with this number.
    Template(usize, ReplyTo<String>),
}

/// A history that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HistoryAsked {
    pub(crate) part: HistoryPart,
    pub(crate) window: Duration,
    /// Least length of a period.
    pub(crate) period_secs: u32,
}

/// A published event that is looked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sought {
    /// Its identity, where it is valid.
    pub(crate) key: Option<EventKey>,
    pub(crate) body: String,
    /// The acknowledgement of SNS.
    pub(crate) published: Published,
    /// Whether it is searched for among the dead letters, which receives them.
    pub(crate) searches_dead_letters: bool,
}

/// What a deletion did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deleted {
    /// Where the copies are.
    pub(crate) file: PathBuf,
    /// Message ids of the messages that are gone.
    pub(crate) message_ids: Vec<String>,
    /// How many SQS did not delete.
    pub(crate) failed: usize,
    /// How many had no answer, and may be deleted.
    pub(crate) unconfirmed: usize,
    /// How many were not tried.
    pub(crate) left: usize,
    /// Why the first of those that failed or had no answer did.
    pub(crate) cause: Option<String>,
}

/// The one answer to a request, with the place that it belongs to.
#[derive(Debug)]
pub(crate) enum Reply {
    SourceQueue(Answer<QueueSnapshot>),
    DeadLetterQueue(Answer<QueueSnapshot>),
    History(Answer<History>),
    LongHistory(Answer<Box<LongHistory>>),
    Changes(Answer<Vec<Mark>>),
    Deployment(Answer<Option<DateTime<Utc>>>),
    AlarmStates(Answer<Vec<AlarmState>>),
    Storage(Answer<Storage>),
    Totals(Answer<RecordTotals>),
    ApiHealth(Answer<ApiHealth>),
    RaisedAlarms(Answer<Vec<RaisedAlarm>>),
    ErrorBudgets(Answer<Vec<ErrorBudget>>),
    Received(Answer<Received>),
    Extended(Answer<LeaseTimes>),
    Released(Answer<Hidden>),
    PeekPrice(Answer<PeekPrice>),
    Peeked(Answer<Peek>),
    PeekReleased(Answer<Hidden>),
    /// Of the selected message: its own, and the edited one.
    Bodies(Answer<Vec<String>>),
    /// Of the difference in the preview of a patch: the old one and the new one.
    Difference(Answer<Vec<String>>),
    Deleted(Answer<Deleted>),
    DryRun(Answer<DryRun>),
    RedriveEnded(Answer<RunEnd>),
    Redrives(Answer<Past>),
    RedriveReport(Answer<Report>),
    Patched(Answer<Patched>),
    Judged(Answer<Patched>),
    Found(Answer<Found>),
    Records(Answer<Page<Record>>),
    Fleet(Answer<Vec<FleetRow>>),
    Environment(Answer<Box<Environment>>),
    RecordNames(Answer<RecordNames>),
    SavedFilters(Answer<Vec<SavedFilter>>),
    SqlAnswered(Answer<Option<SqlAnswer>>),
    Lint(Answer<LintReport>),
    Logs(Answer<LogRead>),
    LogsOfRequest(Answer<LogRead>),
    /// The turn of the filter of the logs.
    LogsTurn(Answer<()>),
    Published(Answer<Published>),
    Probed(Answer<Box<Probe>>),
    Traced(Answer<TraceState>),
    TimeLine(Answer<EventTrace>),
    ApiDocument(Answer<Box<ApiDocument>>),
    ApiAnswered(Answer<Option<Box<ApiAnswer>>>),
    Template(Answer<String>),
}
