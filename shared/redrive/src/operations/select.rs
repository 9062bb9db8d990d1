//! Selects messages on a walk through the whole dead-letter queue, round by round.
//!
//! Invariant: the bodies of one round are read at a time; each message is returned once, and all
//! that were received stay in the set until the caller releases them. A message on which a jq
//! program fails is not selected, and is counted.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use event::FailureCode;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{OnProgress, OperationError, Progress};
use crate::triage::{Interpreter, InterpreterError, Program, RunError};
use pipeline::model::{DeadLetter, QueueRole, RETRIES_EXHAUSTED};
use pipeline::{Hidden, LEASES_MAX, LeaseSet, Pipeline};

/// Visibility timeout of a walk. It is extended while the walk lasts; after a crash the messages
/// stay hidden for as long.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(600);
/// Timeouts that end within this are extended between two rounds. Longer than a round takes, but for
/// its program.
const EXTENDED_BELOW: Duration = Duration::from_secs(60);
/// Limit of a program for the messages of one round.
const PROGRAM_LIMIT: Duration = Duration::from_secs(600);
/// While a program runs, timeouts that end within [`KEPT_BELOW`] are extended this often.
const EXTENSION_INTERVAL: Duration = Duration::from_secs(20);
const KEPT_BELOW: Duration = Duration::from_secs(90);
/// Messages of one round.
const ROUND_MESSAGES_MAX: usize = 1_000;
/// A walk ends at this many times as many messages as there were when it began, and some more:
/// messages are dead-lettered meanwhile, and SQS returns them in no order.
const MESSAGES_PER_MESSAGE_MAX: usize = 2;
/// The number of messages is an approximate one.
const MESSAGES_MORE: usize = 100;
/// Rounds in a row that bring nothing new, after which a walk ends.
const BARREN_ROUNDS_MAX: usize = 3;

/// Which messages: those that are named, else those that match everything that is given.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// SQS message ids; with them the rest is not looked at.
    pub message_ids: Vec<String>,
    /// A cause, see [`DeadLetter::cause`].
    pub code: Option<String>,
    /// A type of event.
    pub event_type: Option<String>,
    /// A jq program that returns neither false nor null.
    pub filter: Option<Arc<Program>>,
}

/// Messages on which a program failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramFailures {
    /// How many.
    pub messages: usize,
    /// The first one and why.
    pub first: Option<String>,
}

#[derive(Default)]
struct Parted {
    chosen: Vec<DeadLetter>,
    others: Vec<String>,
    failures: ProgramFailures,
}

impl Selection {
    /// Whether all messages are meant.
    #[must_use]
    pub fn is_all(&self) -> bool {
        let is_filtered = self.code.is_some() || self.event_type.is_some() || self.filter.is_some();
        !is_filtered && !self.names_messages()
    }

    /// Whether messages are named.
    #[must_use]
    pub fn names_messages(&self) -> bool {
        !self.message_ids.is_empty()
    }

    /// Whether a message that is not named is meant, as far as that shows without the program.
    fn may_select(&self, message: &DeadLetter) -> bool {
        let code = self.code.as_ref();
        let has_code = code.is_none_or(|code| message.cause() == *code);
        has_code && (self.event_type.is_none() || message.identity.event_type == self.event_type)
    }

    fn check_code(&self, causes: &BTreeSet<String>) -> Result<(), OperationError> {
        let Some(code) = &self.code else {
            return Ok(());
        };
        let mut known = causes.clone();
        known.extend(FailureCode::ALL.map(|code| code.to_string()));
        known.insert(RETRIES_EXHAUSTED.to_owned());
        if known.contains(code) {
            return Ok(());
        }
        Err(OperationError::UnknownCode {
            code: code.clone(),
            known: known.into_iter().collect(),
        })
    }
}

