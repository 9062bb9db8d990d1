//! The search for one event among the dead letters.
//!
//! Invariant: a message that was passed stays received from look to look, so that the next look sees
//! only what is new; all are released when the event is found, when another one is looked for, or
//! when nobody has looked for a while. After the end of the process their short timeout ends.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use event::unwrap_envelope;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::lease::{LeaseSet, ROUND_MESSAGES_MAX};
use super::model::{DeadLetter, Published, QueueRole, TraceState};
use super::queues::BATCH_ENTRIES_MAX;
use super::search_state::SearchState;
use super::{Pipeline, PipelineError};

/// Visibility timeout of a message that was passed. A search that takes longer passes it once more.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);
/// Passed messages are released when nobody has looked for this long.
const LINGER: Duration = Duration::from_secs(4);
/// Limit of one look; the next one continues where it ended.
const LOOK_LIMIT: Duration = Duration::from_secs(5);
/// Messages that a search passes at most.
const PASSED_MAX: usize = 1_000;
/// Clocks of this machine and of SQS differ by less.
const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::seconds(30);

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
        let passed = self.passed_messages(&mut search);
        if search.sns_message_id != published.sns_message_id {
            release(&passed).await;
            search.sns_message_id.clone_from(&published.sns_message_id);
        }
        search.looks += 1;
        let looks = search.looks;
        let wanted = unwrap_envelope(body);
        let sent_after = published.acknowledged_at - CLOCK_SKEW_MAX;
        let is_it = |message: &DeadLetter| {
            let body = message.body.text();
            message.sent_at >= sent_after && body.is_ok_and(|body| unwrap_envelope(&body) == wanted)
        };
        let state = self.pass_messages(&passed, is_it).await;
        if matches!(state, Ok(TraceState::Dead { .. })) {
            release(&passed).await;
        } else {
            search.passed = passed.entries();
            tokio::spawn(self.clone().release_later(looks));
        }
        state
    }

    /// The messages that the looks before passed, as a set. They are no longer in the search.
    fn passed_messages(&self, search: &mut SearchState) -> LeaseSet {
        let passed = LeaseSet::new(self, VISIBILITY_TIMEOUT);
        for (message_id, receipt_handle, hidden_until) in search.passed.drain(..) {
            passed.adopt(&message_id, &receipt_handle, hidden_until);
        }
        passed
    }

    /// Receives messages until the right one comes, there are no more, or a limit is reached.
    async fn pass_messages(
        &self,
        passed: &LeaseSet,
        is_it: impl Fn(&DeadLetter) -> bool,
    ) -> Result<TraceState, PipelineError> {
        let never = CancellationToken::new();
        let deadline = Instant::now() + LOOK_LIMIT;
        // Most queues are short: more receives at once would only wait for nothing.
        let mut wanted = BATCH_ENTRIES_MAX;
        while passed.len() < PASSED_MAX && Instant::now() < deadline {
            let missing = wanted.min(PASSED_MAX - passed.len());
            let round = passed.poll(missing, &never).await;
            if round.messages.len() == missing {
                wanted = ROUND_MESSAGES_MAX;
            }
            if round.messages.is_empty() {
                return round.failure.map_or_else(|| Ok(searched(passed)), Err);
            }
            if let Some(message) = round.messages.into_iter().find(&is_it) {
                return Ok(TraceState::Dead {
                    reason: message.reason.map(Arc::unwrap_or_clone),
                    message_id: message.message_id,
                    dead_at: message.sent_at,
                });
            }
        }
        let messages = passed.len();
        if messages < PASSED_MAX {
            return Ok(searched(passed));
        }
        let depth = self.queue_depth(QueueRole::DeadLetter).await?;
        Ok(if depth.visible == 0 {
            searched(passed)
        } else {
            // The looks after the one that filled the set receive nothing.
            let hidden_until = hidden_until(passed).unwrap_or_else(Utc::now);
            TraceState::SearchTruncated {
                messages,
                received_at: hidden_until - VISIBILITY_TIMEOUT,
                hidden_until,
            }
        })
    }

    async fn release_later(self, looks: u64) {
        tokio::time::sleep(LINGER).await;
        let mut search = self.dead_letter_search().lock().await;
        if search.looks == looks {
            release(&self.passed_messages(&mut search)).await;
        }
    }
}

fn hidden_until(passed: &LeaseSet) -> Option<DateTime<Utc>> {
    passed.entries().into_iter().map(|(.., until)| until).max()
}

/// The event is not among the messages that were passed; there are no others.
fn searched(passed: &LeaseSet) -> TraceState {
    hidden_until(passed).map_or(TraceState::Pending, |hidden_until| TraceState::Searched {
        messages: passed.len(),
        hidden_until,
    })
}

async fn release(passed: &LeaseSet) {
    let hidden = passed.release_all().await;
    if hidden.messages_max > 0 {
        tracing::debug!(?hidden, "messages of a search stay hidden");
    }
}
