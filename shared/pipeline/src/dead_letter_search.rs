//! The search for one event among the dead letters.
//!
//! Invariant: a message that was passed stays held from look to look, so that the next look sees
//! only what is new; all are given back when the event is found, when another one is looked for,
//! or when nobody has looked for a while. At the end of the process their short hold ends by itself.

use std::collections::HashMap;
use std::time::Duration;

use chrono::TimeDelta;
use event::unwrap_envelope;
use tokio::sync::watch;
use tokio::time::Instant;

use super::model::{Published, QueueRole, TraceState};
use super::queues::BATCH_ENTRIES_MAX;
use super::receive::Receive;
use super::receive_batch::ROUND_MESSAGES_MAX;
use super::{Pipeline, PipelineError};

/// Hold of a message that was passed. A search that takes longer passes it once more.
const PASSED_HOLD: Duration = Duration::from_secs(30);
/// Passed messages are given back when nobody has looked for this long.
const LINGER: Duration = Duration::from_secs(4);
/// Limit of one look; the next one goes on where it ended.
const LOOK_LIMIT: Duration = Duration::from_secs(5);
/// Messages that a search holds at most.
const PASSED_MAX: usize = 1_000;
/// Clocks of this machine and of SQS differ by less.
const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::seconds(30);

/// The search that is under way; there is one at a time.
#[derive(Debug, Default)]
pub(super) struct DeadLetterSearch {
    /// SNS message id of the event that is looked for.
    sns_message_id: String,
    /// Message id and handle of the messages that were passed and are held.
    passed: HashMap<String, String>,
    /// Counts the looks, so that the last one can be told from the ones before.
    looks: u64,
}

impl Pipeline {
    /// One look for a published event among the dead letters.
    pub(super) async fn find_dead(
        &self,
        body: &str,
        published: &Published,
    ) -> Result<TraceState, PipelineError> {
        let pipeline = self.clone();
        let body = body.to_owned();
        let published = published.clone();
        // A task of its own: when the caller gives up, the messages must not be forgotten.
        let look = tokio::spawn(async move { pipeline.look(&body, &published).await });
        look.await.unwrap_or_else(|error| {
            Err(self
                .queue_attempt("look for an event in", QueueRole::DeadLetter)
                .refused(error.to_string()))
        })
    }

    async fn look(&self, body: &str, published: &Published) -> Result<TraceState, PipelineError> {
        let mut search = self.dead_letter_search().lock().await;
        if search.sns_message_id != published.sns_message_id {
            self.give_back_passed(&mut search).await;
            search.sns_message_id.clone_from(&published.sns_message_id);
        }
        search.looks += 1;
        let wanted = unwrap_envelope(body);
        let sent_after = published.acknowledged_at - CLOCK_SKEW_MAX;
        let is_it = |receive: &Receive| {
            let body = receive.body.text();
            receive.sent_at >= sent_after && body.is_ok_and(|body| unwrap_envelope(&body) == wanted)
        };
        let state = self.pass_messages(&mut search, is_it).await;
        if matches!(state, Ok(TraceState::Dead { .. })) {
            self.give_back_passed(&mut search).await;
        } else {
            let looks = search.looks;
            tokio::spawn(self.clone().give_back_later(looks));
        }
        state
    }

    /// Receives messages until the right one comes, there are no more, or a limit is reached.
    async fn pass_messages(
        &self,
        search: &mut DeadLetterSearch,
        is_it: impl Fn(&Receive) -> bool,
    ) -> Result<TraceState, PipelineError> {
        let (_never, mut stop) = watch::channel(false);
        let deadline = Instant::now() + LOOK_LIMIT;
        // Most queues are short: more receives at once would only wait for nothing.
        let mut wanted = BATCH_ENTRIES_MAX;
        while search.passed.len() < PASSED_MAX && Instant::now() < deadline {
            let missing = wanted.min(PASSED_MAX - search.passed.len());
            let round = self.receive_round(missing, PASSED_HOLD, &mut stop).await;
            if round.receives.len() == missing {
                wanted = ROUND_MESSAGES_MAX;
            }
            if round.receives.is_empty() {
                return round.failure.map_or(Ok(TraceState::Pending), Err);
            }
            let mut found = None;
            for receive in round.receives {
                let handle = receive.receipt_handle.clone();
                search.passed.insert(receive.message_id.clone(), handle);
                if is_it(&receive) {
                    found = Some(receive);
                }
            }
            if let Some(message) = found {
                return Ok(TraceState::Dead {
                    reason: message.reason(),
                    message_id: message.message_id,
                    dead_at: message.sent_at,
                });
            }
        }
        let messages = search.passed.len();
        if messages < PASSED_MAX {
            return Ok(TraceState::Pending);
        }
        let depth = self.queue_depth(QueueRole::DeadLetter).await?;
        Ok(if depth.visible == 0 {
            TraceState::Pending
        } else {
            TraceState::SearchTruncated { messages }
        })
    }

    async fn give_back_later(self, looks: u64) {
        tokio::time::sleep(LINGER).await;
        let mut search = self.dead_letter_search().lock().await;
        if search.looks == looks {
            self.give_back_passed(&mut search).await;
        }
    }

    async fn give_back_passed(&self, search: &mut DeadLetterSearch) {
        let handles: Vec<String> = search.passed.drain().map(|(_, handle)| handle).collect();
        let hidden = self.give_back_dead_letters(&handles).await;
        if hidden > 0 {
            tracing::debug!(hidden, "messages come back when their hold ends");
        }
    }
}
