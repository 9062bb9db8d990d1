//! Which messages this process holds, for how long, and how they go back.
//!
//! Invariant: each handle that an answer brings is either in `messages` or released.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Duration, Utc};

use super::lease::{Extension, HoldFacts, Released, hold};
use super::state::DeadLetters;
use crate::tui::context::UpdateContext;
use crate::tui::format::{clock, visible};
use crate::tui::limits::{EXTENDED_MAX, MESSAGES_RECEIVED_MAX};
use crate::tui::lines::message_count;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::theme::Tone;
use pipeline::model::{DeadLetter, HeldMessages};

/// Bytes of bodies in memory at which no more messages are taken.
const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Pause before a failed extension is tried again.
const EXTENSION_RETRY_SECS: i64 = 10;

impl DeadLetters {
    /// Takes messages (again). What is held already stays.
    pub(super) fn take(&mut self, context: &mut UpdateContext<'_>) {
        if self.hold.is_loading() {
            return;
        }
        if self.is_full() {
            let messages = message_count(self.messages.len());
            context.notify(
                Tone::Warning,
                format!("{messages} held, no more at once: redrive (r) or release (R) them first"),
            );
            return;
        }
        self.released = None;
        context
            .outbox
            .fetch(&mut self.hold, Reply::Received, Request::ReceiveMessages);
    }

    /// Whether no more are held, for their number or for the room that their bodies take where
    /// they cannot be put aside.
    pub(super) fn is_full(&self) -> bool {
        let in_memory: usize = self
            .messages
            .iter()
            .map(|message| message.body.bytes_in_memory())
            .sum();
        self.messages.len() >= MESSAGES_RECEIVED_MAX || in_memory >= BODY_BYTES_MAX
    }

    /// Gives everything back and stays on the screen.
    pub(super) fn release(&mut self, context: &mut UpdateContext<'_>) {
        if self.messages.is_empty() && !self.hold.is_loading() {
            context.notify(Tone::Muted, "no message is held");
            return;
        }
        let before = self.messages.len();
        self.give_back(context);
        self.is_detail_open = false;
        let messages = before - self.messages.len();
        self.released = Some(Released {
            messages,
            at: context.now,
        });
    }

    /// Gives back what is not being redriven. An answer under way will be given back when it comes.
    pub(super) fn give_back(&mut self, context: &mut UpdateContext<'_>) {
        self.hold.reset();
        self.extension = None;
        self.extension_failed_at = None;
        let messages = std::mem::take(&mut self.messages);
        let (kept, released): (Vec<_>, Vec<_>) = messages
            .into_iter()
            .partition(|message| self.moving.contains(&message.message_id));
        self.messages = kept;
        let handles: Vec<_> = released
            .into_iter()
            .map(|message| message.receipt_handle)
            .collect();
        if !handles.is_empty() {
            context
                .outbox
                .request(Reply::Released, |to| Request::ReleaseMessages(handles, to));
        }
        self.regroup(context.body);
    }

    pub(crate) fn messages_came(
        &mut self,
        answer: Answer<HeldMessages>,
        context: &mut UpdateContext<'_>,
    ) {
        let mut messages = None;
        let facts = answer.map(|received| {
            messages = Some(received.messages);
            HoldFacts {
                ledger_error: received.ledger_error,
                is_truncated: received.is_truncated,
            }
        });
        let facts_before = self.hold.value();
        let ledger_error = facts_before.and_then(|facts| facts.ledger_error.clone());
        let is_settled = self.hold.settle(facts, context.now);
        let Some(messages) = messages else { return };
        if !is_settled {
            self.refuse(messages, context);
            return;
        }
        self.taken_at = context.now;
        let has_older = self.merge(messages, context.now);
        // The older ones were judged without the ledger; that stays true.
        if let Some(facts) = self.hold.value_mut().filter(|_| has_older) {
            facts.ledger_error = facts.ledger_error.take().or(ledger_error);
        }
        self.regroup(context.body);
        self.search_again();
        self.run_search(context);
        self.take_the_rest(context);
    }

    /// Goes on until the queue gives no more, while somebody looks.
    fn take_the_rest(&mut self, context: &mut UpdateContext<'_>) {
        let waits = self.hold.value().is_some_and(|facts| facts.is_truncated);
        if waits && self.is_shown && !self.is_full() {
            context
                .outbox
                .fetch(&mut self.hold, Reply::Received, Request::ReceiveMessages);
        }
    }

