//! Whether the next canary step may begin.
//!
//! Invariant: only a step whose events are all stored continues by itself.

use std::ops::Range;
use std::time::Duration;

use super::context::Context;
use super::proof::prove;
use crate::error::RedriveError;
use crate::state::State;
use crate::state::fact::Proof;
use pipeline::text::{in_words, messages_in_words};

/// Proves a canary step; pauses the redrive when it is not proved.
pub(super) async fn prove_canary(
    context: &Context<'_>,
    step: Range<usize>,
) -> Result<(), RedriveError> {
    prove(context, step.clone()).await?;
    let tally = context.recorder.look(|state| Tally::of(state, step));
    if let Some(trouble) = tally.trouble(context.options.prove_limit) {
        context.pause(trouble).await?;
    }
    context.control.pass().await;
    Ok(())
}

/// What became of the messages of a step.
#[derive(Debug, Default)]
struct Tally {
    messages: usize,
    sent: usize,
    unproved: usize,
    dead_again: usize,
    /// The reason of the first of them.
    reason: Option<String>,
}

impl Tally {
    fn of(state: &State, step: Range<usize>) -> Self {
        let mut tally = Self::default();
        for message in state.messages().get(step).unwrap_or_default() {
            tally.messages += 1;
            if !message.phase.is_sent() {
                continue;
            }
            tally.sent += 1;
            match &message.proof {
                None => tally.unproved += 1,
                Some(Proof::DeadAgain { reason, .. }) => {
                    tally.dead_again += 1;
                    tally.reason = tally.reason.or_else(|| reason.clone());
                }
                Some(Proof::Stored { .. } | Proof::AlreadyStored { .. }) => {}
            }
        }
        tally
    }

    /// Why the next step must not begin by itself.
    fn trouble(&self, limit: Duration) -> Option<String> {
        let Self { messages, sent, .. } = self;
        let events = in_words(*sent as u64, "sent event");
        if self.dead_again > 0 {
            let reason = self.reason.as_deref().unwrap_or("without a reason");
            return Some(format!(
                "{} of {events} failed again: {reason}",
                self.dead_again
            ));
        }
        if self.unproved > 0 {
            return Some(format!(
                "{} of {events} not proved within {} s",
                self.unproved,
                limit.as_secs()
            ));
        }
        (sent < messages).then(|| {
            format!(
                "only {sent} of the step's {} sent",
                messages_in_words(*messages as u64)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_step_that_is_all_stored_continues_by_itself() {
        let limit = Duration::from_secs(60);
        let trouble = |sent, unproved, dead_again| {
            let tally = Tally {
                messages: 10,
                sent,
                unproved,
                dead_again,
                reason: None,
            };
            tally.trouble(limit).unwrap_or_default()
        };
        assert_eq!(trouble(10, 0, 0), "");
        let failed_again = "2 of 10 sent events failed again: without a reason";
        assert_eq!(trouble(10, 1, 2), failed_again);
        let unproved = "3 of 10 sent events not proved within 60 s";
        assert_eq!(trouble(10, 3, 0), unproved);
        assert_eq!(trouble(0, 0, 0), "only 0 of the step's 10 messages sent");
    }
}
