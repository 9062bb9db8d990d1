//! Which messages of a batch may be sent, by the identities of their events.
//!
//! Invariant: no message is sent whose event the ledger would drop as a duplicate of another event, or
//! that the ingest would drop as expired. Beyond it are: an event that somebody else sends in the moment
//! between the look into the ledger and the arrival of ours, an environment without a ledger, and a
//! redrive with the option not to ask it.

use std::sync::{Mutex, PoisonError};

use event::{EventKey, RecordId, Verdict, expired};

use super::context::Context;
use crate::identity::{
    Claim, Claims, SentEvent, no_record, other_record, stored_reason, stored_since_reason,
    taken_reason,
};
use crate::ledger;
use crate::message::Original;
use crate::plan::PlanEntry;
use crate::state::fact::MessageCause;
use pipeline::LedgerAnswer;

/// The messages of a batch that must stay.
#[derive(Default)]
pub(super) struct Refused {
    pub(super) causes: Vec<MessageCause>,
    /// Why the ledger did not answer, if so: the next batches would wait too.
    pub(super) no_answer: Option<String>,
}

/// A message that the ledger is asked about.
struct Open {
    index: usize,
    event: SentEvent,
    wanted: Wanted,
}

/// What the ledger must have of an identity, so that the event is stored.
enum Wanted {
    /// Nothing.
    Nothing { is_edited: bool },
    /// The record that a replay replaces.
    Planned(RecordId),
    /// The record that a dead letter names.
    Named(RecordId),
    /// Whatever: the dead letter was planned although it would be refused, and comes back then.
    Anything,
}

impl Wanted {
    fn of(entry: &PlanEntry, event: &SentEvent) -> Self {
        if let Some(replaces) = &entry.replaces {
            return Self::Planned(replaces.record_id);
        }
        match (&event.replacing, event.replaced_record()) {
            (None, _) => Self::Nothing {
                is_edited: entry.edit.is_some(),
            },
            (Some(_), Some(record_id)) if entry.verdict == Verdict::Ready => Self::Named(record_id),
            (Some(_), _) => Self::Anything,
        }
    }

    /// What is asked without a choice: the ingest itself compares the record that is named.
    const fn is_always_asked(&self) -> bool {
        match self {
            Self::Nothing { is_edited } => *is_edited,
            Self::Planned(_) => true,
            Self::Named(_) | Self::Anything => false,
        }
    }
}

/// The identities of what a redrive has sent, or may have.
pub(super) struct Identities(Mutex<Claims>);

impl Identities {
    /// With what earlier runs of the redrive sent.
    pub(super) fn of(context: &Context<'_>) -> Self {
        let mut claims = Claims::default();
        context.recorder.look(|state| {
            for (index, event) in state.carriers() {
                claims.claim(index, event);
            }
        });
        Self(Mutex::new(claims))
    }

    /// Messages, by their places, each as it was received and with what would be sent: those that must stay,
    /// and why.
    pub(super) async fn refused(
        &self,
        context: &Context<'_>,
        messages: Vec<(usize, &Original, &str)>,
    ) -> Refused {
        let mut refused = Refused::default();
        let mut open = Vec::new();
        let entries = &context.plan.entries;
        for (index, original, sent) in messages {
            let Some(entry) = entries.get(index) else {
                continue;
            };
            let event = SentEvent::of(&original.body, sent, original.named_record());
            let event = event.filter(|_| entry.is_to_be_stored());
            let Some(event) = event else { continue };
            let wanted = Wanted::of(entry, &event);
            let is_asked = wanted.is_always_asked() || context.options.asks_ledger();
            match self.claim(index, &event) {
                Claim::Taken(holder) => {
                    let holder = entries.get(holder).map_or("", |entry| &entry.message_id);
                    let cause = taken_reason(&event.key, holder);
                    refused.causes.push(MessageCause::lasting(index, cause));
                }
                // The ledger may know its event by the copy that was sent: by this redrive, as another
                // message of it, or as the same message before the process ended.
                Claim::Copy(holder) if may_be_sent(context, holder) => {}
                Claim::Own | Claim::Copy(_) if may_be_sent(context, index) => {}
                Claim::Own | Claim::Copy(_) if is_asked => open.push(Open {
                    index,
                    event,
                    wanted,
                }),
                Claim::Own | Claim::Copy(_) => {}
            }
        }
        refuse_by_ledger(context, open, &mut refused).await;
        refused
    }

    fn claim(&self, index: usize, event: &SentEvent) -> Claim {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        claims.claim(index, event)
    }
}

/// Whether a message was sent, or may have been.
fn may_be_sent(context: &Context<'_>, index: usize) -> bool {
    context.recorder.look(|state| {
        let message = state.messages().get(index);
        message.is_some_and(|message| !message.phase.is_unsent())
    })
}

/// Refuses what the ingest would not store: since the plan was made, somebody else may have sent an
/// event with the same identity, or the retention horizon may have passed it. Where the ledger does not
/// answer, messages wait for a resume: what is sent without its answer may be lost.
async fn refuse_by_ledger(context: &Context<'_>, open: Vec<Open>, refused: &mut Refused) {
    if open.is_empty() {
        return;
    }
    let keys: Vec<EventKey> = open.iter().map(|open| open.event.key.clone()).collect();
    let answer = ledger::look_up(context.pipeline, &keys).await;
    for (place, open) in open.into_iter().enumerate() {
        let is_answered = place < answer.answered || answer.stored.contains_key(&open.event.key);
        let has_ledger =
            context.pipeline.has_ledger() || !matches!(open.wanted, Wanted::Planned(_));
        let why = match &answer.error {
            Some(error) => error.to_string(),
            None => "this environment has no ledger".to_owned(),
        };
        if is_answered && has_ledger {
            let cause = refusal(&open, &answer);
            let cause = cause.map(|cause| MessageCause::lasting(open.index, cause));
            refused.causes.extend(cause);
        } else {
            let cause = format!("whether its event is stored already is unknown: {why}");
            refused.no_answer.get_or_insert(why);
            refused
                .causes
                .push(MessageCause::passing(open.index, cause));
        }
    }
}

/// Why the ingest would not store an event that the ledger was asked about.
fn refusal(open: &Open, answer: &LedgerAnswer) -> Option<String> {
    let key = &open.event.key;
    let stored = answer.stored.get(key).map(|stored| stored.record_id);
    let (record_id, again) = match open.wanted {
        Wanted::Planned(record_id) => (Some(record_id), "plan the replay again"),
        Wanted::Named(record_id) => (Some(record_id), "look at the messages again"),
        Wanted::Nothing { .. } | Wanted::Anything => (None, ""),
    };
    match (&open.wanted, record_id, stored) {
        (_, Some(planned), Some(now)) if planned != now => {
            return Some(other_record(planned, now, again));
        }
        (_, Some(planned), None) => return Some(no_record(planned, again)),
        (Wanted::Nothing { is_edited: true }, _, Some(_)) => return Some(stored_reason(key)),
        (Wanted::Nothing { is_edited: false }, _, Some(_)) => {
            return Some(stored_since_reason(key));
        }
        (_, Some(_), Some(_)) | (_, None, _) => {}
    }
    expired(open.event.time, answer.horizon).map(|failure| failure.detail)
}
