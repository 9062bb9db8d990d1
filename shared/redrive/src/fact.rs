//! What a journal tells: facts, in the order in which they became known.
//!
//! Invariant: a fact is written before anything is done that relies on it, and no fact is ever
//! taken back.

use chrono::{DateTime, Utc};
use event::RecordId;
use serde::{Deserialize, Serialize};

use super::message::Original;
use super::plan::Plan;

/// Version of the journal's form that this program writes and reads.
pub const JOURNAL_SCHEMA_VERSION: u32 = 1;

/// One frame of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Its number, counted from 0 without a gap.
    pub sequence: u64,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// What it tells.
    pub fact: Fact,
}

/// One fact. Messages are named by their place in the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    /// The header: what is going to be done.
    Planned {
        /// Form of this journal, [`JOURNAL_SCHEMA_VERSION`].
        schema_version: u32,
        /// The frozen plan.
        plan: Box<Plan>,
    },
    /// These messages are about to be sent: from here on each may have been.
    Intended {
        /// The messages, each as it was received.
        #[serde(rename = "letters")]
        messages: Vec<Intended>,
    },
    /// SQS confirmed that it took these.
    Confirmed {
        /// The messages.
        #[serde(rename = "letters")]
        messages: Vec<Confirmed>,
    },
    /// SQS did not take these.
    Refused {
        /// The messages and its reasons.
        #[serde(rename = "letters")]
        messages: Vec<Because>,
    },
    /// SQS gave no answer for these: each may have been sent.
    Unanswered {
        /// The messages and what was heard instead.
        #[serde(rename = "letters")]
        messages: Vec<Because>,
    },
    /// These were not even tried.
    NotTried {
        /// The messages and why.
        #[serde(rename = "letters")]
        messages: Vec<Because>,
    },
    /// The ledger knows these, though their send was never confirmed.
    FoundStored {
        /// The messages and their records.
        #[serde(rename = "letters")]
        messages: Vec<Stored>,
    },
    /// SQS confirmed that these are out of the dead-letter queue.
    Deleted {
        /// The messages.
        indexes: Vec<usize>,
    },
    /// These were sent, and stand in the dead-letter queue too.
    NotDeleted {
        /// The messages and why.
        #[serde(rename = "letters")]
        messages: Vec<Because>,
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
    /// The redrive ended.
    Ended {
        /// How.
        how: Ending,
    },
}

/// A message that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intended {
    /// Place in the plan.
    pub index: usize,
    /// Handle of the receive under which it is held, for a process that goes on after a crash.
    pub receipt_handle: String,
    /// The message as it was received.
    pub original: Original,
}

/// A message whose copy SQS confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// Place in the plan.
    pub index: usize,
    /// SQS message id of the copy.
    pub sent_message_id: String,
}

/// A message and a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Because {
    /// Place in the plan.
    pub index: usize,
    /// The reason, in plain words.
    pub cause: String,
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
    /// The ledger knew it before: the ingest took the copy for a duplicate.
    AlreadyStored {
        /// The record of the first arrival.
        record_id: RecordId,
    },
    /// It is in the dead-letter queue again.
    DeadAgain {
        /// SQS message id of the new dead letter.
        message_id: String,
        /// The ingest's reason, if it gave one.
        reason: Option<String>,
    },
}

/// How a redrive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Every message had its turn.
    Finished,
    /// The operator ended it before.
    Cancelled,
}
