//! The peek itself: price, permit, receives, release, end in the audit log.
//!
//! Invariant: nothing is received without a permit, and nothing after a message at its limit was met. Whatever was
//! received is released before the end, or is in the caller's set. A peek ends within a limit.

use chrono::Utc;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::bounds::{
    BODY_BYTES_MAX, EMPTY_POLLS_MAX, PEEK_MESSAGES_MAX, PEEK_VISIBILITY, RECEIVE_LIMIT,
    receives_max,
};
use super::limit::standing;
use super::peeked::{Peek, PeekEnd, PeekedMessage};
use super::price::{EarlierPeek, PeekPrice};
use crate::audit::Operation;
use crate::lease::LeaseSet;
use crate::model::QueueRole;
use crate::queues::BATCH_ENTRIES_MAX;
use crate::{Hidden, Pipeline, PipelineError, PlannedChange};

impl Pipeline {
    /// An empty set for the messages of [`Self::peek_queue`].
    #[must_use]
    pub fn peek_leases(&self) -> LeaseSet {
        LeaseSet::of(self, QueueRole::Source, PEEK_VISIBILITY)
    }

    /// What a peek costs now. Nothing is received.
    ///
    /// # Errors
    /// When SQS does not return the attributes of the queue.
    pub async fn peek_price(&self) -> Result<PeekPrice, PipelineError> {
        let (state, earlier) =
            tokio::join!(self.queue_state(QueueRole::Source), self.earlier_peek());
        let state = state?;
        Ok(PeekPrice {
            queue: self.queue_name(QueueRole::Source).to_owned(),
            depth: state.depth,
            visibility_timeout_secs: state.settings.visibility_timeout_secs,
            max_receive_count: state.settings.max_receive_count,
            earlier,
            asked_at: Utc::now(),
        })
    }

    /// The last peek that the audit log has, if it met messages at their limit, or if nobody knows whether it did.
    async fn earlier_peek(&self) -> Option<EarlierPeek> {
        let log = self.authority.log.clone()?;
        // The same queue may be in several environments.
        let queue_url = self.queue_url(QueueRole::Source).to_owned();
        let reading = move || {
            log.read_last(1, |change| {
                let of = change.details.get("queue_url").and_then(Value::as_str);
                change.operation == Operation::Peek && of == Some(queue_url.as_str())
            })
        };
        // A log that cannot be read cannot be written either, and then there is no permit.
        let trail = spawn_blocking(reading).await.ok()?.ok()?;
        let last = trail.entries.into_iter().next_back()?;
        let earlier = match &last.ending {
            Some(ending) => EarlierPeek {
                at: last.ended_at?,
                at_limit: Some(*ending.counts.get("at_limit")?),
            },
            None => EarlierPeek {
                at: last.begun_at,
                at_limit: None,
            },
        };
        Some(earlier).filter(|earlier| earlier.at_limit != Some(0))
    }

    /// Receives up to `messages_max` messages of the source queue, and releases them. `leases` has what could not be
    /// released. Once `cancel` is cancelled, no more are received.
    ///
    /// # Errors
    /// When the queue does not answer and nothing came, when a message would be lost by it (see
    /// [`PeekPrice::refusal`]), and when the environment or the audit log forbids it.
    pub async fn peek_queue(
        &self,
        leases: &LeaseSet,
        messages_max: usize,
        cancel: &CancellationToken,
    ) -> Result<Peek, PipelineError> {
        let messages_max = messages_max.clamp(1, PEEK_MESSAGES_MAX);
        let price = self.peek_price().await?;
        if let Some(refusal) = price.refusal() {
            return Err(refusal);
        }
        let permit = self
            .begin_change(PlannedChange {
                operation: Operation::Peek,
                target: price.queue.clone(),
                planned: messages_max,
                details: json!({
                    "queue_url": self.queue_url(QueueRole::Source),
                    "max_receive_count": price.max_receive_count,
                    "visibility_timeout_secs": PEEK_VISIBILITY.as_secs(),
                }),
            })
            .await?;
        let (messages, end) = receive(leases, messages_max, &price, cancel).await;
        let mut peek = ended(price, messages, end);
        leases.try_release_all().await;
        peek.take_release(leases, Utc::now());
        let error = match &peek.end {
            PeekEnd::Failed(error) => Some(error.to_string()),
            PeekEnd::Complete
            | PeekEnd::Empty
            | PeekEnd::AtLimit
            | PeekEnd::Few
            | PeekEnd::Full
            | PeekEnd::Interrupted => None,
        };
        let received = peek.messages.len();
        let counts = [
            ("received", received),
            ("released", received - peek.not_released()),
            ("not_released", peek.not_released()),
            ("may_be_hidden", peek.hidden.messages_max),
            ("at_limit", peek.at_limit()),
        ];
        let ended = permit.end(counts, error).await;
        peek.audit_error = ended.err().map(|error| error.to_string());
        match peek.end {
            PeekEnd::Failed(error) if received == 0 => Err(*error),
            PeekEnd::Failed(_)
            | PeekEnd::Complete
            | PeekEnd::Empty
            | PeekEnd::AtLimit
            | PeekEnd::Few
            | PeekEnd::Full
            | PeekEnd::Interrupted => Ok(peek),
        }
    }
}

/// Receives one batch after the other: several at once could meet many messages at their limit before one is known.
async fn receive(
    leases: &LeaseSet,
    messages_max: usize,
    price: &PeekPrice,
    cancel: &CancellationToken,
) -> (Vec<PeekedMessage>, PeekEnd) {
    let deadline = Instant::now() + RECEIVE_LIMIT;
    let mut messages: Vec<PeekedMessage> = Vec::new();
    let (mut bytes, mut empty_polls) = (0, 0);
    for _ in 0..receives_max(messages_max) {
        if cancel.is_cancelled() {
            return (messages, PeekEnd::Interrupted);
        }
        if Instant::now() >= deadline {
            break;
        }
        let missing = messages_max.saturating_sub(messages.len());
        let poll = leases.poll(missing.min(BATCH_ENTRIES_MAX), cancel).await;
        if let Some(error) = poll.failure {
            return (messages, PeekEnd::Failed(Box::new(error)));
        }
        empty_polls = if poll.messages.is_empty() {
            empty_polls + 1
        } else {
            0
        };
        let mut is_at_limit = false;
        for message in poll.messages {
            let count = message.receive_count;
            is_at_limit |= standing(count, price.max_receive_count).is_at_limit();
            bytes += message.body.bytes();
            // A standard queue may give a message twice (Amazon SQS Developer Guide, "At-least-once delivery").
            messages.retain(|known| known.message_id != message.message_id);
            messages.push(PeekedMessage::of(message));
        }
        let end = if is_at_limit {
            PeekEnd::AtLimit
        } else if messages.len() >= messages_max {
            PeekEnd::Complete
        } else if bytes >= BODY_BYTES_MAX {
            PeekEnd::Full
        } else if empty_polls >= EMPTY_POLLS_MAX && !cancel.is_cancelled() {
            PeekEnd::Empty
        } else {
            continue;
        };
        return (messages, end);
    }
    (messages, PeekEnd::Few)
}

fn ended(price: PeekPrice, mut messages: Vec<PeekedMessage>, end: PeekEnd) -> Peek {
    messages.sort_by(|a, b| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
    Peek {
        queue: price.queue,
        max_receive_count: price.max_receive_count,
        messages,
        end,
        ended_at: Utc::now(),
        released_at: None,
        hidden: Hidden::default(),
        audit_error: None,
    }
}
