//! From selected messages to a frozen plan: which are sent, changed how, and which are left out.
//!
//! Invariant: every selected message is either in the plan or skipped with a reason; a message that
//! would not be stored now is in the plan only where the request asks for it, and one whose event
//! would be lost never is.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use chrono::Utc;
use event::{EventKey, Failure, Verdict};
use serde::Serialize;
use uuid::Uuid;

use super::judge::{Edited, NewBody, judge};
use super::patch::Patched;
use crate::error::RedriveError;
use crate::identity::{Claim, Claims, SentEvent, stored_reason, taken_reason};
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
    /// How many of the messages that are left out would be lost if they were sent: the ledger has
    /// their identity, another message of the plan gets it, or they are behind the retention horizon.
    /// No option sends them.
    pub would_be_lost: usize,
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
    let mut candidates = Vec::new();
    for message in &messages {
        let edited = edited.remove(&message.message_id);
        if let Some(edited) = &edited {
            edits.count(message, edited);
        }
        candidates.push(Candidate {
            failure: failures.get(&message.message_id).map(String::as_str),
            message,
            edited,
        });
    }
    let chosen = choose(candidates, request.includes_not_ready)?;
    let options = PlanOptions {
        skipped: chosen.skipped,
        rate_per_sec: request.rate_per_sec,
        canary_steps: request.canary_steps,
    };
    let plan = with_entries(pipeline, chosen.entries, options)?;
    let is_planned: HashSet<&str> = plan
        .entries
        .iter()
        .map(|entry| entry.message_id.as_str())
        .collect();
    let is_planned = |message: &DeadLetter| is_planned.contains(message.message_id.as_str());
    Ok(Planned {
        messages: messages.into_iter().filter(is_planned).collect(),
        plan,
        edits,
        would_be_lost: chosen.would_be_lost,
        ledger_error: judged.ledger_error,
    })
}

/// Freezes a plan for messages that were chosen already, each with the body that is sent instead of
/// its own, if any. If the ledger does not answer, the verdict `ready` of an edited event may be
/// `already-stored`. A message whose event would be lost is skipped, as [`plan`] does.
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
    let candidates = messages.iter().map(|(message, _)| Candidate {
        message,
        edited: edited.remove(&message.message_id),
        failure: None,
    });
    let mut chosen = choose(candidates.collect(), true)?;
    let mut options = options;
    options.skipped.append(&mut chosen.skipped);
    with_entries(pipeline, chosen.entries, options)
}

/// A message that may be sent.
struct Candidate<'a> {
    message: &'a DeadLetter,
    edited: Option<Edited>,
    /// Why the program failed on it, if it did.
    failure: Option<&'a str>,
}

/// What was decided about candidates.
#[derive(Default)]
struct Choice {
    entries: Vec<PlanEntry>,
    skipped: Vec<Skipped>,
    /// How many were skipped because their events would be lost.
    would_be_lost: usize,
}

impl Candidate<'_> {
    fn verdict(&self) -> Verdict {
        let edited = self.edited.as_ref();
        edited.map_or(self.message.verdict, |edited| edited.verdict)
    }

    fn body(&self) -> &Body {
        let edited = self.edited.as_ref();
        edited.map_or(&self.message.body, |edited| &edited.new_body)
    }

    fn key(&self) -> Option<EventKey> {
        let edited = self.edited.as_ref();
        let identity = edited.map_or(&self.message.identity, |edited| &edited.identity);
        Some(EventKey {
            source: identity.source.clone()?,
            id: identity.id.clone()?,
        })
    }

    fn event(&self) -> Result<Option<SentEvent>, RedriveError> {
        let (original, sent) = (self.message.body.text(), self.body().text());
        Ok(SentEvent::of(
            &original.map_err(unread)?,
            &sent.map_err(unread)?,
        ))
    }

    /// Why it is left out whatever the others are.
    fn skip_reason(&self, includes_not_ready: bool) -> Option<String> {
        let verdict = self.verdict();
        if let Some(cause) = self.failure {
            return Some(format!("the patch failed: {cause}"));
        }
        if verdict == Verdict::Ready || includes_not_ready {
            return None;
        }
        Some(skip_reason(verdict, self.refusal(), self.edited.is_some()))
    }

    /// Why the ingest would not store it.
    fn refusal(&self) -> Option<&Failure> {
        let edited = self.edited.as_ref();
        edited.map_or(self.message.failure.as_ref(), |edited| {
            edited.failure.as_ref()
        })
    }

    /// Why it is left out even where all are meant: the ingest would drop its event, and it would come
    /// back neither as a record nor as a dead letter.
    fn loss(&self) -> Result<Option<String>, RedriveError> {
        let verdict = self.verdict();
        if verdict == Verdict::AlreadyStored && self.edited.is_some() {
            return Ok(self.key().map(|key| stored_reason(&key)));
        }
        // Valid, and yet not stored: behind the retention horizon.
        if verdict == Verdict::StillInvalid && self.event()?.is_some() {
            return Ok(self.refusal().map(|failure| failure.detail.clone()));
        }
        Ok(None)
    }
}

