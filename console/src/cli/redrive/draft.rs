//! From selected messages to a frozen plan: which go, changed how, and which are left out.
//!
//! Invariant: every selected message is either in the plan or skipped with a reason; a message that
//! would not be stored now is in the plan only where that was asked for.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use event::{Assessment, EventKey, Failure, Verdict};
use serde::Serialize;

use crate::cli::redrive::arguments::DraftArguments;
use crate::cli::selection::by_verdict;
use crate::cli::walk::{self, RELEASING, nothing_remark};
use crate::cli::{CommandError, Exit, Interrupt, Session};
use crate::text::messages_in_words;
use pipeline::model::DeadLetter;
use pipeline::printable;
use redrive::operations::{Walk, WalkOptions, select};
use redrive::triage::Program;
use redrive::{Plan, PlanOptions, Skipped};

/// Messages that are left out and named; the rest is counted.
const SKIPPED_SHOWN_MAX: usize = 20;

/// A plan with the messages that it was made of, which are received.
pub(crate) struct Draft {
    pub(crate) plan: Plan,
    /// Has the messages of the plan, and those that are skipped.
    pub(crate) walk: Walk,
    pub(crate) messages: Vec<DeadLetter>,
    pub(crate) selected: usize,
    pub(crate) missing: Vec<String>,
    pub(crate) edits: Edits,
}

/// What a patch did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Edits {
    /// Events that it changed.
    pub(crate) changed: usize,
    /// Of those, events that are valid only since.
    pub(crate) become_valid: usize,
    /// Of those, events that are another event since.
    pub(crate) change_identity: usize,
    /// Messages on which it failed.
    pub(crate) failed: usize,
}

/// What a patch made of one message.
enum Patched {
    /// The same event.
    Unchanged,
    Changed {
        new_body: String,
        assessment: Assessment,
        changes_identity: bool,
    },
    Failed(String),
}

/// Receives the selected messages and freezes a plan for them.
pub(crate) async fn draft(
    session: &Session,
    arguments: &DraftArguments,
    rate_per_sec: Option<f64>,
    visibility_timeout: Duration,
    interrupt: &mut Interrupt,
) -> Result<Draft, CommandError> {
    let selection = arguments.selection.clone().into();
    let options = WalkOptions::of(visibility_timeout, None);
    let mut walk = walk::begin(session, selection, options, "receiving", interrupt).await?;
    let frozen = async {
        let selecting = select(&mut walk);
        let selected = interrupt.cancels(session.output, RELEASING, selecting);
        let (messages, hidden) = selected.await?;
        walk::hidden_remark(session, hidden);
        let selected = messages.len();
        let frozen = freeze(session, messages, arguments, rate_per_sec, interrupt).await?;
        Ok((selected, frozen))
    };
    match frozen.await {
        Ok((selected, (plan, messages, edits))) => {
            walk::remarks(session, &walk);
            let missing = walk.missing();
            Ok(Draft {
                plan,
                walk,
                messages,
                selected,
                missing,
                edits,
            })
        }
        Err(error) => {
            walk::release_all(session, &walk.leases, interrupt).await;
            Err(error)
        }
    }
}

async fn freeze(
    session: &Session,
    messages: Vec<DeadLetter>,
    arguments: &DraftArguments,
    rate_per_sec: Option<f64>,
    interrupt: &mut Interrupt,
) -> Result<(Plan, Vec<DeadLetter>, Edits), CommandError> {
    let (messages, patched) = match &arguments.patch {
        Some(program) => patch_all(program, messages, interrupt).await?,
        None => {
            let patched = messages.iter().map(|_| Patched::Unchanged).collect();
            (messages, patched)
        }
    };
    let known = tokio::select! {
        known = known(session, &patched) => known,
        () = interrupt.received() => return Err(CommandError::Interrupted),
    };
    let mut edits = Edits::default();
    let mut chosen = Vec::new();
    let mut skipped = Vec::new();
    for (message, patched) in messages.into_iter().zip(patched) {
        edits.count(&message, &patched);
        match fate(&message, patched, &known, arguments.include_not_ready) {
            Ok(new_body) => chosen.push((message, new_body)),
            Err(reason) => skipped.push(reason),
        }
    }
    let options = PlanOptions {
        skipped,
        rate_per_sec,
        canary_steps: arguments
            .canary
            .clone()
            .map_or_else(Vec::new, |steps| steps.0),
    };
    let (messages, bodies): (Vec<DeadLetter>, Vec<Option<String>>) = chosen.into_iter().unzip();
    let with_bodies: Vec<_> = messages.iter().zip(bodies).collect();
    let plan = Plan::of(&session.pipeline, &with_bodies, options).await?;
    Ok((plan, messages, edits))
}

