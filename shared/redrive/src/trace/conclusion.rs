//! Where an event is, in one sentence.
//!
//! Invariant: pure. It says that an event is or was stored only where the ledger knows it; what could not be read
//! makes it [`TraceState::Unknown`], never one of the others.

use chrono::{DateTime, SecondsFormat, Utc};
use event::{RecordId, Verdict};
use pipeline::text::{in_words, is_or_are, messages_in_words};
use serde::Serialize;

/// Where an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceState {
    /// It has a record.
    Stored,
    /// It had a record, which was erased or has expired.
    Gone,
    /// It was sent, and the queue is not empty.
    Waiting,
    /// It is a dead letter.
    Dead,
    /// It was sent or deleted, and has no record.
    NotStored,
    /// Nothing that was searched knows it.
    NotSeen,
    /// What decides it could not be read.
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

/// What the ledger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ledger {
    /// There is a record.
    Record {
        record_id: RecordId,
        ingested_at: DateTime<Utc>,
    },
    /// It knows the identity, and there is no record.
    Gone(RecordId),
    /// It does not know the identity.
    Never,
    /// It did not answer.
    Unknown(String),
}

/// A dead letter of the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) message_id: String,
    /// `SentTimestamp`.
    pub(super) sent_at: DateTime<Utc>,
    /// Whether that is the time of its first send, which SQS keeps where it moves a message.
    pub(super) is_moved: bool,
    /// `missing-attribute: "time" is required`
    pub(super) reason: String,
    pub(super) verdict: Verdict,
    /// The request of the ingest that refused it.
    pub(super) request_id: Option<String>,
}

impl Letter {
    /// `since 2026-11-18T11:06:45Z`
    fn when(&self) -> String {
        let word = if self.is_moved {
            "first sent at"
        } else {
            "since"
        };
        format!("{word} {}", moment(self.sent_at))
    }
}

/// What the dead-letter queue says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    /// It was not searched; so many are there, if that could be read.
    NotSearched(Result<u64, String>),
    /// It was searched.
    Searched {
        found: Vec<Letter>,
        seen: usize,
        /// Whether all were seen that others had not received.
        is_complete: bool,
    },
    /// It could not be searched.
    Failed(String),
}

impl Letters {
    pub(super) fn found(&self) -> &[Letter] {
        match self {
            Self::Searched { found, .. } => found,
            Self::NotSearched(_) | Self::Failed(_) => &[],
        }
    }
}

/// All that the conclusion depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Evidence {
    pub(super) ledger: Ledger,
    pub(super) letters: Letters,
    /// Messages of the source queue.
    pub(super) queue: Result<u64, String>,
    /// The newest send whose outcome nobody saw.
    pub(super) sent_at: Option<DateTime<Utc>>,
    /// The newest deletion of a dead letter of it, and the file with its copy.
    pub(super) deleted: Option<(DateTime<Utc>, String)>,
    /// What of this machine's files could not be read, and why.
    pub(super) unread: Option<String>,
}

const SEARCH: &str = "search the dead letters too, which receives them: --search-dead-letters, or key d on the screen";

/// Concludes for an environment.
pub(super) fn conclude(evidence: &Evidence, environment: &str) -> Conclusion {
    let command = |rest: &str| format!("opsconsole --env {environment} {rest}");
    match &evidence.ledger {
        Ledger::Record {
            record_id,
            ingested_at,
        } => stored(*record_id, *ingested_at, evidence.letters.found(), command),
        Ledger::Gone(record_id) => Conclusion {
            state: TraceState::Gone,
            text: format!(
                "it was stored as record {record_id}, and the record is gone: erased, or expired with its partition"
            ),
            next_step: format!("see the erasures of this machine: {}", command("audit")),
        },
        Ledger::Unknown(why) => unknown(why, evidence),
        Ledger::Never => match newest(evidence.letters.found()) {
            Some(letter) => dead(letter, command),
            None => not_stored(evidence, command),
        },
    }
}

