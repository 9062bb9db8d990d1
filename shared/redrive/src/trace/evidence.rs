//! What the places have of one event, and what each of it proves.
//!
//! Invariant: no value says more than its place does. A count of SQS is approximate and proves no absence; what is
//! being redriven or deleted is not there for certain; a send that was begun is none that was taken.

use chrono::{DateTime, Utc};
use event::{RecordId, Verdict};

use super::fact::Unread;
use super::words::moment;

/// What the ledger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ledger {
    /// There is a record.
    Record {
        record_id: RecordId,
        ingested_at: DateTime<Utc>,
    },
    /// It knows the identity, and there is no record.
    Gone(RecordId),
    /// It does not know the identity.
    Never,
    /// It did not answer.
    Unknown(String),
}

/// A dead letter of the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) message_id: String,
    /// `SentTimestamp`.
    pub(super) sent_at: DateTime<Utc>,
    /// Whether that is the time of its first send, which SQS keeps where it moves a message.
    pub(super) is_moved: bool,
    /// `missing-attribute: "time" is required`
    pub(super) reason: String,
    pub(super) verdict: Verdict,
    /// The request of the ingest that refused it.
    pub(super) request_id: Option<String>,
}

impl Letter {
    /// `since 2026-11-18T11:06:45Z`
    pub(super) fn when(&self) -> String {
        let word = if self.is_moved {
            "first sent at"
        } else {
            "since"
        };
        format!("{word} {}", moment(self.sent_at))
    }
}

/// What the caller of a trace does with a dead letter, which may have left the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// It is being redriven.
    Redriven,
    /// It is being deleted.
    Deleted,
}

impl Leaving {
    /// `redriving`
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Redriven => "redriving",
            Self::Deleted => "deleting",
        }
    }
}

/// What is known of the dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letters {
    /// Those of the event that are there.
    pub(super) found: Vec<Letter>,
    /// Those of the event that this console is redriving or deleting.
    pub(super) leaving: Vec<(Letter, Leaving)>,
    /// How many of all events were looked at.
    pub(super) seen: usize,
    pub(super) rest: Rest,
}

/// The dead letters that were not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// A search received all that others had not received, and SQS counts none with others.
    Nothing,
    /// A search saw some, and not all.
    Unseen,
    /// There was no search. By the approximate count of SQS so many others are there, if that could be read.
    NotSearched(Result<u64, String>),
    /// A search was tried and failed.
    Failed(String),
}

/// What this machine's files have of the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// SQS or SNS took it. Its outcome is on no record that was read.
    Sent,
    /// A send of it was begun, and no record that was read has the answer.
    PerhapsSent,
    /// A dead letter of it was among those of a deletion, whose copy is in a file.
    Deleted {
        file: String,
        /// Whether all of them were deleted.
        is_certain: bool,
    },
    /// A redrive or a replay saw what became of it.
    Settled(String),
    /// It is named, and neither sent nor deleted.
    Named(String),
}

impl Known {
    /// Whether it proves that the event was sent or deleted.
    pub(super) const fn is_proof(&self) -> bool {
        match self {
            Self::Sent | Self::Settled(_) => true,
            Self::Deleted { is_certain, .. } => *is_certain,
            Self::PerhapsSent | Self::Named(_) => false,
        }
    }

    /// Whether the event may be in the source queue by it.
    pub(super) const fn is_send(&self) -> bool {
        match self {
            Self::Sent | Self::PerhapsSent => true,
            Self::Deleted { .. } | Self::Settled(_) | Self::Named(_) => false,
        }
    }
}

/// All that the conclusion depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Evidence {
    pub(super) ledger: Ledger,
    pub(super) letters: Letters,
    /// Messages of the source queue, by its approximate count.
    pub(super) queue: Result<u64, String>,
    /// What this machine's files have, each with its time.
    pub(super) known: Vec<(DateTime<Utc>, Known)>,
    /// Records of the event that this machine began to replace.
    pub(super) replaced: Vec<RecordId>,
    /// What of this machine's files may have the event and was not read.
    pub(super) unread: Option<Unread>,
}

impl Evidence {
    /// The newest that decides: a name counts only where there is nothing else.
    pub(super) fn newest_known(&self) -> Option<&(DateTime<Utc>, Known)> {
        let is_name = |known: &Known| matches!(known, Known::Named(_));
        let known = self.known.iter();
        known.max_by_key(|(at, known)| (!is_name(known), *at))
    }
}
