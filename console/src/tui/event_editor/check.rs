//! The verdict of the ingest on the text in the editor. Invariant: the ingest's own code decides, once
//! for each change of the text.

use event::{EventKey, Failure, parse_event};

use super::locate::line_of;

/// The verdict on a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    /// Size of the text.
    pub(crate) size_bytes: usize,
    /// The identity under which it would be stored, or why it would be refused.
    pub(crate) result: Result<EventKey, Failure>,
    /// Line of the failure, counted from 0, where it is known.
    pub(crate) line: Option<usize>,
}

impl Check {
    /// Asks the validator.
    pub(crate) fn of(text: &str) -> Self {
        let result = parse_event(text).map(|event| event.key());
        let line = result
            .as_ref()
            .err()
            .and_then(|failure| line_of(text, failure));
        Self {
            size_bytes: text.len(),
            result,
            line,
        }
    }

    /// The identity, if the text is an event.
    pub(crate) fn key(&self) -> Option<&EventKey> {
        self.result.as_ref().ok()
    }
}
