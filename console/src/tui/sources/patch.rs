//! Programs over messages, on threads of their own, and what the validator and the ledger say of
//! what they make.
//!
//! Invariant: one program runs at a time, so one that never ends costs one thread and no answer.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event::{Assessment, EventKey, PartialIdentity, peek_identity};
use tokio::sync::Semaphore;

use crate::tui::fault::Fault;
use crate::tui::patch::{EditedMessage, Found, PatchInput, PatchInputs, Patched, Query};
use pipeline::Pipeline;
use redrive::triage::{Program, ProgramError, RunError};

/// How long a program may run over all messages; checked between two of them.
const PROGRAM_WITHIN: Duration = Duration::from_secs(8);
/// Keys of one question to the ledger.
const KEYS_MAX: usize = 1_000;

/// What a program would do to messages.
pub(super) async fn patch(
    pipeline: &Pipeline,
    programs: &Arc<Semaphore>,
    program: String,
    messages: PatchInputs,
) -> Result<Patched, Fault> {
    let (bodies, patched) = on_thread(programs, move || run_patch(&program, &messages)).await??;
    judge_all(pipeline, bodies, patched).await
}

/// What would become of a message with this body.
pub(super) async fn judge(
    pipeline: &Pipeline,
    message: PatchInput,
    new_body: String,
) -> Result<Patched, Fault> {
    judge_all(pipeline, vec![(message, new_body)], Patched::default()).await
}

/// Which messages a query finds.
pub(super) async fn search(
    programs: &Arc<Semaphore>,
    query: Query,
    messages: PatchInputs,
) -> Result<Found, Fault> {
    on_thread(programs, move || run_search(&query, &messages)).await?
}

type Bodies = Vec<(PatchInput, String)>;
type Selects = Box<dyn Fn(&str) -> Result<bool, RunError>>;

fn run_patch(program: &str, messages: &[PatchInput]) -> Result<(Bodies, Patched), Fault> {
    let program = Program::compile(program).map_err(|error| not_a_program(&error))?;
    // The same event written in the same way: a body that only looks different is no change.
    let as_it_is = Program::compile(".").map_err(|error| not_a_program(&error))?;
    let begun = Instant::now();
    let mut bodies = Vec::new();
    let mut patched = Patched::default();
    for message in messages {
        if begun.elapsed() > PROGRAM_WITHIN {
            return Err(too_slow());
        }
        let patch = |body: &str| {
            let new_body = program.patch(body)?;
            let is_change = as_it_is.patch(body).as_ref() != Ok(&new_body);
            Ok(is_change.then_some(new_body))
        };
        match message
            .body()
            .map_err(RunError::from)
            .and_then(|body| patch(&body))
        {
            Ok(None) => patched.unchanged += 1,
            Ok(Some(new_body)) => bodies.push((message.clone(), new_body)),
            Err(error) => {
                patched.failed += 1;
                patched.failure.get_or_insert_with(|| error.to_string());
            }
        }
    }
    Ok((bodies, patched))
}

fn run_search(query: &Query, messages: &[PatchInput]) -> Result<Found, Fault> {
    let selects: Selects = match query {
        Query::Text(text) => {
            let text = text.to_lowercase();
            Box::new(move |body: &str| Ok(body.to_lowercase().contains(&text)))
        }
        Query::Program(program) => {
            let program = Program::compile(program).map_err(|error| not_a_program(&error))?;
            Box::new(move |body: &str| program.selects(body))
        }
    };
    let begun = Instant::now();
    let mut found = Found::default();
    for message in messages {
        if begun.elapsed() > PROGRAM_WITHIN {
            return Err(too_slow());
        }
        match message
            .body()
            .map_err(RunError::from)
            .and_then(|body| selects(&body))
        {
            Ok(true) => drop(found.message_ids.insert(message.message_id.clone())),
            Ok(false) => {}
            Err(_) => found.failed += 1,
        }
    }
    Ok(found)
}

