//! One message of a redrive: its phase, and what is known about its copy and its event.
//!
//! Invariant: a phase says what is known, never what is likely.

use std::sync::Arc;

use event::RecordId;

use super::fact::{Intended, Proof};
use crate::identity::SentEvent;

/// How far a message has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was done with it.
    #[default]
    Waiting,
    /// It was about to be sent and nothing is known since: it may have been.
    Intended,
    /// SQS or SNS did not accept it.
    Refused(String),
    /// It was not tried.
    NotTried(String),
    /// It was not tried, and a resume cannot send it either.
    Unsendable(String),
    /// No answer came: it may have been sent.
    Unanswered(String),
    /// Its copy is in the source queue.
    Confirmed,
    /// The ledger knows its event.
    FoundStored(RecordId),
    /// Sent, and the delete failed.
    NotDeleted(String),
    /// Sent and deleted.
    Deleted,
    /// A replay sent it, or found its event in the ledger: nothing is left to do.
    Published,
}

impl Phase {
    /// Whether it was about to be sent, and nothing is known since.
    pub(crate) fn is_intended(&self) -> bool {
        *self == Self::Intended
    }

    /// Whether it is unknown if it was sent.
    pub(crate) fn is_doubtful(&self) -> bool {
        matches!(self, Self::Intended | Self::Unanswered(_))
    }

    /// Whether it certainly was not sent.
    pub(crate) fn is_unsent(&self) -> bool {
        matches!(
            self,
            Self::Waiting | Self::Refused(_) | Self::NotTried(_) | Self::Unsendable(_)
        )
    }

    /// Whether it was not sent and can be: by this run, or by a resume.
    pub(crate) fn is_sendable(&self) -> bool {
        self.is_unsent() && !matches!(self, Self::Unsendable(_))
    }

    /// Whether its copy was sent, or its event is in the ledger.
    pub(crate) fn is_sent(&self) -> bool {
        !self.is_unsent() && !self.is_doubtful()
    }

    /// Why no answer came to its send.
    pub(crate) fn unanswered(&self) -> Option<&str> {
        match self {
            Self::Unanswered(cause) => Some(cause),
            Self::Waiting
            | Self::Intended
            | Self::NotTried(_)
            | Self::Refused(_)
            | Self::Unsendable(_)
            | Self::Confirmed
            | Self::FoundStored(_)
            | Self::NotDeleted(_)
            | Self::Deleted
            | Self::Published => None,
        }
    }

    /// Whether it may be deleted and was not.
    pub(crate) fn is_deletable(&self) -> bool {
        matches!(
            self,
            Self::Confirmed | Self::FoundStored(_) | Self::NotDeleted(_)
        )
    }
}

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageState {
    /// How far it has come.
    pub phase: Phase,
    /// SQS or SNS message id of its newest confirmed copy.
    pub sent_message_id: Option<String>,
    /// What became of its event.
    pub proof: Option<Proof>,
    /// The event that is sent; `None` before the first intent and for what is no valid event.
    pub event: Option<SentEvent>,
    /// SHA-256 of what is sent; empty before the first intent.
    pub sent_sha256: String,
    /// The newest intent, until the message is settled: refused or deleted.
    pub unsettled: Option<Arc<Intended>>,
    /// Handle of the newest receive that is on record, while the message may still be hidden by it.
    pub receipt_handle: Option<String>,
}
