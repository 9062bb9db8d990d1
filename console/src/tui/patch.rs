//! The data of edited and searched messages that screens and sources exchange.
//!
//! Invariant: the old body is kept beside the new one; nothing in here changes a queue.

use std::collections::HashSet;
use std::sync::Arc;

use event::Verdict;

pub(crate) use redrive::operations::{Edited as EditedMessage, PatchInput};
use redrive::triage::Program;

/// The messages of one question.
pub(crate) type PatchInputs = Arc<Vec<PatchInput>>;

/// Warnings of an edit, most serious first.
pub(crate) fn warnings(edited: &EditedMessage) -> Vec<&'static str> {
    let mut warnings = Vec::new();
    if edited.verdict == Verdict::AlreadyStored {
        warnings.push(match edited.replaces {
            Some(_) => "the stored record has this text already: nothing is left to do",
            None => "an event with this identity is stored already: this one would be lost, so it is not sent",
        });
    }
    if edited.same_identity_as.is_some() {
        warnings.push(
            "another edited message gets this identity: this one would be lost, so it is not sent",
        );
    }
    if edited.has_other_identity && edited.verdict != Verdict::AlreadyStored {
        warnings.push(if edited.is_ledger_checked {
            "source or id changed: the ledger treats it as a new event"
        } else {
            "source or id changed"
        });
    }
    if !edited.is_ledger_checked {
        warnings.push("the ledger was not checked: the event may be stored already");
    }
    warnings
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

/// What a search was most likely meant to be: `jq .type` without the colon would search for that text.
pub(crate) fn missing_colon(line: &str) -> Option<String> {
    let program = line.trim().strip_prefix("jq")?;
    if !program.starts_with(char::is_whitespace) {
        return None;
    }
    let program = program.trim_start();
    let is_program = program.starts_with('.') || Program::compile(program).is_ok();
    is_program.then(|| format!("for a jq program write \"jq: {program}\", with a colon"))
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) message_ids: HashSet<String>,
    /// Messages that the program fails on; they are not found.
    pub(crate) failed: usize,
    /// Why it fails on the first of them.
    pub(crate) failure: Option<String>,
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

    #[test]
    fn program_after_jq_without_a_colon_is_no_text() {
        for program in [".type ==", ".type == \"a\"", "has(\"time\")"] {
            let advice = missing_colon(&format!(" jq {program} ")).unwrap();
            assert!(advice.contains(&format!("jq: {program}")), "{advice}");
        }
        for text in ["jq", "jquery .a", "jq is missing", "jq: .a", "LA601"] {
            assert_eq!(missing_colon(text), None, "{text}");
        }
    }
}
