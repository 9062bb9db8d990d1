//! The journal of a redrive, run to its end under the eyes of somebody.
//!
//! Invariant: a signal or an order ends it between two batches; what is told is what the journal
//! says.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::FutureExt as _;
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::sync::watch;
use uuid::Uuid;

use crate::cli::selection::by_verdict;
use crate::cli::{CommandError, Exit, Interrupt, Session, progress};
use crate::text::messages_in_words;
use pipeline::model::DeadLetter;
use pipeline::printable;
use redrive::fact::{Ending, Proof};
use redrive::{
    Control, ControlFile, Counts, Journal, MessageOutcome, MessageReport, PAUSED_BY_REQUEST, Plan,
    Report, RunCommand, RunOptions, State, run,
};

/// How a journal is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Messages per second at most, in place of the plan's.
    pub(crate) rate: Option<f64>,
    /// Whether the events are looked up afterwards.
    pub(crate) proves: bool,
    /// How long a search waits for messages that somebody holds.
    pub(crate) patience: Duration,
    /// Whether somebody is there to decide what follows a pause.
    pub(crate) is_attended: bool,
}

/// What a run did.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    id: Option<Uuid>,
    journal: Option<PathBuf>,
    state: &'static str,
    selected: usize,
    moved: usize,
    sent_not_deleted: usize,
    unknown: usize,
    not_sent: usize,
    skipped: usize,
    waiting: usize,
    stored: usize,
    dead_again: usize,
    unproved: Option<usize>,
    truncated: bool,
    errors: Vec<MessageError>,
    #[serde(skip)]
    skipped_in_words: String,
    #[serde(skip)]
    moved_ids: HashSet<String>,
    #[serde(skip)]
    is_interrupted: bool,
    /// Why it stopped before its end.
    #[serde(skip)]
    failure: Option<CommandError>,
}

#[derive(Debug, Serialize)]
struct MessageError {
    message_id: String,
    error: String,
}

/// Runs a journal. `messages` are held by the caller and stay the caller's to give back.
pub(crate) async fn carry_out(
    session: &Session,
    journal: (Journal, State),
    messages: &[DeadLetter],
    settings: Settings,
    interrupt: &mut Interrupt,
) -> Result<Outcome, CommandError> {
    let path = journal.0.path().to_owned();
    let plan = journal.1.plan();
    let (id, total) = (plan.id, plan.entries.len());
    let control = Control::new(settings.rate.or(plan.rate_per_sec));
    let (sender, mut counts) = watch::channel(journal.1.counts());
    let defaults = RunOptions::default();
    let options = RunOptions {
        search_patience: settings.patience,
        prove_limit: if settings.proves {
            defaults.prove_limit
        } else {
            Duration::ZERO
        },
        ..defaults
    };
    let control_file = ControlFile::beside(&path);
    control_file.clear();
    session.output.note(&format!(
        "redrive {id} of {}; `redrive pause {id}` and `redrive cancel {id}` steer it",
        messages_in_words(total as u64)
    ));
    let bar = progress::bar(total as u64, "redrive");
    // A signal may have come while nobody listened; then no batch is begun.
    let mut is_interrupted = interrupt.received().now_or_never().is_some();
    if is_interrupted {
        control.cancel();
    }
    let running = run(
        &session.pipeline,
        journal,
        messages,
        &control,
        &options,
        sender,
    );
    let beside = async {
        tokio::join!(
            control_file.obey(&control),
            watch_pauses(session, id, &control, &control_file, settings.is_attended),
        )
    };
    tokio::pin!(running, beside);
    let ended = loop {
        tokio::select! {
            ended = &mut running => break ended,
            _ = &mut beside => {}
            Ok(()) = counts.changed() => show(&bar, *counts.borrow_and_update()),
            () = interrupt.received() => {
                if is_interrupted {
                    session.output.note(&format!(
                        "left at once: `redrive resume {id}` settles what was under way"
                    ));
                    control_file.clear();
                    return Err(CommandError::Interrupted);
                }
                is_interrupted = true;
                session.output.note("interrupted: the running batches are brought to their end");
                control.cancel();
            }
        }
    };
    bar.finish_and_clear();
    control_file.clear();
    let (report, failure) = match ended {
        Ok(report) => (report, None),
        Err(error) => (Report::of(&Journal::read(&path)?), Some(error.into())),
    };
    let has_ledger = session.pipeline.environment().database_url.is_some();
    Ok(Outcome {
        is_interrupted,
        failure,
        ..Outcome::of(report, &path, settings.proves && has_ledger)
    })
}

/// Tells pauses as they come. Where nobody is there to decide, one that the redrive took by itself
/// ends it.
async fn watch_pauses(
    session: &Session,
    id: Uuid,
    control: &Control,
    control_file: &ControlFile,
    is_attended: bool,
) {
    loop {
        let command = control
            .wait_for(|command| *command != RunCommand::Run)
            .await;
        let RunCommand::Pause(why) = command else {
            // Cancelled for good.
            return;
        };
        let is_ordered = why == PAUSED_BY_REQUEST;
        let note = |what: &str| session.output.note(&printable(&format!("{what}: {why}")));
        if !is_ordered && !is_attended {
            note("stopped");
            control.cancel();
            return;
        }
        note("paused");
        session.output.note(&format!(
            "  from another terminal: `redrive resume {id}` goes on, `redrive cancel {id}` ends it"
        ));
        control_file.tell_pause(Some(&why));
        let paused = RunCommand::Pause(why.clone());
        let next = control.wait_for(|command| *command != paused).await;
        control_file.tell_pause(None);
        if next == RunCommand::Run {
            session.output.note("goes on");
        }
    }
}

