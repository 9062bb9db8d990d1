//! Why a redrive is paused.
//!
//! Invariant: who paused it is a type; its text is only for people.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a redrive is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", content = "why", rename_all = "kebab-case")]
pub enum Pause {
    /// The operator of the process that runs it paused it.
    Operator,
    /// Another process asked for it.
    OtherProcess,
    /// It stopped by itself, for this reason: an operator has to decide.
    Redrive(String),
}

impl Pause {
    /// The reason, where it stopped by itself.
    #[must_use]
    pub fn own(&self) -> Option<&str> {
        match self {
            Self::Redrive(why) => Some(why),
            Self::Operator | Self::OtherProcess => None,
        }
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Operator => "paused by its operator",
            Self::OtherProcess => "paused by another process",
            Self::Redrive(why) => why,
        })
    }
}
