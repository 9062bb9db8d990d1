//! What is known of one event, and what is not.
//!
//! Invariant: the JSON fields are published; they keep their names and their meaning. What was not read is a [`Gap`],
//! never an absent fact.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// A hop of an event's way, in the order in which events take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hop {
    /// The time that the event itself says.
    Occurred,
    /// It was published to the topic.
    Published,
    /// It came into the source queue.
    Queued,
    /// The ingest received it and did not store it.
    Attempted,
    /// It came into the dead-letter queue.
    Dead,
    /// Its body was changed.
    Edited,
    /// It is in the plan of a redrive or replay.
    Planned,
    /// A redrive or a replay sent it, or did not.
    Redriven,
    /// What a redrive or a replay saw of it afterwards.
    Verdict,
    /// A dead letter of it was deleted.
    Deleted,
    /// Its record was written.
    Stored,
    /// A correction took the place of its record.
    Replaced,
    /// The source queue as it is now.
    Waiting,
    /// What the API answers now.
    Readable,
}

impl Hop {
    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Occurred => "occurred",
            Self::Published => "published",
            Self::Queued => "queued",
            Self::Attempted => "attempted",
            Self::Dead => "dead",
            Self::Edited => "edited",
            Self::Planned => "planned",
            Self::Redriven => "redriven",
            Self::Verdict => "verdict",
            Self::Deleted => "deleted",
            Self::Stored => "stored",
            Self::Replaced => "replaced",
            Self::Waiting => "waiting",
            Self::Readable => "readable",
        }
    }
}

/// Where a fact was read. Each place has a clock of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The ledger and the records.
    Records,
    /// The HTTP API.
    Api,
    /// The source queue.
    Queue,
    /// The dead-letter queue.
    DeadLetters,
    /// The journals of this machine.
    Journals,
    /// The audit log of this machine.
    AuditLog,
    /// CloudWatch Logs.
    Logs,
}

impl Place {
    /// For people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Api => "API",
            Self::Queue => "queue",
            Self::DeadLetters => "dead letters",
            Self::Journals => "journal",
            Self::AuditLog => "audit log",
            Self::Logs => "logs",
        }
    }
}

/// What a fact means for the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It got further.
    Good,
    /// It got no further, or its outcome is in doubt.
    Doubtful,
    /// It failed.
    Bad,
    /// Neither.
    Neutral,
}

/// One line of the time line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraceFact {
    /// When, by the clock of the place; `None` where the place does not say it.
    pub at: Option<DateTime<Utc>>,
    /// The hop that it is about.
    pub hop: Hop,
    /// What it means.
    pub standing: Standing,
    /// What happened, in plain words.
    pub text: String,
    /// Where it was read.
    pub read_from: Place,
    /// What can be looked up: the id of a redrive, a message or a record.
    pub reference: Option<String>,
}

/// Something that is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The place that would know it.
    pub place: Place,
    /// What is not known, and why.
    pub reason: String,
    /// Whether it could not be read; otherwise it was not asked for, or nobody records it.
    pub is_failure: bool,
}

impl Gap {
    pub(super) fn failed(place: Place, reason: impl Into<String>) -> Self {
        Self {
            place,
            reason: reason.into(),
            is_failure: true,
        }
    }

    pub(super) fn unrecorded(place: Place, reason: impl Into<String>) -> Self {
        Self {
            is_failure: false,
            ..Self::failed(place, reason)
        }
    }
}

/// A place that was searched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Search {
    /// Which.
    pub place: Place,
    /// How far.
    pub extent: String,
}

/// Why something of this machine's files was not read, which may have the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum UnreadCause {
    /// The time was not enough.
    Time,
    /// The audit log, or lines of it. It is the record of changes, and nobody moves it away.
    AuditLog,
    /// A file was written by a later version.
    Newer,
    /// A file is damaged, or cannot be read.
    File,
}

/// Something of this machine's files that was not read and may have the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) cause: UnreadCause,
    /// Where, what and why.
    pub(super) text: String,
}

/// What one place knows.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) facts: Vec<TraceFact>,
    pub(super) gaps: Vec<Gap>,
    pub(super) searches: Vec<Search>,
    /// Each is one of the gaps too.
    pub(super) unread: Vec<Unread>,
}

impl Findings {
    pub(super) fn searched(&mut self, place: Place, extent: impl Into<String>) {
        let extent = extent.into();
        self.searches.push(Search { place, extent });
    }

    /// Something of this machine's files, which may have the event.
    pub(super) fn not_read(&mut self, place: Place, cause: UnreadCause, reason: impl Into<String>) {
        let reason = reason.into();
        let text = format!("{}: {reason}", place.as_str());
        self.unread.push(Unread { cause, text });
        self.gaps.push(Gap::failed(place, reason));
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.unread.append(&mut other.unread);
        self.facts.append(&mut other.facts);
        self.gaps.append(&mut other.gaps);
        self.searches.append(&mut other.searches);
    }
}