/// Decides about each candidate. Those that go have identities of their own, or equal events.
fn choose(
    candidates: Vec<Candidate<'_>>,
    includes_not_ready: bool,
) -> Result<Choice, RedriveError> {
    let shared = shared_keys(&candidates);
    let mut claims = Claims::default();
    let mut places: HashMap<usize, String> = HashMap::new();
    let mut choice = Choice::default();
    for (index, candidate) in candidates.into_iter().enumerate() {
        let message_id = &candidate.message.message_id;
        let mut reason = candidate.loss()?;
        let mut is_lost = reason.is_some();
        if !is_lost {
            reason = candidate.skip_reason(includes_not_ready);
        }
        let is_shared = candidate.key().is_some_and(|key| shared.contains(&key));
        if reason.is_none()
            && is_shared
            && candidate.verdict() == Verdict::Ready
            && let Some(event) = candidate.event()?
        {
            match claims.claim(index, &event) {
                Claim::Own => drop(places.insert(index, message_id.clone())),
                Claim::Copy(_) => {}
                Claim::Taken(holder) => {
                    let holder = places.get(&holder).map_or("", String::as_str);
                    reason = Some(taken_reason(&event.key, holder));
                    is_lost = true;
                }
            }
        }
        choice.would_be_lost += usize::from(is_lost);
        match reason {
            Some(reason) => choice.skipped.push(Skipped {
                message_id: message_id.clone(),
                verdict: candidate.verdict(),
                reason,
            }),
            None => choice
                .entries
                .push(entry(candidate.message, candidate.edited)?),
        }
    }
    Ok(choice)
}

/// Identities that several candidates have: only their bodies have to be read.
fn shared_keys(candidates: &[Candidate<'_>]) -> HashSet<EventKey> {
    let mut seen = HashSet::new();
    let is_ready = |candidate: &&Candidate<'_>| candidate.verdict() == Verdict::Ready;
    let ready = candidates.iter().filter(is_ready);
    let keys = ready.filter_map(Candidate::key);
    keys.filter(|key| !seen.insert(key.clone())).collect()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::tests::body;
    use crate::triage::example;
    use pipeline::environment::Environment;

    fn ready(number: usize, id: &str, tag: u32) -> DeadLetter {
        let body = body(id, tag);
        DeadLetter {
            identity: event::peek_identity(&body),
            body: body.into(),
            ..example(&format!("m{number}"), 0, Verdict::Ready)
        }
    }

    fn without_ledger() -> Pipeline {
        let environment = Environment {
            database_url: None,
            api_url: None,
            ..Environment::example()
        };
        Pipeline::connect(&environment).unwrap()
    }

    /// The identities in a plan, each with the body in the queue and with what is sent.
    fn sent(plan: &Plan, messages: &[DeadLetter]) -> Vec<(EventKey, [String; 2])> {
        let event = |entry: &PlanEntry| {
            let is_it = |message: &&DeadLetter| message.message_id == entry.message_id;
            let message = messages.iter().find(is_it).unwrap();
            let original = message.body.text().unwrap();
            let sent = entry.sent_body(&original);
            let key = event::parse_body(sent).unwrap().key();
            (key, [&*original, sent].map(str::to_owned))
        };
        plan.entries.iter().map(event).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Each message has an id and a tag, and perhaps another id by an edit.
        #[test]
        fn what_is_planned_has_identities_of_its_own_or_equal_events(
            rows in prop::collection::vec((0..4_u32, 0..3_u32, prop::option::of(0..2_u32)), 0..12),
            includes_not_ready: bool,
        ) {
            let messages: Vec<DeadLetter> = rows
                .iter()
                .enumerate()
                .map(|(number, (id, tag, _))| ready(number, &id.to_string(), *tag))
                .collect();
            let changed = rows.iter().zip(&messages).filter_map(|((_, tag, id), message)| {
                Some(NewBody {
                    message_id: message.message_id.clone(),
                    old_body: message.body.clone(),
                    new_body: body(&(*id)?.to_string(), *tag).into(),
                })
            });
            let request = PlanRequest {
                patched: Patched { changed: changed.collect(), ..Patched::default() },
                includes_not_ready,
                ..PlanRequest::default()
            };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let planned = runtime.block_on(async {
                plan(&without_ledger(), messages.clone(), request).await.unwrap()
            });
            let sent = sent(&planned.plan, &messages);
            for (place, (key, bodies)) in sent.iter().enumerate() {
                for (other_key, other_bodies) in &sent[..place] {
                    prop_assert!(key != other_key || bodies == other_bodies);
                }
            }
            let skipped = &planned.plan.skipped;
            prop_assert_eq!(sent.len() + skipped.len(), rows.len());
            prop_assert_eq!(planned.messages.len(), sent.len());
            prop_assert_eq!(planned.would_be_lost, skipped.len());
            for skipped in skipped {
                let is_named = |entry: &PlanEntry| skipped.reason.contains(&entry.message_id);
                prop_assert!(planned.plan.entries.iter().any(is_named), "{}", skipped.reason);
            }
        }
    }

    /// An edit has the identity of a record; the message itself, when it is not edited, is a duplicate.
    #[test]
    fn edited_event_that_is_stored_already_stays_and_an_unedited_one_is_a_duplicate() {
        let message = DeadLetter {
            verdict: Verdict::AlreadyStored,
            ..ready(0, "a", 0)
        };
        let edited = Edited {
            message_id: message.message_id.clone(),
            old_body: message.body.clone(),
            new_body: body("a", 1).into(),
            verdict: Verdict::AlreadyStored,
            failure: None,
            identity: event::peek_identity(&body("a", 1)),
            has_other_identity: false,
            is_ledger_checked: true,
            same_identity_as: None,
        };
        let choice = |edited, includes_not_ready| {
            let candidate = Candidate {
                message: &message,
                edited,
                failure: None,
            };
            let choice = choose(vec![candidate], includes_not_ready).unwrap();
            (choice.entries.len(), choice.would_be_lost)
        };
        assert_eq!(choice(Some(edited.clone()), false), (0, 1));
        assert_eq!(choice(Some(edited), true), (0, 1));
        assert_eq!(choice(None, false), (0, 0));
        assert_eq!(choice(None, true), (1, 0));
    }
}
