//! Which messages this process holds, for how long, and how they go back.
//!
//! Invariant: each handle that an answer brings is either in `messages` or released.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Duration, Utc};

use super::DeadLetters;
use crate::text::message_or_messages;
use crate::tui::format::{clock, count, visible};
use crate::tui::message::{Answer, Fault, Reply, Request, RequestId, Tone};
use crate::tui::sources::{EXTENDED_MAX, HOLD, MESSAGES_HELD_MAX};
use crate::tui::update_context::UpdateContext;
use pipeline::model::{DeadLetter, ReceivedMessages};

/// Bytes of bodies in memory at which no more messages are taken.
const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Pause before a failed extension is tried again.
const EXTENSION_RETRY_SECS: i64 = 10;

/// What the last look said besides the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HoldFacts {
    pub(super) ledger_error: Option<String>,
    pub(super) is_truncated: bool,
}

/// An extension that is under way.
#[derive(Debug)]
pub(super) struct Extension {
    request: RequestId,
    asked_at: DateTime<Utc>,
    handles: Vec<String>,
}

/// The operator gave the messages back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Released {
    pub(super) messages: usize,
    pub(super) at: DateTime<Utc>,
}

fn hold() -> Duration {
    Duration::from_std(HOLD).unwrap_or(Duration::MAX)
}

impl DeadLetters {
    /// Takes messages (again). What is held already stays.
    pub(super) fn take(&mut self, turn: &mut UpdateContext<'_>) {
        if self.hold.is_loading() {
            return;
        }
        if self.is_full() {
            let messages = Self::messages_in_words(self.messages.len());
            turn.say(
                Tone::Warning,
                format!("{messages} held, no more at once: redrive (r) or release (R) them first"),
            );
            return;
        }
        self.released = None;
        turn.fetch(&mut self.hold, Request::HoldMessages);
    }

    /// Whether no more are held, for their number or for the room that their bodies take where
    /// they cannot be put aside.
    pub(super) fn is_full(&self) -> bool {
        let in_memory: usize = self
            .messages
            .iter()
            .map(|message| message.body.bytes_in_memory())
            .sum();
        self.messages.len() >= MESSAGES_HELD_MAX || in_memory >= BODY_BYTES_MAX
    }

    /// Gives everything back and stays on the screen.
    pub(super) fn release(&mut self, turn: &mut UpdateContext<'_>) {
        if self.messages.is_empty() && !self.hold.is_loading() {
            turn.say(Tone::Muted, "no message is held");
            return;
        }
        let before = self.messages.len();
        self.give_back(turn);
        self.is_detail_open = false;
        let messages = before - self.messages.len();
        self.released = Some(Released {
            messages,
            at: turn.now,
        });
    }

