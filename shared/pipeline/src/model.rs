//! Data that was read from the pipeline, for screens and commands.
//!
//! Invariant: an unknown value is `None`, never zero.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use event::{Failure, NamedRecord, PartialIdentity, RecordId, Verdict};
use serde::Serialize;

use super::oldest_age::OldestAge;
pub use super::point::{Point, complete, observed_whole};
pub use super::queue_role::QueueRole;
use super::{Body, IngestHistory};

/// Depth of a queue. The numbers of SQS are approximate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct QueueDepth {
    /// Messages that can be received.
    pub visible: u64,
    /// Messages that somebody received and that are hidden from others.
    pub in_flight: u64,
    /// Messages that become visible later.
    pub delayed: u64,
}

impl QueueDepth {
    /// All messages of the queue, whoever has received them.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

/// Settings of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// The queue's name, the last part of its ARN.
    pub name: String,
    /// Default visibility timeout.
    pub visibility_timeout_secs: u64,
    /// How long SQS keeps a message.
    pub retention_secs: u64,
    /// `maxReceiveCount` of the redrive policy, if there is one.
    pub max_receive_count: Option<u64>,
}

/// State of a queue at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSnapshot {
    /// Depth of the queue.
    pub depth: QueueDepth,
    /// Age of the oldest message, from CloudWatch; `None` when it has no recent value.
    pub oldest: Option<OldestAge>,
    /// Settings of the queue.
    pub settings: QueueSettings,
}

/// History of the queues and of the ingest, oldest first, from CloudWatch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Length of a period in seconds.
    pub period_secs: u32,
    /// Visible messages of the queue.
    pub depth: Vec<Point>,
    /// Age of the oldest message of the queue in seconds.
    pub oldest_age_secs: Vec<Point>,
    /// Messages published to the topic per period.
    pub published: Vec<Point>,
    /// Messages sent to the queue per period: those of the topic, and those that a redrive sends.
    pub sent: Vec<Point>,
    /// Messages deleted per period.
    pub deleted: Vec<Point>,
    /// Dead letters, visible and in flight.
    pub dead_letters: Vec<Point>,
    /// Age of the oldest dead letter in seconds.
    pub dead_letter_age_secs: Vec<Point>,
    /// Metrics of the ingest; `None` when the environment does not name it.
    pub ingest: Option<Box<IngestHistory>>,
}

/// Totals of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordTotals {
    /// Number of records.
    pub total: u64,
    /// Whether `total` is the planner's estimate (large tables).
    pub total_is_estimate: bool,
    /// Time of the newest insert.
    pub last_ingested_at: Option<DateTime<Utc>>,
    /// The database's clock at the query.
    pub database_now: DateTime<Utc>,
    /// The newest migration of the schema; `None` where an API of an earlier version does not say it.
    pub schema_version: Option<i64>,
    /// The way on which they were read.
    pub read_path: ReadPath,
    /// Why the tunnel to the database is not used, where the environment has one that failed.
    pub tunnel_fault: Option<String>,
}

/// The way on which records are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadPath {
    /// From the database itself.
    Database,
    /// By the signed HTTP API.
    Api,
}

/// Health of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiHealth {
    /// HTTP status of `GET /health`.
    pub status: u16,
    /// Time to the complete response.
    pub latency: Duration,
}

/// Response of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiAnswer {
    /// HTTP status.
    pub status: u16,
    /// Time from the request, authorised, to the complete response.
    pub latency: Duration,
    /// `Content-Type`, if present.
    pub content_type: Option<String>,
    /// Names and values of the headers; they may have characters that control a terminal.
    pub headers: Vec<(String, String)>,
    /// The body as text, at most [`super::API_BODY_BYTES_MAX`].
    pub body: String,
    /// Whether the body was longer.
    pub is_cut: bool,
}

/// Value of a message attribute, with the type name of SQS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// `String` or a custom `String.x` type: the full type name and the text.
    Text {
        /// `DataType` as it was received.
        data_type: String,
        /// `StringValue` (also used for numbers).
        value: String,
    },
    /// `Binary` or a custom `Binary.x` type.
    Binary {
        /// `DataType` as it was received.
        data_type: String,
        /// `BinaryValue`.
        value: Vec<u8>,
    },
}

/// The ingest's failure, from the attributes of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `ErrorCode`.
    pub code: String,
    /// `ErrorMessage`.
    pub message: String,
    /// `RequestID`.
    pub request_id: Option<String>,
}

/// Cause of a valid dead letter without a reason: its retries ran out, unless somebody sent it to the queue itself.
pub const RETRIES_EXHAUSTED: &str = "retries-exhausted";

