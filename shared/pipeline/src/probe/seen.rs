//! What one probe saw.
//!
//! Invariant: the JSON fields are published; they keep their names and their meaning. A hop that was not seen is
//! `None`, never zero.

use std::time::Duration;

use ::event::{EventKey, RecordId};
use chrono::{DateTime, TimeDelta, Utc};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::clock::DatabaseClock;
use super::millis::{in_millis, millis, signed_millis_or_null};

/// A hop of a probe, in the order in which its event takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeHop {
    /// The topic confirmed it.
    Published,
    /// The ledger has it.
    Stored,
    /// The API answers with its record.
    Readable,
}

impl ProbeHop {
    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Stored => "stored",
            Self::Readable => "readable",
        }
    }
}

/// What is measured of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// From the request to the answer of SNS.
    Published,
    /// From that answer to the insert of the record by the database's clock, as far as the clocks are known. Not measured
    /// where that is below zero.
    Ingested,
    /// From that answer, or from the request where none came, until a look-up found it: later than the insert by at most a
    /// pause between two look-ups.
    Stored,
    /// From then until the API answered with its record.
    Readable,
    /// From the request until the last hop.
    Total,
}

impl Measure {
    /// Every measure, in the order of the hops.
    pub const ALL: [Self; 5] = [
        Self::Published,
        Self::Ingested,
        Self::Stored,
        Self::Readable,
        Self::Total,
    ];

    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Ingested => "ingested",
            Self::Stored => "stored",
            Self::Readable => "readable",
            Self::Total => "total",
        }
    }
}

/// SNS took the event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PublishedHop {
    /// From the request to the answer.
    #[serde(rename = "ms", serialize_with = "millis")]
    pub took: Duration,
    /// SNS message id.
    pub sns_message_id: String,
    /// When SNS answered, by this machine's clock.
    pub acknowledged_at: DateTime<Utc>,
}

/// The ledger has the event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredHop {
    /// From the answer of SNS, or from the request where none came, until a look-up found it, by this machine's clock.
    #[serde(rename = "ms", serialize_with = "millis")]
    pub took: Duration,
    /// The record.
    pub record_id: RecordId,
    /// Time of the insert, by the database's clock; `None` where the record was not read.
    pub ingested_at: Option<DateTime<Utc>>,
    /// From the answer of SNS to the insert, with the difference of the clocks taken off: as uncertain as that is, and
    /// below zero where SNS had delivered before it answered. `None` where it did not answer, or the clocks were not
    /// compared.
    #[serde(rename = "ingested_ms", serialize_with = "signed_millis_or_null")]
    pub ingested_after: Option<TimeDelta>,
}

/// The API answers with the record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReadableHop {
    /// From the hop before until the answer.
    #[serde(rename = "ms", serialize_with = "millis")]
    pub took: Duration,
    /// Time of the answer alone.
    #[serde(rename = "answer_ms", serialize_with = "millis")]
    pub answer: Duration,
}

/// Why a probe did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureReason {
    /// The request surely did not reach SNS: nothing of the pipeline is known.
    NotAsked,
    /// SNS refused it.
    Refused,
    /// SNS gave no answer, and the event was not seen: it may have been published.
    Unknown,
    /// The hop did not happen within its limit.
    TimeOver,
    /// Whether the hop happened is not known: what would show it was not answered at the end.
    NotSeen,
    /// The event is a dead letter.
    DeadLetter,
}

impl FailureReason {
    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAsked => "not-asked",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::NotSeen => "not-seen",
            Self::TimeOver => "time-over",
            Self::DeadLetter => "dead-letter",
        }
    }
}

/// The hop at which a probe failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProbeFailure {
    /// The first hop that did not happen.
    pub hop: ProbeHop,
    /// Why.
    pub reason: FailureReason,
    /// The same in words.
    pub detail: String,
}

/// One probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Name of the environment.
    pub environment: String,
    /// The event.
    pub key: EventKey,
    /// When it began, by this machine's clock.
    pub started_at: DateTime<Utc>,
    /// The first hop; `None` also where SNS gave no answer and the event was followed all the same.
    pub published: Option<PublishedHop>,
    /// The second one.
    pub stored: Option<StoredHop>,
    /// The last one; `None` also where the environment has no API.
    pub readable: Option<ReadableHop>,
    /// Whether the environment has an API.
    pub has_api: bool,
    /// Why it did not come to its end.
    pub failure: Option<ProbeFailure>,
    /// The clocks, where they could be compared.
    pub database_clock: Option<DatabaseClock>,
}

impl Probe {
    /// How long a measure took; `None` where it was not seen.
    #[must_use]
    pub fn measured(&self, measure: Measure) -> Option<Duration> {
        let (published, stored) = (self.published.as_ref(), self.stored.as_ref());
        match measure {
            Measure::Published => published.map(|hop| hop.took),
            // Below zero is within the uncertainty of the clocks, or before the answer of SNS: no time that it took.
            Measure::Ingested => stored?.ingested_after?.to_std().ok(),
            Measure::Stored => stored.map(|hop| hop.took),
            Measure::Readable => self.readable.as_ref().map(|hop| hop.took),
            Measure::Total => self.total(),
        }
    }

    /// From the request until the last hop that this environment has; `None` where it failed.
    #[must_use]
    pub fn total(&self) -> Option<Duration> {
        if self.failure.is_some() {
            return None;
        }
        let read = match &self.readable {
            Some(hop) => hop.took,
            None if self.has_api => return None,
            None => Duration::ZERO,
        };
        // Without an answer of SNS the next hop is measured from the request.
        let published = self.published.as_ref().map(|hop| hop.took);
        Some(published.unwrap_or_default() + self.stored.as_ref()?.took + read)
    }

    /// Whether it did not come to its end, and that says nothing certain of the pipeline.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        self.failure
            .as_ref()
            .is_some_and(|failure| match failure.reason {
                FailureReason::NotAsked | FailureReason::Unknown | FailureReason::NotSeen => true,
                FailureReason::Refused | FailureReason::TimeOver | FailureReason::DeadLetter => {
                    false
                }
            })
    }

    /// Whether its event was published, or may have been.
    #[must_use]
    pub fn may_be_stored(&self) -> bool {
        let failure = self.failure.as_ref();
        self.published.is_some()
            || self.stored.is_some()
            || failure.is_some_and(|failure| failure.reason == FailureReason::Unknown)
    }

    /// Whether it came to its end, and took longer than this.
    #[must_use]
    pub fn is_slower_than(&self, limit: Duration) -> bool {
        self.total().is_some_and(|total| total > limit)
    }
}

impl Serialize for Probe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Probe", 11)?;
        fields.serialize_field("environment", &self.environment)?;
        fields.serialize_field("source", &self.key.source)?;
        fields.serialize_field("id", &self.key.id)?;
        fields.serialize_field("started_at", &self.started_at)?;
        fields.serialize_field("published", &self.published)?;
        fields.serialize_field("stored", &self.stored)?;
        fields.serialize_field("readable", &self.readable)?;
        fields.serialize_field("total_ms", &self.total().map(in_millis))?;
        fields.serialize_field("has_api", &self.has_api)?;
        fields.serialize_field("failure", &self.failure)?;
        fields.serialize_field("database_clock", &self.database_clock)?;
        fields.end()
    }
}
