//! What a check is.

use serde::Serialize;

use super::fact::NotChecked;
use super::facts::Facts;
use super::fix::Fix;
use crate::rules;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; never fails a run.
    Note,
    /// Loses time or money, or hides a fault.
    Warning,
    /// Loses events, stops the pipeline, or lets others in.
    Error,
}

impl Severity {
    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl From<rules::Severity> for Severity {
    fn from(severity: rules::Severity) -> Self {
        match severity {
            rules::Severity::Warning => Self::Warning,
            rules::Severity::Bad => Self::Error,
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) severity: Severity,
    /// The values.
    pub(super) seen: String,
    pub(super) fix: Fix,
}

impl Found {
    pub(super) fn new(severity: Severity, seen: impl Into<String>, fix: Fix) -> Self {
        Self {
            severity,
            seen: seen.into(),
            fix,
        }
    }
}

/// What a check found; `None` where nothing is wrong.
pub(super) type Judged = Result<Option<Found>, NotChecked>;

/// One check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    /// Published, in kebab-case.
    pub(super) id: &'static str,
    /// Why it matters.
    pub(super) why: &'static str,
    pub(super) judge: fn(&Facts) -> Judged,
}