fn stored(
    record_id: RecordId,
    ingested_at: DateTime<Utc>,
    letters: &[Letter],
    command: impl Fn(&str) -> String,
) -> Conclusion {
    let mut text = format!(
        "stored once, as record {record_id} at {}",
        moment(ingested_at)
    );
    let mut next_step = "nothing is to be done".to_owned();
    if let Some(letter) = newest(letters) {
        text += &match letters.len() {
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

fn unknown(why: &str, evidence: &Evidence) -> Conclusion {
    let dead = newest(evidence.letters.found()).map(|letter| {
        let when = letter.when();
        format!("a dead letter of it is there, {when} ({}); ", letter.reason)
    });
    Conclusion {
        state: TraceState::Unknown,
        text: format!(
            "{}whether it has a record could not be read: {why}",
            dead.unwrap_or_default()
        ),
        next_step: "make the database or the API reachable, and trace it again".to_owned(),
    }
}

fn dead(letter: &Letter, command: impl Fn(&str) -> String) -> Conclusion {
    let id = &letter.message_id;
    let (would, next_step) = match letter.verdict {
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
    Conclusion {
        state: TraceState::Dead,
        text: format!("dead, {}: {}; {would}", letter.when(), letter.reason),
        next_step,
    }
}

fn not_stored(evidence: &Evidence, command: impl Fn(&str) -> String) -> Conclusion {
    let failed = match (&evidence.letters, &evidence.queue) {
        (Letters::Failed(why), _) | (Letters::NotSearched(Err(why)), _) => Some(("is dead", why)),
        (Letters::NotSearched(Ok(_)) | Letters::Searched { .. }, Err(why)) => {
            Some(("waits in the queue", why))
        }
        (Letters::NotSearched(Ok(_)) | Letters::Searched { .. }, Ok(_)) => None,
    };
    if let Some((what, why)) = failed {
        return Conclusion {
            state: TraceState::Unknown,
            text: format!("it has no record; whether it {what} could not be read: {why}"),
            next_step: "make the queues reachable, and trace it again".to_owned(),
        };
    }
    let in_queue = evidence.queue.as_ref().copied().unwrap_or_default();
    let (letters, may_be_dead) = letters_in_words(&evidence.letters);
    if let (Some(sent_at), true) = (evidence.sent_at, in_queue > 0) {
        return Conclusion {
            state: TraceState::Waiting,
            text: format!(
                "it has no record yet: it was sent at {}, {} in the queue, and one may be it; {letters}",
                moment(sent_at),
                are(in_queue)
            ),
            next_step: format!("see whether the ingest keeps up: {}", command("status")),
        };
    }
    let queue = match in_queue {
        0 => "the queue is empty".to_owned(),
        number => format!("{} in the queue, which cannot be searched", are(number)),
    };
    let last = match (&evidence.deleted, evidence.sent_at) {
        (Some((at, file)), sent_at) if sent_at.is_none_or(|sent_at| sent_at < *at) => Some((
            format!("a dead letter of it was deleted at {}", moment(*at)),
            format!("its copy is in {file}; publish it again, mended where it has to be"),
        )),
        (_, Some(sent_at)) => Some((
            format!("it was sent at {}", moment(sent_at)),
            format!("balance the hops: {}", command("account --since 24h")),
        )),
        (_, None) => None,
    };
    let (state, text, next_step) = match (last, &evidence.unread) {
        (Some((what, next_step)), _) => (
            TraceState::NotStored,
            format!("it has no record: {what}; {queue}; {letters}"),
            next_step,
        ),
        (None, Some(why)) => (
            TraceState::Unknown,
            format!(
                "it has no record; whether this machine sent it could not be read: {why}; {queue}; {letters}"
            ),
            "mend or move the file, and trace it again".to_owned(),
        ),
        (None, None) => (
            TraceState::NotSeen,
            format!("not seen anywhere: the ledger does not know it; {queue}; {letters}"),
            "check SOURCE and ID; ask the publisher whether SNS confirmed it".to_owned(),
        ),
    };
    Conclusion {
        state,
        text,
        next_step: if may_be_dead {
            SEARCH.to_owned()
        } else {
            next_step
        },
    }
}

/// What the dead letters say, and whether it may be one that was not seen.
fn letters_in_words(letters: &Letters) -> (String, bool) {
    match letters {
        Letters::NotSearched(Ok(0)) => ("there are no dead letters".to_owned(), false),
        Letters::NotSearched(Ok(number)) => (
            format!("{} in the dead-letter queue, not searched", are(*number)),
            true,
        ),
        Letters::Searched {
            seen,
            is_complete: true,
            ..
        } => (format!("it is not among {}", dead_letters(*seen)), false),
        Letters::Searched { seen, .. } => (
            format!(
                "it is not among the first {}; more were not seen",
                dead_letters(*seen)
            ),
            false,
        ),
        Letters::NotSearched(Err(why)) | Letters::Failed(why) => (
            format!("the dead letters could not be searched: {why}"),
            false,
        ),
    }
}

fn newest(letters: &[Letter]) -> Option<&Letter> {
    letters.iter().max_by_key(|letter| letter.sent_at)
}

fn dead_letters(number: usize) -> String {
    in_words(number as u64, "dead letter")
}

/// `1 message is`, `12 messages are`
fn are(number: u64) -> String {
    format!("{} {}", messages_in_words(number), is_or_are(number))
}

/// To the second, UTC.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests;
