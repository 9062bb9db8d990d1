//! What a look at the queue showed.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use event::{Assessment, Failure, PartialIdentity, assess};

use super::limit::standing;
use crate::model::DeadLetter;
use crate::replacing::{Replacing, named_record};
use crate::{Body, Hidden, LeaseSet, PipelineError};

/// One message of the source queue.
#[derive(Clone, Debug, PartialEq)]
pub struct PeekedMessage {
    /// SQS message id.
    pub message_id: String,
    /// Time of the send.
    pub sent_at: DateTime<Utc>,
    /// When a consumer first received it, by SQS; the peek itself, where nobody had.
    pub first_received_at: Option<DateTime<Utc>>,
    /// `ApproximateReceiveCount`, the receive of the peek included.
    pub receive_count: u32,
    /// The unchanged body.
    pub body: Body,
    /// The event's identity, as far as it can be read.
    pub identity: PartialIdentity,
    /// Why the ingest would refuse it; `None` for a valid event. The ledger is not asked.
    pub failure: Option<Arc<Failure>>,
    /// Until when it is hidden from the ingest; `None` once it was released.
    pub hidden_until: Option<DateTime<Utc>>,
}

/// Why no more messages were received.
#[derive(Clone, Debug, PartialEq)]
pub enum PeekEnd {
    /// As many came as were asked for.
    Complete,
    /// SQS gave no more.
    Empty,
    /// One of them is at its limit.
    AtLimit,
    /// SQS gave few with each receive, and the receives or the time of one peek are used up.
    Few,
    /// The bodies are as large as one peek takes.
    Full,
    /// The caller wanted the end.
    Interrupted,
    /// A receive failed after others had brought messages.
    Failed(Box<PipelineError>),
}

/// One look at the queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Peek {
    /// Name of the queue.
    pub queue: String,
    /// `maxReceiveCount` of its redrive policy, if it has one.
    pub max_receive_count: Option<u64>,
    /// The messages, oldest first. SQS chose them.
    pub messages: Vec<PeekedMessage>,
    /// Why no more were received.
    pub end: PeekEnd,
    /// When the last receive was over.
    pub ended_at: DateTime<Utc>,
    /// When everything was released; `None` where something may still be hidden.
    pub released_at: Option<DateTime<Utc>>,
    /// What may still be hidden from the ingest, receives without an answer included.
    pub hidden: Hidden,
    /// Why the audit log does not have its end, if so.
    pub audit_error: Option<String>,
}

impl PeekedMessage {
    /// Judged by the ingest's own validator, and by what a replacement names.
    pub(super) fn of(message: DeadLetter) -> Self {
        let text = message.body.text().unwrap_or_default();
        let replacing = Replacing::of(named_record(&message.attributes), &text);
        let failure = match (assess(&text), replacing) {
            (Assessment::Invalid(failure), _) => Some(failure),
            (Assessment::Valid { .. }, Some(replacing)) => replacing.judge(None).1,
            (Assessment::Valid { .. }, None) => None,
        };
        drop(text);
        Self {
            message_id: message.message_id,
            sent_at: message.sent_at,
            first_received_at: message.first_received_at,
            receive_count: message.receive_count,
            body: message.body,
            identity: message.identity,
            failure: failure.map(Arc::new),
            hidden_until: Some(message.hidden_until),
        }
    }

    /// `valid`, or the code of the failure.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        let failure = self.failure.as_ref();
        failure.map_or("valid", |failure| failure.code.as_str())
    }
}

impl PeekEnd {
    /// The published name, in kebab-case.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Empty => "empty",
            Self::AtLimit => "at-limit",
            Self::Few => "few",
            Self::Full => "full",
            Self::Interrupted => "interrupted",
            Self::Failed(_) => "failed",
        }
    }

    /// Why there are no more, for people; `None` where as many came as were asked for.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let text = match self {
            Self::Complete => return None,
            Self::Empty => {
                "SQS gave no more: none waits, the ingest was faster, or others have received them"
            }
            Self::AtLimit => "no more were received, because one is at its limit",
            Self::Few => "SQS gave few messages with each receive, and no more receives are made",
            Self::Full => "the bodies are as large as one peek takes",
            Self::Interrupted => "interrupted: no more were received",
            Self::Failed(error) => return Some(format!("a later receive failed: {error}")),
        };
        Some(text.to_owned())
    }
}

impl Peek {
    /// Whether a message is at its limit.
    #[must_use]
    pub fn is_at_limit(&self, message: &PeekedMessage) -> bool {
        standing(message.receive_count, self.max_receive_count).is_at_limit()
    }

    /// Messages at their limit.
    #[must_use]
    pub fn at_limit(&self) -> usize {
        let messages = self.messages.iter();
        messages.filter(|message| self.is_at_limit(message)).count()
    }

    /// Messages of it that were not released.
    #[must_use]
    pub fn not_released(&self) -> usize {
        let messages = self.messages.iter();
        messages.filter(|one| one.hidden_until.is_some()).count()
    }

    /// Takes over what a release has left in the set.
    pub fn take_release(&mut self, leases: &LeaseSet, at: DateTime<Utc>) {
        for message in &mut self.messages {
            let newest = leases.newest(&message.message_id);
            message.hidden_until = newest.map(|(_, until)| until);
        }
        self.hidden = leases.hidden();
        self.released_at = (self.hidden.messages_max == 0).then_some(at);
    }
}
