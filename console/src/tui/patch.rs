//! What the screens and the sources say to each other about messages that are mended or searched.
//!
//! Invariant: the old body is kept beside the new one; nothing in here changes a queue.

use std::collections::HashSet;
use std::sync::Arc;

pub use redrive::operations::{Edited as Mended, PatchInput};

/// The messages of one question.
pub type PatchInputs = Arc<Vec<PatchInput>>;

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
