//! Which dead letters a command is about.
//!
//! Invariant: a message on which a jq program fails is not selected, and is counted.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use clap::Args;
use event::{FailureCode, Verdict};

use super::holding::LeaseSet;
use super::{CommandError, Interrupt, Session};
use pipeline::model::{DeadLetter, RETRIES_EXHAUSTED};
use pipeline::printable;
use redrive::triage::{Program, RunError};

/// Messages by what they are; what is given together must hold together.
#[derive(Clone, Debug, Default, Args)]
pub struct FilterArguments {
    /// Messages with this cause, as `dlq list` shows it
    #[arg(long, value_name = "CODE")]
    pub code: Option<String>,
    /// Messages whose event has this type
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Messages on whose event this jq program gives neither false nor null
    #[arg(long = "where", value_name = "JQ", value_parser = program)]
    pub filter: Option<Arc<Program>>,
}

/// Messages by name, all, or by what they are.
#[derive(Clone, Debug, Default, Args)]
pub struct SelectionArguments {
    /// SQS message ids
    #[arg(value_name = "MESSAGE_ID", conflicts_with_all = ["all", "code", "event_type", "filter"])]
    pub message_ids: Vec<String>,
    /// All messages
    #[arg(long, conflicts_with_all = ["code", "event_type", "filter"])]
    pub all: bool,
    /// See [`FilterArguments`].
    #[command(flatten)]
    pub filter: FilterArguments,
}

/// Arguments of which a selection needs at least one.
pub(super) const SELECTION: [&str; 5] = ["message_ids", "all", "code", "event_type", "filter"];

pub(super) fn program(text: &str) -> Result<Arc<Program>, String> {
    Program::compile(text)
        .map(Arc::new)
        .map_err(|error| error.to_string())
}

impl FilterArguments {
    pub(super) fn is_empty(&self) -> bool {
        self.code.is_none() && self.event_type.is_none() && self.filter.is_none()
    }

    fn selects(&self, message: &DeadLetter) -> Result<bool, RunError> {
        let has_code = self
            .code
            .as_ref()
            .is_none_or(|code| message.cause() == *code);
        let has_type = self.event_type.is_none() || message.identity.event_type == self.event_type;
        if !(has_code && has_type) {
            return Ok(false);
        }
        match &self.filter {
            Some(program) => program.selects(&message.body.text()?),
            None => Ok(true),
        }
    }

    /// `--code not-json --type flight.delayed`
    fn in_words(&self) -> String {
        let mut words = Vec::new();
        if let Some(code) = &self.code {
            words.push(format!("--code {code}"));
        }
        if let Some(event_type) = &self.event_type {
            words.push(format!("--type {event_type}"));
        }
        if let Some(program) = &self.filter {
            words.push(format!("--where {:?}", program.text()));
        }
        words.join(" ")
    }

    /// Refuses a cause that nothing could ever have: it is a slip, not an empty selection.
    pub(super) fn check_code(&self, causes: &BTreeSet<String>) -> Result<(), CommandError> {
        let Some(code) = &self.code else {
            return Ok(());
        };
        let mut known = causes.clone();
        known.extend(FailureCode::ALL.map(|code| code.to_string()));
        known.insert(RETRIES_EXHAUSTED.to_owned());
        if known.contains(code) {
            return Ok(());
        }
        let known: Vec<String> = known.into_iter().collect();
        Err(CommandError::Usage(format!(
            "no dead letter has the cause {code:?}, and it is no failure code; known are {}",
            known.join(", ")
        )))
    }
}

impl From<FilterArguments> for SelectionArguments {
    fn from(filter: FilterArguments) -> Self {
        Self {
            all: filter.is_empty(),
            filter,
            ..Self::default()
        }
    }
}

/// Messages, parted by a selection.
#[derive(Debug, Default)]
pub(super) struct Parted {
    pub(super) chosen: Vec<DeadLetter>,
    pub(super) others: Vec<DeadLetter>,
    /// Those on which the program failed are among the others.
    pub(super) failures: ProgramFailures,
}

/// Messages on which a program failed.
#[derive(Debug, Default)]
pub(super) struct ProgramFailures {
    messages: usize,
    first: Option<String>,
}

