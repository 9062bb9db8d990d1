//! `dlq list` and `dlq show`, and the holding of letters that `dlq redrive` shares.
//!
//! Invariant: letters that were only looked at are given back before the command ends, also when
//! a signal ends it.

use std::time::Duration;

use chrono::Utc;

use super::letter_form::{LetterJson, WholeLetterJson, form, table};
use super::{CommandError, DlqCommand, Exit, Interrupt, Session, dlq_redrive};
use crate::world::observed::{DeadLetter, HeldLetters};

/// Hold of letters that are listed; longer than a listing takes.
const LOOK_HOLD: Duration = Duration::from_secs(60);
/// Letters that are looked through for certain ones.
pub(super) const SEARCH_MAX: usize = 10_000;
/// After a signal, this long to learn what is held and to give it back.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);

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
    let held = hold(session, limit, LOOK_HOLD, interrupt).await?;
    release(session, &held.letters).await;
    if session.output.is_json() {
        let letters: Vec<LetterJson<'_>> = held.letters.iter().map(LetterJson::from).collect();
        session.output.json(&letters)?;
    } else if held.letters.is_empty() {
        session.output.note("no dead letters");
    } else {
        session.output.table(&table(&held.letters, Utc::now()))?;
    }
    remarks(session, &held);
    Ok(Exit::Done)
}

async fn show(
    session: &Session,
    message_id: &str,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let held = hold(session, SEARCH_MAX, LOOK_HOLD, interrupt).await?;
    release(session, &held.letters).await;
    let Some(letter) = held
        .letters
        .iter()
        .find(|letter| letter.message_id == message_id)
    else {
        remarks(session, &held);
        return Err(CommandError::Failed(format!(
            "there is no dead letter {message_id:?}, or somebody else holds it"
        )));
    };
    if session.output.is_json() {
        session.output.json(&WholeLetterJson::from(letter))?;
    } else {
        session.output.text(&form(letter, Utc::now()))?;
    }
    if let Some(error) = &held.ledger_error {
        session.output.note(&ledger_remark(error));
    }
    Ok(Exit::Done)
}

/// Takes letters; a signal gives back what was taken.
pub(super) async fn hold(
    session: &Session,
    letters_max: usize,
    hold: Duration,
    interrupt: &mut Interrupt,
) -> Result<HeldLetters, CommandError> {
    let collecting = session.world.hold_dead_letters(letters_max, hold);
    tokio::pin!(collecting);
    tokio::select! {
        held = &mut collecting => Ok(held?),
        () = interrupt.received() => {
            let rest = tokio::time::timeout(RELEASE_LIMIT, &mut collecting).await;
            if let Ok(Ok(held)) = rest {
                release(session, &held.letters).await;
            }
            Err(CommandError::Interrupted)
        }
    }
}

/// Gives letters back. What cannot be given back now comes back when its hold ends.
pub(super) async fn release(session: &Session, letters: &[DeadLetter]) {
    let handles: Vec<String> = letters
        .iter()
        .map(|letter| letter.receipt_handle.clone())
        .collect();
    let released = session.world.release_dead_letters(&handles);
    match tokio::time::timeout(RELEASE_LIMIT, released).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => session.output.note(&format!(
            "letters were not given back and stay hidden until their hold ends: {error}"
        )),
        Err(_) => session
            .output
            .note("some letters stay hidden until their hold ends"),
    }
}

pub(super) fn remarks(session: &Session, held: &HeldLetters) {
    if held.is_truncated {
        session.output.note("more letters wait than were looked at");
    }
    if let Some(error) = &held.ledger_error {
        session.output.note(&ledger_remark(error));
    }
}

fn ledger_remark(error: &str) -> String {
    format!("\"ready\" may be \"already-stored\": {error}")
}
