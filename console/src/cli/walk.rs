//! A command's walk through the dead-letter queue: how far it is, what it did not see, how it ends.
//!
//! Invariant: what was received is released before the command ends, also when a signal or an error
//! ends it; what cannot be released is reported.

use chrono::Utc;

use super::table::moment;
use super::{CommandError, Exit, Interrupt, Session, progress};
use crate::text::{age_secs, is_or_are, messages_in_words, span_secs};
use pipeline::{Hidden, LEASES_MAX, LeaseSet, printable};
use redrive::operations::{
    OperationError, ProgramFailures, Selection, Truncation, Walk, WalkOptions,
};

/// Why a message that was named is not among the received ones.
pub(super) const NOT_FOUND: &str = "not among the dead letters, or received by others";
/// What a signal is answered with before anything was received.
const NOTHING_RECEIVED: &str = "interrupted: nothing was received";
/// What a signal is answered with while messages are received.
pub(super) const RELEASING: &str = "interrupted: releasing the received messages";

/// Begins a walk; nothing is received yet.
pub(super) async fn begin(
    session: &Session,
    selection: Selection,
    options: WalkOptions,
    doing: &'static str,
    interrupt: &mut Interrupt,
) -> Result<Walk, CommandError> {
    let cancel = interrupt.cancellation();
    let bar = progress::reported(doing);
    let begun = Walk::begin(&session.pipeline, selection, options, cancel, bar);
    let begun = interrupt.cancels(session.output, NOTHING_RECEIVED, begun);
    let begun = begun.await;
    Ok(begun?)
}

/// Walks through the whole queue, and releases everything at the end. Returns the walk for what it
/// did not see.
pub(super) async fn through<T>(
    session: &Session,
    selection: Selection,
    options: WalkOptions,
    doing: &'static str,
    interrupt: &mut Interrupt,
    work: impl AsyncFnOnce(&mut Walk) -> Result<T, OperationError>,
) -> Result<(T, Walk), CommandError> {
    let mut walk = begin(session, selection, options, doing, interrupt).await?;
    let working = work(&mut walk);
    let done = interrupt.cancels(session.output, RELEASING, working).await;
    release_all(session, &walk.leases, interrupt).await;
    Ok((done?, walk))
}

/// Releases everything; a signal ends that at once.
pub(super) async fn release_all(session: &Session, leases: &LeaseSet, interrupt: &mut Interrupt) {
    let all = leases.hidden();
    tokio::select! {
        hidden = leases.release_all() => hidden_remark(session, hidden),
        () = interrupt.received() => hidden_remark(session, all),
    }
}

/// Says what could not be released.
pub(super) fn hidden_remark(session: &Session, hidden: Hidden) {
    let Some(until) = hidden.until.filter(|_| hidden.messages_max > 0) else {
        return;
    };
    session.output.note(&format!(
        "could not release all messages: up to {} may stay hidden from others until {}, for {}",
        messages_in_words(hidden.messages_max as u64),
        moment(until),
        span_secs(age_secs(Utc::now(), until))
    ));
}

/// Says what was not seen, or not as it seems.
pub(super) fn remarks(session: &Session, walk: &Walk) {
    let output = session.output;
    failure_remark(session, &walk.failures);
    match walk.truncation() {
        None => {}
        Some(Truncation::MoreWait) => output.note("more messages wait than were looked at"),
        Some(Truncation::Full) => output.note(&format!(
            "{LEASES_MAX} messages were received, and no more are at once; more wait"
        )),
        Some(Truncation::Growing { received }) => output.note(&format!(
            "{received} messages were received, far more than there were at the start: more are \
             dead-lettered meanwhile; more wait"
        )),
    }
    let elsewhere = walk.leases.in_flight_elsewhere();
    if elsewhere > 0 {
        output.note(&format!(
            "{} received by others, not looked at",
            messages_in_words(elsewhere as u64)
        ));
    }
    if walk.blocked > 0 {
        output.note(&format!(
            "{} behind others of their message groups, not looked at",
            messages_in_words(walk.blocked)
        ));
    }
    for message_id in walk.missing() {
        output.note(&printable(&format!("{message_id}: {NOT_FOUND}")));
    }
    ledger_remark(session, walk);
}

/// Says that verdicts may be wrong.
pub(super) fn ledger_remark(session: &Session, walk: &Walk) {
    if let Some(error) = &walk.ledger_error {
        let remark = format!("\"ready\" may be \"already-stored\": {error}");
        session.output.note(&remark);
    }
}

fn failure_remark(session: &Session, failures: &ProgramFailures) {
    if let Some(first) = &failures.first {
        session.output.note(&printable(&format!(
            "--where failed on {}, which {} not selected; the first is {first}",
            messages_in_words(failures.messages as u64),
            is_or_are(failures.messages as u64)
        )));
    }
}

/// Says that nothing was selected.
pub(super) fn nothing_remark(session: &Session, selection: &Selection) {
    session
        .output
        .note(&if selection.is_all() || selection.names_messages() {
            "no dead letter matches".to_owned()
        } else {
            printable(&format!("no dead letter matches {selection}"))
        });
}

/// How a command ends that looked at all messages that it was to look at.
pub(super) fn exit(session: &Session, walk: &Walk) -> Exit {
    if walk.missing().is_empty() && walk.truncation().is_none() {
        ledger_exit(session, walk)
    } else {
        Exit::Failed
    }
}

/// A ledger that there is and that did not answer leaves the verdicts unknown.
pub(super) fn ledger_exit(session: &Session, walk: &Walk) -> Exit {
    let has_ledger = session.pipeline.has_ledger();
    match &walk.ledger_error {
        Some(_) if has_ledger => Exit::Unreachable,
        Some(_) | None => Exit::Done,
    }
}
