//! The dead letters that a command holds.
//!
//! Invariant: what was taken is given back before the command ends, unless the command says that
//! it is gone; also when a signal or an error ends it.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use super::{CommandError, Exit, Interrupt, Session};
use crate::text::{age_secs, messages_in_words, span_secs};
use pipeline::model::{DeadLetter, Holding, QueueRole};
use pipeline::printable;

/// Messages of one round: what a round takes is in memory at once.
const ROUND_MESSAGES_MAX: usize = 10_000;
/// Holds that end within this are prolonged between two rounds. Longer than a round takes.
const ENDING: TimeDelta = TimeDelta::seconds(60);

/// One message under its hold.
#[derive(Debug)]
struct Held {
    receipt_handle: String,
    held_until: DateTime<Utc>,
}

/// Messages taken round by round, known by their message ids.
pub(super) struct LeaseSet<'a> {
    session: &'a Session,
    hold: Duration,
    held: HashMap<String, Held>,
    is_over: bool,
    ledger_error: Option<String>,
    /// Whether more messages wait than were taken.
    pub(super) is_truncated: bool,
    /// Messages that somebody else holds, by the queue's own approximate count.
    pub(super) held_elsewhere: usize,
}

impl<'a> LeaseSet<'a> {
    pub(super) fn new(session: &'a Session, hold: Duration) -> Self {
        Self {
            session,
            hold,
            held: HashMap::new(),
            is_over: false,
            ledger_error: None,
            is_truncated: false,
            held_elsewhere: 0,
        }
    }