    /// Gives back what a late answer brought, but for messages that are held by a newer handle.
    fn refuse(&self, messages: Vec<DeadLetter>, context: &mut UpdateContext<'_>) {
        let held: HashSet<_> = self
            .messages
            .iter()
            .map(|message| &message.message_id)
            .collect();
        let handles: Vec<_> = messages
            .into_iter()
            .filter(|message| !held.contains(&message.message_id))
            .map(|message| message.receipt_handle)
            .collect();
        if !handles.is_empty() {
            context
                .outbox
                .request(Reply::Released, |to| Request::ReleaseMessages(handles, to));
        }
    }

    /// Adds what was taken. A message that was taken again has its newest handle; one whose hold
    /// ended and that did not come again belongs to somebody else now. Whether older ones stay.
    fn merge(&mut self, messages: Vec<DeadLetter>, now: DateTime<Utc>) -> bool {
        let ids: HashSet<&str> = messages
            .iter()
            .map(|message| message.message_id.as_str())
            .collect();
        self.messages.retain(|message| {
            let is_held = message.held_until > now || self.moving.contains(&message.message_id);
            is_held && !ids.contains(message.message_id.as_str())
        });
        let older = self.messages.len();
        self.messages.extend(messages);
        self.messages
            .sort_by(|a, b| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
        self.extension_failed_at = None;
        older > 0
    }

    /// Extends holds of which less than half is left, a part at a time. One that has ended is
    /// lost: somebody else may have the message.
    pub(super) fn keep_hold(&mut self, context: &mut UpdateContext<'_>) {
        let must_pause = self
            .extension_failed_at
            .is_some_and(|at| context.now - at < Duration::seconds(EXTENSION_RETRY_SECS));
        if self.extension.is_some() || must_pause {
            return;
        }
        let is_due = |message: &&DeadLetter| {
            message.held_until > context.now && message.held_until - context.now < hold() / 2
        };
        let handles: Vec<_> = self
            .messages_at_rest()
            .filter(is_due)
            .take(EXTENDED_MAX)
            .map(|message| message.receipt_handle.clone())
            .collect();
        if handles.is_empty() {
            return;
        }
        let asked = handles.clone();
        let request = context
            .outbox
            .request(Reply::Extended, |to| Request::ExtendVisibility(asked, to));
        self.extension = Some(Extension {
            request,
            asked_at: context.now,
            handles,
        });
    }

    pub(crate) fn visibility_was_extended(
        &mut self,
        answer: Answer<Vec<Option<bool>>>,
        context: &mut UpdateContext<'_>,
    ) {
        let is_it = |extension: &mut Extension| answer.is_to(extension.request);
        let Some(extension) = self.extension.take_if(is_it) else {
            return;
        };
        let Ok(extended) = answer.into_result() else {
            self.extension_failed_at = Some(context.now);
            return;
        };
        // Counted from the question: the service counts from later, so this is never too long.
        let until = extension.asked_at + hold();
        let untils: HashMap<&str, DateTime<Utc>> = extension
            .handles
            .iter()
            .zip(&extended)
            .filter_map(|(handle, is_extended)| match is_extended {
                Some(true) => Some((handle.as_str(), until)),
                Some(false) => Some((handle.as_str(), context.now)),
                None => None,
            })
            .collect();
        for message in &mut self.messages {
            if let Some(until) = untils.get(message.receipt_handle.as_str()) {
                message.held_until = *until;
            }
        }
        let is_answered = !extended.contains(&None);
        self.extension_failed_at = (!is_answered).then_some(context.now);
        self.look_at_holds(context.now);
        self.keep_hold(context);
    }

    /// Brings what is shown of the holds up to date.
    pub(super) fn look_at_holds(&mut self, now: DateTime<Utc>) {
        let untils = self.messages_at_rest().map(|message| message.held_until);
        let (held, lost): (Vec<_>, Vec<_>) = untils.partition(|until| *until > now);
        self.lost_holds = lost.len();
        self.held_until = held.into_iter().min().or(lost.into_iter().max());
    }

    /// Messages whose hold is this screen's to keep: a redrive keeps those that it moves.
    pub(super) fn messages_at_rest(&self) -> impl Iterator<Item = &DeadLetter> {
        let is_at_rest = |message: &&DeadLetter| !self.moving.contains(&message.message_id);
        self.messages.iter().filter(is_at_rest)
    }

    pub(crate) fn messages_were_released(
        &self,
        answer: Answer<usize>,
        context: &mut UpdateContext<'_>,
    ) {
        if let Err(fault) = answer.into_result() {
            let latest = context.now + hold();
            context.notify(
                Tone::Warning,
                format!(
                    "not released: {} · others see the messages at {} UTC at the latest",
                    visible(&fault.message),
                    clock(latest)
                ),
            );
        }
    }
}
