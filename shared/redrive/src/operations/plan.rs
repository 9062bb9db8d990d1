//! From selected messages to a frozen plan: which are sent, changed how, and which are left out.
//!
//! Invariant: every selected message is either in the plan or skipped with a reason; a message that
//! would not be stored now is in the plan only where the request asks for it, and one whose event
//! would be lost never is.

use std::collections::{HashMap, HashSet};

use chrono::Utc;
use event::Verdict;
use serde::Serialize;
use uuid::Uuid;

use super::choice::{Candidate, Meant, Subject, choose, unread};
use super::judge::{Edited, NewBody, judge};
use super::patch::{Patched, patch_failed};
use crate::error::RedriveError;
use crate::plan::{Kind, PLAN_SCHEMA_VERSION, Plan, PlanEntry, PlanOptions, PlannedPlace};
use pipeline::model::{DeadLetter, QueueRole};
use pipeline::{Body, Pipeline, PipelineError, named_record};

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
            edits.count(message.verdict, edited);
        }
        let failure = failures.get(&message.message_id);
        candidates.push(Candidate {
            left_out: failure.map(|cause| patch_failed(cause)),
            message: message.into(),
            edited,
            correction: None,
        });
    }
    let meant = match request.includes_not_ready {
        true => Meant::All,
        false => Meant::Ready,
    };
    let chosen = choose(candidates, meant)?;
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
            named: named_record(&message.attributes),
        })
    });
    let judged = judge(pipeline, bodies.collect()).await.map_err(unread)?;
    if let Some(error) = &judged.ledger_error {
        tracing::warn!(%error, "edited events may be stored already");
    }
    let mut edited = by_message_id(judged.edited);
    let candidates = messages.iter().map(|(message, _)| Candidate {
        message: Subject::from(*message),
        edited: edited.remove(&message.message_id),
        left_out: None,
        correction: None,
    });
    let mut chosen = choose(candidates.collect(), Meant::All)?;
    let mut options = options;
    options.skipped.append(&mut chosen.skipped);
    with_entries(pipeline, chosen.entries, options)
}

impl EditCounts {
    pub(super) fn count(&mut self, before: Verdict, edited: &Edited) {
        let is_valid = |verdict| matches!(verdict, Verdict::Ready | Verdict::AlreadyStored);
        self.changed += 1;
        self.become_valid += usize::from(is_valid(edited.verdict) && !is_valid(before));
        self.change_identity += usize::from(edited.has_other_identity);
    }
}

pub(super) fn by_message_id(edited: Vec<Edited>) -> HashMap<String, Edited> {
    let by_id = edited
        .into_iter()
        .map(|edited| (edited.message_id.clone(), edited));
    by_id.collect()
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
        dead_letter_queue: PlannedPlace::queue(pipeline, QueueRole::DeadLetter),
        destination: PlannedPlace::destination(pipeline, Kind::Redrive),
        replay: None,
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
    use event::EventKey;
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
                    named: None,
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

    /// It comes back as a dead letter, or the record has its text already.
    #[test]
    fn message_that_replaces_is_not_lost_where_it_is_sent_although_it_would_be_refused() {
        let named = event::NamedRecord::Record(event::RecordId(17));
        let message = |verdict| DeadLetter {
            attributes: [(
                event::REPLACES_ATTRIBUTE.to_owned(),
                pipeline::model::AttributeValue::Text {
                    data_type: "String".to_owned(),
                    value: "17".to_owned(),
                },
            )]
            .into(),
            replaces: Some(named),
            verdict,
            ..ready(0, "a", 0)
        };
        let choice = |message: &DeadLetter, edited, meant| {
            let candidate = Candidate {
                message: Subject::from(message),
                edited,
                left_out: None,
                correction: None,
            };
            let choice = choose(vec![candidate], meant).unwrap();
            (choice.entries.len(), choice.would_be_lost)
        };
        let instead = event::StoredInstead::Unknown;
        let stale = DeadLetter {
            failure: Some(event::stale_replacement(event::RecordId(17), instead).into()),
            ..message(Verdict::StillInvalid)
        };
        assert_eq!(choice(&stale, None, Meant::Ready), (0, 0));
        assert_eq!(choice(&stale, None, Meant::All), (1, 0));
        let same = message(Verdict::AlreadyStored);
        let edited = |verdict| Edited {
            message_id: same.message_id.clone(),
            old_body: same.body.clone(),
            new_body: body("a", 1).into(),
            verdict,
            failure: None,
            replaces: Some(named),
            identity: event::peek_identity(&body("a", 1)),
            has_other_identity: false,
            is_ledger_checked: true,
            same_identity_as: None,
        };
        let stored = Some(edited(Verdict::AlreadyStored));
        assert_eq!(choice(&same, stored, Meant::Ready), (0, 0));
        let ready = Some(edited(Verdict::Ready));
        assert_eq!(choice(&same, ready, Meant::Ready), (1, 0));
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
            replaces: None,
            identity: event::peek_identity(&body("a", 1)),
            has_other_identity: false,
            is_ledger_checked: true,
            same_identity_as: None,
        };
        let choice = |edited, meant| {
            let candidate = Candidate {
                message: Subject::from(&message),
                edited,
                left_out: None,
                correction: None,
            };
            let choice = choose(vec![candidate], meant).unwrap();
            (choice.entries.len(), choice.would_be_lost)
        };
        assert_eq!(choice(Some(edited.clone()), Meant::Ready), (0, 1));
        assert_eq!(choice(Some(edited), Meant::All), (0, 1));
        assert_eq!(choice(None, Meant::Ready), (0, 0));
        assert_eq!(choice(None, Meant::Valid), (1, 0));
        assert_eq!(choice(None, Meant::All), (1, 0));
    }
}