    /// Takes up to `messages_max` messages, oldest first.
    pub(super) async fn take(
        &mut self,
        messages_max: usize,
        interrupt: &mut Interrupt,
    ) -> Result<Vec<DeadLetter>, CommandError> {
        let mut messages = Vec::new();
        while messages.len() < messages_max
            && let Some(round) = self.next(messages_max - messages.len(), interrupt).await?
        {
            messages.extend(round);
        }
        messages.sort_by(|a, b| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
        Ok(messages)
    }

    /// Takes one more round; `None` when the queue gives no more.
    pub(super) async fn next(
        &mut self,
        messages_max: usize,
        interrupt: &mut Interrupt,
    ) -> Result<Option<Vec<DeadLetter>>, CommandError> {
        if self.is_over {
            return Ok(None);
        }
        self.prolong().await;
        let round = self
            .round(messages_max.min(ROUND_MESSAGES_MAX), interrupt)
            .await;
        if round.is_err() {
            self.leave(interrupt).await;
        }
        round.map(Some)
    }

    async fn round(
        &mut self,
        messages_max: usize,
        interrupt: &mut Interrupt,
    ) -> Result<Vec<DeadLetter>, CommandError> {
        let pipeline = &self.session.pipeline;
        let (stop, stopped) = watch::channel(false);
        let holding = pipeline.hold_dead_letters_unless(messages_max, self.hold, stopped);
        tokio::pin!(holding);
        let outcome = tokio::select! {
            outcome = &mut holding => outcome?,
            () = interrupt.received() => {
                self.session.output.note("interrupted: giving back the messages that are held");
                // The other end waits for it until it has given everything back.
                let _ = stop.send(true);
                match holding.await {
                    Ok(outcome) => outcome,
                    Err(error) => {
                        self.session.output.note(&printable(&error.to_string()));
                        return Err(CommandError::Interrupted);
                    }
                }
            }
        };
        let round = match outcome {
            Holding::Held(round) => round,
            Holding::GivenBack { hidden_max } => {
                hidden_remark(self.session, hidden_max, self.hold.as_secs());
                return Err(CommandError::Interrupted);
            }
        };
        self.is_truncated = round.is_truncated;
        self.is_over = !round.is_truncated;
        self.ledger_error = self.ledger_error.take().or(round.ledger_error);
        let mut messages = Vec::with_capacity(round.messages.len());
        for message in round.messages {
            let held = Held {
                receipt_handle: message.receipt_handle.clone(),
                held_until: message.held_until,
            };
            // A hold that ended too early gives the message a second time.
            if self.held.insert(message.message_id.clone(), held).is_none() {
                messages.push(message);
            }
        }
        let in_flight = tokio::select! {
            depth = pipeline.queue_depth(QueueRole::DeadLetter) => {
                depth.map_or(0, |depth| depth.in_flight)
            }
            () = interrupt.received() => return Err(CommandError::Interrupted),
        };
        self.held_elsewhere = usize::try_from(in_flight)
            .unwrap_or(usize::MAX)
            .saturating_sub(self.held.len());
        Ok(messages)
    }

    /// Prolongs the holds that end soon. One that cannot be prolonged gives its message again.
    pub(super) async fn prolong(&mut self) {
        let limit = Utc::now() + ENDING;
        let ending: Vec<(String, String)> = self
            .held
            .iter()
            .filter(|(_, held)| held.held_until < limit)
            .map(|(message_id, held)| (message_id.clone(), held.receipt_handle.clone()))
            .collect();
        if ending.is_empty() {
            return;
        }
        let handles: Vec<String> = ending.iter().map(|(_, handle)| handle.clone()).collect();
        // Counted from before the call: SQS may have begun to count at any time during it.
        let held_until = Utc::now() + TimeDelta::from_std(self.hold).unwrap_or(TimeDelta::MAX);
        match self
            .session
            .pipeline
            .change_visibility(&handles, self.hold)
            .await
        {
            Ok(changed) => {
                for ((message_id, _), is_changed) in ending.iter().zip(changed) {
                    if is_changed == Some(true)
                        && let Some(held) = self.held.get_mut(message_id)
                    {
                        held.held_until = held_until;
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "holds are not prolonged"),
        }
    }

    /// Handle of a message whose hold does not end within `margin`.
    pub(super) fn handle(&self, message_id: &str, margin: TimeDelta) -> Option<&str> {
        let held = self.held.get(message_id)?;
        (held.held_until > Utc::now() + margin).then_some(held.receipt_handle.as_str())
    }

    /// Forgets messages that are out of the queue.
    pub(super) fn forget<'b>(&mut self, message_ids: impl IntoIterator<Item = &'b str>) {
        for message_id in message_ids {
            self.held.remove(message_id);
        }
    }

    /// Gives messages back.
    pub(super) async fn give_back(&mut self, messages: &[DeadLetter]) {
        let held = messages
            .iter()
            .filter_map(|message| self.held.remove(&message.message_id))
            .collect();
        self.release(held).await;
    }

    /// Gives back everything that is held still.
    pub(super) async fn give_back_all(&mut self) {
        let held = self.held.drain().map(|(_, held)| held).collect();
        self.release(held).await;
    }

    /// Gives back everything that is held still; a signal ends that at once.
    pub(super) async fn leave(&mut self, interrupt: &mut Interrupt) {
        let hidden_max = self.held.len();
        let hold_secs = self.hold.as_secs();
        let session = self.session;
        tokio::select! {
            () = self.give_back_all() => {}
            () = interrupt.received() => hidden_remark(session, hidden_max, hold_secs),
        }
    }

    /// What cannot be given back now comes back when its hold ends.
    async fn release(&self, held: Vec<Held>) {
        let held_until = held.iter().map(|held| held.held_until).max();
        let handles: Vec<String> = held.into_iter().map(|held| held.receipt_handle).collect();
        let hidden = self.session.pipeline.give_back_dead_letters(&handles).await;
        let left_secs = held_until.map_or(0, |until| age_secs(Utc::now(), until));
        hidden_remark(self.session, hidden, left_secs);
    }

    /// Says what was not seen.
    pub(super) fn remarks(&self) {
        let output = &self.session.output;
        if self.is_truncated {
            output.note("more messages wait than were looked at");
        }
        if self.held_elsewhere > 0 {
            output.note(&format!(
                "{} held elsewhere, not looked at",
                messages_in_words(self.held_elsewhere as u64)
            ));
        }
        self.ledger_remark();
    }

    pub(super) fn ledger_remark(&self) {
        if let Some(error) = &self.ledger_error {
            let remark = format!("\"ready\" may be \"already-stored\": {error}");
            self.session.output.note(&remark);
        }
    }

    /// Why the verdicts are not known for sure although there is a ledger.
    pub(super) fn unjudged(&self) -> Option<&str> {
        let has_ledger = self.session.pipeline.environment().database_url.is_some();
        self.ledger_error.as_deref().filter(|_| has_ledger)
    }

    /// A ledger that there is and that could not be asked leaves the verdicts unknown.
    pub(super) fn exit(&self) -> Exit {
        if self.unjudged().is_some() {
            Exit::Unreachable
        } else {
            Exit::Done
        }
    }
}

fn hidden_remark(session: &Session, hidden: usize, left_secs: u64) {
    if hidden > 0 {
        session.output.note(&format!(
            "could not give all messages back: up to {hidden} stay hidden for up to {}",
            span_secs(left_secs)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Output, OutputForm};
    use pipeline::Pipeline;
    use pipeline::environment::Environment;

    #[test]
    fn hold_that_ends_soon_gives_no_handle() {
        let session = Session {
            pipeline: Pipeline::connect(&Environment::example()).unwrap(),
            output: Output::new(OutputForm::Json),
        };
        let mut sweep = LeaseSet::new(&session, Duration::from_secs(60));
        for (message_id, secs) in [("long", 60), ("short", 20), ("ended", -1)] {
            let held = Held {
                receipt_handle: format!("handle of {message_id}"),
                held_until: Utc::now() + TimeDelta::seconds(secs),
            };
            sweep.held.insert(message_id.to_owned(), held);
        }
        let margin = TimeDelta::seconds(30);
        assert_eq!(sweep.handle("long", margin), Some("handle of long"));
        for message_id in ["short", "ended", "unknown"] {
            assert_eq!(sweep.handle(message_id, margin), None, "{message_id}");
        }
    }
}
