//! The data of edited and searched messages that screens and sources exchange.
//!
//! Invariant: the old body is kept beside the new one; nothing in here changes a queue.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use event::{Failure, PartialIdentity, Verdict};

use pipeline::{Body, BodyError};

/// A message as a program or the editor gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PatchInput {
    pub(crate) message_id: String,
    /// The body as it is in the queue.
    pub(crate) old_body: Body,
    /// The body as it was edited before, if it was.
    pub(crate) new_body: Option<String>,
}

impl PatchInput {
    /// The body that would be sent now.
    ///
    /// # Errors
    /// When the old one is on disk and cannot be read.
    pub(crate) fn body(&self) -> Result<Cow<'_, str>, BodyError> {
        match &self.new_body {
            Some(new_body) => Ok(Cow::Borrowed(new_body)),
            None => self.old_body.text(),
        }
    }
}

/// The messages of one question.
pub(crate) type PatchInputs = Arc<Vec<PatchInput>>;

/// A message with another body, and what would become of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EditedMessage {
    pub(crate) message_id: String,
    /// The body as it is in the queue.
    pub(crate) old_body: String,
    /// The body that is sent instead.
    pub(crate) new_body: String,
    pub(crate) verdict: Verdict,
    /// Why the validator refuses the new body.
    pub(crate) failure: Option<Failure>,
    /// Identity in the new body.
    pub(crate) identity: PartialIdentity,
    /// Whether it is another event for the ledger than the old one was.
    pub(crate) has_other_identity: bool,
    /// Whether the ledger was checked; if not, `ready` may be `already-stored`.
    pub(crate) is_ledger_checked: bool,
}

impl EditedMessage {
    /// Warnings of an edit, most serious first.
    pub(crate) fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if self.verdict == Verdict::AlreadyStored {
            warnings.push("the ledger has this identity: the edited event would be a duplicate");
        }
        if self.has_other_identity {
            warnings.push("source or id changed: the ledger treats it as a new event");
        }
        if !self.is_ledger_checked {
            warnings.push("the ledger was not checked: the event may be stored already");
        }
        warnings
    }
}

/// What a program does to messages, or the editor did to one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Patched {
    /// Messages that get another body.
    pub(crate) edited: Vec<EditedMessage>,
    /// Messages that stay as they are.
    pub(crate) unchanged: usize,
    /// Messages that the program fails on.
    pub(crate) failed: usize,
    /// Why it fails on the first of them.
    pub(crate) failure: Option<String>,
}

/// What is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    /// A text, in any case.
    Text(String),
    /// A jq program that returns neither `false` nor `null`.
    Program(String),
}

impl Query {
    /// What a line asks for: a jq program after `jq:` or with a leading `.`, else a text.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        if let Some(program) = line.strip_prefix("jq:") {
            return Some(Self::Program(program.trim().to_owned()));
        }
        match line {
            "" => None,
            program if program.starts_with('.') => Some(Self::Program(program.to_owned())),
            text => Some(Self::Text(text.to_owned())),
        }
    }
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) message_ids: HashSet<String>,
    /// Messages that the program fails on; they are not found.
    pub(crate) failed: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_dot_or_prefix_makes_a_program() {
        let program = |text: &str| Some(Query::Program(text.to_owned()));
        assert_eq!(Query::parse(" .type == \"a\""), program(".type == \"a\""));
        assert_eq!(Query::parse("jq: has(\"time\")"), program("has(\"time\")"));
        assert_eq!(
            Query::parse("LA601 "),
            Some(Query::Text("LA601".to_owned()))
        );
        assert_eq!(Query::parse("  "), None);
    }
}
