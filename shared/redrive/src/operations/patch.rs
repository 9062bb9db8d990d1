//! What a jq program makes of the events of messages.
//!
//! Invariant: the body in the queue stays beside the new one. A body that only looks different, with
//! other blanks or another order of digits, is no change.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::judge::NewBody;
use super::program_thread::{ProgramThreadError, for_each_message};
use super::{OnProgress, Progress};
use crate::triage::{Program, RunError};
use pipeline::model::DeadLetter;
use pipeline::{Body, BodyError, BodySpool};

/// A message that a program is applied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchInput {
    /// SQS message id.
    pub message_id: String,
    /// The body in the queue.
    pub old_body: Body,
    /// The body after an earlier edit, if there was one.
    pub new_body: Option<Body>,
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
    ///
    /// # Errors
    /// When it is in the spool and cannot be read.
    pub fn body(&self) -> Result<Cow<'_, str>, BodyError> {
        self.new_body.as_ref().unwrap_or(&self.old_body).text()
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

/// Applies a program to messages, within a limit; see [`for_each_message`] for `slot`. The caller
/// keeps the messages hidden meanwhile.
///
/// # Errors
/// When an earlier program still runs, or when this one takes too long.
pub async fn patch(
    slot: &Arc<Semaphore>,
    program: Arc<Program>,
    messages: Arc<Vec<PatchInput>>,
    limit: Duration,
    on_progress: OnProgress,
) -> Result<Patched, ProgramThreadError> {
    // What a program that changes nothing writes shows a change apart from another layout.
    let identity = Program::compile(".").map_err(|_| ProgramThreadError::Failed)?;
    let total = messages.len();
    let mut done = 0;
    let mut spool = None;
    let apply = move |message: &PatchInput| {
        let changed = change(&program, &identity, message);
        let changed = changed.map_err(|error| error.to_string()).and_then(|text| {
            let new_body = text.map(|text| spooled(&mut spool, &text)).transpose();
            new_body.map_err(|error| format!("the new body cannot be written: {error}"))
        });
        done += 1;
        on_progress(Progress { done, total });
        (
            message.message_id.clone(),
            message.old_body.clone(),
            changed,
        )
    };
    let mut patched = Patched::default();
    for (message_id, old_body, changed) in for_each_message(slot, messages, limit, apply).await? {
        match changed {
            Ok(Some(new_body)) => patched.changed.push(NewBody {
                message_id,
                old_body,
                new_body,
            }),
            Ok(None) => patched.unchanged += 1,
            Err(cause) => patched.failures.push((message_id, cause)),
        }
    }
    Ok(patched)
}

/// The new body goes to a file at once: those of many messages have no room in memory.
fn spooled(spool: &mut Option<BodySpool>, text: &str) -> io::Result<Body> {
    let spool = match spool {
        Some(spool) => spool,
        None => spool.insert(BodySpool::create()?),
    };
    spool.write(text)
}

fn change(
    program: &Program,
    identity: &Program,
    message: &PatchInput,
) -> Result<Option<String>, RunError> {
    let body = message.body()?;
    let new_body = program.patch(&body)?;
    let is_changed = identity.patch(&body).as_ref() != Ok(&new_body);
    Ok(is_changed.then_some(new_body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn patch_counts_what_changes_what_stays_and_what_fails() {
        let bodies = ["{ \"a\": 1 }", "{\"a\":2}", "no json", "{\"a\":\"x\"}"];
        let message = |(number, body): (usize, &&str)| PatchInput {
            message_id: number.to_string(),
            old_body: (*body).into(),
            new_body: None,
        };
        let messages: Vec<_> = bodies.iter().enumerate().map(message).collect();
        let program = Arc::new(Program::compile("if .a == 2 then . else .a += 1 end").unwrap());
        let slot = Arc::new(Semaphore::new(1));
        let limit = Duration::from_secs(600);
        let (progress, reported) = std::sync::mpsc::channel();
        let on_progress = Box::new(move |so_far: Progress| progress.send(so_far).unwrap());
        let patched = patch(&slot, program, Arc::new(messages), limit, on_progress)
            .await
            .unwrap();
        let reported: Vec<_> = reported.iter().map(|so_far| so_far.done).collect();
        assert_eq!(reported, [1, 2, 3, 4]);
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
        assert_eq!(patched.failures[0].1, "the body is not JSON");
    }
}
