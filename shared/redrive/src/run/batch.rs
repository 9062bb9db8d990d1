//! One batch of messages: intent, send, confirmation, delete.
//!
//! Invariant: each of these is in the journal before the next begins; a message is deleted only
//! after the journal has its confirmation. When the journal fails, nothing more is sent or
//! deleted. No message is sent whose event the ledger would drop as a duplicate of another event, see
//! [`super::identities`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio::time::Instant;

use super::answers::{RefusalKind, Sent};
use super::context::Context;
use super::delete::delete;
use super::identities::Identities;
use super::rate_limiter::RateLimiter;
use super::sns;
use super::source::Source;
use super::sqs::{self, Outgoing};
use crate::control::RunCommand;
use crate::error::RedriveError;
use crate::lease::NoLease;
use crate::limits::{BACKOFF_FIRST, BACKOFF_MAX, FAILED_BATCHES_MAX, RETRIES_MAX, RETRY_LIMIT};
use crate::message::Original;
use crate::plan::{Kind, too_large};
use crate::state::fact::{Confirmed, Fact, MessageCause};
use crate::state::{Intended, Phase};

/// Sends batches; all batches of a run share its rate and its count of failures.
pub(super) struct Sender<'c, 'a> {
    context: &'c Context<'a>,
    rate_limiter: RateLimiter,
    failed_batches: AtomicUsize,
    identities: Identities,
}

/// A message at hand; that of a redrive has a lease that lasts for a whole batch.
struct Leased {
    index: usize,
    receipt_handle: Option<String>,
    original: Original,
}

/// What fails, and its first cause.
enum Failing {
    Refused(String),
    /// At least one message of the batch may have been sent, and none was confirmed.
    Unconfirmed(String),
    Ledger(String),
}

type Refusals = HashMap<usize, (String, RefusalKind)>;

impl<'c, 'a> Sender<'c, 'a> {
    pub(super) fn new(context: &'c Context<'a>) -> Self {
        Self {
            context,
            rate_limiter: RateLimiter::new(),
            failed_batches: AtomicUsize::new(0),
            identities: Identities::of(context),
        }
    }

    /// Moves one batch, in parts where the rate was lowered since it was made. What became of its
    /// messages is in the state.
    pub(super) async fn move_batch(&self, indexes: &[usize]) -> Result<(), RedriveError> {
        let mut rest = indexes;
        while !rest.is_empty()
            && let Some(count) = self.may_send(rest.len()).await
        {
            let (part, later) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            self.move_part(part).await?;
            rest = later;
        }
        Ok(())
    }

    async fn move_part(&self, indexes: &[usize]) -> Result<(), RedriveError> {
        let (messages, no_answer) = self.secure(indexes).await?;
        if messages.is_empty() {
            return match no_answer {
                Some(cause) => self.watch_failures(true, Failing::Ledger(cause)).await,
                None => Ok(()),
            };
        }
        let intended = messages.iter().map(|message| Intended {
            index: message.index,
            receipt_handle: message.receipt_handle.clone(),
            original: message.original.clone(),
        });
        self.context
            .record(Fact::Intended {
                messages: intended.collect(),
            })
            .await?;
        let open: Vec<&Leased> = messages.iter().collect();
        let began = Instant::now();
        let mut refusals = self.send(&open).await?;
        self.send_again(&open, &mut refusals, began).await?;
        let causes: Vec<MessageCause> = refusals
            .into_iter()
            .map(|(index, (cause, _))| MessageCause::passing(index, cause))
            .collect();
        let refused = causes.first().map(|message| message.cause.clone());
        if !causes.is_empty() {
            self.context
                .record(Fact::Refused { messages: causes })
                .await?;
        }
        let (is_any_sent, unanswered) = self.sent(&messages);
        let failing = match unanswered {
            Some(cause) => Failing::Unconfirmed(cause),
            None => Failing::Refused(refused.unwrap_or_default()),
        };
        self.watch_failures(!is_any_sent, failing).await
    }