    /// Gives back what is not being redriven. An answer under way will be given back when it comes.
    pub(super) fn give_back(&mut self, turn: &mut UpdateContext<'_>) {
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
            turn.ask(Request::ReleaseMessages(handles));
        }
        self.regroup(turn.body);
    }

    pub(super) fn messages_came(&mut self, reply: Reply, turn: &mut UpdateContext<'_>) {
        let (facts, messages) = match reply.result {
            Ok(Answer::Messages(ReceivedMessages {
                messages,
                ledger_error,
                is_truncated,
            })) => (
                Ok(HoldFacts {
                    ledger_error,
                    is_truncated,
                }),
                messages,
            ),
            Ok(_) => (Err(unexpected()), Vec::new()),
            Err(fault) => (Err(fault), Vec::new()),
        };
        let has_succeeded = facts.is_ok();
        let ledger_error = self
            .hold
            .value()
            .and_then(|facts| facts.ledger_error.clone());
        if !self.hold.settle(reply.id, facts, turn.now) {
            self.refuse(messages, turn);
            return;
        }
        if has_succeeded {
            self.taken_at = turn.now;
            let has_older = self.merge(messages, turn.now);
            // The older ones were judged without the ledger; that stays true.
            if let Some(facts) = self.hold.value_mut().filter(|_| has_older) {
                facts.ledger_error = facts.ledger_error.take().or(ledger_error);
            }
            self.regroup(turn.body);
            self.search_again();
            self.run_search(turn);
            self.take_the_rest(turn);
        }
    }

    /// Goes on until the queue gives no more, while somebody looks.
    fn take_the_rest(&mut self, turn: &mut UpdateContext<'_>) {
        let waits = self.hold.value().is_some_and(|facts| facts.is_truncated);
        if waits && self.is_shown && !self.is_full() {
            turn.fetch(&mut self.hold, Request::HoldMessages);
        }
    }

    /// Gives back what a late answer brought, but for messages that are held by a newer handle.
    fn refuse(&self, messages: Vec<DeadLetter>, turn: &mut UpdateContext<'_>) {
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
            turn.ask(Request::ReleaseMessages(handles));
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

    /// Extends holds of which less than half is left, a part at a time. One that has ended is
    /// lost: somebody else may have the message.
    pub(super) fn keep_hold(&mut self, turn: &mut UpdateContext<'_>) {
        let must_pause = self
            .extension_failed_at
            .is_some_and(|at| turn.now - at < Duration::seconds(EXTENSION_RETRY_SECS));
        if self.extension.is_some() || must_pause {
            return;
        }
        let is_due = |message: &&DeadLetter| {
            message.hidden_until > turn.now && message.hidden_until - turn.now < hold() / 2
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
        let request = turn.ask(Request::ExtendHold(handles.clone()));
        self.extension = Some(Extension {
            request,
            asked_at: turn.now,
            handles,
        });
    }

    pub(super) fn hold_was_extended(&mut self, reply: Reply, turn: &mut UpdateContext<'_>) {
        let Some(extension) = self
            .extension
            .take_if(|extension| extension.request == reply.id)
        else {
            return;
        };
        let Ok(Answer::Extended(extended)) = reply.result else {
            self.extension_failed_at = Some(turn.now);
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
                Some(false) => Some((handle.as_str(), turn.now)),
                None => None,
            })
            .collect();
        for message in &mut self.messages {
            if let Some(until) = untils.get(message.receipt_handle.as_str()) {
                message.hidden_until = *until;
            }
        }
        let is_answered = !extended.contains(&None);
        self.extension_failed_at = (!is_answered).then_some(turn.now);
        self.look_at_holds(turn.now);
        self.keep_hold(turn);
    }

    /// Brings what is shown of the holds up to date.
    pub(super) fn look_at_holds(&mut self, now: DateTime<Utc>) {
        let untils = self.messages_at_rest().map(|message| message.hidden_until);
        let (held, lost): (Vec<_>, Vec<_>) = untils.partition(|until| *until > now);
        self.lost_holds = lost.len();
        self.held_until = held.into_iter().min().or(lost.into_iter().max());
    }

    /// Messages whose hold is this screen's to keep: a redrive keeps those that it moves.
    pub(super) fn messages_at_rest(&self) -> impl Iterator<Item = &DeadLetter> {
        let is_at_rest = |message: &&DeadLetter| !self.moving.contains(&message.message_id);
        self.messages.iter().filter(is_at_rest)
    }

    pub(super) fn messages_were_released(&self, reply: Reply, turn: &mut UpdateContext<'_>) {
        if let Err(fault) = reply.result {
            let latest = turn.now + hold();
            turn.say(
                Tone::Warning,
                format!(
                    "not released: {} · others see the messages at {} UTC at the latest",
                    visible(&fault.message),
                    clock(latest)
                ),
            );
        }
    }

    /// `37 messages`, `1 message`.
    pub(super) fn messages_in_words(number: usize) -> String {
        let number = number as u64;
        format!("{} {}", count(number), message_or_messages(number))
    }
}

pub(super) fn unexpected() -> Fault {
    Fault {
        message: "an answer to another question came (a defect of this program)".to_owned(),
        hint: None,
    }
}
