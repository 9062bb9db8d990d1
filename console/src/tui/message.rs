//! Everything that can happen, and everything that may be asked of the pipeline: two closed enums.
//!
//! Invariant: each `Effect::Ask` is answered by exactly one `Msg::Reply` with its id.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use crossterm::event::{KeyEvent, MouseEvent};
use event::{EventKey, Page, Record, RecordQuery};

use super::patch::{Found, PatchInput, PatchInputs, Patched, Query};
use super::redrives::{Draft, DryRun, Past, Progress, RunEnd};
use pipeline::Body;
use pipeline::model::{
    ApiHealth, DeadLetter, History, Published, QueueRole, QueueSnapshot, ReceivedMessages,
    RecordTotals, TraceState,
};
use redrive::Report;

/// Number of a request, unique in one run of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Everything that can happen.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was used.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has a new size.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// Time passed.
    Tick,
    /// A request was carried out, or was not.
    Reply(Reply),
    /// The operator's own editor has ended: its text, or why there is none.
    EditedOutside(Result<String, String>),
    /// A part of the pipeline that this program started has ended: what is known of it.
    PipelineFailed(String),
    /// A redrive got further, or obeyed a command.
    Progress {
        /// The request.
        id: RequestId,
        /// How it stands.
        progress: Box<Progress>,
    },
}

/// Everything that may be asked of the pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Carry out a request and answer with its id.
    Ask {
        /// Id of the answer.
        id: RequestId,
        /// What is asked.
        request: Request,
    },
    /// Steer the redrive that a request runs. What comes of it shows in its progress.
    Steer {
        /// The request.
        id: RequestId,
        /// What it shall do.
        steering: Steering,
    },
    /// Give the terminal to the operator's own editor with this text.
    EditOutside(String),
    /// Put a text into the clipboard of the terminal (OSC 52).
    Copy(String),
    /// Leave the console.
    Quit,
}

/// What a running redrive shall do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Steering {
    /// Wait between two batches.
    Pause,
    /// Go on, also after it paused by itself.
    GoOn,
    /// End after the batches that were begun.
    Cancel,
    /// Send so many messages per second at most; `None` for as fast as SQS takes them.
    Rate(Option<f64>),
}

/// One question to the pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Look at a queue.
    Queue(QueueRole),
    /// History of the source queue.
    History,
    /// Totals of the database.
    Totals,
    /// Health of the API.
    ApiHealth,
    /// Receive and hold dead letters.
    HoldMessages,
    /// Hold these (receipt handles) for longer.
    ExtendHold(Vec<String>),
    /// Give these (receipt handles) back.
    ReleaseMessages(Vec<String>),
    /// Read a body that was put aside.
    ReadBody(Body),
    /// Delete these for good, after a copy was written.
    DeleteMessages(Vec<DeadLetter>),
    /// Prove what a redrive would send; nothing is written.
    DryRun(Draft),
    /// Run a redrive.
    Redrive(Draft),
    /// Go on with the redrive of this journal.
    ResumeRedrive(PathBuf),
    /// The redrives of this environment, from their journals.
    Redrives,
    /// What the redrive of this journal did, message by message.
    RedriveReport(PathBuf),
    /// What a jq program would do to messages.
    Patch {
        /// The program.
        program: String,
        /// The messages.
        messages: PatchInputs,
    },
    /// What would become of a message with another body.
    Judge {
        /// The message.
        message: PatchInput,
        /// The body.
        new_body: String,
    },
    /// Which messages a query finds.
    Search {
        /// The query.
        query: Query,
        /// The messages.
        messages: PatchInputs,
    },
    /// One page of records.
    Records(RecordQuery),
    /// Publish one body, as it is.
    Publish(String),
    /// Look once where a published event is.
    Trace {
        /// Its identity, where it is valid.
        key: Option<EventKey>,
        /// Its body.
        body: String,
        /// What SNS said.
        published: Published,
    },
    /// A fresh event (new id, time of now) made from template number so-and-so.
    Template(usize),
}

