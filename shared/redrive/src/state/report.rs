//! What a redrive did, message by message.
//!
//! Invariant: everything here comes from the facts of the journal. The JSON fields are published:
//! they keep their names and their meaning.

use chrono::{DateTime, Utc};
use event::{EventKey, RecordId, peek_identity};
use serde::Serialize;
use uuid::Uuid;

use super::counts::Counts;
use super::fact::{Ending, Proof};
use super::phase::{MessageState, Phase};
use super::replay::State;
use crate::plan::{Kind, PlanEntry};

/// Cause of a message that is being sent, or was when the redrive was interrupted.
const NO_ANSWER_ON_RECORD: &str = "no answer to its send is on record";

/// A redrive, as its journal has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The redrive.
    pub id: Uuid,
    /// When its plan was made.
    pub created_at: DateTime<Utc>,
    /// The environment.
    pub environment: String,
    /// Whether messages were moved, or records published again.
    #[serde(skip_serializing_if = "Kind::is_redrive")]
    pub kind: Kind,
    /// Messages of the plan.
    pub planned: usize,
    /// Messages by phase.
    pub counts: Counts,
    /// How it ended; absent while it runs and after a crash.
    pub ending: Option<Ending>,
    /// Every message, in the order of the plan.
    #[serde(rename = "letters")]
    pub messages: Vec<MessageReport>,
}

/// One message of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageReport {
    /// SQS message id in the dead-letter queue; in a replay the name of the record that was read.
    pub message_id: String,
    /// What happened to it so far.
    pub outcome: MessageOutcome,
    /// Why it was not sent, not deleted, or is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// SQS message id of its confirmed copy; in a replay the SNS message id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_message_id: Option<String>,
    /// The record that it replaces, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<RecordId>,
    /// Whether it was about to be sent and nothing is known since: it is being sent where its redrive
    /// runs, and unknown where that was interrupted.
    #[serde(skip)]
    pub is_being_sent: bool,
    /// Identity of its event, as far as the journal has it.
    #[serde(skip)]
    pub event: Option<EventKey>,
    /// What became of its event; absent while that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

/// What happened to a message so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageOutcome {
    /// Nothing was done with it.
    Waiting,
    /// Not sent; it is where it was.
    NotSent,
    /// It may have been sent, and is where it was too.
    Unknown,
    /// Sent, or known to the ledger, and not confirmed to be out of the dead-letter queue.
    SentNotDeleted,
    /// Sent, or known to the ledger, and deleted.
    Moved,
    /// Published by a replay.
    Published,
}

impl Report {
    /// The report of a redrive as it stands.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let plan = state.plan();
        Self {
            id: plan.id,
            created_at: plan.created_at,
            environment: plan.environment.clone(),
            kind: plan.kind(),
            planned: plan.entries.len(),
            counts: state.counts(),
            ending: state.ending(),
            messages: plan
                .entries
                .iter()
                .zip(state.messages())
                .map(|(entry, message)| MessageReport::of(entry, message))
                .collect(),
        }
    }
}

impl Report {
    /// Messages that replace a record.
    #[must_use]
    pub fn replacing(&self) -> usize {
        let messages = self.messages.iter();
        messages
            .filter(|message| message.replaces.is_some())
            .count()
    }

    /// Records that were proved to be replaced.
    #[must_use]
    pub fn replaced(&self) -> usize {
        let is_replaced = |message: &&MessageReport| {
            message.replaces.is_some() && matches!(message.proof, Some(Proof::Stored { .. }))
        };
        self.messages.iter().filter(is_replaced).count()
    }
}

impl MessageReport {
    fn of(entry: &PlanEntry, message: &MessageState) -> Self {
        let (outcome, cause) = match &message.phase {
            Phase::Waiting => (MessageOutcome::Waiting, None),
            Phase::Intended => (
                MessageOutcome::Unknown,
                Some(NO_ANSWER_ON_RECORD.to_owned()),
            ),
            Phase::Refused(cause) | Phase::NotTried(cause) | Phase::Unsendable(cause) => {
                (MessageOutcome::NotSent, Some(cause.clone()))
            }
            Phase::Unanswered(cause) => (MessageOutcome::Unknown, Some(cause.clone())),
            Phase::Confirmed | Phase::FoundStored(_) => (MessageOutcome::SentNotDeleted, None),
            Phase::NotDeleted(cause) => (MessageOutcome::SentNotDeleted, Some(cause.clone())),
            Phase::Deleted => (MessageOutcome::Moved, None),
            Phase::Published => (MessageOutcome::Published, None),
        };
        Self {
            message_id: entry.message_id.clone(),
            replaces: entry.replaces.as_ref().map_or_else(
                || message.event.as_ref()?.replaced_record(),
                |replaces| Some(replaces.record_id),
            ),
            outcome,
            cause,
            sent_message_id: message.sent_message_id.clone(),
            is_being_sent: message.phase.is_intended(),
            event: event_of(entry, message),
            proof: message.proof.clone(),
        }
    }
}

/// Of what is sent, also where the ingest would refuse it.
fn event_of(entry: &PlanEntry, message: &MessageState) -> Option<EventKey> {
    if let Some(event) = &message.event {
        return Some(event.key.clone());
    }
    let edited = entry.edit.as_ref().map(|edit| edit.new_body.as_str());
    let received = || {
        let intended = message.unsettled.as_ref()?;
        Some(intended.original.body.as_str())
    };
    let identity = peek_identity(edited.or_else(received)?);
    let (source, id) = (identity.source?, identity.id?);
    Some(EventKey { source, id })
}
