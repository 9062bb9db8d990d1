//! `dlq list` and `dlq show`.
//!
//! Invariant: messages that were only looked at are given back before the command ends, also when
//! a signal ends it.

pub(crate) mod arguments;
pub(crate) mod delete;
pub(crate) mod export;
mod form;
mod group;
mod purge;
pub(crate) mod take;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;

use crate::cli::dlq::arguments::DlqCommand;
use crate::cli::dlq::form::{form, table};
use crate::cli::dlq::take::Take;
use crate::cli::holding::LeaseSet;
use crate::cli::selection::{FilterArguments, SelectionArguments};
use crate::cli::{CommandError, Exit, Interrupt, Session};
use pipeline::model::DeadLetter;
use redrive::triage::{MessageJson, WholeMessageJson};

/// Hold of messages that are listed; longer than a listing takes.
const LOOK_HOLD: Duration = Duration::from_secs(60);

pub(crate) async fn run(
    session: &Session,
    command: DlqCommand,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    match command {
        DlqCommand::List { limit, filter } => {
            list(session, limit as usize, filter, interrupt).await
        }
        DlqCommand::Show { message_id } => show(session, message_id, interrupt).await,
        DlqCommand::Group { filter } => group::run(session, filter, interrupt).await,
        DlqCommand::Export(arguments) => export::run(session, arguments, interrupt).await,
        DlqCommand::Delete(arguments) => delete::run(session, arguments, interrupt).await,
        DlqCommand::Purge(arguments) => purge::run(session, arguments, interrupt).await,
        DlqCommand::Redrive(arguments) => {
            crate::cli::redrive::run::run(
                session,
                crate::cli::redrive::run::without_proof(arguments),
                interrupt,
            )
            .await
        }
    }
}

async fn list(
    session: &Session,
    limit: usize,
    filter: FilterArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    if filter.is_empty() {
        return list_some(session, limit, interrupt).await;
    }
    let selection = SelectionArguments::from(filter);
    let mut take = Take::begin(session, &selection, "looking", interrupt).await?;
    let found = oldest(&mut take, limit, interrupt).await;
    take.leave(interrupt).await;
    let (messages, more) = found?;
    tell(session, &messages, &selection)?;
    if more > 0 {
        session
            .output
            .note(&format!("{more} more match; --limit lists more"));
    }
    take.remarks();
    Ok(take.sweep().exit())
}

/// Lists without looking at more messages than are listed.
async fn list_some(
    session: &Session,
    limit: usize,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let mut sweep = LeaseSet::new(session, LOOK_HOLD);
    let messages = sweep.take(limit, interrupt).await?;
    sweep.give_back_all().await;
    tell(session, &messages, &SelectionArguments::default().or_all())?;
    sweep.remarks();
    Ok(sweep.exit())
}

/// The oldest selected messages without what is not listed of them, and how many more there are.
async fn oldest(
    take: &mut Take<'_>,
    limit: usize,
    interrupt: &mut Interrupt,
) -> Result<(Vec<DeadLetter>, usize), CommandError> {
    let mut messages: Vec<DeadLetter> = Vec::new();
    let mut more = 0;
    while let Some(round) = take.next(interrupt).await? {
        messages.extend(round.into_iter().map(|message| DeadLetter {
            body: String::new().into(),
            attributes: BTreeMap::new(),
            ..message
        }));
        messages.sort_by(|a, b| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
        more += messages.len().saturating_sub(limit);
        messages.truncate(limit);
    }
    Ok((messages, more))
}

fn tell(
    session: &Session,
    messages: &[DeadLetter],
    selection: &SelectionArguments,
) -> Result<(), CommandError> {
    if session.output.is_json() {
        let messages: Vec<MessageJson<'_>> = messages.iter().map(MessageJson::from).collect();
        session.output.json(&messages)
    } else if messages.is_empty() && selection.all {
        session.output.note("no dead letters");
        Ok(())
    } else if messages.is_empty() {
        selection.nothing_remark(session);
        Ok(())
    } else {
        session.output.table(&table(messages, Utc::now()))
    }
}

async fn show(
    session: &Session,
    message_id: String,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let selection = SelectionArguments {
        message_ids: vec![message_id],
        ..SelectionArguments::default()
    };
    let mut take = Take::begin(session, &selection, "looking", interrupt).await?;
    let found = first(&mut take, interrupt).await;
    take.leave(interrupt).await;
    let Some(message) = found? else {
        take.remarks();
        return Ok(Exit::Failed);
    };
    if session.output.is_json() {
        session.output.json(&WholeMessageJson::of(&message)?)?;
    } else {
        session.output.text(&form(&message, Utc::now())?)?;
    }
    take.sweep().ledger_remark();
    Ok(take.sweep().exit())
}

async fn first(
    take: &mut Take<'_>,
    interrupt: &mut Interrupt,
) -> Result<Option<DeadLetter>, CommandError> {
    while let Some(messages) = take.next(interrupt).await? {
        if let Some(message) = messages.into_iter().next() {
            return Ok(Some(message));
        }
    }
    Ok(None)
}
