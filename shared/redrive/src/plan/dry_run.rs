//! A dry run: what a plan would send, checked on the received messages.
//!
//! Invariant: nothing is written anywhere; what the run would not send has a problem here.

use std::collections::HashMap;

use event::{Failure, REPLACES_ATTRIBUTE, RecordId, Verdict};
use serde::Serialize;

use super::frozen::{Plan, PlanEntry};
use super::kind::Kind;
use crate::identity::{Claim, Claims, SentEvent, taken_reason};
use crate::message::{Original, body_sha256};
use pipeline::model::DeadLetter;

const NOT_RECEIVED: &str = "it was not received; it may be gone, or hidden by another consumer";

/// What would be sent for one message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedSend {
    /// SQS message id in the dead-letter queue; in a replay the name of the record that was read.
    pub message_id: String,
    /// The validator's verdict of the body that would be sent. The ledger is not asked.
    pub verdict: Verdict,
    /// Why the validator would refuse it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Whether another body would be sent than the one in the queue.
    pub is_edited: bool,
    /// The record that it would replace, if it is the stored one then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<RecordId>,
    /// Whether an earlier message of the plan has the same event, so that this one becomes a duplicate.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_copy: bool,
    /// Size by which SQS counts, in bytes.
    pub bytes: usize,
    /// Names of the attributes that would be sent too.
    pub attributes: Vec<String>,
    /// Why it would not be sent at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What a plan would send now, given the received messages; parallel to the plan.
#[must_use]
pub fn dry_run(plan: &Plan, messages: &[DeadLetter]) -> Vec<PlannedSend> {
    let received: HashMap<&str, &DeadLetter> = messages
        .iter()
        .map(|message| (message.message_id.as_str(), message))
        .collect();
    let mut dry_run = DryRun::of(plan);
    let sends = plan.entries.iter().enumerate().map(|(index, entry)| {
        let original = match received.get(entry.message_id.as_str()) {
            Some(message) => Original::of(message).map_err(|error| error.to_string()),
            None => Err(NOT_RECEIVED.to_owned()),
        };
        dry_run.send((index, entry), original)
    });
    sends.collect()
}

/// A dry run, message by message in the order of the plan.
pub(crate) struct DryRun<'a> {
    plan: &'a Plan,
    claims: Claims,
}

impl<'a> DryRun<'a> {
    pub(crate) fn of(plan: &'a Plan) -> Self {
        Self {
            plan,
            claims: Claims::default(),
        }
    }

    /// What would be sent for the message at a place, or why nothing would.
    pub(crate) fn send(
        &mut self,
        (index, entry): (usize, &PlanEntry),
        original: Result<Original, String>,
    ) -> PlannedSend {
        let original = match original {
            Ok(original) => original,
            Err(problem) => return not_sent(entry, problem),
        };
        let body = entry.sent_body(&original.body);
        let assessment = event::assess(body);
        let bytes = original.bytes_with(body) + entry.added_bytes();
        let bytes_max = self.plan.batch_bytes_max();
        let event = SentEvent::of(&original.body, body, original.named_record());
        let replaced = event.as_ref().and_then(SentEvent::replaced_record);
        let mut is_copy = false;
        let problem = if body_sha256(&original.body) != entry.body_sha256 {
            Some("its body is not the one that was planned".to_owned())
        } else if bytes > bytes_max {
            Some(too_large(self.plan.kind(), bytes, bytes_max))
        } else {
            event.filter(|_| entry.is_to_be_stored()).and_then(|event| {
                match self.claims.claim(index, &event) {
                    Claim::Own => None,
                    Claim::Copy(_) => {
                        is_copy = true;
                        None
                    }
                    Claim::Taken(holder) => {
                        let holder = self.plan.entries.get(holder)?;
                        Some(taken_reason(&event.key, &holder.message_id))
                    }
                }
            })
        };
        let (mut verdict, failure) =
            assessment.judge(entry.verdict == Verdict::AlreadyStored, None);
        if replaced.is_some() {
            // What is stored decides about it, and that was looked up for the plan.
            verdict = entry.verdict;
        }
        PlannedSend {
            message_id: entry.message_id.clone(),
            verdict,
            failure,
            is_edited: entry.edit.is_some(),
            is_copy,
            bytes,
            replaces: entry
                .replaces
                .as_ref()
                .map(|replaces| replaces.record_id)
                .or(replaced),
            attributes: original
                .kept()
                .map(|(name, _)| name.clone())
                .chain(
                    entry
                        .replaces
                        .as_ref()
                        .map(|_| REPLACES_ATTRIBUTE.to_owned()),
                )
                .collect(),
            problem,
        }
    }
}

/// Why a message is not sent that is larger than one call can be.
pub(crate) fn too_large(kind: Kind, bytes: usize, bytes_max: usize) -> String {
    let service = match kind {
        Kind::Redrive => "SQS",
        Kind::Replay => "SNS",
    };
    format!("{bytes} bytes are more than {service} accepts ({bytes_max})")
}

fn not_sent(entry: &PlanEntry, problem: String) -> PlannedSend {
    PlannedSend {
        message_id: entry.message_id.clone(),
        verdict: entry.verdict,
        failure: None,
        is_copy: false,
        is_edited: entry.edit.is_some(),
        replaces: None,
        bytes: 0,
        attributes: Vec::new(),
        problem: Some(problem),
    }
}
