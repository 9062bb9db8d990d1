//! Runs a journal to its end and shows the progress.
//!
//! Invariant: a first signal ends it between two batches, a second one at once; both leave a journal
//! to resume and an end in the audit log. What it waits for is shown, with the time that is left.

use std::convert::Infallible;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use indicatif::ProgressBar;
use tokio::sync::watch;
use uuid::Uuid;

use crate::cli::confirm::can_ask;
use crate::cli::redrive::arguments::RedriveOptions;
use crate::cli::redrive::outcome::Outcome;
use crate::cli::{CommandError, Interrupt, Session, progress};
use crate::text::{in_words, messages_in_words, span_secs};
use pipeline::model::DeadLetter;
use pipeline::{Hidden, printable};
use redrive::{
    Control, Counts, Journal, Kind, Pause, RedriveError, RunCommand, RunOptions, State, Wait,
    operations,
};

/// A wait that is shorter is not worth a note.
const NOTE_AFTER: Duration = Duration::from_secs(2);
/// Between two notes of the time that is left of a wait.
const REMIND_EVERY: Duration = Duration::from_secs(10);
/// How long the end of a redrive that is stopped at once may take until it is on record.
const STOP_LIMIT: Duration = Duration::from_secs(5);

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
    let (id, kind, total) = (plan.id, plan.kind(), plan.entries.len() as u64);
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
        "{kind} {id} of {}; `redrive pause {id}` and `redrive cancel {id}` control it",
        messages_in_words(total)
    ));
    let bar = progress::bar(total, kind.as_str());
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
    let waits = show_waits(session, &control);
    let stopped = stopped_for(&control, STOP_LIMIT);
    tokio::pin!(running, pauses, waits, stopped);
    let end = loop {
        tokio::select! {
            end = &mut running => break end?,
            never = &mut pauses => match never {},
            never = &mut waits => match never {},
            () = &mut stopped => {
                session.output.note("the audit log has no end of it");
                return Err(CommandError::Interrupted);
            }
            Ok(()) = counts.changed() => show(&bar, *counts.borrow_and_update()),
            () = interrupt.received() => {
                on_signal(session, (id, kind), &control, is_interrupted);
                is_interrupted = true;
            }
        }
    };
    bar.finish_and_clear();
    let has_ledger = session.pipeline.has_ledger();
    let mut outcome = Outcome::of(&end.report, &path, settings.proves && has_ledger);
    outcome.is_interrupted = is_interrupted;
    if let Some(RedriveError::Interrupted { others }) = &end.error
        && let Some(note) = hidden_others(*others)
    {
        session.output.note(&note);
    }
    outcome.failure = end
        .error
        .filter(|error| !matches!(error, RedriveError::Interrupted { .. }));
    Ok(outcome)
}

/// A first signal ends the redrive between two batches, a second one at once.
fn on_signal(session: &Session, (id, kind): (Uuid, Kind), control: &Control, is_second: bool) {
    if !is_second {
        let note = "interrupted: the running batches are finished";
        session.output.note(note);
        control.cancel();
        return;
    }
    session.output.note(&match kind {
        Kind::Redrive => format!(
            "stopped at once: messages that it received stay hidden for up to 5 min, or until \
             `redrive resume {id}`, which settles what was being sent"
        ),
        Kind::Replay => {
            format!("stopped at once: `redrive resume {id}` settles what was being sent")
        }
    });
    control.stop();
}

/// `up to 12 other messages stay hidden until 14:05 UTC`
fn hidden_others(others: Hidden) -> Option<String> {
    let until = others.until.filter(|_| others.messages_max > 0)?;
    let others = in_words(others.messages_max as u64, "other message");
    let until = until.format("%H:%M UTC");
    Some(format!("up to {others} stay hidden until {until}"))
}

/// Ends when a redrive was stopped at once and did not end within a limit.
async fn stopped_for(control: &Control, limit: Duration) {
    control.stopped().await;
    tokio::time::sleep(limit).await;
}

/// Shows what the redrive waits for, and again how long at most.
async fn show_waits(session: &Session, control: &Control) -> Infallible {
    let mut waits = control.waits();
    let mut after = NOTE_AFTER;
    loop {
        let wait = *waits.borrow_and_update();
        let note = async {
            match wait {
                Some(wait) => {
                    tokio::time::sleep(after).await;
                    wait
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = waits.changed() => match changed {
                Ok(()) => after = NOTE_AFTER,
                // The control is here, so this cannot be.
                Err(_) => std::future::pending::<()>().await,
            },
            wait = note => {
                session.output.note(&waiting(wait, Utc::now()));
                after = REMIND_EVERY;
            }
        }
    }
}

/// `waiting for 3 messages that others may have received, 4 min 58 s at most`: SQS does not say which
/// these are.
fn waiting(wait: Wait, now: DateTime<Utc>) -> String {
    let left = (wait.until() - now).num_seconds().max(0);
    let left = span_secs(u64::try_from(left).unwrap_or(0));
    match wait {
        Wait::Messages { missing, .. } => format!(
            "waiting for {} that others may have received, {left} at most",
            messages_in_words(missing as u64)
        ),
        Wait::Proof { is_last, .. } => format!(
            "waiting until the events that were sent are stored or fail again, {left} at most{}",
            if is_last { "; then it ends" } else { "" }
        ),
    }
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
            RunCommand::Pause(why) if is_attended || why.own().is_none() => {
                output.note(&printable(&match why {
                    Pause::Redrive(why) => format!("paused: {why}"),
                    Pause::Operator | Pause::OtherProcess => why.to_string(),
                }));
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
    bar.set_position(counts.sent() as u64);
    bar.set_message(counts_in_words(counts));
}

fn counts_in_words(counts: Counts) -> String {
    let mut text = format!(
        "sent {}, stored {}, failed again {}, not sent {}",
        counts.sent(),
        counts.stored,
        counts.dead_again,
        counts.not_sent
    );
    if counts.unknown > 0 {
        text.push_str(&format!(", may have been sent {}", counts.unknown));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_what_was_sent_and_not_what_may_have_been() {
        let bar = ProgressBar::hidden();
        let counts = Counts {
            moved: 40,
            unknown: 35,
            ..Counts::default()
        };
        show(&bar, counts);
        assert_eq!(bar.position(), 40);
        assert!(counts_in_words(counts).ends_with("may have been sent 35"));
    }

    #[test]
    fn other_messages_that_stay_hidden_are_counted() {
        let others = |messages_max| Hidden {
            messages_max,
            until: Some(DateTime::UNIX_EPOCH + chrono::Duration::minutes(845)),
        };
        let expected = "up to 1200 other messages stay hidden until 14:05 UTC";
        assert_eq!(hidden_others(others(1_200)).as_deref(), Some(expected));
        assert_eq!(hidden_others(others(0)), None);
    }

    #[test]
    fn wait_is_shown_with_the_time_that_is_left() {
        let now = DateTime::UNIX_EPOCH;
        let until = now + chrono::Duration::seconds(298);
        let text = waiting(Wait::Messages { missing: 3, until }, now);
        let expected = "waiting for 3 messages that others may have received, 4 min 58 s at most";
        assert_eq!(text, expected);
        let proof = |is_last| waiting(Wait::Proof { until, is_last }, until);
        assert!(proof(false).ends_with("0 s at most"));
        assert!(proof(true).ends_with("0 s at most; then it ends"));
    }
}
