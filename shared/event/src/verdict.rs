//! Verdicts: what would happen if a dead letter were redriven now.
//!
//! Invariant: the verdict comes from the ingest's own validator.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
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
    /// Its event is in the ledger: the ingest would drop it as a duplicate. Source and id decide that
    /// (CloudEvents 1.0, `id`: the same source and id are the same event); the data is not compared.
    AlreadyStored,
    /// The ingest would refuse it again, or drop it because it occurred before the retention horizon.
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
    /// A valid event: `ready` unless it is in the ledger or behind the retention horizon.
    Valid {
        /// Its identity.
        key: EventKey,
        /// CloudEvents `time`.
        time: DateTime<Utc>,
    },
    /// Not a valid event, and why.
    Invalid(Failure),
}

impl Assessment {
    /// The identity of a valid event.
    #[must_use]
    pub const fn key(&self) -> Option<&EventKey> {
        match self {
            Self::Valid { key, .. } => Some(key),
            Self::Invalid(_) => None,
        }
    }

    /// The verdict of an event when everything is kept; `is_stored` is whether the ledger contains it.
    #[must_use]
    pub fn verdict(&self, is_stored: bool) -> Verdict {
        match self {
            Self::Valid { .. } if is_stored => Verdict::AlreadyStored,
            Self::Valid { .. } => Verdict::Ready,
            Self::Invalid(failure) if failure.code == FailureCode::NotJson => Verdict::Unreadable,
            Self::Invalid(_) => Verdict::StillInvalid,
        }
    }

    /// The verdict, and why the ingest would not store the event. `is_stored` is whether the ledger
    /// contains it; `horizon` is the retention horizon, `None` while everything is kept.
    #[must_use]
    pub fn judge(
        self,
        is_stored: bool,
        horizon: Option<DateTime<Utc>>,
    ) -> (Verdict, Option<Failure>) {
        let verdict = self.verdict(is_stored);
        match self {
            Self::Valid { time, .. } if verdict == Verdict::Ready => match expired(time, horizon) {
                Some(failure) => (Verdict::StillInvalid, Some(failure)),
                None => (verdict, None),
            },
            Self::Valid { .. } => (verdict, None),
            Self::Invalid(failure) => (verdict, Some(failure)),
        }
    }
}

/// Validates the body of a dead letter with the ingest's own validator.
#[must_use]
pub fn assess(body: &str) -> Assessment {
    match parse_body(body) {
        Ok(event) => Assessment::Valid {
            key: event.key(),
            time: event.time,
        },
        Err(failure) => Assessment::Invalid(failure),
    }
}

/// Why the ingest would drop a valid event with this time: it occurred before the retention horizon.
#[must_use]
pub fn expired(time: DateTime<Utc>, horizon: Option<DateTime<Utc>>) -> Option<Failure> {
    let horizon = horizon.filter(|horizon| time < *horizon)?;
    let [time, horizon] = [time, horizon].map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    let detail = format!(
        "time is {time}, before the retention horizon {horizon}: the ingest would drop the event"
    );
    Some(Failure::at(FailureCode::InvalidTime, detail, "/time"))
}
