//! Patches, edits and searches of messages.
//!
//! Invariant: as in [`redrive::operations`]; this only renders why there is no result.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::redrives::blocking;
use super::shared::Shared;
use crate::tui::fault::Fault;
use crate::tui::patch::{Found, PatchInput, PatchInputs, Patched, Query};
use crate::tui::search::{SearchInput, SearchInputs, Shown};
use pipeline::{Body, BodySpool, Pipeline};
use redrive::operations::{self, JudgeError, NewBody, OnProgress};
use redrive::triage::{Interpreter, InterpreterError, Program, ProgramError, RunError};

/// How long a program may run over all messages: less than the limit of a question.
const PROGRAM_LIMIT: Duration = Duration::from_secs(8);

/// What a program would do to messages.
pub(super) async fn patch(
    pipeline: &Pipeline,
    program: String,
    messages: PatchInputs,
    on_progress: OnProgress,
) -> Result<Patched, Fault> {
    let program = Program::compile(&program).map_err(|error| not_a_program(&error))?;
    let patched = operations::patch(&program, messages.to_vec(), PROGRAM_LIMIT, on_progress)
        .await
        .map_err(|error| no_result(&error))?;
    Ok(Patched {
        edited: operations::judge(pipeline, patched.changed)
            .await
            .map_err(not_judged)?
            .edited,
        unchanged: patched.unchanged,
        failed: patched.failures.len(),
        failure: patched.failures.into_iter().next().map(|(_, cause)| cause),
    })
}

/// What would happen to a message with this body.
pub(super) async fn judge(
    shared: &Shared,
    message: PatchInput,
    new_body: String,
) -> Result<Patched, Fault> {
    let edits = Arc::clone(&shared.edits);
    let new_body = blocking(move || write_edit(&edits, &new_body)).await?;
    let body = NewBody {
        message_id: message.message_id,
        old_body: message.old_body,
        named: message.named,
        new_body: new_body.map_err(|error| Fault::new(format!("write the edit: {error}")))?,
    };
    let judged = operations::judge(&shared.pipeline()?, vec![body]).await;
    Ok(Patched {
        edited: judged.map_err(not_judged)?.edited,
        ..Patched::default()
    })
}

/// Writes an edit to the spool of edits, or to a new one where that is full.
fn write_edit(edits: &Mutex<Option<BodySpool>>, text: &str) -> io::Result<Body> {
    let mut spool = edits.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(written) = spool.as_mut().and_then(|spool| spool.write(text).ok()) {
        return Ok(written);
    }
    spool.insert(BodySpool::create()?).write(text)
}

fn not_judged(error: JudgeError) -> Fault {
    Fault::new(error.to_string())
}

/// Which messages a query finds.
pub(super) async fn search(query: Query, messages: SearchInputs) -> Result<Found, Fault> {
    let answers = match query {
        Query::Text(text) => {
            let messages = Arc::clone(&messages);
            blocking(move || contain(&text, &messages)).await?
        }
        Query::Program(program) => {
            let bodies = messages.iter().map(|input| input.body.clone()).collect();
            let program = Program::compile(&program).map_err(|error| not_a_program(&error))?;
            let mut interpreter = Interpreter::selecting(&program);
            timeout(PROGRAM_LIMIT, interpreter.run(bodies))
                .await
                .map_err(|_| no_result(&InterpreterError::TooSlow(PROGRAM_LIMIT)))?
                .map_err(|error| no_result(&error))?
        }
    };
    let mut found = Found::default();
    for (input, answer) in messages.iter().zip(answers) {
        match answer {
            Ok(true) => {
                found.message_ids.insert(input.message_id.clone());
            }
            Ok(false) => {}
            Err(error) => {
                found.failed += 1;
                found.failure.get_or_insert_with(|| error.to_string());
            }
        }
    }
    Ok(found)
}

/// Whether each message contains a text, in any case: in its body, or in what the screen shows beside it.
fn contain(text: &str, messages: &[SearchInput]) -> Vec<Result<bool, RunError>> {
    let shown = Shown::new(text);
    let text = text.to_lowercase();
    let contains = |input: &SearchInput| {
        if shown.is_of(input) {
            return Ok(true);
        }
        Ok(input.body.text()?.to_lowercase().contains(&text))
    };
    messages.iter().map(contains).collect()
}

fn not_a_program(error: &ProgramError) -> Fault {
    Fault {
        message: format!("not a jq program: {error}"),
        hint: None,
        ..Fault::default()
    }
}

fn no_result(error: &InterpreterError) -> Fault {
    let is_slow = matches!(error, InterpreterError::TooSlow(_));
    let hint = is_slow.then_some("mark fewer messages, or write a simpler one");
    Fault {
        message: error.to_string(),
        hint: hint.map(str::to_owned),
        ..Fault::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use event::{Failure, FailureCode};
    use pipeline::model::Reason;

    use super::*;

    fn input(id: &str, body: &str) -> SearchInput {
        SearchInput {
            message_id: id.to_owned(),
            body: body.into(),
            title: "missing-attribute /time".into(),
            reason: None,
            failure: None,
        }
    }

    async fn found(text: &str, messages: &SearchInputs) -> HashSet<String> {
        let query = Query::Text(text.to_owned());
        let found = search(query, Arc::clone(messages)).await.unwrap();
        assert_eq!(found.failed, 0);
        found.message_ids
    }

    #[tokio::test]
    async fn text_is_searched_also_in_what_the_screen_shows_beside_the_body() {
        let rejected = SearchInput {
            reason: Some(Arc::new(Reason {
                code: "not-json".to_owned(),
                message: "expected  value".to_owned(),
                request_id: Some("5f0c2d9e".to_owned()),
            })),
            ..input("a1", "{")
        };
        let failure = Failure::new(FailureCode::MissingAttribute, "no time");
        let refused = SearchInput {
            failure: Some(Arc::new(failure)),
            ..input("b2", "{}")
        };
        let messages = Arc::new(vec![rejected, refused]);
        let [first, second] = ["a1", "b2"].map(|id| HashSet::from([id.to_owned()]));
        for (text, expected) in [
            ("Not-JSON: expected value", &first),
            ("request 5F0C", &first),
            ("A1", &first),
            ("{}", &second),
            ("no time", &second),
            ("nothing", &HashSet::new()),
        ] {
            assert_eq!(found(text, &messages).await, *expected, "{text}");
        }
        assert_eq!(found("attribute  /time", &messages).await.len(), 2);
    }

    /// The entry of the process in which a program runs.
    #[test]
    fn worker_entry() {
        const TEST: &str = "tui::sources::patch::tests::worker_entry";
        redrive::triage::enter_if_asked_by(&["--exact", TEST, "--nocapture"]);
    }

    #[tokio::test]
    async fn text_is_searched_in_any_case_and_a_program_in_its_own() {
        let messages = Arc::new(vec![
            input("0", r#"{"a":"LA601"}"#),
            input("1", r#"{"a":"la601"}"#),
        ]);
        worker_entry();
        let text = Query::Text("La601".to_owned());
        let found = search(text, Arc::clone(&messages)).await.unwrap();
        assert_eq!(found.message_ids.len(), 2);
        let program = Query::Program(r#".a == "la601""#.to_owned());
        let found = search(program, messages).await.unwrap();
        assert_eq!(found.message_ids, HashSet::from(["1".to_owned()]));
    }

    #[test]
    fn wrong_program_is_named() {
        let error = Program::compile(".a |").err().unwrap();
        let fault = not_a_program(&error);
        assert!(fault.message.starts_with("not a jq program"), "{fault:?}");
    }
}