/// A received message of the dead-letter queue.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// SQS message id.
    pub message_id: String,
    /// Handle of this receive: what a delete needs. Expires with the visibility timeout.
    pub receipt_handle: String,
    /// The unchanged body.
    pub body: Body,
    /// All message attributes, including the three of the failure.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// Time of the first send (`SentTimestamp`). A standard queue keeps it when SQS dead-letters a message.
    pub sent_at: DateTime<Utc>,
    /// When a consumer of the dead-letter queue first received it.
    pub first_received_at: Option<DateTime<Utc>>,
    /// `ApproximateReceiveCount`, this receive included.
    pub receive_count: u32,
    /// When SQS deletes it: `sent_at` + retention of the dead-letter queue.
    pub expires_at: DateTime<Utc>,
    /// Until when it is hidden from other consumers, counted from before the request.
    pub hidden_until: DateTime<Utc>,
    /// `MessageGroupId`, in FIFO queues.
    pub group_id: Option<String>,
    /// `AWSTraceHeader`, the X-Ray trace that it belongs to.
    pub trace_header: Option<String>,
    /// The ingest's failure, if it has one.
    pub reason: Option<Arc<Reason>>,
    /// What it names, if it replaces a record.
    pub replaces: Option<NamedRecord>,
    /// What would happen if it were redriven, as of [`Self::judged_at`].
    pub verdict: Verdict,
    /// When the verdict was true: the ledger was asked after that.
    pub judged_at: DateTime<Utc>,
    /// Why the ingest would refuse it then, for `still-invalid` and `unreadable`.
    pub failure: Option<Arc<Failure>>,
    /// The event's identity, as far as it can be read.
    pub identity: PartialIdentity,
    /// The record with its identity, from the ledger.
    pub stored_as: Option<RecordId>,
}

impl DeadLetter {
    /// Takes over how the same message was judged later.
    pub fn judged_as(&mut self, later: &Self) {
        self.verdict = later.verdict;
        self.failure.clone_from(&later.failure);
        self.stored_as = later.stored_as;
        self.judged_at = later.judged_at;
    }

    /// The cause by which messages are grouped: the ingest's code, else the current failure, else
    /// [`RETRIES_EXHAUSTED`].
    #[must_use]
    pub fn cause(&self) -> String {
        match (&self.reason, &self.failure) {
            (Some(reason), _) => reason.code.clone(),
            (None, Some(failure)) => failure.code.to_string(),
            (None, None) => RETRIES_EXHAUSTED.to_owned(),
        }
    }
}

/// Messages that were received from the dead-letter queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReceivedMessages {
    /// The messages, oldest first.
    pub messages: Vec<DeadLetter>,
    /// Why the ledger did not answer; `ready` may then be `already-stored`.
    pub ledger_error: Option<String>,
    /// Whether more messages wait than were received.
    pub is_truncated: bool,
}

/// Messages that were received before, judged again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JudgedMessages {
    /// The messages, in the order in which they were given.
    pub messages: Vec<DeadLetter>,
    /// Why the ledger did not answer; the verdicts are those from before then.
    pub ledger_error: Option<String>,
}

/// An event that the topic acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// SNS message id.
    pub sns_message_id: String,
    /// Time of the acknowledgement, by this machine's clock.
    pub acknowledged_at: DateTime<Utc>,
    /// Time from the send to the acknowledgement.
    pub latency: Duration,
}

/// Where a published event is now.
#[derive(Clone, Debug, PartialEq)]
pub enum TraceState {
    /// Neither in the ledger nor in the dead-letter queue yet.
    Pending,
    /// Neither in the ledger nor among the dead letters, which a search received for that.
    Searched {
        /// Number of searched messages.
        messages: usize,
        /// Until when they are hidden from other consumers, if they are not released before.
        hidden_until: DateTime<Utc>,
    },
    /// Neither in the ledger nor among the searched dead letters; there are more than one search reads.
    SearchTruncated {
        /// Number of searched messages.
        messages: usize,
        /// When they had been received: nobody has looked since.
        received_at: DateTime<Utc>,
        /// Until when they are hidden from other consumers, if they are not released before.
        hidden_until: DateTime<Utc>,
    },
    /// Stored; `readable` is the response of the API.
    Stored {
        /// The record.
        record_id: RecordId,
        /// Time of the insert.
        ingested_at: DateTime<Utc>,
        /// Status and time of `GET /v1/records/{record_id}`; `None` when it did not respond.
        readable: Option<ApiHealth>,
    },
    /// In the dead-letter queue.
    Dead {
        /// SQS id of the dead letter.
        message_id: String,
        /// When it was sent to the dead-letter queue.
        dead_at: DateTime<Utc>,
        /// The ingest's failure, if it has one.
        reason: Option<Reason>,
    },
}
