//! Why an event was not stored.
//!
//! Invariant: a published code keeps its name and its meaning.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::printable::is_deceptive;

/// Message attribute with the failure code of a dead letter. The three names are those that AWS
/// Lambda writes when an asynchronous invocation ends in a dead-letter queue (AWS Lambda developer
/// guide, "Dead-letter queues").
pub const ERROR_CODE_ATTRIBUTE: &str = "ErrorCode";
/// Message attribute with the detail and pointer, at most [`ERROR_MESSAGE_BYTES_MAX`].
pub const ERROR_MESSAGE_ATTRIBUTE: &str = "ErrorMessage";
/// Message attribute with the id of the invocation that refused the event.
pub const REQUEST_ID_ATTRIBUTE: &str = "RequestID";
/// The attributes that the ingest adds to a dead letter. A redrive removes them.
pub const FAILURE_ATTRIBUTES: [&str; 3] = [
    ERROR_CODE_ATTRIBUTE,
    ERROR_MESSAGE_ATTRIBUTE,
    REQUEST_ID_ATTRIBUTE,
];
/// Limit of the attribute `ErrorMessage`, in bytes (AWS truncates its own at 1 KB).
pub const ERROR_MESSAGE_BYTES_MAX: usize = 1_024;

/// Whether another attempt can succeed without a change to the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The event itself is at fault: the same bytes fail again.
    Permanent,
    /// The environment is at fault (database unavailable, timeout, throttling): another attempt can
    /// succeed.
    Transient,
}

/// Stable code of a permanent failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCode {
    /// The body is not JSON text (RFC 8259).
    NotJson,
    /// The body is JSON, but not an object.
    NotAnEvent,
    /// `specversion` is not "1.0".
    UnsupportedSpecversion,
    /// A required attribute (`specversion`, `id`, `source`, `type`, `time`) is absent.
    MissingAttribute,
    /// An attribute has a type or a value that CloudEvents 1.0 does not allow.
    InvalidAttribute,
    /// `time` is not an RFC 3339 timestamp.
    InvalidTime,
    /// The event, one of its attributes or its nesting exceeds a limit of the pipeline.
    TooLarge,
    /// Legal JSON that PostgreSQL cannot store (`\u0000`, lone surrogates, huge numbers), or data that
    /// it refused during the insert.
    RefusedByDatabase,
    /// The message replaces a record, and the setting of the ingest does not permit that.
    ReplacementNotPermitted,
    /// The message replaces a record, and what it names is not the record that is stored for its event: another one
    /// is, none is, it was erased, or the attribute is not the id of a record. Nothing was changed.
    ReplacementStale,
}

impl FailureCode {
    /// Every code, for lists and for tests.
    pub const ALL: [Self; 10] = [
        Self::NotJson,
        Self::NotAnEvent,
        Self::UnsupportedSpecversion,
        Self::MissingAttribute,
        Self::InvalidAttribute,
        Self::InvalidTime,
        Self::TooLarge,
        Self::RefusedByDatabase,
        Self::ReplacementNotPermitted,
        Self::ReplacementStale,
    ];

    /// The published code, in kebab-case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not-json",
            Self::NotAnEvent => "not-an-event",
            Self::UnsupportedSpecversion => "unsupported-specversion",
            Self::MissingAttribute => "missing-attribute",
            Self::InvalidAttribute => "invalid-attribute",
            Self::InvalidTime => "invalid-time",
            Self::TooLarge => "too-large",
            Self::RefusedByDatabase => "refused-by-database",
            Self::ReplacementNotPermitted => "replacement-not-permitted",
            Self::ReplacementStale => "replacement-stale",
        }
    }

    /// Whether the event is at fault. The others are about the record that a message replaces: its event is
    /// valid.
    #[must_use]
    pub const fn is_of_event(self) -> bool {
        match self {
            Self::NotJson
            | Self::NotAnEvent
            | Self::UnsupportedSpecversion
            | Self::MissingAttribute
            | Self::InvalidAttribute
            | Self::InvalidTime
            | Self::TooLarge
            | Self::RefusedByDatabase => true,
            Self::ReplacementNotPermitted | Self::ReplacementStale => false,
        }
    }

    /// Always permanent: a failure code describes an event, and a transient failure is never the fault
    /// of an event.
    #[must_use]
    pub const fn kind(self) -> FailureKind {
        FailureKind::Permanent
    }
}

impl fmt::Display for FailureCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A text that is not one of our failure codes, e.g. because another program wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown failure code {0:?}")]
pub struct UnknownFailureCode(pub String);

impl FromStr for FailureCode {
    type Err = UnknownFailureCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|code| code.as_str() == text)
            .ok_or_else(|| UnknownFailureCode(text.to_owned()))
    }
}

/// Why one event was not stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// Stable code, for programs.
    pub code: FailureCode,
    /// What is wrong, in plain words, for people. It never contains a control character.
    pub detail: String,
    /// JSON pointer (RFC 6901) to the place in the event that is at fault, where there is one.
    pub pointer: Option<String>,
}

impl Failure {
    /// A failure of the whole event. Control characters of `detail` are replaced, so that a
    /// failure can be printed anywhere.
    pub fn new(code: FailureCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: printable(detail.into()),
            pointer: None,
        }
    }

    /// A failure at one place in the event.
    pub fn at(code: FailureCode, detail: impl Into<String>, pointer: impl Into<String>) -> Self {
        Self {
            pointer: Some(printable(pointer.into())),
            ..Self::new(code, detail)
        }
    }

    /// Text of the attribute `ErrorMessage`: detail and pointer, truncated at a character boundary to
    /// [`ERROR_MESSAGE_BYTES_MAX`] bytes.
    #[must_use]
    pub fn attribute_message(&self) -> String {
        let mut text = match &self.pointer {
            Some(pointer) => format!("{} (at {pointer})", self.detail),
            None => self.detail.clone(),
        };
        if text.len() > ERROR_MESSAGE_BYTES_MAX {
            let ellipsis = '…';
            let mut end = ERROR_MESSAGE_BYTES_MAX - ellipsis.len_utf8();
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push(ellipsis);
        }
        text
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.attribute_message())
    }
}

fn printable(text: String) -> String {
    if text.chars().any(is_deceptive) {
        text.chars()
            .map(|c| if is_deceptive(c) { '\u{fffd}' } else { c })
            .collect()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_serializes_as_it_prints() {
        for code in FailureCode::ALL {
            assert_eq!(code.as_str().parse::<FailureCode>(), Ok(code));
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{code}\""));
        }
        assert!("AccessDenied".parse::<FailureCode>().is_err());
    }

    #[test]
    fn attribute_message_is_cut_at_a_character_boundary() {
        let failure = Failure::at(FailureCode::TooLarge, "ñ".repeat(1_000), "/id");
        let message = failure.attribute_message();
        assert!(message.len() <= ERROR_MESSAGE_BYTES_MAX);
        assert!(message.ends_with('…'));
    }

    #[test]
    fn control_characters_never_reach_a_detail() {
        let failure = Failure::at(FailureCode::InvalidTime, "\u{1b}[31mred", "/\u{7}");
        assert_eq!(failure.detail, "\u{fffd}[31mred");
        assert_eq!(failure.pointer.as_deref(), Some("/\u{fffd}"));
    }
}
