//! Patches, edits and searches of messages.
//!
//! Invariant: as in [`redrive::operations`]; this only renders why there is no result.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::redrives::blocking;
use super::shared::Shared;
use crate::tui::fault::Fault;
use crate::tui::patch::{Found, PatchInput, PatchInputs, Patched, Query};
use pipeline::{Body, BodySpool, Pipeline};
use redrive::operations::{self, JudgeError, NewBody, OnProgress, ProgramThreadError};
use redrive::triage::{Program, ProgramError, RunError};

/// How long a program may run over all messages: less than the limit of a question.
const PROGRAM_LIMIT: Duration = Duration::from_secs(8);

type Selects = Box<dyn Fn(&str) -> Result<bool, RunError> + Send>;

/// What a program would do to messages.
pub(super) async fn patch(
    pipeline: &Pipeline,
    slot: &Arc<Semaphore>,
    program: String,
    messages: PatchInputs,
    on_progress: OnProgress,
) -> Result<Patched, Fault> {
    let program = Program::compile(&program).map_err(|error| not_a_program(&error))?;
    let program = Arc::new(program);
    let patched = operations::patch(slot, program, messages, PROGRAM_LIMIT, on_progress)
        .await
        .map_err(no_result)?;
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
pub(super) async fn search(
    slot: &Arc<Semaphore>,
    query: Query,
    messages: PatchInputs,
) -> Result<Found, Fault> {
    let selects: Selects = match query {
        Query::Text(text) => {
            let text = text.to_lowercase();
            Box::new(move |body| Ok(body.to_lowercase().contains(&text)))
        }
        Query::Program(program) => {
            let program = Program::compile(&program).map_err(|error| not_a_program(&error))?;
            Box::new(move |body| program.selects(body))
        }
    };
    let is_found = move |message: &PatchInput| {
        let body = message.body().map_err(RunError::from)?;
        let is_found = selects(&body)?;
        Ok::<_, RunError>(is_found.then(|| message.message_id.clone()))
    };
    let results = operations::for_each_message(slot, messages, PROGRAM_LIMIT, is_found)
        .await
        .map_err(no_result)?;
    let mut found = Found::default();
    for result in results {
        match result {
            Ok(message_id) => found.message_ids.extend(message_id),
            Err(_) => found.failed += 1,
        }
    }
    Ok(found)
}

fn not_a_program(error: &ProgramError) -> Fault {
    Fault {
        message: format!("not a jq program: {error}"),
        hint: None,
    }
}

fn no_result(error: ProgramThreadError) -> Fault {
    let hint = match error {
        ProgramThreadError::Busy => Some("one that never ends ends with the console"),
        ProgramThreadError::TooSlow(_) => Some("mark fewer messages, or write a simpler one"),
        ProgramThreadError::Failed => None,
    };
    Fault {
        message: error.to_string(),
        hint: hint.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[tokio::test]
    async fn search_looks_at_what_would_be_sent() {
        let message = |id: &str, old: &str, new: Option<&str>| PatchInput {
            message_id: id.to_owned(),
            old_body: old.into(),
            new_body: new.map(Body::from),
        };
        let messages = Arc::new(vec![
            message("0", r#"{"a":"LA601"}"#, None),
            message("1", r#"{"a":"x"}"#, Some(r#"{"a":"la601"}"#)),
        ]);
        let slot = Arc::new(Semaphore::new(1));
        let text = Query::Text("La601".to_owned());
        let found = search(&slot, text, Arc::clone(&messages)).await.unwrap();
        assert_eq!(found.message_ids.len(), 2);
        let program = Query::Program(r#".a == "la601""#.to_owned());
        let found = search(&slot, program, messages).await.unwrap();
        assert_eq!(found.message_ids, HashSet::from(["1".to_owned()]));
    }

    #[test]
    fn wrong_program_is_named() {
        let error = Program::compile(".a |").err().unwrap();
        let fault = not_a_program(&error);
        assert!(fault.message.starts_with("not a jq program"), "{fault:?}");
    }
}
