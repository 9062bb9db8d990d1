//! The facts of a redrive, in the order in which they became known.
//!
//! Invariant: a fact is written before anything relies on it, and no fact is ever withdrawn. The
//! JSON form is published: old journals must stay readable.

use event::RecordId;
use serde::{Deserialize, Serialize};

use crate::message::Original;
use crate::plan::Plan;

/// One fact. Messages are named by their place in the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    /// The header: what is going to be done.
    Planned {
        /// Form of the journal.
        schema_version: u32,
        /// The frozen plan.
        plan: Box<Plan>,
    },
    /// These messages were received and are hidden from other consumers: a process that resumes
    /// can release or delete them by their handles. Journals of schema version 1 have none of these.
    Received {
        /// The messages and their handles.
        messages: Vec<Received>,
    },
    /// These messages are about to be sent: from here on each may have been.
    Intended {
        /// The messages, each as it was received.
        #[serde(rename = "letters")]
        messages: Vec<Intended>,
    },
    /// SQS, or in a replay SNS, confirmed that it took these.
    Confirmed {
        /// The messages.
        #[serde(rename = "letters")]
        messages: Vec<Confirmed>,
    },
    /// SQS or SNS did not accept these.
    Refused {
        /// The messages and its reasons.
        #[serde(rename = "letters")]
        messages: Vec<MessageCause>,
    },
    /// No answer came for these: each may have been sent.
    Unanswered {
        /// The messages and what came instead.
        #[serde(rename = "letters")]
        messages: Vec<MessageCause>,
    },
    /// These were not even tried.
    NotTried {
        /// The messages and why.
        #[serde(rename = "letters")]
        messages: Vec<MessageCause>,
    },
    /// The ledger knows these, though their send was never confirmed.
    FoundStored {
        /// The messages and their records.
        #[serde(rename = "letters")]
        messages: Vec<Stored>,
    },
    /// These are out of the dead-letter queue: SQS confirmed it, or a resume received the whole queue
    /// without them while nobody else hid a message.
    Deleted {
        /// The messages.
        indexes: Vec<usize>,
    },
    /// These were sent, and are in the dead-letter queue too.
    NotDeleted {
        /// The messages and why.
        #[serde(rename = "letters")]
        messages: Vec<MessageCause>,
    },
    /// What became of events that were sent.
    Proved {
        /// The messages and their proofs.
        #[serde(rename = "letters")]
        messages: Vec<Proved>,
    },
    /// The redrive stopped by itself and waits for the operator.
    Paused {
        /// Why.
        why: String,
    },
    /// The redrive ended. What it received itself is released.
    Ended {
        /// How.
        how: Ending,
        /// What was looked up of the events; absent in journals of schema version 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        looked_up: Option<LookedUp>,
        /// Messages whose release SQS did not confirm: a resume releases them by their handles.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unreleased: Vec<usize>,
    },
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Place in the plan.
    pub index: usize,
    /// Receipt handle.
    pub receipt_handle: String,
}

/// A message that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intended {
    /// Place in the plan.
    pub index: usize,
    /// Receipt handle, for a process that resumes after a crash; absent in a replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_handle: Option<String>,
    /// The message as it was received, or the event as it was read.
    pub original: Original,
}

/// A message whose copy SQS or SNS confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// Place in the plan.
    pub index: usize,
    /// SQS message id of the copy; in a replay the SNS message id.
    pub sent_message_id: String,
}

/// A message and the cause of what happened to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageCause {
    /// Place in the plan.
    pub index: usize,
    /// The cause, for people.
    pub cause: String,
    /// Whether a resume cannot send it either: it is gone, too large, or not what was planned.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_final: bool,
}

impl MessageCause {
    /// A cause that a later attempt may not have.
    pub(crate) fn passing(index: usize, cause: impl Into<String>) -> Self {
        Self {
            index,
            cause: cause.into(),
            is_final: false,
        }
    }

    /// A cause that every later attempt has too.
    pub(crate) fn lasting(index: usize, cause: impl Into<String>) -> Self {
        Self {
            is_final: true,
            ..Self::passing(index, cause)
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

/// A message that the ledger knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Place in the plan.
    pub index: usize,
    /// Its record.
    pub record_id: RecordId,
}

/// A message and what became of its event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proved {
    /// Place in the plan.
    pub index: usize,
    /// What became of it.
    pub proof: Proof,
}

/// What became of an event that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Proof {
    /// The ledger knows it now.
    Stored {
        /// Its record.
        record_id: RecordId,
    },
    /// For the ingest it was a duplicate: the ledger knew its event before, or another message of the
    /// redrive carried the same one.
    AlreadyStored {
        /// The record of the first arrival.
        record_id: RecordId,
        /// SQS message id of that other message, if it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duplicate_of: Option<String>,
    },
    /// It is in the dead-letter queue again.
    DeadAgain {
        /// SQS message id of the new dead letter.
        message_id: String,
        /// The ingest's reason, if it gave one.
        reason: Option<String>,
    },
}

impl Proof {
    /// Whether its message added no record of its own.
    pub(super) fn is_duplicate(&self) -> bool {
        matches!(self, Self::AlreadyStored { .. })
    }
}

/// Where the events that were sent were looked for.
/// A place counts once it has answered completely.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookedUp {
    /// Nowhere.
    #[default]
    Nothing,
    /// Among the dead letters: what was stored is not known.
    DeadLetters,
    /// In the ledger: what failed again is not known.
    LedgerOnly,
    /// In the ledger and among the dead letters.
    Ledger,
}

impl LookedUp {
    /// In all places of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, one) | (one, Self::Nothing) => one,
            (one, same) if one == same => one,
            _ => Self::Ledger,
        }
    }

    pub(super) fn has_ledger(self) -> bool {
        matches!(self, Self::LedgerOnly | Self::Ledger)
    }

    pub(super) fn has_dead_letters(self) -> bool {
        matches!(self, Self::DeadLetters | Self::Ledger)
    }
}

/// How a redrive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Every message was tried.
    Finished,
    /// The operator ended it earlier.
    Cancelled,
}