async fn judge_all(
    pipeline: &Pipeline,
    bodies: Bodies,
    mut patched: Patched,
) -> Result<Patched, Fault> {
    let judged: Vec<(PatchInput, String, Assessment)> = bodies
        .into_iter()
        .map(|(message, new_body)| {
            let assessment = event::assess(&new_body);
            (message, new_body, assessment)
        })
        .collect();
    let keys: Vec<EventKey> = judged
        .iter()
        .filter_map(|(_, _, assessment)| match assessment {
            Assessment::Valid(key) => Some(key.clone()),
            Assessment::Invalid(_) => None,
        })
        .collect();
    let known = known(pipeline, &keys).await;
    for (message, new_body, assessment) in judged {
        let is_known = |key: &EventKey| known.as_ref().is_some_and(|known| known.contains(key));
        let is_stored = matches!(&assessment, Assessment::Valid(key) if is_known(key));
        let key = |identity: PartialIdentity| identity.source.zip(identity.id);
        let old_body = match message.old_body.text() {
            Ok(old_body) => old_body.into_owned(),
            Err(error) => {
                patched.failed += 1;
                patched.failure.get_or_insert_with(|| error.to_string());
                continue;
            }
        };
        let before = key(peek_identity(&old_body));
        let identity = peek_identity(&new_body);
        patched.edited.push(EditedMessage {
            has_other_identity: before.is_some() && before != key(identity.clone()),
            is_ledger_checked: known.is_some(),
            verdict: assessment.verdict(is_stored),
            failure: match assessment {
                Assessment::Valid(_) => None,
                Assessment::Invalid(failure) => Some(failure),
            },
            identity,
            message_id: message.message_id,
            old_body,
            new_body,
        });
    }
    Ok(patched)
}

/// Which events the ledger knows; `None` where it could not be asked.
async fn known(pipeline: &Pipeline, keys: &[EventKey]) -> Option<HashSet<EventKey>> {
    pipeline.environment().database_url.as_ref()?;
    let mut known = HashSet::new();
    for chunk in keys.chunks(KEYS_MAX) {
        match pipeline.stored_keys(chunk).await {
            Ok(stored) => known.extend(stored.into_keys()),
            Err(error) => {
                tracing::debug!(%error, "edited messages are judged without the ledger");
                return None;
            }
        }
    }
    Some(known)
}

/// Runs a program beside everything else. A thread cannot be ended: the permit stays with it.
async fn on_thread<T: Send + 'static>(
    programs: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    let permit = Arc::clone(programs)
        .try_acquire_owned()
        .map_err(|_| Fault {
            message: "another program still runs over the messages".to_owned(),
            hint: Some("one that never ends ends with the console".to_owned()),
        })?;
    let task = tokio::task::spawn_blocking(move || {
        let result = work();
        drop(permit);
        result
    });
    task.await.map_err(|_| Fault {
        message: "the program made this console fail; nothing was changed".to_owned(),
        hint: None,
    })
}

fn not_a_program(error: &ProgramError) -> Fault {
    Fault {
        message: format!("not a jq program: {error}"),
        hint: None,
    }
}

fn too_slow() -> Fault {
    Fault {
        message: format!("the program takes more than {} s", PROGRAM_WITHIN.as_secs()),
        hint: Some("mark fewer messages, or write a simpler one".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(bodies: &[&str]) -> Vec<PatchInput> {
        let message = |(number, body): (usize, &&str)| PatchInput {
            message_id: number.to_string(),
            old_body: (*body).into(),
            new_body: None,
        };
        bodies.iter().enumerate().map(message).collect()
    }

    #[test]
    fn patch_counts_what_changes_what_stays_and_what_fails() {
        let messages = messages(&["{ \"a\": 1 }", "{\"a\":2}", "no json", "{\"a\":\"x\"}"]);
        let (bodies, patched) = run_patch("if .a == 2 then . else .a += 1 end", &messages).unwrap();
        let bodies: Vec<_> = bodies.iter().map(|(_, body)| body.as_str()).collect();
        assert_eq!(bodies, ["{\"a\":2}"]);
        assert_eq!((patched.unchanged, patched.failed), (1, 2));
        assert_eq!(patched.failure.as_deref(), Some("the body is not JSON"));
        let error = run_patch(".a |", &messages).unwrap_err();
        assert!(error.message.starts_with("not a jq program"), "{error:?}");
    }

    #[test]
    fn search_looks_at_what_would_be_sent() {
        let mut messages = messages(&["{\"a\":\"LA601\"}", "{\"a\":\"x\"}"]);
        messages[1].new_body = Some("{\"a\":\"la601\"}".to_owned());
        let text = run_search(&Query::Text("La601".to_owned()), &messages).unwrap();
        assert_eq!(text.message_ids.len(), 2);
        let program = Query::Program(".a == \"la601\"".to_owned());
        let found = run_search(&program, &messages).unwrap();
        assert_eq!(found.message_ids, HashSet::from(["1".to_owned()]));
    }

    #[tokio::test]
    async fn program_that_does_not_end_keeps_others_out() {
        let programs = Arc::new(Semaphore::new(1));
        let held = Arc::clone(&programs).try_acquire_owned().unwrap();
        let fault = on_thread(&programs, || ()).await.unwrap_err();
        assert!(fault.message.contains("still runs"), "{fault:?}");
        drop(held);
        on_thread(&programs, || ()).await.unwrap();
    }
}
