//! What would happen if a dead letter were redriven now.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::{EventKey, parse_body};
use crate::failure::{Failure, FailureCode};

/// Fate of a dead letter if it were redriven now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It would be stored.
    Ready,
    /// The ledger knows it: it would be swallowed as a duplicate.
    AlreadyStored,
    /// The ingest would refuse it again.
    StillInvalid,
    /// It is not even JSON; nothing can be mended in it.
    Unreadable,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 4] = [
        Self::Ready,
        Self::AlreadyStored,
        Self::StillInvalid,
        Self::Unreadable,
    ];

    /// The word that stands for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::AlreadyStored => "already-stored",
            Self::StillInvalid => "still-invalid",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// What the validator says of a body. Whether the ledger knows the event is asked afterwards, for
/// many at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assessment {
    /// A valid event with this identity: `ready` unless the ledger knows it.
    Valid(EventKey),
    /// No valid event, and why.
    Invalid(Failure),
}

impl Assessment {
    /// The verdict, given whether the ledger knows the event.
    #[must_use]
    pub fn verdict(&self, is_stored: bool) -> Verdict {
        match self {
            Self::Valid(_) if is_stored => Verdict::AlreadyStored,
            Self::Valid(_) => Verdict::Ready,
            Self::Invalid(failure) if failure.code == FailureCode::NotJson => Verdict::Unreadable,
            Self::Invalid(_) => Verdict::StillInvalid,
        }
    }
}

/// Judges the body of a dead letter with the ingest's own validator.
#[must_use]
pub fn assess(body: &str) -> Assessment {
    match parse_body(body) {
        Ok(event) => Assessment::Valid(event.key()),
        Err(failure) => Assessment::Invalid(failure),
    }
}
