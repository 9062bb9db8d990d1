//! What a redrive or a deletion does and did, for all messages and for one.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use crate::tui::request::RequestId;
use crate::tui::theme::Tone;
use redrive::operations::Progress;

/// Messages that are being deleted.
#[derive(Debug)]
pub(super) struct Deletion {
    pub(super) request: RequestId,
    pub(super) message_ids: HashSet<String>,
    pub(super) progress: Progress,
}

/// What a redrive did, counted.
#[derive(Clone, Debug)]
pub(super) struct LastResult {
    pub(super) at: DateTime<Utc>,
    pub(super) tone: Tone,
    pub(super) text: String,
}

/// What happened to a message that did not simply leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// Its copy was sent, and its deletion is not confirmed.
    SentNotDeleted(String),
    /// It stays here.
    NotSent(String),
    /// No answer came to its send; it stays here too.
    Unknown(String),
    /// The redrive ended without an outcome for it.
    NotReported(String),
}

impl Note {
    pub(super) fn text(&self) -> String {
        match self {
            Self::SentNotDeleted(error) => format!(
                "sent, and not confirmed as deleted: it may be in both queues, and the ledger makes a second arrival a \
                 duplicate · {error}"
            ),
            Self::NotSent(error) => format!("not sent: {error}"),
            Self::Unknown(error) => format!(
                "may have been sent (no answer came); it stays here too, and the ledger makes a \
                 second arrival a duplicate · {error}"
            ),
            Self::NotReported(error) => format!("unknown whether it was sent: {error}"),
        }
    }
}