impl SelectionArguments {
    fn part(&self, messages: Vec<DeadLetter>) -> Parted {
        let ids: HashSet<&str> = self.message_ids.iter().map(String::as_str).collect();
        let mut parted = Parted::default();
        for message in messages {
            let selected = if ids.is_empty() {
                self.filter.selects(&message)
            } else {
                Ok(ids.contains(message.message_id.as_str()))
            };
            match selected {
                Ok(true) => {
                    parted.chosen.push(message);
                    continue;
                }
                // What is no JSON has nothing that a program could look at.
                Ok(false) | Err(RunError::NotJson) => {}
                Err(error @ (RunError::Failed(_) | RunError::NotOne(_) | RunError::NoBody(_))) => {
                    let first = || format!("{}: {error}", message.message_id);
                    parted.failures.messages += 1;
                    parted.failures.first.get_or_insert_with(first);
                }
            }
            parted.others.push(message);
        }
        parted
    }

    /// Parts messages. A program may take its time: a signal ends the wait, and the messages stay
    /// with whoever holds them.
    pub(super) async fn parted(
        &self,
        messages: Vec<DeadLetter>,
        interrupt: &mut Interrupt,
    ) -> Result<Parted, CommandError> {
        let selection = self.clone();
        aside(move || selection.part(messages), interrupt).await
    }

    /// Takes the messages of the selection and gives the others back.
    pub(super) async fn take(
        &self,
        sweep: &mut LeaseSet<'_>,
        messages_max: usize,
        session: &Session,
        interrupt: &mut Interrupt,
    ) -> Result<Vec<DeadLetter>, CommandError> {
        let messages = sweep.take(messages_max, interrupt).await?;
        let causes = messages.iter().map(DeadLetter::cause).collect();
        let parted = match self.filter.check_code(&causes) {
            Ok(()) => self.parted(messages, interrupt).await,
            Err(error) => Err(error),
        };
        let parted = match parted {
            Ok(parted) => parted,
            Err(error) => {
                sweep.give_back_all().await;
                return Err(error);
            }
        };
        parted.failures.remark(session);
        sweep.give_back(&parted.others).await;
        Ok(parted.chosen)
    }

    /// Message ids that were named and are not among the messages.
    pub(super) fn missing(&self, messages: &[DeadLetter]) -> Vec<String> {
        let found: HashSet<&str> = messages
            .iter()
            .map(|message| message.message_id.as_str())
            .collect();
        let is_missing = |id: &&String| !found.contains(id.as_str());
        self.message_ids
            .iter()
            .filter(is_missing)
            .cloned()
            .collect()
    }

    pub(super) fn names_messages(&self) -> bool {
        !self.message_ids.is_empty()
    }

    /// Where nothing is selected, all is.
    pub(super) fn or_all(mut self) -> Self {
        self.all |= self.message_ids.is_empty() && self.filter.is_empty();
        self
    }

    /// `--all`, `--code not-json`, or how many are named.
    pub(super) fn in_words(&self) -> String {
        if self.names_messages() {
            format!("{} named", self.message_ids.len())
        } else if self.filter.is_empty() {
            "--all".to_owned()
        } else {
            self.filter.in_words()
        }
    }

    /// Says that nothing was selected.
    pub(super) fn nothing_remark(&self, session: &Session) {
        session.output.note(&if self.filter.is_empty() {
            "no dead letter matches".to_owned()
        } else {
            printable(&format!(
                "no dead letter matches {}",
                self.filter.in_words()
            ))
        });
    }
}

impl ProgramFailures {
    pub(super) fn add(&mut self, more: Self) {
        self.messages += more.messages;
        self.first = self.first.take().or(more.first);
    }

    pub(super) fn remark(&self, session: &Session) {
        if let Some(first) = &self.first {
            session.output.note(&printable(&format!(
                "--where failed on {} messages, which are not selected; the first is {first}",
                self.messages
            )));
        }
    }
}

/// Work that takes the processor for a while, away from what waits for the pipeline.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    interrupt: &mut Interrupt,
) -> Result<T, CommandError> {
    tokio::select! {
        done = tokio::task::spawn_blocking(work) => {
            done.map_err(|error| CommandError::Failed(error.to_string()))
        }
        () = interrupt.received() => Err(CommandError::Interrupted),
    }
}

/// `3 ready, 1 still-invalid`
pub(super) fn by_verdict(verdicts: impl Iterator<Item = Verdict> + Clone) -> String {
    let counts: Vec<String> = Verdict::ALL
        .into_iter()
        .filter_map(|verdict| {
            let count = verdicts.clone().filter(|other| *other == verdict).count();
            (count > 0).then(|| format!("{count} {verdict}"))
        })
        .collect();
    counts.join(", ")
}
