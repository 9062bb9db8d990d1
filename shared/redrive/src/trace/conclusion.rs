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
mod tests {
    use proptest::option::weighted;
    use proptest::prelude::*;

    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000 + secs, 0).unwrap()
    }

    fn letter(verdict: Verdict) -> Letter {
        Letter {
            message_id: "m1".to_owned(),
            sent_at: at(5),
            is_moved: verdict == Verdict::Ready,
            reason: "missing-attribute: \"time\" is required".to_owned(),
            verdict,
            request_id: None,
        }
    }

    fn searched(found: Vec<Letter>) -> Letters {
        Letters::Searched {
            seen: 3,
            found,
            is_complete: true,
        }
    }

    fn evidence() -> Evidence {
        Evidence {
            ledger: Ledger::Never,
            letters: searched(Vec::new()),
            queue: Ok(0),
            sent_at: None,
            deleted: None,
            unread: None,
        }
    }

    fn of(change: impl FnOnce(&mut Evidence)) -> Conclusion {
        let mut evidence = evidence();
        change(&mut evidence);
        conclude(&evidence, "demo")
    }

    #[test]
    fn each_state_is_one_sentence_with_its_next_step() {
        let record = Ledger::Record {
            record_id: RecordId(7),
            ingested_at: at(9),
        };
        let cases = [
            of(|evidence| evidence.ledger = record.clone()),
            of(|evidence| {
                evidence.ledger = record.clone();
                evidence.letters = searched(vec![letter(Verdict::AlreadyStored)]);
            }),
            of(|evidence| evidence.ledger = Ledger::Gone(RecordId(7))),
            of(|evidence| evidence.letters = searched(vec![letter(Verdict::Ready)])),
            of(|evidence| evidence.letters = searched(vec![letter(Verdict::StillInvalid)])),
            of(|evidence| {
                evidence.sent_at = Some(at(1));
                evidence.queue = Ok(12);
            }),
            of(|evidence| evidence.sent_at = Some(at(1))),
            of(|evidence| {
                evidence.sent_at = Some(at(1));
                evidence.deleted = Some((at(2), "q.jsonl".to_owned()));
            }),
            of(|_| {}),
            of(|evidence| {
                evidence.letters = Letters::NotSearched(Ok(37));
                evidence.queue = Ok(1);
            }),
            of(|evidence| evidence.unread = Some("journal: damaged".to_owned())),
            of(|evidence| {
                evidence.unread = Some("journal: damaged".to_owned());
                evidence.sent_at = Some(at(1));
            }),
            of(|evidence| evidence.letters = Letters::Failed("no answer".to_owned())),
            of(|evidence| evidence.queue = Err("no answer".to_owned())),
            of(|evidence| evidence.ledger = Ledger::Unknown("refused".to_owned())),
            of(|evidence| {
                evidence.ledger = Ledger::Unknown("refused".to_owned());
                evidence.letters = searched(vec![letter(Verdict::Ready)]);
            }),
        ];
        let lines = cases.iter().map(|case| {
            let Conclusion {
                state,
                text,
                next_step,
            } = case;
            format!("{}: {text}\n  {next_step}", state.as_str())
        });
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines.join("\n"), EXPECTED.trim());
    }

    const EXPECTED: &str = r#"
stored: stored once, as record 7 at 2026-11-18T11:06:49Z
  nothing is to be done
stored: stored once, as record 7 at 2026-11-18T11:06:49Z; a dead letter has the same identity
  compare it with the record, then delete it: opsconsole --env demo dlq show m1
gone: it was stored as record 7, and the record is gone: erased, or expired with its partition
  see the erasures of this machine: opsconsole --env demo audit
dead: dead, first sent at 2026-11-18T11:06:45Z: missing-attribute: "time" is required; the ingest would take it now
  redrive it: opsconsole --env demo dlq redrive m1
dead: dead, since 2026-11-18T11:06:45Z: missing-attribute: "time" is required; the ingest would refuse it again
  mend it and redrive it: opsconsole --env demo redrive run m1 --patch PROGRAM
waiting: it has no record yet: it was sent at 2026-11-18T11:06:41Z, 12 messages are in the queue, and one may be it; it is not among 3 dead letters
  see whether the ingest keeps up: opsconsole --env demo status
