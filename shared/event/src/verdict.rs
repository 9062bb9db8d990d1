//! Verdicts: what would happen if a dead letter were redriven now.
//!
//! Invariant: the verdict comes from the ingest's own validator.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::EventKey;
use crate::failure::{Failure, FailureCode};
use crate::parse::parse_body;

/// What would happen if a dead letter were redriven now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Its event would be stored.
    Ready,
    /// Its event is in the ledger: the ingest would drop it as a duplicate.
    AlreadyStored,
    /// The ingest would refuse it again.
    StillInvalid,
    /// The body is not JSON, so no program can patch it.
    Unreadable,
}

impl Verdict {
    /// Every verdict, for counts and lists.
    pub const ALL: [Self; 4] = [
        Self::Ready,
        Self::AlreadyStored,
        Self::StillInvalid,
        Self::Unreadable,
    ];

    /// The published name, in kebab-case.
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

/// The validator's result for a body. The ledger is asked afterwards, for many events in one query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assessment {
    /// A valid event with this identity: `ready` unless it is in the ledger.
    Valid(EventKey),
    /// Not a valid event, and why.
    Invalid(Failure),
}

impl Assessment {
    /// The verdict; `is_stored` is whether the ledger contains the event.
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

/// Validates the body of a dead letter with the ingest's own validator.
#[must_use]
pub fn assess(body: &str) -> Assessment {
    match parse_body(body) {
        Ok(event) => Assessment::Valid(event.key()),
        Err(failure) => Assessment::Invalid(failure),
    }
}
