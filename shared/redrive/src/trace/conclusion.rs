//! Where an event is, in one sentence.
//!
//! Invariant: pure. Each state follows from what was seen alone: that an event is or was stored from the ledger, that it
//! is dead from a dead letter that is there and stays there. What decides and was not read makes it
//! [`TraceState::Unknown`], never one of the others.

use chrono::{DateTime, Utc};
use event::{RecordId, Verdict};
use pipeline::text::{in_words, messages_in_words};
use serde::Serialize;

use super::evidence::{Evidence, Known, Leaving, Ledger, Letter, Letters, Rest};
use super::fact::UnreadCause;
use super::words::moment;

/// Where an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceState {
    /// It has a record.
    Stored,
    /// It had a record, which was erased or has expired.
    Gone,
    /// It was sent or may have been, and the queue is not empty.
    Waiting,
    /// It is a dead letter.
    Dead,
    /// This machine has sent or deleted it, is about to, or names it; it has no record.
    NotStored,
    /// Nothing that was searched knows it.
    NotSeen,
    /// What decides it was not read.
    Unknown,
}

impl TraceState {
    /// The published name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Gone => "gone",
            Self::Waiting => "waiting",
            Self::Dead => "dead",
            Self::NotStored => "not-stored",
            Self::NotSeen => "not-seen",
            Self::Unknown => "unknown",
        }
    }
}

/// The end of a trace. The JSON fields are published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    /// Where it is.
    pub state: TraceState,
    /// The same in one sentence.
    pub text: String,
    /// What to do.
    pub next_step: String,
}

const SEARCH: &str = "search the dead letters too, which receives them: --search-dead-letters, or key d on the screen";

/// Concludes for an environment.
pub(super) fn conclude(evidence: &Evidence, environment: &str) -> Conclusion {
    let command = |rest: &str| format!("opsconsole --env {environment} {rest}");
    match &evidence.ledger {
        Ledger::Record {
            record_id,
            ingested_at,
        } => stored((*record_id, *ingested_at), evidence, command),
        Ledger::Gone(record_id) => Conclusion {
            state: TraceState::Gone,
            text: format!(
                "it was stored as record {record_id}, and the record is gone: erased, or expired with its partition"
            ),
            next_step: format!("see the erasures of this machine: {}", command("audit")),
        },
        Ledger::Unknown(why) => unknown(why, &evidence.letters),
        Ledger::Never => match newest(&evidence.letters) {
            Some(letter) => dead(letter, leaving(&evidence.letters), command),
            None => without_record(evidence, command),
        },
    }
}

fn stored(
    (record_id, ingested_at): (RecordId, DateTime<Utc>),
    evidence: &Evidence,
    command: impl Fn(&str) -> String,
) -> Conclusion {
    let letters = &evidence.letters;
    let mut text = format!("stored as record {record_id} at {}", moment(ingested_at));
    // The newest that is not this one: a correction of this one was not applied.
    let replaced = evidence.replaced.iter().filter(|id| **id != record_id);
    if let Some(before) = replaced.max() {
        text += &format!("; a correction replaced record {before}, as which it was stored before");
    }
    let mut next_step = "nothing is to be done".to_owned();
    if let Some(leaving) = leaving(letters) {
        let what = leaving.as_str();
        text += &format!("; this console is {what} a dead letter of the same identity");
        next_step = after(leaving).to_owned();
    }
    if let Some(letter) = newest(letters) {
        text += &match letters.found.len() {
            1 => "; a dead letter has the same identity".to_owned(),
            several => format!("; {several} dead letters have the same identity"),
        };
        next_step = format!(
            "compare it with the record, then delete it: {}",
            command(&format!("dlq show {}", letter.message_id))
        );
    }
    Conclusion {
        state: TraceState::Stored,
        text,
        next_step,
    }
}

fn unknown(why: &str, letters: &Letters) -> Conclusion {
    let dead = match (newest(letters), leaving(letters)) {
        (Some(letter), _) => {
            let when = letter.when();
            format!("a dead letter of it is there, {when} ({}); ", letter.reason)
        }
        (None, Some(leaving)) => {
            format!("this console is {} a dead letter of it; ", leaving.as_str())
        }
        (None, None) => String::new(),
    };
    Conclusion {
        state: TraceState::Unknown,
        text: format!("{dead}whether it has a record could not be read: {why}"),
        next_step: "make the database or the API reachable, and trace it again".to_owned(),
    }
}