not-stored: it has no record: it was sent at 2026-11-18T11:06:41Z; the queue is empty; it is not among 3 dead letters
  balance the hops: opsconsole --env demo account --since 24h
not-stored: it has no record: a dead letter of it was deleted at 2026-11-18T11:06:42Z; the queue is empty; it is not among 3 dead letters
  its copy is in q.jsonl; publish it again, mended where it has to be
not-seen: not seen anywhere: the ledger does not know it; the queue is empty; it is not among 3 dead letters
  check SOURCE and ID; ask the publisher whether SNS confirmed it
not-seen: not seen anywhere: the ledger does not know it; 1 message is in the queue, which cannot be searched; 37 messages are in the dead-letter queue, not searched
  search the dead letters too, which receives them: --search-dead-letters, or key d on the screen
unknown: it has no record; whether this machine sent it could not be read: journal: damaged; the queue is empty; it is not among 3 dead letters
  mend or move the file, and trace it again
not-stored: it has no record: it was sent at 2026-11-18T11:06:41Z; the queue is empty; it is not among 3 dead letters
  balance the hops: opsconsole --env demo account --since 24h
unknown: it has no record; whether it is dead could not be read: no answer
  make the queues reachable, and trace it again
unknown: it has no record; whether it waits in the queue could not be read: no answer
  make the queues reachable, and trace it again
unknown: whether it has a record could not be read: refused
  make the database or the API reachable, and trace it again
unknown: a dead letter of it is there, first sent at 2026-11-18T11:06:45Z (missing-attribute: "time" is required); whether it has a record could not be read: refused
  make the database or the API reachable, and trace it again
"#;

    fn ledgers() -> impl Strategy<Value = Ledger> {
        prop_oneof![
            (1_i64..9, 0_i64..99).prop_map(|(id, secs)| Ledger::Record {
                record_id: RecordId(id),
                ingested_at: at(secs),
            }),
            (1_i64..9).prop_map(|id| Ledger::Gone(RecordId(id))),
            Just(Ledger::Never),
            Just(Ledger::Unknown("why".to_owned())),
        ]
    }

    fn letters() -> impl Strategy<Value = Letters> {
        let found = proptest::sample::subsequence(Verdict::ALL.to_vec(), 0..=2);
        prop_oneof![
            (0_u64..3).prop_map(|number| Letters::NotSearched(Ok(number))),
            Just(Letters::NotSearched(Err("why".to_owned()))),
            Just(Letters::Failed("why".to_owned())),
            (found, any::<bool>()).prop_map(|(verdicts, is_complete)| Letters::Searched {
                found: verdicts.into_iter().map(letter).collect(),
                seen: 3,
                is_complete,
            }),
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_called_stored_that_the_ledger_does_not_know(
            ledger in ledgers(),
            letters in letters(),
            queue in prop_oneof![(0_u64..3).prop_map(Ok), Just(Err("why".to_owned()))],
            sent_at in weighted(0.3, (0_i64..99).prop_map(at)),
            deleted in weighted(0.3, (0_i64..99).prop_map(|secs| (at(secs), "f".to_owned()))),
            unread in weighted(0.7, Just("why".to_owned())),
        ) {
            let evidence = Evidence { ledger, letters, queue, sent_at, deleted, unread };
            let Conclusion { state, text, next_step } = conclude(&evidence, "demo");
            let is_known = matches!(evidence.ledger, Ledger::Record { .. } | Ledger::Gone(_));
            prop_assert_eq!(
                matches!(state, TraceState::Stored | TraceState::Gone),
                is_known
            );
            prop_assert_eq!(text.contains("stored"), is_known, "{}", text);
            prop_assert_eq!(
                state == TraceState::Stored,
                matches!(evidence.ledger, Ledger::Record { .. })
            );
            if matches!(evidence.ledger, Ledger::Unknown(_)) {
                prop_assert_eq!(state, TraceState::Unknown);
            }
            if evidence.unread.is_some() {
                prop_assert_ne!(state, TraceState::NotSeen);
            }
            prop_assert!(!next_step.is_empty() && !text.contains('\n'));
        }
    }
}
