//! Which messages are received, how long they stay hidden from others, and their release.
//!
//! Invariant: what is listed is what the sources have received for this visit, or what a redrive or
//! a deletion has. Nothing stays hidden for a screen that nobody uses.

use std::collections::{HashMap, HashSet};

use super::lease::{ReceiveFacts, Release, ReleaseCause, Released, visibility_timeout};
use super::line_input::Purpose;
use super::state::{DeadLetters, Open};
use crate::tui::context::UpdateContext;
use crate::tui::format::{clock, visible};
use crate::tui::handover::Handover;
use crate::tui::limits::MESSAGES_RECEIVED_MAX;
use crate::tui::lines::message_count;
use crate::tui::received::{LeaseTimes, Received};
use crate::tui::request::{Answer, Reply, Request, RequestId};
use crate::tui::theme::Tone;
use pipeline::Hidden;
use pipeline::model::DeadLetter;

/// Why nothing is received.
pub(super) const REDRIVE_RESUMED: &str =
    "a redrive is being resumed: messages are received again when it ends";
/// Bytes of bodies in memory at which no more messages are received.
const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;

impl DeadLetters {
    /// Receives messages (again). Those received before stay.
    pub(super) fn receive(&mut self, context: &mut UpdateContext<'_>) {
        if self.received.is_loading() {
            return;
        }
        // It receives the messages of its plan, which this screen would hide from it.
        if context.is_resuming {
            context.notify(Tone::Muted, REDRIVE_RESUMED);
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
        self.lease.released = None;
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
        let is_free = |message: &DeadLetter| !self.has_operation(&message.message_id);
        if !self.messages.iter().any(is_free) && !self.received.is_loading() {
            let text = match self.messages.is_empty() {
                true => "no messages are received",
                false => "all messages are being redriven or deleted",
            };
            context.notify(Tone::Muted, text);
            return;
        }
        self.release_because(ReleaseCause::Operator, context);
    }

    fn release_because(&mut self, cause: ReleaseCause, context: &mut UpdateContext<'_>) {
        let before = self.messages.len();
        let request = self.release_all(context);
        self.is_detail_open = false;
        self.lease.released = Some(Released {
            messages: before - self.messages.len(),
            state: request.map_or(Release::Answered { unconfirmed: 0 }, Release::Asked),
            at: context.now,
            cause,
        });
    }

    /// Releases what neither a redrive nor a deletion has. What is being received for this visit is
    /// released when it comes.
    pub(super) fn release_all(&mut self, context: &mut UpdateContext<'_>) -> Option<RequestId> {
        let was_loading = self.received.is_loading();
        self.received.reset();
        self.lease.end();
        let before = self.messages.len();
        let messages = std::mem::take(&mut self.messages);
        let is_kept = |message: &DeadLetter| self.has_operation(&message.message_id);
        let kept: Vec<_> = messages.into_iter().filter(is_kept).collect();
        self.messages = kept;
        let is_needed = was_loading || self.messages.len() < before;
        let outbox = &mut context.outbox;
        let request = is_needed.then(|| outbox.request(Reply::Released, Request::ReleaseMessages));
        self.regroup(context.body);
        request
    }

    /// Whether a redrive or a deletion has a message, which then extends it too.
    pub(super) fn has_operation(&self, message_id: &str) -> bool {
        let deletion = self.deletion.as_ref();
        self.moving.contains(message_id)
            || deletion.is_some_and(|deletion| deletion.message_ids.contains(message_id))
    }

    pub(crate) fn messages_came(
        &mut self,
        answer: Answer<Received>,
        context: &mut UpdateContext<'_>,
    ) {
        let mut came = None;
        let facts = answer.map(|received| {
            let facts = ReceiveFacts {
                ledger_error: received.messages.ledger_error,
                is_truncated: received.messages.is_truncated,
            };
            came = Some((received.messages.messages, received.leases));
            facts
        });
        let facts_before = self.received.value();
        let ledger_error = facts_before.and_then(|facts| facts.ledger_error.clone());
        let is_settled = self.received.settle(facts, context.now);
        // What comes for a visit that has ended is released by the sources.
        let Some((messages, leases)) = came.filter(|_| is_settled) else {
            return;
        };
        self.received_at = context.now;
        self.lease.update(leases);
        let has_older = self.merge(messages);
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

    /// Adds received messages. One that is lost and did not come again is dropped. Returns whether
    /// older ones stay.
    fn merge(&mut self, messages: Vec<DeadLetter>) -> bool {
        let ids: HashSet<&str> = messages
            .iter()
            .map(|message| message.message_id.as_str())
            .collect();
        let mut older = std::mem::take(&mut self.messages);
        older.retain(|message| {
            let id = &message.message_id;
            let is_lost = self.lease.lost.contains(id) && !self.has_operation(id);
            !is_lost && !ids.contains(id.as_str())
        });
        self.lease.lost.clear();
        let has_older = !older.is_empty();
        self.messages = older;
        self.messages.extend(messages);
        self.messages
            .sort_by(|a, b| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
        has_older
    }

    /// Takes over how messages were judged for a plan: nothing older is shown then.
    pub(crate) fn judged_again(&mut self, judged: &[DeadLetter], context: &mut UpdateContext<'_>) {
        let by_id: HashMap<&str, &DeadLetter> = judged
            .iter()
            .map(|message| (message.message_id.as_str(), message))
            .collect();
        if by_id.is_empty() {
            return;
        }
        for message in &mut self.messages {
            if let Some(later) = by_id.get(message.message_id.as_str()) {
                message.judged_as(later);
            }
        }
        self.regroup(context.body);
    }

    /// Extends visibility timeouts of which less than half is left.
    pub(super) fn extend_visibility(&mut self, context: &mut UpdateContext<'_>) {
        if self.lease.must_extend(context.now) {
            let request = context
                .outbox
                .request(Reply::Extended, Request::ExtendLeases);
            self.lease.extension_began(request, context.now);
        }
    }

    pub(crate) fn visibility_was_extended(&mut self, answer: Answer<LeaseTimes>) {
        if !self.lease.extension_ended(|request| answer.is_to(request)) {
            return;
        }
        match answer.into_result() {
            Ok(times) => {
                self.lease.is_extension_failing = times.failure.is_some();
                self.lease.update(times);
            }
            Err(_) => self.lease.is_extension_failing = true,
        }
    }

    /// Releases everything where no key was pressed for too long. What is typed stays open, but for
    /// a deletion: what it would delete is not what was looked at.
    pub(super) fn end_if_idle(&mut self, context: &mut UpdateContext<'_>) {
        let has_some = self.received.is_loading() || self.lease.has_some();
        if !has_some || !context.is_untouched() {
            return;
        }
        self.release_because(ReleaseCause::Idle, context);
        if let Open::Line(line) = &self.open
            && matches!(line.purpose, Purpose::Delete { .. })
        {
            self.open = Open::Nothing;
        }
        context.outbox.handovers.push(Handover::LeasesEnded);
    }

    /// Receives again what was released because no key was pressed, and shows why.
    pub(crate) fn operator_came_back(&mut self, context: &mut UpdateContext<'_>) {
        let is_idle = |released: &Released| released.cause == ReleaseCause::Idle;
        let released = self.lease.released.filter(is_idle);
        if let Some(released) = released.filter(|_| self.is_shown) {
            self.receive(context);
            let text = format!("{} · receiving them again", released.text());
            context.notify(Tone::Warning, text);
        }
    }

    pub(crate) fn messages_were_released(
        &mut self,
        answer: Answer<Hidden>,
        context: &mut UpdateContext<'_>,
    ) {
        let is_it = |release: Release| matches!(release, Release::Asked(id) if answer.is_to(id));
        let shown = self.lease.released.as_mut();
        let shown = shown.filter(|released| is_it(released.state));
        let answer = answer.into_result();
        if let Some(released) = shown {
            released.state = match &answer {
                Ok(hidden) => Release::Answered {
                    unconfirmed: hidden.messages_max.min(released.messages),
                },
                Err(_) => Release::Unanswered,
            };
        }
        let (what, until) = match answer {
            Ok(Hidden {
                messages_max,
                until: Some(until),
            }) if messages_max > 0 => {
                let messages = message_count(messages_max);
                (format!("up to {messages} not released"), until)
            }
            Ok(_) => return,
            Err(fault) => {
                let latest = context.now + visibility_timeout();
                (format!("not released: {}", visible(&fault.message)), latest)
            }
        };
        let until = clock(until);
        let text = format!("{what} · visible to others at {until} UTC at the latest");
        context.notify(Tone::Warning, text);
    }
}
