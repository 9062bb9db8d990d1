//! Runs a journal to its end and shows the progress.
//!
//! Invariant: a first signal ends it between two batches, a second one at once; both leave a journal
//! to resume.

use std::convert::Infallible;
use std::time::Duration;

use futures::FutureExt as _;
use indicatif::ProgressBar;
use tokio::sync::watch;
use uuid::Uuid;

use crate::cli::confirm::can_ask;
use crate::cli::redrive::arguments::RedriveOptions;
use crate::cli::redrive::outcome::Outcome;
use crate::cli::{CommandError, Interrupt, Session, progress};
use crate::text::messages_in_words;
use pipeline::model::DeadLetter;
use pipeline::printable;
use redrive::{
    Control, Counts, Journal, PAUSED_BY_REQUEST, RunCommand, RunOptions, State, operations,
};

/// How a journal is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Messages per second at most, in place of the plan's.
    rate: Option<f64>,
    /// Whether the events are looked up afterwards.
    proves: bool,
    /// How long a search waits for messages that other consumers received.
    patience: Duration,
    /// Whether an operator is there to decide what follows a pause.
    is_attended: bool,
}

impl Settings {
    pub(crate) fn of(options: RedriveOptions, patience: Duration) -> Self {
        Self {
            rate: options.rate,
            proves: !options.no_proof,
            patience,
            is_attended: !options.yes && can_ask(),
        }
    }
}

/// Runs a journal. `messages` were received by the caller, who also releases them.
pub(crate) async fn execute(
    session: &Session,
    journal: (Journal, State),
    messages: &[DeadLetter],
    settings: Settings,
    interrupt: &mut Interrupt,
) -> Result<Outcome, CommandError> {
    let path = journal.0.path().to_owned();
    let plan = journal.1.plan();
    let (id, total) = (plan.id, plan.entries.len() as u64);
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
    session.output.note(&format!(
        "redrive {id} of {}; `redrive pause {id}` and `redrive cancel {id}` control it",
        messages_in_words(total)
    ));
    let bar = progress::bar(total, "redrive");
    // A signal may have come before this listened; then no batch is begun.
    let mut is_interrupted =
        interrupt.cancellation().is_cancelled() || interrupt.received().now_or_never().is_some();
    if is_interrupted {
        control.cancel();
    }
    let running = operations::execute(
        &session.pipeline,
        journal,
        messages,
        &control,
        &options,
        sender,
    );
    let pauses = show_pauses(session, id, &control, settings.is_attended);
    tokio::pin!(running, pauses);
    let end = loop {
        tokio::select! {
            end = &mut running => break end?,
            never = &mut pauses => match never {},
            Ok(()) = counts.changed() => show(&bar, *counts.borrow_and_update()),
            () = interrupt.received() => {
                if is_interrupted {
                    session.output.note(&format!(
                        "stopped at once: messages that it received stay hidden for up to 5 min; \
                         `redrive resume {id}` settles what was being sent"
                    ));
                    return Err(CommandError::Interrupted);
                }
                is_interrupted = true;
                session.output.note("interrupted: the running batches are finished");
                control.cancel();
            }
        }
    };
    bar.finish_and_clear();
    let has_ledger = session.pipeline.environment().database_url.is_some();
    let mut outcome = Outcome::of(&end.report, &path, settings.proves && has_ledger);
    outcome.is_interrupted = is_interrupted;
    outcome.failure = end.error;
    Ok(outcome)
}

/// Shows pauses as they come. Where no operator can decide, a pause that the redrive took by itself
/// ends it.
async fn show_pauses(
    session: &Session,
    id: Uuid,
    control: &Control,
    is_attended: bool,
) -> Infallible {
    let output = session.output;
    let mut shown = RunCommand::Run;
    loop {
        shown = control.wait_for(|command| *command != shown).await;
        match &shown {
            RunCommand::Run => output.note("continues"),
            RunCommand::Pause(why) if is_attended || why == PAUSED_BY_REQUEST => {
                output.note(&printable(&format!("paused: {why}")));
                output.note(&format!(
                    "  from another terminal: `redrive resume {id}` continues it, `redrive cancel \
                     {id}` ends it"
                ));
            }
            RunCommand::Pause(why) => {
                output.note(&printable(&format!("stopped: {why}")));
                control.cancel();
            }
            RunCommand::Cancel => {}
        }
    }
}

fn show(bar: &ProgressBar, counts: Counts) {
    bar.set_position(counts.done() as u64);
    bar.set_message(format!(
        "moved {}, stored {}, failed again {}, not sent {}",
        counts.moved, counts.stored, counts.dead_again, counts.not_sent
    ));
}