/// `--all`, `--code not-json --type flight.delayed`, or how many are named: as the command line has
/// it, and as the audit log shows it.
impl fmt::Display for Selection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names_messages() {
            return write!(formatter, "{} named", self.message_ids.len());
        }
        if self.is_all() {
            return formatter.write_str("--all");
        }
        let code = self.code.as_ref().map(|code| format!("--code {code}"));
        let event_type = self.event_type.as_ref();
        let event_type = event_type.map(|event_type| format!("--type {event_type}"));
        let filter = self.filter.as_ref();
        let filter = filter.map(|program| format!("--where {:?}", program.text()));
        let parts: Vec<String> = [code, event_type, filter].into_iter().flatten().collect();
        formatter.write_str(&parts.join(" "))
    }
}

/// How a walk receives.
#[derive(Clone, Copy, Debug)]
pub struct WalkOptions {
    /// Visibility timeout of the messages.
    pub visibility_timeout: Duration,
    /// Messages to receive at most; absent for the whole queue.
    pub messages_max: Option<usize>,
}

impl Default for WalkOptions {
    fn default() -> Self {
        Self::of(VISIBILITY_TIMEOUT, None)
    }
}

impl WalkOptions {
    /// Options by their parts.
    #[must_use]
    pub const fn of(visibility_timeout: Duration, messages_max: Option<usize>) -> Self {
        Self {
            visibility_timeout,
            messages_max,
        }
    }
}

/// Why a walk did not see all messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncation {
    /// More wait than it was to receive, or than came.
    MoreWait,
    /// It received as many as one set has at most.
    Full,
    /// It received far more than there were at the start: messages are dead-lettered meanwhile.
    Growing {
        /// How many it received.
        received: usize,
    },
}

/// A selection of messages on its way through the queue.
pub struct Walk {
    /// What is selected.
    pub selection: Selection,
    /// The received messages, selected or not.
    pub leases: LeaseSet,
    /// Messages of a FIFO queue that wait behind others of their groups, which are received.
    pub blocked: u64,
    /// Messages on which the program failed.
    pub failures: ProgramFailures,
    /// Why the ledger did not answer; `ready` may then be `already-stored`.
    pub ledger_error: Option<String>,
    pipeline: Pipeline,
    /// Runs the program of the selection.
    interpreter: Option<Interpreter<bool>>,
    cancel: CancellationToken,
    on_progress: Option<OnProgress>,
    options: WalkOptions,
    messages_max: usize,
    /// How many there were at the start.
    waiting: usize,
    received: usize,
    barren_rounds: usize,
    more_wait: bool,
    others: Vec<String>,
    causes: BTreeSet<String>,
    missing: HashSet<String>,
}

impl Walk {
    /// Begins; nothing is received yet.
    ///
    /// # Errors
    /// When the queue does not answer, or when it is cancelled.
    pub async fn begin(
        pipeline: &Pipeline,
        selection: Selection,
        options: WalkOptions,
        cancel: CancellationToken,
        on_progress: OnProgress,
    ) -> Result<Self, OperationError> {
        let depth = pipeline.queue_depth(QueueRole::DeadLetter);
        let depth = cancel.run_until_cancelled(depth).await;
        let depth = depth.ok_or(OperationError::Cancelled)??;
        Ok(Self {
            pipeline: pipeline.clone(),
            leases: LeaseSet::new(pipeline, options.visibility_timeout),
            cancel,
            on_progress: Some(on_progress),
            options,
            messages_max: options
                .messages_max
                .unwrap_or_else(|| messages_max(depth.visible)),
            waiting: usize::try_from(depth.visible).unwrap_or(usize::MAX),
            received: 0,
            barren_rounds: 0,
            more_wait: true,
            others: Vec::new(),
            causes: BTreeSet::new(),
            missing: selection.message_ids.iter().cloned().collect(),
            blocked: 0,
            failures: ProgramFailures::default(),
            ledger_error: None,
            interpreter: match &selection.filter {
                Some(program) if !selection.names_messages() => {
                    Some(Interpreter::selecting(program))
                }
                Some(_) | None => None,
            },
            selection,
        })
    }

