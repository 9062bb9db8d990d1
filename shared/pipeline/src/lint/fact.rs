//! What is known of a fact.

use crate::{PipelineError, PipelineErrorKind};

/// A fact that a check needs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fact<T> {
    /// It was read.
    Known(T),
    /// It could not be read: why.
    Unknown(String),
    /// The environment does not have it: why.
    NotApplicable(String),
}

/// Why a check was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotChecked {
    /// In words for the operator.
    pub reason: String,
    /// Whether it should have been checked: something could not be read.
    pub is_failure: bool,
}

impl<T> Fact<T> {
    /// The fact, for a check that needs it.
    pub(super) fn get(&self) -> Result<&T, NotChecked> {
        match self {
            Self::Known(value) => Ok(value),
            Self::Unknown(reason) => Err(NotChecked {
                reason: reason.clone(),
                is_failure: true,
            }),
            Self::NotApplicable(reason) => Err(NotChecked::not_applicable(reason.clone())),
        }
    }

    /// A part of the fact, or why it is not known.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(change(value)),
            Self::Unknown(reason) => Fact::Unknown(reason),
            Self::NotApplicable(reason) => Fact::NotApplicable(reason),
        }
    }

    /// The fact, if it is known.
    pub(super) const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) | Self::NotApplicable(_) => None,
        }
    }
}

impl NotChecked {
    /// The environment does not have what would be checked.
    pub(super) fn not_applicable(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            is_failure: false,
        }
    }
}

impl<T> From<Result<T, PipelineError>> for Fact<T> {
    fn from(read: Result<T, PipelineError>) -> Self {
        let error = match read {
            Ok(value) => return Self::Known(value),
            Err(error) => error,
        };
        match error.kind {
            PipelineErrorKind::NotConfigured => {
                Self::NotApplicable(format!("{}: {}", error.cause, error.hint()))
            }
            PipelineErrorKind::Unreachable
            | PipelineErrorKind::Refused
            | PipelineErrorKind::NotPermitted => {
                Self::Unknown(format!("{error}; {}", error.hint()))
            }
        }
    }
}
