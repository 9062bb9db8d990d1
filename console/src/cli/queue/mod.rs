//! `queue peek`: a few messages of the source queue.
//!
//! Invariant: nothing is received before the price was said and agreed to, and what was received is released before
//! the command ends, also when a signal ends it.

pub(crate) mod arguments;
mod text;

use chrono::Utc;
use pipeline::LeaseSet;
use pipeline::queue_peek::{Peek, PeekEnd};

use self::arguments::{PeekArguments, QueueCommand};
use self::text::PeekJson;
use super::confirm::{can_ask, confirmed};
use super::walk::{RELEASING, hidden_remark};
use super::{CommandError, Exit, Interrupt, Session};
use crate::text::in_words;
use pipeline::{printable, printable_lines};

/// What a signal is answered with before anything was received.
const NOTHING_RECEIVED: &str = "nothing was received";

pub(super) async fn run(
    session: &Session,
    command: QueueCommand,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    match command {
        QueueCommand::Peek(arguments) => peek(session, arguments, interrupt).await,
    }
}

async fn peek(
    session: &Session,
    arguments: PeekArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let pipeline = &session.pipeline;
    pipeline.check_write("peek into the queue")?;
    if !arguments.yes && !can_ask() {
        let text = "queue peek asks before it receives, and there is no terminal to ask on: add --yes to agree to \
                    the price (opsconsole queue peek --help)";
        return Err(CommandError::Usage(text.to_owned()));
    }
    if !is_agreed(session, arguments, interrupt).await? {
        return Ok(Exit::Failed);
    }
    let leases = pipeline.peek_leases();
    let cancel = interrupt.cancellation();
    let peeking = pipeline.peek_queue(&leases, usize::from(arguments.max), &cancel);
    let peeked = interrupt.cancels(session.output, RELEASING, peeking).await;
    // What a failed release left, and what came with an error.
    if !leases.is_empty() {
        release_again(session, &leases, interrupt).await;
    }
    let mut peek = match peeked {
        Ok(peek) => peek,
        Err(error) => {
            hidden_remark(session, leases.hidden());
            return Err(error.into());
        }
    };
    if peek.released_at.is_none() {
        peek.take_release(&leases, Utc::now());
    }
    write(session, &peek, arguments.bodies)?;
    let hidden = leases.hidden();
    hidden_remark(session, hidden);
    if let Some(error) = &peek.audit_error {
        session.output.note(&printable(error));
    }
    Ok(if peek.end == PeekEnd::Interrupted {
        Exit::Interrupted
    } else if hidden.messages_max > 0 || matches!(peek.end, PeekEnd::Failed(_)) {
        Exit::Unreachable
    } else {
        Exit::Done
    })
}

/// Says the price, and asks unless it was agreed to on the command line.
async fn is_agreed(
    session: &Session,
    arguments: PeekArguments,
    interrupt: &mut Interrupt,
) -> Result<bool, CommandError> {
    let price = tokio::select! {
        price = session.pipeline.peek_price() => price?,
        () = interrupt.received() => return Err(CommandError::Interrupted),
    };
    if let Some(refusal) = price.refusal() {
        return Err(refusal.into());
    }
    let messages_max = usize::from(arguments.max);
    for sentence in price.sentences(messages_max) {
        session.output.note(&printable(&sentence));
    }
    if arguments.yes {
        return Ok(true);
    }
    let question = format!(
        "receive up to {} of {:?} in {:?}? [y/N] ",
        in_words(messages_max as u64, "message"),
        price.queue,
        session.pipeline.environment().name,
    );
    confirmed(session, &question, NOTHING_RECEIVED, None, interrupt).await
}

/// Tries once more; a signal ends that at once.
async fn release_again(session: &Session, leases: &LeaseSet, interrupt: &mut Interrupt) {
    tokio::select! {
        _ = leases.try_release_all() => {}
        () = interrupt.received() => session.output.note("interrupted again: not everything was released"),
    }
}

fn write(session: &Session, peek: &Peek, with_bodies: bool) -> Result<(), CommandError> {
    let output = session.output;
    if output.is_json() {
        output.json(&PeekJson::of(peek)?)?;
    } else if !peek.messages.is_empty() {
        output.table(&text::table(peek))?;
        if with_bodies {
            output.text(&printable_lines(&text::bodies(peek)?))?;
        }
    }
    for sentence in text::limits(peek) {
        output.note(&printable(&sentence));
    }
    if peek.messages.is_empty() {
        output.note("no message came");
    }
    if let Some(reason) = peek.end.reason() {
        output.note(&printable(&reason));
    }
    if let Some(released) = text::released(peek) {
        output.note(&released);
    }
    Ok(())
}