fn show(bar: &ProgressBar, counts: Counts) {
    bar.set_position(counts.done() as u64);
    bar.set_message(format!(
        "moved {}, stored {}, dead again {}, not sent {}",
        counts.moved, counts.stored, counts.dead_again, counts.not_sent
    ));
}

impl Outcome {
    /// What a journal tells; `proves` where the ledger was to be asked.
    pub(crate) fn of(report: Report, path: &Path, proves: bool) -> Self {
        let counts = report.counts;
        let is_sent = |message: &MessageReport| {
            matches!(
                message.outcome,
                MessageOutcome::Moved | MessageOutcome::SentNotDeleted
            )
        };
        let unproved = report
            .messages
            .iter()
            .filter(|message| is_sent(message) && message.proof.is_none())
            .count();
        let moved = report
            .messages
            .iter()
            .filter(|message| message.outcome == MessageOutcome::Moved);
        Self {
            id: Some(report.id),
            journal: Some(path.to_owned()),
            state: state_of(report.ending),
            selected: report.planned,
            moved: counts.moved,
            sent_not_deleted: counts.sent_not_deleted,
            unknown: counts.unknown + counts.intended,
            not_sent: counts.not_sent,
            waiting: counts.waiting,
            stored: counts.stored,
            dead_again: counts.dead_again,
            unproved: proves.then_some(unproved),
            moved_ids: moved.map(|message| message.message_id.clone()).collect(),
            errors: report
                .messages
                .iter()
                .filter_map(MessageError::of)
                .collect(),
            ..Self::default()
        }
    }

    /// Nothing was planned, so nothing was run.
    pub(crate) fn nothing(selected: usize, plan: &Plan, truncated: bool) -> Self {
        let nothing = Self {
            state: state_of(Some(Ending::Finished)),
            truncated,
            ..Self::default()
        };
        Self {
            selected,
            ..nothing.with_skipped(plan)
        }
    }

    /// Adds the messages that the plan left out.
    pub(crate) fn with_skipped(mut self, plan: &Plan) -> Self {
        self.skipped = plan.skipped.len();
        self.selected += self.skipped;
        self.skipped_in_words = by_verdict(plan.skipped.iter().map(|message| message.verdict));
        self
    }

    /// Adds messages that were named and not found.
    pub(crate) fn with_missing(mut self, missing: Vec<String>) -> Self {
        self.errors
            .extend(missing.into_iter().map(|message_id| MessageError {
                message_id,
                error: "not among the dead letters, or held by somebody else".to_owned(),
            }));
        self
    }

    pub(crate) fn with_truncation(mut self, truncated: bool) -> Self {
        self.truncated = truncated;
        self
    }

    /// Messages that are out of the dead-letter queue.
    pub(crate) fn moved_ids(&self) -> impl Iterator<Item = &str> {
        self.moved_ids.iter().map(String::as_str)
    }

    /// Says what was done. `exit` is how the command ends if all went as it should.
    pub(crate) fn tell(self, session: &Session, exit: Exit) -> Result<Exit, CommandError> {
        for error in &self.errors {
            let told = format!("{}: {}", error.message_id, error.error);
            session.output.note(&printable(&told));
        }
        if session.output.is_json() {
            session.output.json(&self)?;
        } else {
            session.output.text(&self.in_words())?;
        }
        let is_open = self.waiting + self.not_sent + self.unknown + self.sent_not_deleted > 0;
        if let Some(id) = self.id.filter(|_| is_open) {
            session.output.note(&format!(
                "not everything was moved: `redrive resume {id}` goes on"
            ));
        }
        let is_as_asked =
            self.errors.is_empty() && self.waiting == 0 && self.unproved.is_none_or(|n| n == 0);
        if self.is_interrupted {
            return Ok(Exit::Interrupted);
        }
        if let Some(error) = self.failure {
            return Err(error);
        }
        Ok(if is_as_asked { exit } else { Exit::Failed })
    }

    fn in_words(&self) -> String {
        let mut text = format!(
            "selected {}, moved {}, sent but not deleted {}, may have been sent {}, not sent {}, \
             skipped {}",
            self.selected,
            self.moved,
            self.sent_not_deleted,
            self.unknown,
            self.not_sent,
            self.skipped
        );
        if self.skipped > 0 {
            text.push_str(&format!(" ({})", self.skipped_in_words));
        }
        if self.waiting > 0 {
            text.push_str(&format!(", had no turn {}", self.waiting));
        }
        if let Some(unproved) = self.unproved {
            text.push_str(&format!(
                "; stored {}, dead again {}, not proved {unproved}",
                self.stored, self.dead_again
            ));
        }
        text.push('\n');
        text
    }
}

impl MessageError {
    fn of(message: &MessageReport) -> Option<Self> {
        let cause = message.cause.as_deref().unwrap_or("no reason is known");
        let error = match (&message.outcome, &message.proof) {
            (_, Some(Proof::DeadAgain { message_id, reason })) => format!(
                "dead again as {message_id}: {}",
                reason.as_deref().unwrap_or("without a reason")
            ),
            (MessageOutcome::NotSent, _) => format!("not sent: {cause}"),
            (MessageOutcome::Unknown, _) => {
                format!("may have been sent, and stays here too: {cause}")
            }
            (MessageOutcome::SentNotDeleted, _) => format!("sent, but not deleted: {cause}"),
            (MessageOutcome::Waiting | MessageOutcome::Moved, _) => return None,
        };
        Some(Self {
            message_id: message.message_id.clone(),
            error,
        })
    }
}

/// The word for how a redrive ended that does not run.
pub(crate) const fn state_of(ending: Option<Ending>) -> &'static str {
    match ending {
        Some(Ending::Finished) => "finished",
        Some(Ending::Cancelled) => "cancelled",
        None => "interrupted",
    }
}
