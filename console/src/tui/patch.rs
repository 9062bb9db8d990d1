//! What the screens and the sources say to each other about messages that are mended or searched.
//!
//! Invariant: the old body is kept beside the new one; nothing in here changes a queue.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use event::{Failure, PartialIdentity, Verdict};

use pipeline::{Body, BodyError};

/// A message as a program or the editor gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchInput {
    /// SQS message id.
    pub message_id: String,
    /// The body as it is in the queue.
    pub old_body: Body,
    /// The body as it was mended before, if it was.
    pub new_body: Option<String>,
}

impl PatchInput {
    /// The body that would be sent now.
    ///
    /// # Errors
    /// When the old one was put aside and cannot be read.
    pub fn body(&self) -> Result<Cow<'_, str>, BodyError> {
        match &self.new_body {
            Some(new_body) => Ok(Cow::Borrowed(new_body)),
            None => self.old_body.text(),
        }
    }
}

/// The messages of one question.
pub type PatchInputs = Arc<Vec<PatchInput>>;

/// A message with another body, and what would become of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// SQS message id.
    pub message_id: String,
    /// The body as it is in the queue.
    pub old_body: String,
    /// The body that is sent instead.
    pub new_body: String,
    /// Verdict of the new body.
    pub verdict: Verdict,
    /// Why the validator refuses the new body.
    pub failure: Option<Failure>,
    /// What the new body says of its event.
    pub identity: PartialIdentity,
    /// Whether it is another event for the ledger than the old one was.
    pub has_other_identity: bool,
    /// Whether the ledger was asked; if not, `ready` may be `already-stored`.
    pub is_ledger_asked: bool,
}

/// What a program does to messages, or the editor did to one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patched {
    /// Messages that get another body.
    pub mended: Vec<Mended>,
    /// Messages that stay as they are.
    pub unchanged: usize,
    /// Messages that the program fails on.
    pub failed: usize,
    /// Why it fails on the first of them.
    pub failure: Option<String>,
}

/// What is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// A text, in any case.
    Text(String),
    /// A jq program that gives neither `false` nor `null`.
    Program(String),
}

impl Query {
    /// What a line asks for: a jq program after `jq:` or with a leading `.`, else a text.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
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
pub struct Found {
    /// Message ids.
    pub message_ids: HashSet<String>,
    /// Messages that the program fails on; they are not found.
    pub failed: usize,
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
