//! `dlq list` and `dlq show`.
//!
//! Invariant: letters that were only looked at are given back before the command ends, also when
//! a signal ends it.

use std::time::Duration;

use chrono::Utc;

use super::dlq_arguments::DlqCommand;
use super::holding::Sweep;
use super::letter_form::{LetterJson, WholeLetterJson, form, table};
use super::selection::{FilterArguments, SelectionArguments};
use super::{
    CommandError, Exit, Interrupt, Session, dlq_delete, dlq_export, dlq_group, dlq_purge,
    redrive_run,
};

/// Hold of letters that are listed; longer than a listing takes.
pub(super) const LOOK_HOLD: Duration = Duration::from_secs(60);
/// Letters that are looked through for certain ones.
pub(super) const SEARCH_MAX: usize = 10_000;

pub(super) async fn run(
    session: &Session,
    command: DlqCommand,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    match command {
        DlqCommand::List { limit, filter } => {
            list(session, limit as usize, filter, interrupt).await
        }
        DlqCommand::Show { message_id } => show(session, &message_id, interrupt).await,
        DlqCommand::Group { filter } => dlq_group::run(session, filter, interrupt).await,
        DlqCommand::Export(arguments) => dlq_export::run(session, arguments, interrupt).await,
        DlqCommand::Delete(arguments) => dlq_delete::run(session, arguments, interrupt).await,
        DlqCommand::Purge(arguments) => dlq_purge::run(session, arguments, interrupt).await,
        DlqCommand::Redrive(arguments) => {
            redrive_run::run(session, redrive_run::without_proof(arguments), interrupt).await
        }
    }
}

async fn list(
    session: &Session,
    limit: usize,
    filter: FilterArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let letters_max = if filter.is_empty() { limit } else { SEARCH_MAX };
    let selection = SelectionArguments::from(filter);
    let mut sweep = Sweep::new(session, LOOK_HOLD);
    let mut letters = selection
        .take(&mut sweep, letters_max, session, interrupt)
        .await?;
    sweep.give_back_all().await;
    let more = letters.len().saturating_sub(limit);
    letters.truncate(limit);
    if session.output.is_json() {
        let letters: Vec<LetterJson<'_>> = letters.iter().map(LetterJson::from).collect();
        session.output.json(&letters)?;
    } else if letters.is_empty() && selection.all {
        session.output.note("no dead letters");
    } else if letters.is_empty() {
        selection.nothing_remark(session);
    } else {
        session.output.table(&table(&letters, Utc::now()))?;
    }
    if more > 0 {
        session
            .output
            .note(&format!("{more} more match; --limit lists more"));
    }
    sweep.remarks();
    Ok(sweep.exit())
}

async fn show(
    session: &Session,
    message_id: &str,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let mut sweep = Sweep::new(session, LOOK_HOLD);
    let letters = sweep.take(SEARCH_MAX, interrupt).await?;
    sweep.give_back_all().await;
    let Some(letter) = letters
        .iter()
        .find(|letter| letter.message_id == message_id)
    else {
        sweep.remarks();
        return Err(CommandError::Failed(format!(
            "there is no dead letter {message_id:?}, or somebody else holds it"
        )));
    };
    if session.output.is_json() {
        session.output.json(&WholeLetterJson::of(letter)?)?;
    } else {
        session.output.text(&form(letter, Utc::now())?)?;
    }
    sweep.ledger_remark();
    Ok(sweep.exit())
}
