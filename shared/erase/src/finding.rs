//! What was found where, and what becomes or became of it.

use serde::Serialize;

/// Kind of a place. The names are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Records of one day.
    Records,
    /// The dead-letter queue.
    DeadLetters,
    /// The journal of a redrive, with its plan and control files.
    Redrive,
    /// A plan that was never run.
    Plan,
    /// Copies of dead letters.
    Messages,
    /// A file of an export of records.
    Export,
    /// A file that was left half written.
    Temporary,
    /// A file of the external editor.
    Editor,
    /// Questions in SQL and filters of records that the console keeps.
    Queries,
    /// The audit log.
    AuditLog,
}

impl Place {
    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::DeadLetters => "dead-letters",
            Self::Redrive => "redrive",
            Self::Plan => "plan",
            Self::Messages => "messages",
            Self::Export => "export",
            Self::Temporary => "temporary",
            Self::Editor => "editor",
            Self::Queries => "queries",
            Self::AuditLog => "audit-log",
        }
    }
}

/// How something is erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Each one is deleted: records, dead letters.
    Delete,
    /// The whole file is removed.
    Remove,
    /// The file is replaced by one without them.
    Rewrite,
    /// It stays: why.
    Leave(String),
}

impl Action {
    /// The published name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Remove => "remove",
            Self::Rewrite => "rewrite",
            Self::Leave(_) => "leave",
        }
    }
}

/// What was found at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Kind of the place.
    pub place: Place,
    /// The day, the queue, the id or the file.
    pub name: String,
    /// How many events or messages were found there; 0 where the place cannot be searched.
    pub found: u64,
    /// How they are erased.
    pub action: Action,
    /// How many were erased.
    pub erased: u64,
    /// Why not all are erased.
    pub error: Option<String>,
}

impl Finding {
    pub(crate) fn new(place: Place, name: impl Into<String>, found: u64, action: Action) -> Self {
        Self {
            place,
            name: name.into(),
            found,
            action,
            erased: 0,
            error: None,
        }
    }

    /// Why something stays here, after an erasure.
    #[must_use]
    pub fn why_left(&self) -> Option<&str> {
        match &self.action {
            Action::Leave(reason) => Some(reason),
            Action::Delete | Action::Remove | Action::Rewrite => self.error.as_deref(),
        }
    }
}