fn dead(letter: &Letter, leaving: Option<Leaving>, command: impl Fn(&str) -> String) -> Conclusion {
    let id = &letter.message_id;
    let (would, mut next_step) = match letter.verdict {
        Verdict::Ready => (
            "the ingest would take it now",
            format!("redrive it: {}", command(&format!("dlq redrive {id}"))),
        ),
        // The ledger was asked twice, and the second time it did not know it.
        Verdict::AlreadyStored => (
            "its identity was in the ledger a moment ago",
            "trace it again".to_owned(),
        ),
        Verdict::StillInvalid | Verdict::Unreadable => (
            "the ingest would refuse it again",
            format!(
                "mend it and redrive it: {}",
                command(&format!("redrive run {id} --patch PROGRAM"))
            ),
        ),
    };
    let mut text = format!("dead, {}: {}; {would}", letter.when(), letter.reason);
    if let Some(leaving) = leaving {
        let what = leaving.as_str();
        text += &format!("; this console is {what} another dead letter of it");
        next_step = after(leaving).to_owned();
    }
    Conclusion {
        state: TraceState::Dead,
        text,
        next_step,
    }
}

/// The ledger does not know it, and no dead letter of it is there for certain.
fn without_record(evidence: &Evidence, command: impl Fn(&str) -> String) -> Conclusion {
    if let Some(leaving) = leaving(&evidence.letters) {
        return being_moved(leaving, evidence);
    }
    if let Some(conclusion) = unreachable(evidence) {
        return conclusion;
    }
    let in_queue = evidence.queue.as_ref().copied().unwrap_or_default();
    let letters = letters_in_words(&evidence.letters);
    let around = format!("{}; {letters}", queue_in_words(in_queue));
    let newest = evidence.newest_known();
    let is_proved = newest.is_some_and(|(_, known)| known.is_proof());
    if let Some(unread) = evidence.unread.as_ref().filter(|_| !is_proved) {
        let known = newest.map(|newest| format!("{}; ", known_in_words(newest)));
        return Conclusion {
            state: TraceState::Unknown,
            text: format!(
                "it has no record; {}not all that this machine did is known: {}; {around}",
                known.unwrap_or_default(),
                unread.text
            ),
            next_step: read_it(unread.cause, command),
        };
    }
    let Some(newest) = newest else {
        if evidence.letters.rest == Rest::Unseen {
            return Conclusion {
                state: TraceState::Unknown,
                text: format!("it has no record; whether it is dead is not known: {around}"),
                next_step:
                    "search again when others have released the dead letters that they received"
                        .to_owned(),
            };
        }
        let next_step = "check SOURCE and ID; ask the publisher whether SNS confirmed it";
        return Conclusion {
            state: TraceState::NotSeen,
            text: format!("not seen: the ledger does not know it; {around}"),
            next_step: search_or(&evidence.letters, next_step.to_owned()),
        };
    };
    let what = known_in_words(newest);
    if newest.1.is_send() && in_queue > 0 {
        return Conclusion {
            state: TraceState::Waiting,
            text: format!(
                "it has no record yet: {what}; the queue reports {}, and one may be it; {letters}",
                messages_in_words(in_queue)
            ),
            next_step: format!("see whether the ingest keeps up: {}", command("status")),
        };
    }
    let next_step = match &newest.1 {
        Known::Deleted { file, .. } => {
            format!("its copy is in {file}; publish it again, mended where it has to be")
        }
        Known::Sent | Known::PerhapsSent => {
            format!("balance the hops: {}", command("account --since 24h"))
        }
        Known::Settled(_) | Known::Named(_) => {
            "see the time line; publish it again where it is still wanted".to_owned()
        }
    };
    Conclusion {
        state: TraceState::NotStored,
        text: format!("it has no record: {what}; {around}"),
        next_step: search_or(&evidence.letters, next_step),
    }
}

/// This console redrives or deletes its dead letter at this moment.
fn being_moved(leaving: Leaving, evidence: &Evidence) -> Conclusion {
    let sent = evidence.newest_known().filter(|(_, known)| known.is_send());
    let sent = sent.map(|sent| format!("; {}", known_in_words(sent)));
    Conclusion {
        state: TraceState::NotStored,
        text: format!(
            "it has no record yet: this console is {} its dead letter{}",
            leaving.as_str(),
            sent.unwrap_or_default()
        ),
        next_step: after(leaving).to_owned(),
    }
}