    /// Whether one of these messages was sent for certain, and why the first of those without an answer has none.
    fn sent(&self, messages: &[Leased]) -> (bool, Option<String>) {
        self.context.recorder.look(|state| {
            let states = messages
                .iter()
                .filter_map(|message| state.messages().get(message.index));
            let is_any_sent = states.clone().any(|message| message.phase.is_sent());
            let mut phases = states.map(|message| &message.phase);
            let unanswered = phases.find_map(Phase::unanswered);
            (is_any_sent, unanswered.map(str::to_owned))
        })
    }

    /// Waits out a pause and the rate. Returns how many messages may be sent; `None` for no more.
    async fn may_send(&self, count_max: usize) -> Option<usize> {
        while self.context.control.pass().await {
            let count = self.rate_limiter.take(count_max, self.context.control);
            if let Some(count) = count.await
                && self.context.control.command() == RunCommand::Run
            {
                return Some(count);
            }
        }
        None
    }

    /// The messages that can be sent now; the others are recorded as not tried. And why the ledger did
    /// not answer, if so.
    async fn secure(
        &self,
        indexes: &[usize],
    ) -> Result<(Vec<Leased>, Option<String>), RedriveError> {
        let mut leased = Vec::new();
        let mut lost = Vec::new();
        let bytes_max = self.context.plan.batch_bytes_max();
        for (index, lease) in self.context.source.secure(indexes).await {
            let bytes = self.context.source.bytes(index);
            let passing = |cause: String| MessageCause::passing(index, cause);
            let lasting = |cause: String| MessageCause::lasting(index, cause);
            lost.push(match lease {
                Ok(lease) if bytes <= bytes_max => {
                    leased.push(Leased {
                        index,
                        receipt_handle: lease.receipt_handle,
                        original: lease.original,
                    });
                    continue;
                }
                Ok(_) => lasting(too_large(self.context.plan.kind(), bytes, bytes_max)),
                Err(NoLease::Lost(cause)) => passing(cause),
                Err(NoLease::OtherBody) => {
                    lasting("its body is not the one that was planned".to_owned())
                }
            });
        }
        let entries = leased.iter().filter_map(|message| {
            let entry = self.context.plan.entries.get(message.index)?;
            let original = &message.original;
            Some((message.index, original, entry.sent_body(&original.body)))
        });
        let refused = self
            .identities
            .refused(self.context, entries.collect())
            .await;
        let stays = |index| refused.causes.iter().any(|cause| cause.index == index);
        leased.retain(|message| !stays(message.index));
        lost.extend(refused.causes);
        self.context.record_not_tried(lost).await?;
        Ok((leased, refused.no_answer))
    }

    /// Sends messages in one call, then deletes what was confirmed. Returns what was refused.
    async fn send(&self, messages: &[&Leased]) -> Result<Refusals, RedriveError> {
        let mut confirmed = Vec::new();
        let mut unanswered = Vec::new();
        let mut refusals = Refusals::new();
        for (index, sent) in self.call(messages).await {
            match sent {
                Sent::Confirmed { message_id } => confirmed.push(Confirmed {
                    index,
                    sent_message_id: message_id,
                }),
                Sent::Unanswered { cause } => {
                    unanswered.push(MessageCause::passing(index, cause));
                }
                Sent::Refused { cause, kind } => {
                    if kind == RefusalKind::Throttled {
                        self.rate_limiter.throttled();
                    }
                    refusals.insert(index, (cause, kind));
                }
            }
        }
        let indexes: Vec<usize> = confirmed.iter().map(|message| message.index).collect();
        let mut facts = Vec::new();
        if !confirmed.is_empty() {
            facts.push(Fact::Confirmed {
                messages: confirmed,
            });
        }
        if !unanswered.is_empty() {
            facts.push(Fact::Unanswered {
                messages: unanswered,
            });
        }
        if !facts.is_empty() {
            self.context.recorder.record(facts).await?;
        }
        match self.context.source {
            Source::DeadLetters(leases) => delete(self.context, leases, &indexes).await?,
            Source::Records(reading) => reading.forget(&indexes),
        }
        Ok(refusals)
    }