    /// The selected messages of one more round, which may be none; `None` when there are no more.
    ///
    /// # Errors
    /// When the queue does not answer, when it is cancelled, and, at the end, when no message could
    /// have the selected cause.
    pub async fn next(&mut self) -> Result<Option<Vec<DeadLetter>>, OperationError> {
        let wanted = self.messages_max.saturating_sub(self.received);
        let wanted = wanted.min(ROUND_MESSAGES_MAX);
        let is_all_found = self.selection.names_messages() && self.missing.is_empty();
        let is_over = wanted == 0 || is_all_found || self.barren_rounds >= BARREN_ROUNDS_MAX;
        if is_over || !self.more_wait {
            return self.end().await.map(|()| None);
        }
        let extending = self.leases.extend_all(EXTENDED_BELOW);
        let extended = self.cancel.run_until_cancelled(extending).await;
        if let Err(error) = extended.ok_or(OperationError::Cancelled)? {
            tracing::warn!(%error, "messages are not extended, and may come again");
        }
        let round = self.leases.receive(wanted, &self.cancel).await?;
        let round = round.ok_or(OperationError::Cancelled)?;
        self.more_wait = round.is_truncated;
        self.ledger_error = self.ledger_error.take().or(round.ledger_error);
        let messages = round.messages;
        self.barren_rounds = match messages.is_empty() {
            true => self.barren_rounds + 1,
            false => 0,
        };
        self.received += messages.len();
        if let Some(on_progress) = &self.on_progress {
            on_progress(Progress {
                done: self.received,
                total: self.waiting.max(self.received),
            });
        }
        if self.selection.code.is_some() {
            self.causes.extend(messages.iter().map(DeadLetter::cause));
        }
        let cancel = self.cancel.clone();
        let parted = cancel.run_until_cancelled(self.part(messages)).await;
        let parted = parted.ok_or(OperationError::Cancelled)??;
        self.failures.messages += parted.failures.messages;
        self.failures.first = self.failures.first.take().or(parted.failures.first);
        self.others.extend(parted.others);
        for message in &parted.chosen {
            self.missing.remove(&message.message_id);
        }
        Ok(Some(parted.chosen))
    }

    async fn part(&mut self, messages: Vec<DeadLetter>) -> Result<Parted, OperationError> {
        let selection = &self.selection;
        let named = selection.message_ids.iter().map(String::as_str);
        let named: HashSet<&str> = named.collect();
        let is_possible = |message: &DeadLetter| match selection.names_messages() {
            true => named.contains(message.message_id.as_str()),
            false => selection.may_select(message),
        };
        let (possible, others): (Vec<_>, Vec<_>) = messages.into_iter().partition(is_possible);
        let mut parted = Parted {
            others: others.into_iter().map(|other| other.message_id).collect(),
            ..Parted::default()
        };
        let Some(interpreter) = &mut self.interpreter else {
            parted.chosen = possible;
            return Ok(parted);
        };
        let bodies = possible.iter().map(|message| message.body.clone());
        let running = timeout(PROGRAM_LIMIT, interpreter.run(bodies.collect()));
        let answers = tokio::select! {
            answers = running => answers.map_err(|_| InterpreterError::TooSlow(PROGRAM_LIMIT))??,
            never = self.leases.keep(EXTENSION_INTERVAL, KEPT_BELOW) => match never {},
        };
        for (message, answer) in possible.into_iter().zip(answers) {
            match answer {
                Ok(true) => {
                    parted.chosen.push(message);
                    continue;
                }
                // What is no JSON has nothing that a program could look at.
                Ok(false) | Err(RunError::NotJson) => {}
                Err(error) => {
                    let first = || format!("{}: {error}", message.message_id);
                    parted.failures.messages += 1;
                    parted.failures.first.get_or_insert_with(first);
                }
            }
            parted.others.push(message.message_id);
        }
        Ok(parted)
    }

