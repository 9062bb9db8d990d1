//! What a jq program makes of the events of messages.
//!
//! Invariant: the body in the queue stays beside the new one. A body that only looks different, with
//! other blanks or another order of digits, is no change.

use std::time::Duration;

use tokio::time::timeout;

use super::judge::NewBody;
use crate::triage::{Interpreter, InterpreterError, Program};
use pipeline::Body;
use pipeline::model::DeadLetter;

/// A message that a program is applied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchInput {
    /// SQS message id.
    pub message_id: String,
    /// The body in the queue.
    pub old_body: Body,
    /// The body after an earlier edit, if there was one.
    pub new_body: Option<String>,
}

/// What a program did to messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patched {
    /// Messages that get another body, not judged yet.
    pub changed: Vec<NewBody>,
    /// Messages whose event stays the same.
    pub unchanged: usize,
    /// Messages on which the program failed, by message id, and why.
    pub failures: Vec<(String, String)>,
}

impl PatchInput {
    /// The body that would be sent now.
    #[must_use]
    pub fn body(&self) -> Body {
        match &self.new_body {
            Some(new_body) => new_body.as_str().into(),
            None => self.old_body.clone(),
        }
    }
}

impl From<&DeadLetter> for PatchInput {
    fn from(message: &DeadLetter) -> Self {
        Self {
            message_id: message.message_id.clone(),
            old_body: message.body.clone(),
            new_body: None,
        }
    }
}

/// Applies a program to messages, within a limit for all of them.
///
/// # Errors
/// When the program cannot be run, or takes too long.
pub async fn patch(
    program: &Program,
    messages: Vec<PatchInput>,
    limit: Duration,
) -> Result<Patched, InterpreterError> {
    let mut interpreter = Interpreter::patching(program);
    let bodies = messages.iter().map(PatchInput::body).collect();
    let answers = timeout(limit, interpreter.run(bodies))
        .await
        .map_err(|_| InterpreterError::TooSlow(limit))??;
    let mut patched = Patched::default();
    for (message, answer) in messages.into_iter().zip(answers) {
        let changed = answer.and_then(|new_body| {
            let new_body = new_body.map(|new_body| {
                let (message_id, old_body) = (&message.message_id, &message.old_body);
                NewBody::of(message_id, old_body, new_body)
            });
            Ok(new_body.transpose()?)
        });
        match changed {
            Ok(Some(new_body)) => patched.changed.push(new_body),
            Ok(None) => patched.unchanged += 1,
            Err(error) => {
                let failure = (message.message_id, error.to_string());
                patched.failures.push(failure);
            }
        }
    }
    Ok(patched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::worker_entry;

    #[tokio::test]
    async fn patch_counts_what_changes_what_stays_and_what_fails() {
        let bodies = ["{ \"a\": 1 }", "{\"a\":2}", "no json", "{\"a\":\"x\"}"];
        let message = |(number, body): (usize, &&str)| PatchInput {
            message_id: number.to_string(),
            old_body: (*body).into(),
            new_body: None,
        };
        let messages: Vec<_> = bodies.iter().enumerate().map(message).collect();
        let program = Program::compile("if .a == 2 then . else .a += 1 end").unwrap();
        worker_entry();
        let limit = Duration::from_secs(600);
        let patched = patch(&program, messages, limit).await.unwrap();
        let changed: Vec<_> = patched
            .changed
            .iter()
            .map(|body| body.new_body.as_str())
            .collect();
        assert_eq!(changed, ["{\"a\":2}"]);
        assert_eq!(patched.unchanged, 1);
        let failed: Vec<_> = patched.failures.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(failed, ["2", "3"]);
        assert_eq!(patched.failures[0].1, "the body is not JSON");
    }
}
