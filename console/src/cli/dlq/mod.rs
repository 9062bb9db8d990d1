//! The commands on dead letters; `dlq list` and `dlq show` are here, the others in their files.
//!
//! Invariant: messages that were only looked at are released before the command ends, also when a
//! signal ends it.

pub(crate) mod arguments;
pub(crate) mod delete;
pub(crate) mod export;
mod form;
mod group;
mod purge;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;

use crate::cli::dlq::arguments::DlqCommand;
use crate::cli::dlq::form::{form, table};
use crate::cli::selection::FilterArguments;
use crate::cli::values::seen;
use crate::cli::walk::{self, nothing_remark};
use crate::cli::{CommandError, Exit, Interrupt, Session};
use pipeline::model::DeadLetter;
use redrive::operations::{OperationError, Selection, Walk, WalkOptions};
use redrive::triage::{MessageJson, WholeMessageJson};

/// Visibility timeout of messages that are listed; longer than a listing takes.
const LOOK_TIMEOUT: Duration = Duration::from_secs(60);

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
    let selection = Selection::from(filter);
    // Without a filter no more messages are received than are listed.
    let options = match selection.is_all() {
        true => WalkOptions::of(LOOK_TIMEOUT, Some(limit)),
        false => WalkOptions::default(),
    };
    let work = async |walk: &mut Walk| oldest(walk, limit).await;
    let ((messages, more), walk) =
        walk::through(session, selection, options, "looking", interrupt, work).await?;
    let types = messages.iter();
    seen::remember(types.filter_map(|message| message.identity.event_type.as_deref()));
    if session.output.is_json() {
        let messages: Vec<MessageJson<'_>> = messages.iter().map(MessageJson::from).collect();
        session.output.json(&messages)?;
    } else if messages.is_empty() && walk.selection.is_all() {
        session.output.note("no dead letters");
    } else if messages.is_empty() {
        nothing_remark(session, &walk.selection);
    } else {
        session.output.table(&table(&messages, Utc::now()))?;
    }
    if more > 0 {
        let remark = format!("{more} more match; --limit lists more");
        session.output.note(&remark);
    }
    walk::remarks(session, &walk);
    Ok(walk::ledger_exit(session, &walk))
}

/// The oldest selected messages without what is not listed of them, and how many more there are.
async fn oldest(walk: &mut Walk, limit: usize) -> Result<(Vec<DeadLetter>, usize), OperationError> {
    let mut messages: Vec<DeadLetter> = Vec::new();
    let mut more = 0;
    while let Some(round) = walk.next().await? {
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

async fn show(
    session: &Session,
    message_id: String,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let selection = Selection {
        message_ids: vec![message_id],
        ..Selection::default()
    };
    let work = async |walk: &mut Walk| {
        let mut found = None;
        while let (None, Some(messages)) = (&found, walk.next().await?) {
            found = messages.into_iter().next();
        }
        Ok(found)
    };
    let options = WalkOptions::default();
    let (found, walk) =
        walk::through(session, selection, options, "looking", interrupt, work).await?;
    let Some(message) = found else {
        walk::remarks(session, &walk);
        return Ok(Exit::Failed);
    };
    if session.output.is_json() {
        session.output.json(&WholeMessageJson::of(&message)?)?;
    } else {
        session.output.text(&form(&message, Utc::now())?)?;
    }
    walk::ledger_remark(session, &walk);
    Ok(walk::ledger_exit(session, &walk))
}