    async fn end(&mut self) -> Result<(), OperationError> {
        self.on_progress = None;
        self.selection.check_code(&self.causes)?;
        // A FIFO queue returns nothing of a group of which somebody has received a message.
        let queue = self.pipeline.queue_name(QueueRole::DeadLetter);
        if queue.ends_with(".fifo") && self.options.messages_max.is_none() {
            let depth = self.pipeline.queue_depth(QueueRole::DeadLetter).await?;
            self.blocked = depth.visible;
        }
        Ok(())
    }

    /// Named messages that did not come, in the order of the selection.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let named = self.selection.message_ids.iter();
        let is_missing = |id: &&String| self.missing.contains(*id);
        named.filter(is_missing).cloned().collect()
    }

    /// Why messages wait that were not seen, although all were asked for.
    #[must_use]
    pub fn truncation(&self) -> Option<Truncation> {
        let is_limited = self.options.messages_max.is_some();
        if self.selection.names_messages() || !(self.more_wait || self.blocked > 0) {
            None
        } else if self.received >= LEASES_MAX {
            Some(Truncation::Full)
        } else if self.received >= self.messages_max && !is_limited {
            let received = self.received;
            Some(Truncation::Growing { received })
        } else {
            Some(Truncation::MoreWait)
        }
    }
}

/// The rest of a walk: all selected messages, oldest first. The others are released; returns those
/// of them that may stay hidden.
///
/// # Errors
/// See [`Walk::next`].
pub async fn select(walk: &mut Walk) -> Result<(Vec<DeadLetter>, Hidden), OperationError> {
    let mut messages = Vec::new();
    while let Some(round) = walk.next().await? {
        messages.extend(round);
    }
    for message in &mut messages {
        // One that was received again has another handle since.
        if let Some((receipt_handle, hidden_until)) = walk.leases.newest(&message.message_id) {
            message.receipt_handle = receipt_handle;
            message.hidden_until = hidden_until;
        }
    }
    messages.sort_by(|a, b| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
    let others = std::mem::take(&mut walk.others);
    let hidden = walk.leases.release(others.iter().map(String::as_str)).await;
    Ok((messages, hidden))
}

fn messages_max(waiting: u64) -> usize {
    usize::try_from(waiting)
        .unwrap_or(LEASES_MAX)
        .saturating_mul(MESSAGES_PER_MESSAGE_MAX)
        .saturating_add(MESSAGES_MORE)
        .min(LEASES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walk_through_a_queue_that_is_being_filled_has_an_end() {
        assert_eq!(messages_max(0), 100);
        assert_eq!(messages_max(10), 120);
        assert_eq!(messages_max(80_000), LEASES_MAX);
        assert_eq!(messages_max(u64::MAX), LEASES_MAX);
    }

    #[test]
    fn selection_reads_as_it_was_written() {
        let program = Program::compile(".a == 1").unwrap();
        let both = Selection {
            code: Some("not-json".to_owned()),
            event_type: Some("flight.delayed".to_owned()),
            filter: Some(Arc::new(program)),
            ..Selection::default()
        };
        let written = "--code not-json --type flight.delayed --where \".a == 1\"";
        assert_eq!(both.to_string(), written);
        assert_eq!(Selection::default().to_string(), "--all");
        let named = Selection {
            message_ids: vec!["a".to_owned(), "b".to_owned()],
            ..Selection::default()
        };
        assert_eq!(named.to_string(), "2 named");
    }

    #[test]
    fn code_that_nothing_could_have_is_a_slip() {
        let of = |code: &str| Selection {
            code: Some(code.to_owned()),
            ..Selection::default()
        };
        let seen = BTreeSet::from(["timeout".to_owned()]);
        for code in ["timeout", "not-json", RETRIES_EXHAUSTED] {
            assert!(of(code).check_code(&seen).is_ok(), "{code}");
        }
        let error = of("not-jsn").check_code(&seen).unwrap_err().to_string();
        assert!(
            error.contains("\"not-jsn\"") && error.contains("timeout"),
            "{error}"
        );
    }
}
