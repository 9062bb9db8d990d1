//! The two kinds of plans, and what a replay reads.
//!
//! Invariant: a redrive moves messages, so it receives and deletes them; a replay publishes copies of
//! records, so there is nothing to receive and nothing to delete.

use std::fmt;

use export::ReadRequest;
use serde::{Deserialize, Serialize};

use super::replacement::Replacement;

/// What a plan does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Dead letters are moved to the source queue.
    #[default]
    Redrive,
    /// Records are published to the topic again.
    Replay,
}

impl Kind {
    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redrive => "redrive",
            Self::Replay => "replay",
        }
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde calls"
    )]
    pub(crate) fn is_redrive(&self) -> bool {
        *self == Self::Redrive
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Where the events of a replay come from. They are read again when they are sent: the plan has no
/// copy of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// The records, or the files of an export.
    pub read: ReadRequest,
    /// Messages of the plan that the ingest will drop: the ledger knew their events when the plan was
    /// made, or another message of the plan has the same event.
    pub expected_duplicates: usize,
    /// What it does to stored records; absent where it leaves them as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<Replacement>,
}
