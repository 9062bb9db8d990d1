//! Why a request failed, in words for the screen.

use pipeline::{PipelineError, PipelineErrorKind};

/// What failed and what helps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Operation, address, cause, time.
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// Whether what was asked for may have happened all the same.
    pub(crate) may_have_happened: bool,
    /// Whether the environment does not have what was asked for, which is no failure.
    pub(crate) is_not_configured: bool,
    /// Whether nothing answered.
    pub(crate) is_unreachable: bool,
    /// Whether a change is forbidden.
    pub(crate) is_not_permitted: bool,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ..Self::default()
        }
    }
}

impl From<&PipelineError> for Fault {
    fn from(error: &PipelineError) -> Self {
        Self {
            message: error.to_string(),
            hint: Some(error.hint()),
            may_have_happened: error.may_have_happened(),
            is_not_configured: error.kind == PipelineErrorKind::NotConfigured,
            is_unreachable: error.kind == PipelineErrorKind::Unreachable,
            is_not_permitted: error.kind == PipelineErrorKind::NotPermitted,
        }
    }
}
