//! From selected messages to a frozen plan: which are sent, changed how, and which are left out.
//!
//! Invariant: every selected message is either in the plan or skipped with a reason; a message that
//! would not be stored now is in the plan only where the request asks for it.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::Utc;
use event::{Failure, Verdict};
use serde::Serialize;
use uuid::Uuid;

use super::judge::{Edited, NewBody, judge};
use super::patch::Patched;
use crate::error::RedriveError;
use crate::plan::{Edit, PLAN_SCHEMA_VERSION, Plan, PlanEntry, PlanOptions, PlannedQueue, Skipped};
use pipeline::model::{DeadLetter, QueueRole};
use pipeline::{Body, Pipeline, PipelineError};

/// What is planned, beside the messages.
#[derive(Clone, Debug, Default)]
pub struct PlanRequest {
    /// What a program did to the messages.
    pub patched: Patched,
    /// Whether messages are sent too that would not be stored now.
    pub includes_not_ready: bool,
    /// See [`Plan::rate_per_sec`].
    pub rate_per_sec: Option<f64>,
    /// See [`Plan::canary_steps`].
    pub canary_steps: Vec<usize>,
}

/// A plan and what it was made of.
#[derive(Debug)]
pub struct Planned {
    /// The frozen plan.
    pub plan: Plan,
    /// The messages of the plan.
    pub messages: Vec<DeadLetter>,
    /// What the program did.
    pub edits: EditCounts,
    /// Why the ledger could not be asked about the edited events, if so.
    pub ledger_error: Option<PipelineError>,
}

/// What a program did, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EditCounts {
    /// Events that it changed.
    pub changed: usize,
    /// Of these, events that are valid only now.
    pub become_valid: usize,
    /// Of these, events that are another event for the ledger now.
    pub change_identity: usize,
    /// Messages on which it failed.
    pub failed: usize,
}

/// Decides about each message and freezes a plan.
///
/// # Errors
/// When the plan breaks a rule, such as that of its size.
pub async fn plan(
    pipeline: &Pipeline,
    messages: Vec<DeadLetter>,
    request: PlanRequest,
) -> Result<Planned, RedriveError> {
    let failures: HashMap<String, String> = request.patched.failures.into_iter().collect();
    let judged = judge(pipeline, request.patched.changed)
        .await
        .map_err(unread)?;
    let mut edits = EditCounts {
        failed: failures.len(),
        ..EditCounts::default()
    };
    let mut edited = by_message_id(judged.edited);
    let (mut entries, mut chosen, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for message in messages {
        let edited = edited.remove(&message.message_id);
        if let Some(edited) = &edited {
            edits.count(&message, edited);
        }
        let verdict = edited
            .as_ref()
            .map_or(message.verdict, |edited| edited.verdict);
        let reason = match failures.get(&message.message_id) {
            Some(cause) => Some(format!("the patch failed: {cause}")),
            None if verdict == Verdict::Ready || request.includes_not_ready => None,
            None => {
                let failure = edited
                    .as_ref()
                    .map_or(&message.failure, |edited| &edited.failure);
                Some(skip_reason(verdict, failure.as_ref(), edited.is_some()))
            }
        };
        match reason {
            Some(reason) => skipped.push(Skipped {
                message_id: message.message_id,
                verdict,
                reason,
            }),
            None => {
                entries.push(entry(&message, edited)?);
                chosen.push(message);
            }
        }
    }
    let options = PlanOptions {
        skipped,
        rate_per_sec: request.rate_per_sec,
        canary_steps: request.canary_steps,
    };
    Ok(Planned {
        plan: with_entries(pipeline, entries, options)?,
        messages: chosen,
        edits,
        ledger_error: judged.ledger_error,
    })
}

/// Freezes a plan for messages that were chosen already, each with the body that is sent instead of
/// its own, if any. If the ledger does not answer, the verdict `ready` of an edited event may be
/// `already-stored`.
///
/// # Errors
/// When the messages or the options break a rule of plans, or when a body cannot be read.
pub async fn freeze(
    pipeline: &Pipeline,
    messages: &[(&DeadLetter, Option<Body>)],
    options: PlanOptions,
) -> Result<Plan, RedriveError> {
    let bodies = messages.iter().filter_map(|(message, new_body)| {
        Some(NewBody {
            message_id: message.message_id.clone(),
            old_body: message.body.clone(),
            new_body: new_body.clone()?,
        })
    });
    let judged = judge(pipeline, bodies.collect()).await.map_err(unread)?;
    if let Some(error) = &judged.ledger_error {
        tracing::warn!(%error, "edited events may be stored already");
    }
    let mut edited = by_message_id(judged.edited);
    let entries = messages
        .iter()
        .map(|(message, _)| entry(message, edited.remove(&message.message_id)))
        .collect::<Result<_, _>>()?;
    with_entries(pipeline, entries, options)
}

/// Why a message is left out that would not be stored: `it is still-invalid after the patch: …`.
#[must_use]
pub fn skip_reason(verdict: Verdict, failure: Option<&Failure>, is_edited: bool) -> String {
    let when = if is_edited { " after the patch" } else { "" };
    let why = failure.map_or_else(String::new, |failure| match &failure.pointer {
        Some(pointer) => format!(": {} (at {pointer})", failure.detail),
        None => format!(": {}", failure.detail),
    });
    format!("it is {verdict}{when}{why}")
}

impl EditCounts {
    fn count(&mut self, message: &DeadLetter, edited: &Edited) {
        let is_valid = |verdict| matches!(verdict, Verdict::Ready | Verdict::AlreadyStored);
        self.changed += 1;
        self.become_valid += usize::from(is_valid(edited.verdict) && !is_valid(message.verdict));
        self.change_identity += usize::from(edited.has_other_identity);
    }
}

fn by_message_id(edited: Vec<Edited>) -> HashMap<String, Edited> {
    let by_id = edited
        .into_iter()
        .map(|edited| (edited.message_id.clone(), edited));
    by_id.collect()
}

/// The plan has the bodies themselves: it is a file that can be reviewed.
fn entry(message: &DeadLetter, edited: Option<Edited>) -> Result<PlanEntry, RedriveError> {
    let verdict = edited.as_ref().map(|edited| edited.verdict);
    let text = |body: Body| body.text().map(Cow::into_owned).map_err(unread);
    let edit = edited.map(|edited| {
        Ok::<_, RedriveError>(Edit {
            old_body: text(edited.old_body)?,
            new_body: text(edited.new_body)?,
        })
    });
    Ok(PlanEntry {
        message_id: message.message_id.clone(),
        verdict: verdict.unwrap_or(message.verdict),
        body_sha256: message.body.sha256(),
        receive_count: message.receive_count,
        group_id: message.group_id.clone(),
        edit: edit.transpose()?,
    })
}

fn unread(error: impl std::fmt::Display) -> RedriveError {
    RedriveError::plan(format!("an edited message: {error}"))
}

fn with_entries(
    pipeline: &Pipeline,
    entries: Vec<PlanEntry>,
    options: PlanOptions,
) -> Result<Plan, RedriveError> {
    let plan = Plan {
        schema_version: PLAN_SCHEMA_VERSION,
        id: Uuid::now_v7(),
        created_at: Utc::now(),
        environment: pipeline.environment().name.clone(),
        dead_letter_queue: PlannedQueue::of(pipeline, QueueRole::DeadLetter),
        destination: PlannedQueue::of(pipeline, QueueRole::Source),
        entries,
        skipped: options.skipped,
        rate_per_sec: options.rate_per_sec,
        canary_steps: options.canary_steps,
    };
    plan.check()?;
    Ok(plan)
}