/// A queue that could not be read may have it.
fn unreachable(evidence: &Evidence) -> Option<Conclusion> {
    let (what, why) = match (&evidence.letters.rest, &evidence.queue) {
        (Rest::Failed(why) | Rest::NotSearched(Err(why)), _) => ("is dead", why),
        (Rest::NotSearched(Ok(_)) | Rest::Nothing | Rest::Unseen, Err(why)) => {
            ("waits in the queue", why)
        }
        (Rest::NotSearched(Ok(_)) | Rest::Nothing | Rest::Unseen, Ok(_)) => return None,
    };
    Some(Conclusion {
        state: TraceState::Unknown,
        text: format!("it has no record; whether it {what} could not be read: {why}"),
        next_step: "make the queues reachable, and trace it again".to_owned(),
    })
}

fn known_in_words((at, known): &(DateTime<Utc>, Known)) -> String {
    let at = moment(*at);
    match known {
        Known::Sent => format!("it was sent at {at}"),
        Known::PerhapsSent => format!("it may have been sent at {at}"),
        Known::Deleted {
            is_certain: true, ..
        } => format!("a dead letter of it was deleted at {at}"),
        Known::Deleted {
            is_certain: false, ..
        } => format!("a dead letter of it may have been deleted at {at}"),
        Known::Settled(text) | Known::Named(text) => {
            format!("the last that is known of it is of {at}: {text}")
        }
    }
}

/// How what was not read can be.
fn read_it(cause: UnreadCause, command: impl Fn(&str) -> String) -> String {
    match cause {
        UnreadCause::Time => "trace it again".to_owned(),
        UnreadCause::File => "mend or move the file, and trace it again".to_owned(),
        UnreadCause::Newer => "trace it with the version that wrote the file".to_owned(),
        UnreadCause::AuditLog => format!("see the changes of this machine: {}", command("audit")),
    }
}

/// What is to be done about a letter that this console moves.
const fn after(leaving: Leaving) -> &'static str {
    match leaving {
        Leaving::Redriven => {
            "see how far the redrive is: screen 3; trace it again when it has ended"
        }
        Leaving::Deleted => {
            "see how far the deletion is: screen 2; trace it again when it has ended"
        }
    }
}

/// The search, where there was none; only a search shows that it is not dead.
fn search_or(letters: &Letters, next_step: String) -> String {
    match letters.rest {
        Rest::NotSearched(_) => SEARCH.to_owned(),
        Rest::Nothing | Rest::Unseen | Rest::Failed(_) => next_step,
    }
}

fn queue_in_words(number: u64) -> String {
    match number {
        0 => "the queue reports no messages".to_owned(),
        number => format!(
            "the queue reports {}, which cannot be searched",
            messages_in_words(number)
        ),
    }
}

/// What the dead letters say where none of them is of the event.
fn letters_in_words(letters: &Letters) -> String {
    let seen = match letters.seen {
        0 => None,
        1 => Some("it is not the 1 dead letter that was seen".to_owned()),
        seen => Some(format!(
            "it is not among the {} that were seen",
            in_words(seen as u64, "dead letter")
        )),
    };
    let other = if seen.is_some() { "other " } else { "" };
    let rest = match &letters.rest {
        Rest::Nothing if seen.is_some() => None,
        Rest::Nothing => Some("a search received no dead letters".to_owned()),
        Rest::Unseen => Some(format!(
            "{other}dead letters may be there that were not seen"
        )),
        Rest::NotSearched(Ok(0)) => Some(format!(
            "by an approximate count there are no {other}dead letters"
        )),
        Rest::NotSearched(Ok(number)) => Some(format!(
            "{} by an approximate count, not searched",
            in_words(*number, &format!("{other}dead letter"))
        )),
        Rest::NotSearched(Err(why)) | Rest::Failed(why) => {
            Some(format!("{other}dead letters could not be searched: {why}"))
        }
    };
    [seen, rest]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ")
}

fn newest(letters: &Letters) -> Option<&Letter> {
    letters.found.iter().max_by_key(|letter| letter.sent_at)
}

/// What the console does with one of them; a redrive is of more interest than a deletion.
fn leaving(letters: &Letters) -> Option<Leaving> {
    let leaving = letters.leaving.iter().map(|(_, leaving)| *leaving);
    leaving.max_by_key(|leaving| *leaving == Leaving::Redriven)
}

#[cfg(test)]
mod tests;
