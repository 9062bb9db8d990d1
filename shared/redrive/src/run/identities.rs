//! Which messages of a batch may be sent, by the identities of their events.
//!
//! Invariant: no message is sent whose event the ledger would drop as a duplicate of another event.
//! An event that somebody else sends in the moment between the look into the ledger and the arrival
//! of ours is beyond it; its proof finds no record of ours.

use std::sync::{Mutex, PoisonError};

use event::EventKey;

use super::context::Context;
use crate::identity::{Claim, Claims, SentEvent, stored_reason, taken_reason};
use crate::ledger;
use crate::state::fact::MessageCause;

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

    /// Messages, by their places, each with its body and with what would be sent: those that must stay,
    /// and why.
    pub(super) async fn refused(
        &self,
        context: &Context<'_>,
        messages: Vec<(usize, &str, &str)>,
    ) -> Vec<MessageCause> {
        let mut refused = Vec::new();
        let mut edited = Vec::new();
        let entries = &context.plan.entries;
        for (index, original, sent) in messages {
            let Some(entry) = entries.get(index) else {
                continue;
            };
            let event = SentEvent::of(original, sent).filter(|_| entry.is_to_be_stored());
            let Some(event) = event else { continue };
            match self.claim(index, &event) {
                Claim::Taken(holder) => {
                    let holder = entries.get(holder).map_or("", |entry| &entry.message_id);
                    let cause = taken_reason(&event.key, holder);
                    refused.push(MessageCause::lasting(index, cause));
                }
                // The ledger may know its event by the copy that was sent.
                Claim::Copy(holder) if is_sent(context, holder) => {}
                Claim::Own | Claim::Copy(_) if entry.edit.is_some() => {
                    edited.push((index, event.key));
                }
                Claim::Own | Claim::Copy(_) => {}
            }
        }
        refused.extend(stored_already(context, edited).await);
        refused
    }

    fn claim(&self, index: usize, event: &SentEvent) -> Claim {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        claims.claim(index, event)
    }
}

/// Whether a message was sent, or may have been.
fn is_sent(context: &Context<'_>, index: usize) -> bool {
    context.recorder.look(|state| {
        let message = state.messages().get(index);
        message.is_some_and(|message| !message.phase.is_unsent())
    })
}

/// Edited messages whose identity the ledger knows: since the plan was made, somebody else may have
/// sent an event with it. Where the ledger does not answer, they wait for a resume.
async fn stored_already(
    context: &Context<'_>,
    edited: Vec<(usize, EventKey)>,
) -> Vec<MessageCause> {
    if edited.is_empty() {
        return Vec::new();
    }
    let keys: Vec<EventKey> = edited.iter().map(|(_, key)| key.clone()).collect();
    let answer = ledger::look_up(context.pipeline, &keys).await;
    let mut refused = Vec::new();
    for (place, (index, key)) in edited.into_iter().enumerate() {
        if answer.stored.contains_key(&key) {
            refused.push(MessageCause::lasting(index, stored_reason(&key)));
        } else if let Some(error) = answer.error.as_ref().filter(|_| place >= answer.answered) {
            let cause = format!("whether its edited event is stored already is unknown: {error}");
            refused.push(MessageCause::passing(index, cause));
        }
    }
    refused
}