/// What a reply is about; one kind for each kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// The source queue.
    SourceQueue,
    /// The dead-letter queue.
    DeadLetterQueue,
    /// History of the source queue.
    History,
    /// Totals of the database.
    Totals,
    /// Health of the API.
    ApiHealth,
    /// Messages that are held.
    Messages,
    /// Holding for longer.
    Hold,
    /// Giving back.
    Release,
    /// A body.
    Body,
    /// Deleting.
    Deletion,
    /// A dry run.
    DryRun,
    /// A redrive, from its beginning or resumed.
    Redrive,
    /// The redrives of this environment.
    Redrives,
    /// What one redrive did.
    RedriveReport,
    /// What a program would do.
    Patch,
    /// What would become of another body.
    Judge,
    /// A search among messages.
    Search,
    /// A page of records.
    Records,
    /// A publish.
    Publish,
    /// A trace.
    Trace,
    /// A template.
    Template,
}

impl Request {
    /// What the reply will be about.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        match self {
            Self::Queue(QueueRole::Source) => Topic::SourceQueue,
            Self::Queue(QueueRole::DeadLetter) => Topic::DeadLetterQueue,
            Self::History => Topic::History,
            Self::Totals => Topic::Totals,
            Self::ApiHealth => Topic::ApiHealth,
            Self::HoldMessages => Topic::Messages,
            Self::ExtendHold(_) => Topic::Hold,
            Self::ReleaseMessages(_) => Topic::Release,
            Self::ReadBody(_) => Topic::Body,
            Self::DeleteMessages(_) => Topic::Deletion,
            Self::DryRun(_) => Topic::DryRun,
            Self::Redrive(_) | Self::ResumeRedrive(_) => Topic::Redrive,
            Self::Redrives => Topic::Redrives,
            Self::RedriveReport(_) => Topic::RedriveReport,
            Self::Patch { .. } => Topic::Patch,
            Self::Judge { .. } => Topic::Judge,
            Self::Search { .. } => Topic::Search,
            Self::Records(_) => Topic::Records,
            Self::Publish(_) => Topic::Publish,
            Self::Trace { .. } => Topic::Trace,
            Self::Template(_) => Topic::Template,
        }
    }
}

/// What a deletion did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Where the copies are.
    pub file: PathBuf,
    /// Message ids of the messages that are gone.
    pub message_ids: Vec<String>,
    /// How many were not deleted.
    pub failed: usize,
    /// Why the first of them was not.
    pub cause: Option<String>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To [`Request::Queue`].
    Queue(QueueSnapshot),
    /// To [`Request::History`].
    History(History),
    /// To [`Request::Totals`].
    Totals(RecordTotals),
    /// To [`Request::ApiHealth`].
    ApiHealth(ApiHealth),
    /// To [`Request::HoldMessages`].
    Messages(ReceivedMessages),
    /// To [`Request::ReleaseMessages`]: how many were held still.
    Count(usize),
    /// To [`Request::ExtendHold`], parallel to it: whether the hold was extended; `None` where no
    /// answer came.
    Extended(Vec<Option<bool>>),
    /// To [`Request::ReadBody`].
    Body(String),
    /// To [`Request::DeleteMessages`].
    Deleted(Deleted),
    /// To [`Request::DryRun`].
    DryRun(DryRun),
    /// To [`Request::Redrive`] and [`Request::ResumeRedrive`].
    Redriven(Box<RunEnd>),
    /// To [`Request::Redrives`].
    Redrives(Past),
    /// To [`Request::RedriveReport`].
    RedriveReport(Box<Report>),
    /// To [`Request::Patch`] and [`Request::Judge`].
    Patched(Patched),
    /// To [`Request::Search`].
    Found(Found),
    /// To [`Request::Records`].
    Records(Page<Record>),
    /// To [`Request::Publish`].
    Published(Published),
    /// To [`Request::Trace`].
    Traced(TraceState),
    /// To [`Request::Template`].
    Template(String),
}

/// Why a request was not carried out, in words for the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What failed: operation, address, cause, time.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The one answer to a request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The request.
    pub id: RequestId,
    /// What it is about.
    pub topic: Topic,
    /// What came back, or why nothing did.
    pub result: Result<Answer, Fault>,
}

/// A line for the operator that goes away by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The text.
    pub text: String,
    /// How bad it is.
    pub tone: Tone,
    /// When it goes away.
    pub until: DateTime<Utc>,
}

/// Meaning of a text: decides its sign and its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tone {
    /// Context.
    Muted,
    /// It flows.
    Good,
    /// It ages.
    Warning,
    /// Time or data is being lost.
    Bad,
}