/// Programs take their time: not beside what waits for the pipeline.
async fn patch_all(
    program: &Arc<Program>,
    messages: Vec<DeadLetter>,
    interrupt: &mut Interrupt,
) -> Result<(Vec<DeadLetter>, Vec<Patched>), CommandError> {
    let program = Arc::clone(program);
    // What a program that changes nothing writes tells a change from another layout.
    let same = Program::compile(".").map_err(|error| CommandError::Failed(error.to_string()))?;
    let work = move || {
        let patched = messages
            .iter()
            .map(|message| match message.body.text() {
                Ok(body) => Patched::of(&program, &same, &body),
                Err(error) => Patched::Failed(error.to_string()),
            })
            .collect();
        (messages, patched)
    };
    tokio::select! {
        done = tokio::task::spawn_blocking(work) => {
            done.map_err(|error| CommandError::Failed(error.to_string()))
        }
        () = interrupt.received() => Err(CommandError::Interrupted),
    }
}

impl Patched {
    fn of(program: &Program, same: &Program, body: &str) -> Self {
        match program.patch(body) {
            Ok(new_body) if same.patch(body).as_ref() == Ok(&new_body) => Self::Unchanged,
            Ok(new_body) => {
                let (before, after) = (event::peek_identity(body), event::peek_identity(&new_body));
                let is_other = |before: &Option<String>, after: &Option<String>| {
                    before.is_some() && before != after
                };
                Self::Changed {
                    assessment: event::assess(&new_body),
                    changes_identity: is_other(&before.source, &after.source)
                        || is_other(&before.id, &after.id),
                    new_body,
                }
            }
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

/// Which of the changed events the ledger knows. When it does not answer, `ready` may be
/// `already-stored`, as everywhere.
async fn known(session: &Session, patched: &[Patched]) -> HashSet<EventKey> {
    let keys: Vec<EventKey> = patched
        .iter()
        .filter_map(|patched| match patched {
            Patched::Changed {
                assessment: Assessment::Valid(key),
                ..
            } => Some(key.clone()),
            Patched::Changed { .. } | Patched::Unchanged | Patched::Failed(_) => None,
        })
        .collect();
    let mut known = HashSet::new();
    if session.pipeline.environment().database_url.is_none() {
        return known;
    }
    match session.pipeline.stored_keys(&keys).await {
        Ok(stored) => known.extend(stored.into_keys()),
        Err(error) => session.output.note(&printable(&format!(
            "patched events may be \"already-stored\": {error}"
        ))),
    }
    known
}

/// The body that is sent instead of a message's own, if any, or why the message is left out.
fn fate(
    message: &DeadLetter,
    patched: Patched,
    known: &HashSet<EventKey>,
    includes_not_ready: bool,
) -> Result<Option<String>, Skipped> {
    let skipped = |verdict: Verdict, reason: String| Skipped {
        message_id: message.message_id.clone(),
        verdict,
        reason,
    };
    let (verdict, failure, new_body, when) = match patched {
        Patched::Failed(cause) => {
            return Err(skipped(
                message.verdict,
                format!("the patch failed: {cause}"),
            ));
        }
        Patched::Unchanged => (message.verdict, message.failure.clone(), None, ""),
        Patched::Changed {
            new_body,
            assessment,
            ..
        } => {
            let is_stored = matches!(&assessment, Assessment::Valid(key) if known.contains(key));
            let verdict = assessment.verdict(is_stored);
            let failure = match assessment {
                Assessment::Valid(_) => None,
                Assessment::Invalid(failure) => Some(failure),
            };
            (verdict, failure, Some(new_body), " after the patch")
        }
    };
    if verdict == Verdict::Ready || includes_not_ready {
        return Ok(new_body);
    }
    let why = failure.map_or_else(String::new, |failure| format!(": {}", in_words(&failure)));
    Err(skipped(verdict, format!("it is {verdict}{when}{why}")))
}

fn in_words(failure: &Failure) -> String {
    match &failure.pointer {
        Some(pointer) => format!("{} (at {pointer})", failure.detail),
        None => failure.detail.clone(),
    }
}

impl Edits {
    fn count(&mut self, message: &DeadLetter, patched: &Patched) {
        match patched {
            Patched::Unchanged => {}
            Patched::Failed(_) => self.failed += 1,
            Patched::Changed {
                assessment,
                changes_identity,
                ..
            } => {
                let was_valid = matches!(message.verdict, Verdict::Ready | Verdict::AlreadyStored);
                let is_valid = matches!(assessment, Assessment::Valid(_));
                self.changed += 1;
                self.become_valid += usize::from(is_valid && !was_valid);
                self.change_identity += usize::from(*changes_identity);
            }
        }
    }

    /// Says what a patch did, and what of it may surprise.
    pub(crate) fn remarks(self, session: &Session) {
        if self.changed + self.failed > 0 {
            let become_valid = match self.become_valid {
                1 => "1 becomes valid".to_owned(),
                several => format!("{several} become valid"),
            };
            session.output.note(&format!(
                "the patch changes {} ({become_valid}) and fails on {}",
                messages_in_words(self.changed as u64),
                self.failed
            ));
        }
        if self.change_identity > 0 {
            session.output.note(&format!(
                "another event, and new for the ledger: {}",
                messages_in_words(self.change_identity as u64)
            ));
        }
    }
}

impl Draft {
    /// What of the selection is not as it was asked for, before anything is sent.
    pub(crate) fn exit(&self, session: &Session, arguments: &DraftArguments) -> Exit {
        let selection = &arguments.selection;
        let names_messages = !selection.message_ids.is_empty();
        let is_whole = self.walk.truncation().is_none();
        let skipped = !self.plan.skipped.is_empty();
        let is_skipping_right = !skipped || (!self.plan.entries.is_empty() && !names_messages);
        // An empty queue is what `--all` wants.
        let is_found = self.selected > 0 || selection.all;
        let is_as_asked = self.missing.is_empty()
            && self.edits.failed == 0
            && is_whole
            && is_skipping_right
            && is_found;
        if is_as_asked {
            walk::ledger_exit(session, &self.walk)
        } else {
            Exit::Failed
        }
    }

    /// Says what is left out, and why.
    pub(crate) fn remarks(&self, session: &Session, arguments: &DraftArguments) {
        let skipped = &self.plan.skipped;
        if !arguments.selection.message_ids.is_empty() || arguments.patch.is_some() {
            for message in skipped.iter().take(SKIPPED_SHOWN_MAX) {
                session.output.note(&printable(&format!(
                    "{}: skipped, {}",
                    message.message_id, message.reason
                )));
            }
            if skipped.len() > SKIPPED_SHOWN_MAX {
                session.output.note("…; --output json names all");
            }
        }
        if !skipped.is_empty() {
            session.output.note(&format!(
                "skipped {}: --include-not-ready moves these too",
                by_verdict(skipped.iter().map(|message| message.verdict))
            ));
        } else if self.plan.entries.is_empty() && self.missing.is_empty() {
            nothing_remark(session, &self.walk.selection);
        }
        self.edits.remarks(session);
    }
}

/// Counts of verdicts; those that do not occur are left out.
pub(crate) fn verdicts(plan: &Plan) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for entry in &plan.entries {
        *counts.entry(entry.verdict.as_str()).or_default() += 1;
    }
    counts
}
