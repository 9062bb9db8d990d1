//! `dlq list` and `dlq show`, and the holding of letters that `dlq redrive` shares.
//!
//! Invariant: letters that were only looked at are given back before the command ends, also when
//! a signal ends it.

use std::time::Duration;

use chrono::Utc;
use tokio::sync::watch;

use super::letter_form::{LetterJson, WholeLetterJson, form, table};
use super::{CommandError, DlqCommand, Exit, Interrupt, Session, dlq_redrive};
use crate::text::{age_secs, span_secs};
use crate::world::observed::{DeadLetter, HeldLetters, Holding, QueueRole};
use crate::world::printable;

/// Hold of letters that are listed; longer than a listing takes.
const LOOK_HOLD: Duration = Duration::from_secs(60);
/// Letters that are looked through for certain ones.
pub(super) const SEARCH_MAX: usize = 10_000;

pub(super) async fn run(
    session: &Session,
    command: DlqCommand,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    match command {
        DlqCommand::List { limit } => list(session, limit as usize, interrupt).await,
        DlqCommand::Show { message_id } => show(session, &message_id, interrupt).await,
        DlqCommand::Redrive(arguments) => dlq_redrive::run(session, arguments, interrupt).await,
    }
}

async fn list(
    session: &Session,
    limit: usize,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let look = hold(session, limit, LOOK_HOLD, interrupt).await?;
    let letters = &look.held.letters;
    release(session, letters).await;
    if session.output.is_json() {
        let letters: Vec<LetterJson<'_>> = letters.iter().map(LetterJson::from).collect();
        session.output.json(&letters)?;
    } else if letters.is_empty() {
        session.output.note("no dead letters");
    } else {
        session.output.table(&table(letters, Utc::now()))?;
    }
    look.remarks(session);
    Ok(look.exit(session))
}

async fn show(
    session: &Session,
    message_id: &str,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let look = hold(session, SEARCH_MAX, LOOK_HOLD, interrupt).await?;
    let letters = &look.held.letters;
    release(session, letters).await;
    let Some(letter) = letters
        .iter()
        .find(|letter| letter.message_id == message_id)
    else {
        look.remarks(session);
        return Err(CommandError::Failed(format!(
            "there is no dead letter {message_id:?}, or somebody else holds it"
        )));
    };
    if session.output.is_json() {
        session.output.json(&WholeLetterJson::from(letter))?;
    } else {
        session.output.text(&form(letter, Utc::now()))?;
    }
    look.ledger_remark(session);
    Ok(look.exit(session))
}

/// One look at the dead letters.
pub(super) struct Look {
    pub(super) held: HeldLetters,
    /// Letters that somebody else holds, by the queue's own approximate count.
    held_elsewhere: usize,
}

/// Takes letters; a signal gives back what was taken.
pub(super) async fn hold(
    session: &Session,
    letters_max: usize,
    hold: Duration,
    interrupt: &mut Interrupt,
) -> Result<Look, CommandError> {
    let (stop, stopped) = watch::channel(false);
    let holding = session
        .world
        .hold_dead_letters_unless(letters_max, hold, stopped);
    tokio::pin!(holding);
    let outcome = tokio::select! {
        outcome = &mut holding => outcome?,
        () = interrupt.received() => {
            session.output.note("interrupted: giving back the letters that are held");
            // The other end waits for it until it has given everything back.
            let _ = stop.send(true);
            match holding.await {
                Ok(outcome) => outcome,
                Err(error) => {
                    session.output.note(&printable(&error.to_string()));
                    return Err(CommandError::Interrupted);
                }
            }
        }
    };
    let held = match outcome {
        Holding::Held(held) => held,
        Holding::GivenBack { hidden_max } => {
            hidden_remark(session, hidden_max, hold.as_secs());
            return Err(CommandError::Interrupted);
        }
    };
    let in_flight = tokio::select! {
        depth = session.world.queue_depth(QueueRole::DeadLetter) => {
            depth.map_or(0, |depth| depth.in_flight)
        }
        () = interrupt.received() => {
            release(session, &held.letters).await;
            return Err(CommandError::Interrupted);
        }
    };
    Ok(Look {
        held_elsewhere: usize::try_from(in_flight)
            .unwrap_or(usize::MAX)
            .saturating_sub(held.letters.len()),
        held,
    })
}

/// Gives letters back. What cannot be given back now comes back when its hold ends.
pub(super) async fn release(session: &Session, letters: &[DeadLetter]) {
    let handles: Vec<String> = letters
        .iter()
        .map(|letter| letter.receipt_handle.clone())
        .collect();
    let hidden = session.world.give_back_dead_letters(&handles).await;
    let held_until = letters.iter().map(|letter| letter.held_until).max();
    let left_secs = held_until.map_or(0, |until| age_secs(Utc::now(), until));
    hidden_remark(session, hidden, left_secs);
}

fn hidden_remark(session: &Session, hidden: usize, left_secs: u64) {
    if hidden > 0 {
        session.output.note(&format!(
            "could not give all letters back: up to {hidden} stay hidden for up to {}",
            span_secs(left_secs)
        ));
    }
}

impl Look {
    /// Says what the look did not see.
    pub(super) fn remarks(&self, session: &Session) {
        if self.held.is_truncated {
            session.output.note("more letters wait than were looked at");
        }
        if self.held_elsewhere > 0 {
            session.output.note(&format!(
                "{} letters are held elsewhere and were not looked at",
                self.held_elsewhere
            ));
        }
        self.ledger_remark(session);
    }

    fn ledger_remark(&self, session: &Session) {
        if let Some(error) = &self.held.ledger_error {
            session
                .output
                .note(&format!("\"ready\" may be \"already-stored\": {error}"));
        }
    }

    /// A ledger that there is and that could not be asked leaves the verdicts unknown.
    pub(super) fn exit(&self, session: &Session) -> Exit {
        let has_ledger = session.world.environment().database_url.is_some();
        if has_ledger && self.held.ledger_error.is_some() {
            Exit::Unreachable
        } else {
            Exit::Done
        }
    }
}
