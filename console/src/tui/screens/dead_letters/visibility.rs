//! Which messages are received, how long they stay hidden from others, and their release.
//!
//! Invariant: each handle that an answer brings is either in `messages` or released.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Duration, Utc};

use super::lease::{Extension, ReceiveFacts, Released, visibility_timeout};
use super::state::DeadLetters;
use crate::tui::context::UpdateContext;
use crate::tui::format::{clock, visible};
use crate::tui::limits::{EXTENDED_MAX, MESSAGES_RECEIVED_MAX};
use crate::tui::lines::message_count;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::theme::Tone;
use pipeline::model::{DeadLetter, ReceivedMessages};

/// Bytes of bodies in memory at which no more messages are received.
const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Pause before a failed extension is tried again.
const EXTENSION_RETRY_SECS: i64 = 10;

impl DeadLetters {
    /// Receives messages (again). Those received before stay.
    pub(super) fn receive(&mut self, context: &mut UpdateContext<'_>) {
        if self.received.is_loading() {
            return;
        }
        if self.is_full() {
            let messages = message_count(self.messages.len());
            context.notify(
                Tone::Warning,
                format!("{messages} received, the limit: redrive (r) or release (R) them first"),
            );
            return;
        }
        self.released = None;
        context.outbox.fetch(
            &mut self.received,
            Reply::Received,
            Request::ReceiveMessages,
        );
    }

    /// Whether the limit is reached, by number or by the memory of bodies that are not on disk.
    pub(super) fn is_full(&self) -> bool {
        let in_memory: usize = self
            .messages
            .iter()
            .map(|message| message.body.bytes_in_memory())
            .sum();
        self.messages.len() >= MESSAGES_RECEIVED_MAX || in_memory >= BODY_BYTES_MAX
    }

    /// Releases everything and stays on the screen.
    pub(super) fn release(&mut self, context: &mut UpdateContext<'_>) {
        if self.messages.is_empty() && !self.received.is_loading() {
            context.notify(Tone::Muted, "no messages are received");
            return;
        }
        let before = self.messages.len();
        self.release_all(context);
        self.is_detail_open = false;
        let messages = before - self.messages.len();
        self.released = Some(Released {
            messages,
            at: context.now,
        });
    }

    /// Releases what is not being redriven. Messages of a late answer are released when it comes.
    pub(super) fn release_all(&mut self, context: &mut UpdateContext<'_>) {
        self.received.reset();
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
        answer: Answer<ReceivedMessages>,
        context: &mut UpdateContext<'_>,
    ) {
        let mut messages = None;
        let facts = answer.map(|received| {
            messages = Some(received.messages);
            ReceiveFacts {
                ledger_error: received.ledger_error,
                is_truncated: received.is_truncated,
            }
        });
        let facts_before = self.received.value();
        let ledger_error = facts_before.and_then(|facts| facts.ledger_error.clone());
        let is_settled = self.received.settle(facts, context.now);
        let Some(messages) = messages else { return };
        if !is_settled {
            self.release_late(messages, context);
            return;
        }
        self.received_at = context.now;
        let has_older = self.merge(messages, context.now);
        // The older ones were judged without the ledger; that stays true.
        if let Some(facts) = self.received.value_mut().filter(|_| has_older) {
            facts.ledger_error = facts.ledger_error.take().or(ledger_error);
        }
        self.regroup(context.body);
        self.search_again();
        self.run_search(context);
        self.receive_rest(context);
    }

    /// Continues until the queue returns no more, while the screen is shown.
    fn receive_rest(&mut self, context: &mut UpdateContext<'_>) {
        let waits = self
            .received
            .value()
            .is_some_and(|facts| facts.is_truncated);
        if waits && self.is_shown && !self.is_full() {
            context.outbox.fetch(
                &mut self.received,
                Reply::Received,
                Request::ReceiveMessages,
            );
        }
    }

    /// Releases the messages of a late answer, but for those that have a newer handle.
    fn release_late(&self, messages: Vec<DeadLetter>, context: &mut UpdateContext<'_>) {
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

    /// Adds received messages. One that was received again has its newest handle; one whose visibility
    /// timeout ended and that did not come again is dropped. Returns whether older ones stay.
    fn merge(&mut self, messages: Vec<DeadLetter>, now: DateTime<Utc>) -> bool {
        let ids: HashSet<&str> = messages
            .iter()
            .map(|message| message.message_id.as_str())
            .collect();
        self.messages.retain(|message| {
            let is_held = message.hidden_until > now || self.moving.contains(&message.message_id);
            is_held && !ids.contains(message.message_id.as_str())
        });
        let older = self.messages.len();
        self.messages.extend(messages);
        self.messages
            .sort_by(|a, b| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
        self.extension_failed_at = None;
        older > 0
    }

    /// Extends visibility timeouts of which less than half is left, a part at a time. One that has
    /// ended is not: another consumer may have the message.
    pub(super) fn extend_visibility(&mut self, context: &mut UpdateContext<'_>) {
        let must_pause = self
            .extension_failed_at
            .is_some_and(|at| context.now - at < Duration::seconds(EXTENSION_RETRY_SECS));
        if self.extension.is_some() || must_pause {
            return;
        }
        let is_due = |message: &&DeadLetter| {
            message.hidden_until > context.now
                && message.hidden_until - context.now < visibility_timeout() / 2
        };
        let handles: Vec<_> = self
            .messages_not_moving()
            .filter(is_due)
            .take(EXTENDED_MAX)
            .map(|message| message.receipt_handle.clone())
            .collect();
        if handles.is_empty() {
            return;
        }
        let requested = handles.clone();
        let request = context.outbox.request(Reply::Extended, |to| {
            Request::ExtendVisibility(requested, to)
        });
        self.extension = Some(Extension {
            request,
            requested_at: context.now,
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
        let until = extension.requested_at + visibility_timeout();
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
                message.hidden_until = *until;
            }
        }
        let is_answered = !extended.contains(&None);
        self.extension_failed_at = (!is_answered).then_some(context.now);
        self.refresh_visibility(context.now);
        self.extend_visibility(context);
    }

    /// Updates what is shown of the visibility timeouts.
    pub(super) fn refresh_visibility(&mut self, now: DateTime<Utc>) {
        let untils = self
            .messages_not_moving()
            .map(|message| message.hidden_until);
        let (held, lost): (Vec<_>, Vec<_>) = untils.partition(|until| *until > now);
        self.expired = lost.len();
        self.hidden_until = held.into_iter().min().or(lost.into_iter().max());
    }

    /// Messages whose visibility timeout this screen extends: a redrive extends those that it moves.
    pub(super) fn messages_not_moving(&self) -> impl Iterator<Item = &DeadLetter> {
        let is_at_rest = |message: &&DeadLetter| !self.moving.contains(&message.message_id);
        self.messages.iter().filter(is_at_rest)
    }

    pub(crate) fn messages_were_released(
        &self,
        answer: Answer<usize>,
        context: &mut UpdateContext<'_>,
    ) {
        if let Err(fault) = answer.into_result() {
            let latest = context.now + visibility_timeout();
            context.notify(
                Tone::Warning,
                format!(
                    "not released: {} · the messages are visible to others at {} UTC at the latest",
                    visible(&fault.message),
                    clock(latest)
                ),
            );
        }
    }
}
