//! The dead letters that a command holds.
//!
//! Invariant: what was taken is given back before the command ends, unless the command says that
//! it is gone; also when a signal or an error ends it.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::table::moment;
use super::{CommandError, Exit, Interrupt, Session};
use crate::text::{age_secs, messages_in_words, span_secs};
use pipeline::Hidden;
use pipeline::model::DeadLetter;

/// Messages of one round: what a round takes is in memory at once.
const ROUND_MESSAGES_MAX: usize = 10_000;
/// Holds that end within this are prolonged between two rounds. Longer than a round takes.
const ENDING: Duration = Duration::from_secs(60);

/// Messages received round by round, known by their message ids.
pub(super) struct LeaseSet<'a> {
    session: &'a Session,
    leases: pipeline::LeaseSet,
    is_over: bool,
    ledger_error: Option<String>,
    /// Whether more messages wait than were received.
    pub(super) is_truncated: bool,
    /// Messages that somebody else received, by the queue's own approximate count.
    pub(super) held_elsewhere: usize,
}

impl<'a> LeaseSet<'a> {
    pub(super) fn new(session: &'a Session, hold: Duration) -> Self {
        Self {
            session,
            leases: pipeline::LeaseSet::new(&session.pipeline, hold),
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
        let cancel = CancellationToken::new();
        let received = {
            let receiving = self.leases.receive(messages_max, &cancel);
            tokio::pin!(receiving);
            tokio::select! {
                received = &mut receiving => received?,
                () = interrupt.received() => {
                    self.session.output.note("interrupted: giving back the messages that are held");
                    cancel.cancel();
                    let _ = receiving.await?;
                    None
                }
            }
        };
        let Some(round) = received else {
            return Err(CommandError::Interrupted);
        };
        self.is_truncated = round.is_truncated;
        self.is_over = !round.is_truncated;
        self.ledger_error = self.ledger_error.take().or(round.ledger_error);
        self.held_elsewhere = self.leases.in_flight_elsewhere();
        Ok(round.messages)
    }

    /// Extends what ends soon. A message that cannot be extended comes again.
    pub(super) async fn prolong(&mut self) {
        if let Err(error) = self.leases.extend_all(ENDING).await {
            tracing::warn!(%error, "messages are not extended");
        }
    }

    /// Handle of a message that stays hidden for at least `margin`.
    pub(super) fn handle(&self, message_id: &str, margin: TimeDelta) -> Option<String> {
        let margin = margin.to_std().unwrap_or_default();
        self.leases.handle(message_id, margin)
    }

    /// Forgets messages that are out of the queue.
    pub(super) fn forget<'b>(&mut self, message_ids: impl IntoIterator<Item = &'b str>) {
        self.leases.forget(message_ids);
    }

    /// Releases messages.
    pub(super) async fn give_back(&mut self, messages: &[DeadLetter]) {
        let ids = messages.iter().map(|message| message.message_id.as_str());
        hidden_remark(self.session, self.leases.release(ids).await);
    }

    /// Releases everything.
    pub(super) async fn give_back_all(&mut self) {
        hidden_remark(self.session, self.leases.release_all().await);
    }

    /// Releases everything; a signal ends that at once.
    pub(super) async fn leave(&mut self, interrupt: &mut Interrupt) {
        let hidden = self.leases.hidden();
        let session = self.session;
        tokio::select! {
            () = self.give_back_all() => {}
            () = interrupt.received() => hidden_remark(session, hidden),
        }
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

fn hidden_remark(session: &Session, hidden: Hidden) {
    if let Some(until) = hidden.until {
        session.output.note(&format!(
            "could not release all messages: up to {} hidden from others until {} (for {})",
            match hidden.messages_max {
                1 => "1 message stays".to_owned(),
                several => format!("{several} messages stay"),
            },
            moment(until),
            span_secs(age_secs(Utc::now(), until))
        ));
    }
}
