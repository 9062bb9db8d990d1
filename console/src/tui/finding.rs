//! What an operator should attend to.

use super::screen_id::ScreenId;
use super::theme::Tone;
use pipeline::rules::{self, Severity};

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How bad it is.
    pub(crate) tone: Tone,
    /// What it is, with its numbers.
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) advice: String,
    /// The screen that helps.
    pub(crate) screen: Option<ScreenId>,
}

impl From<rules::Finding> for Finding {
    fn from(finding: rules::Finding) -> Self {
        Self {
            tone: finding.severity.into(),
            text: finding.text,
            advice: finding.advice,
            screen: None,
        }
    }
}

impl From<Severity> for Tone {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Warning => Self::Warning,
            Severity::Bad => Self::Bad,
        }
    }
}
