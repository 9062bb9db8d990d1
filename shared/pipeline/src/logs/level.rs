//! Levels of log lines.

use std::str::FromStr;

use serde::Serialize;

/// A level, the least severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For whoever searches a defect.
    Debug,
    /// What happened.
    Info,
    /// Something was refused, or is tried again.
    Warn,
    /// Something failed.
    Error,
}

impl LogLevel {
    /// All, the least severe first.
    pub const ALL: [Self; 5] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
    ];

    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|level| level.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| "use trace, debug, info, warn or error".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_in_any_case_and_ordered() {
        assert_eq!("WARN".parse(), Ok(LogLevel::Warn));
        assert!("warning".parse::<LogLevel>().is_err());
        assert!(LogLevel::ALL.is_sorted());
    }
}
