//! What a jq program makes of the events of messages.
//!
//! Invariant: the body in the queue stays beside the new one. A body that only looks different, with
//! other blanks or another order of digits, is no change.

use std::io;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::judge::NewBody;
use super::{OnProgress, Progress};
use crate::triage::{Interpreter, InterpreterError, Program, RunError};
use event::NamedRecord;
use pipeline::model::DeadLetter;
use pipeline::{Body, BodySpool, named_record};

/// Messages after which the progress is reported.
const CHUNK: usize = 256;

/// A message that a program is applied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchInput {
    /// SQS message id.
    pub message_id: String,
    /// The body in the queue.
    pub old_body: Body,
    /// The body after an earlier edit, if there was one.
    pub new_body: Option<Body>,
    /// What the attributes of the message name, if it replaces a record.
    pub named: Option<NamedRecord>,
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

/// Why a message is left out on which a program failed.
pub(super) fn patch_failed(cause: &str) -> String {
    format!("the patch failed: {cause}")
}

impl PatchInput {
    /// The body that would be sent now.
    #[must_use]
    pub fn body(&self) -> Body {
        self.new_body.as_ref().unwrap_or(&self.old_body).clone()
    }
}

impl From<&DeadLetter> for PatchInput {
    fn from(message: &DeadLetter) -> Self {
        Self {
            message_id: message.message_id.clone(),
            old_body: message.body.clone(),
            new_body: None,
            named: named_record(&message.attributes),
        }
    }
}

/// Applies a program to messages, within a limit for all of them. The caller keeps the messages
/// hidden meanwhile.
///
/// # Errors
/// When the program cannot be run, or takes too long.
pub async fn patch(
    program: &Program,
    messages: Vec<PatchInput>,
    limit: Duration,
    on_progress: OnProgress,
) -> Result<Patched, InterpreterError> {
    timeout(limit, apply(program, messages, on_progress))
        .await
        .map_err(|_| InterpreterError::TooSlow(limit))?
}

async fn apply(
    program: &Program,
    messages: Vec<PatchInput>,
    on_progress: OnProgress,
) -> Result<Patched, InterpreterError> {
    let mut interpreter = Interpreter::patching(program);
    let mut patched = Patched::default();
    let mut spool = None;
    let total = messages.len();
    let mut done = 0;
    let mut messages = messages.into_iter();
    loop {
        let chunk: Vec<_> = messages.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            return Ok(patched);
        }
        let bodies = chunk.iter().map(PatchInput::body).collect();
        let answers = interpreter.run(bodies).await?;
        done += chunk.len();
        (patched, spool) = spawn_blocking(move || {
            for (message, answer) in chunk.into_iter().zip(answers) {
                patched.add(message, answer, &mut spool);
            }
            (patched, spool)
        })
        .await?;
        on_progress(Progress { done, total });
    }
}

impl Patched {
    fn add(
        &mut self,
        message: PatchInput,
        answer: Result<Option<String>, RunError>,
        spool: &mut Option<BodySpool>,
    ) {
        let PatchInput {
            message_id,
            old_body,
            named,
            ..
        } = message;
        match answer {
            Ok(None) => self.unchanged += 1,
            Ok(Some(text)) => match spooled(spool, &text) {
                Ok(new_body) => self.changed.push(NewBody {
                    message_id,
                    old_body,
                    new_body,
                    named,
                }),
                Err(error) => {
                    let cause = format!("the new body cannot be written: {error}");
                    self.failures.push((message_id, cause));
                }
            },
            Err(error) => self.failures.push((message_id, error.to_string())),
        }
    }
}

/// The new body goes to a file at once: those of many messages have no room in memory.
fn spooled(spool: &mut Option<BodySpool>, text: &str) -> io::Result<Body> {
    let spool = match spool {
        Some(spool) => spool,
        None => spool.insert(BodySpool::create()?),
    };
    spool.write(text)
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
            named: None,
        };
        let messages: Vec<_> = bodies.iter().enumerate().map(message).collect();
        let program = Program::compile("if .a == 2 then . else .a += 1 end").unwrap();
        worker_entry();
        let limit = Duration::from_secs(600);
        let (progress, reported) = std::sync::mpsc::channel();
        let on_progress = Box::new(move |so_far: Progress| progress.send(so_far).unwrap());
        let patched = patch(&program, messages, limit, on_progress).await.unwrap();
        let reported: Vec<_> = reported.iter().map(|so_far| so_far.done).collect();
        assert_eq!(reported, [4]);
        let changed: Vec<_> = patched
            .changed
            .iter()
            .map(|body| {
                (
                    body.new_body.text().unwrap(),
                    body.new_body.bytes_in_memory(),
                )
            })
            .collect();
        assert_eq!(changed, [("{\"a\":2}".into(), 0)]);
        assert_eq!(patched.unchanged, 1);
        let failed: Vec<_> = patched.failures.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(failed, ["2", "3"]);
        assert!(
            patched.failures[0]
                .1
                .starts_with("jq cannot read the body: it is not JSON")
        );
    }
}