    /// Sends messages in one call, to the queue or to the topic.
    async fn call(&self, messages: &[&Leased]) -> Vec<(usize, Sent)> {
        let outgoing: Vec<Outgoing<'_>> = messages
            .iter()
            .filter_map(|message| self.outgoing(message))
            .collect();
        let (pipeline, permit) = (self.context.pipeline, self.context.permit);
        match self.context.plan.kind() {
            Kind::Redrive => sqs::send(pipeline, permit, &outgoing).await,
            Kind::Replay => sns::publish(pipeline, permit, &outgoing).await,
        }
    }

    fn outgoing<'b>(&'b self, message: &'b Leased) -> Option<Outgoing<'b>> {
        let entry = self.context.plan.entries.get(message.index)?;
        Some(Outgoing {
            index: message.index,
            body: entry.sent_body(&message.original.body),
            original: &message.original,
            replaces: entry.replaces.as_ref(),
            // A FIFO queue drops a message whose id it saw within five minutes: the message's own id
            // may be that recent. This one is new with each redrive, and the same
            // when this redrive sends the message again.
            deduplication_id: self
                .context
                .plan
                .is_fifo()
                .then(|| format!("{}-{}", self.context.plan.id.simple(), entry.message_id)),
        })
    }

    /// Sends refused messages again, one by one, so that one that makes its batch fail fails alone.
    async fn send_again(
        &self,
        messages: &[&Leased],
        refusals: &mut Refusals,
        began: Instant,
    ) -> Result<(), RedriveError> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(BACKOFF_FIRST)
            .with_max_delay(BACKOFF_MAX)
            .with_max_times(RETRIES_MAX)
            .with_jitter()
            .build();
        for wait in backoff {
            let open: Vec<&Leased> = messages
                .iter()
                .copied()
                .filter(|message| {
                    refusals
                        .get(&message.index)
                        .is_some_and(|(_, kind)| *kind != RefusalKind::Final)
                })
                .collect();
            if open.is_empty()
                || self.context.is_cancelled()
                || began.elapsed() + wait > RETRY_LIMIT
            {
                return Ok(());
            }
            tokio::time::sleep(wait).await;
            for message in open {
                if began.elapsed() > RETRY_LIMIT {
                    return Ok(());
                }
                let mut again = self.send(&[message]).await?;
                match again.remove(&message.index) {
                    Some(refusal) => refusals.insert(message.index, refusal),
                    None => refusals.remove(&message.index),
                };
            }
        }
        Ok(())
    }

    /// Pauses when batch after batch fails: the next batches would fail for the same reason.
    async fn watch_failures(&self, has_failed: bool, failing: Failing) -> Result<(), RedriveError> {
        if !has_failed {
            self.failed_batches.store(0, Ordering::Relaxed);
            return Ok(());
        }
        let failed = self.failed_batches.fetch_add(1, Ordering::Relaxed) + 1;
        if failed < FAILED_BATCHES_MAX {
            return Ok(());
        }
        self.failed_batches.store(0, Ordering::Relaxed);
        let cause = match failing {
            Failing::Refused(cause) => format!("{failed} batches in a row were refused: {cause}"),
            Failing::Unconfirmed(cause) => format!(
                "{failed} batches in a row were not confirmed, and their messages may have been sent: {cause}"
            ),
            Failing::Ledger(cause) => format!(
                "the ledger gave no answer for {failed} batches in a row, and without it an event may be \
                 lost as a duplicate of another one: {cause}"
            ),
        };
        self.context.pause(cause).await
    }
}
