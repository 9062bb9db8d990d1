//! `dlq redrive`: chosen letters back to the source queue.
//!
//! Invariant: every chosen letter is told with its outcome; whatever was not moved is given back.

use std::collections::HashSet;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use event::Verdict;
use serde::Serialize;

use super::dlq::{SEARCH_MAX, hold, release, remarks};
use super::{CommandError, Exit, Interrupt, RedriveArguments, Session, progress};
use crate::world::observed::{DeadLetter, QueueRole, RedriveOutcome, RedriveReport};
use crate::world::printable;

/// Hold while letters are moved; the redrive prolongs it where it must.
const MOVE_HOLD: Duration = Duration::from_secs(120);
/// Hold while somebody thinks about the question.
const ASK_HOLD: Duration = Duration::from_secs(600);
/// Letters between two looks at whether a signal came.
const STEP: usize = 40;

#[derive(Debug, Default, Serialize)]
struct Report {
    selected: usize,
    moved: usize,
    sent_not_deleted: usize,
    unknown: usize,
    not_sent: usize,
    errors: Vec<LetterError>,
}

#[derive(Debug, Serialize)]
struct LetterError {
    message_id: String,
    error: String,
}

pub(super) async fn run(
    session: &Session,
    arguments: RedriveArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    // Neither a refusal nor a missing answer must cost the letters a receive.
    session.world.permit_write("redrive dead letters")?;
    let asks = !arguments.yes;
    if asks && !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(CommandError::Usage(
            "redrive asks before it moves letters, and there is no terminal to ask on: add --yes"
                .to_owned(),
        ));
    }
    let hold_for = if asks { ASK_HOLD } else { MOVE_HOLD };
    let held = hold(session, SEARCH_MAX, hold_for, interrupt).await?;
    remarks(session, &held);
    let (chosen, others) = choose(held.letters, &arguments);
    release(session, &others).await;
    let missing = missing(&chosen, &arguments.message_ids);
    if asks && !chosen.is_empty() && !confirmed(session, &chosen, interrupt).await? {
        release(session, &chosen).await;
        session.output.note("nothing was moved");
        return Ok(Exit::Failed);
    }
    let (mut report, is_interrupted) = move_all(session, chosen, interrupt).await?;
    report
        .errors
        .extend(missing.into_iter().map(|message_id| LetterError {
            message_id,
            error: "not among the dead letters, or held by somebody else".to_owned(),
        }));
    tell(session, &report)?;
    Ok(if is_interrupted {
        Exit::Interrupted
    } else if report.errors.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn choose(
    letters: Vec<DeadLetter>,
    arguments: &RedriveArguments,
) -> (Vec<DeadLetter>, Vec<DeadLetter>) {
    let ids: HashSet<&str> = arguments.message_ids.iter().map(String::as_str).collect();
    letters.into_iter().partition(|letter| {
        arguments.all
            || arguments
                .code
                .as_ref()
                .is_some_and(|code| letter.cause() == *code)
            || ids.contains(letter.message_id.as_str())
    })
}

fn missing(chosen: &[DeadLetter], message_ids: &[String]) -> Vec<String> {
    message_ids
        .iter()
        .filter(|id| chosen.iter().all(|letter| letter.message_id != **id))
        .cloned()
        .collect()
}

async fn confirmed(
    session: &Session,
    chosen: &[DeadLetter],
    interrupt: &mut Interrupt,
) -> Result<bool, CommandError> {
    let counts: Vec<String> = Verdict::ALL
        .into_iter()
        .filter_map(|verdict| {
            let count = chosen
                .iter()
                .filter(|letter| letter.verdict == verdict)
                .count();
            (count > 0).then(|| format!("{count} {verdict}"))
        })
        .collect();
    let question = format!(
        "redrive {} letters ({}) to {:?} in {:?}? [y/N] ",
        chosen.len(),
        counts.join(", "),
        session.world.queue_name(QueueRole::Source),
        session.world.environment().name,
    );
    let mut stderr = io::stderr();
    let _ = stderr
        .write_all(question.as_bytes())
        .and_then(|()| stderr.flush());
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let answer = tokio::select! {
        answer = answer => answer,
        () = interrupt.received() => {
            session.output.note("");
            release(session, chosen).await;
            return Err(CommandError::Interrupted);
        }
    };
    Ok(matches!(answer, Ok(Ok(line)) if matches!(line.trim(), "y" | "Y" | "yes")))
}

/// Moves step by step. A signal lets the running step end: a batch that is cut off between its
/// send and its delete would leave letters in both queues.
async fn move_all(
    session: &Session,
    chosen: Vec<DeadLetter>,
    interrupt: &mut Interrupt,
) -> Result<(Report, bool), CommandError> {
    let bar = progress::bar(chosen.len() as u64, "redrive");
    let mut report = Report {
        selected: chosen.len(),
        ..Report::default()
    };
    let mut is_interrupted = false;
    let mut rest = chosen.as_slice();
    while !rest.is_empty() && !is_interrupted {
        let (step, later) = rest.split_at(rest.len().min(STEP));
        let moving = session.world.redrive(step.to_vec(), |_| {});
        tokio::pin!(moving);
        let moved = loop {
            tokio::select! {
                moved = &mut moving => break moved,
                () = interrupt.received(), if !is_interrupted => {
                    is_interrupted = true;
                    session.output.note("interrupted: the running batch is brought to its end");
                }
            }
        };
        match moved {
            Ok(moved) => report.add(moved),
            Err(error) => {
                release(session, rest).await;
                return Err(error.into());
            }
        }
        bar.inc(step.len() as u64);
        rest = later;
    }
    bar.finish_and_clear();
    let stay: Vec<DeadLetter> = chosen
        .iter()
        .filter(|letter| {
            report
                .errors
                .iter()
                .any(|error| error.message_id == letter.message_id)
        })
        .chain(rest)
        .cloned()
        .collect();
    release(session, &stay).await;
    Ok((report, is_interrupted))
}

impl Report {
    fn add(&mut self, moved: RedriveReport) {
        self.moved += moved.moved();
        self.sent_not_deleted += moved.sent_not_deleted();
        self.unknown += moved.unknown();
        self.not_sent += moved.not_sent();
        for (message_id, outcome) in moved.outcomes {
            let error = match outcome {
                RedriveOutcome::Moved => continue,
                RedriveOutcome::SentNotDeleted(cause) => format!("sent, but not deleted: {cause}"),
                RedriveOutcome::Unknown(cause) => {
                    format!("may have been sent, and stays here too: {cause}")
                }
                RedriveOutcome::NotSent(cause) => format!("not sent: {cause}"),
            };
            self.errors.push(LetterError { message_id, error });
        }
    }
}

fn tell(session: &Session, report: &Report) -> Result<(), CommandError> {
    for error in &report.errors {
        session.output.note(&printable(&format!(
            "{}: {}",
            error.message_id, error.error
        )));
    }
    if session.output.is_json() {
        return session.output.json(report);
    }
    session.output.text(&format!(
        "selected {}, moved {}, sent but not deleted {}, may have been sent {}, not sent {}\n",
        report.selected, report.moved, report.sent_not_deleted, report.unknown, report.not_sent
    ))
}
