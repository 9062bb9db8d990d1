//! `dlq redrive`: chosen letters back to the source queue.
//!
//! Invariant: a letter that would not be stored now is moved only where that was asked for; every
//! selected letter is counted once in the report; whatever was not moved is given back.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use event::{FailureCode, Verdict};
use futures::FutureExt as _;
use serde::Serialize;

use super::dlq::{SEARCH_MAX, hold, release};
use super::{CommandError, Exit, Interrupt, RedriveArguments, Session, progress};
use crate::world::observed::{
    DeadLetter, QueueRole, RETRIES_EXHAUSTED, RedriveOutcome, RedriveReport,
};
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
    skipped: usize,
    truncated: bool,
    errors: Vec<LetterError>,
    #[serde(skip)]
    skipped_in_words: String,
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
    let look = hold(session, SEARCH_MAX, hold_for, interrupt).await?;
    look.remarks(session);
    let is_truncated = look.held.is_truncated;
    let exit_of_look = look.exit(session);
    if let Some(error) = unknown_code(&look.held.letters, &arguments) {
        release(session, &look.held.letters).await;
        return Err(error);
    }
    let selection = select(look.held.letters, &arguments);
    release(session, &selection.others).await;
    release(session, &selection.skipped).await;
    selection.remarks(session, &arguments);
    let chosen = selection.chosen;
    let missing = missing(&chosen, &selection.skipped, &arguments.message_ids);
    if asks && !chosen.is_empty() && !confirmed(session, &chosen, interrupt).await? {
        release(session, &chosen).await;
        session.output.note("nothing was moved");
        return Ok(Exit::Failed);
    }
    let (mut report, is_interrupted) = move_all(session, chosen, interrupt).await?;
    report.selected += selection.skipped.len();
    report.skipped = selection.skipped.len();
    report.skipped_in_words = by_verdict(&selection.skipped);
    report.truncated = is_truncated;
    report
        .errors
        .extend(missing.into_iter().map(|message_id| LetterError {
            message_id,
            error: "not among the dead letters, or held by somebody else".to_owned(),
        }));
    tell(session, &report)?;
    Ok(if is_interrupted {
        Exit::Interrupted
    } else if report.is_as_asked(&arguments) {
        exit_of_look
    } else {
        Exit::Failed
    })
}

/// Refuses a cause that nothing could ever have: it is a slip, not an empty selection.
fn unknown_code(letters: &[DeadLetter], arguments: &RedriveArguments) -> Option<CommandError> {
    let code = arguments.code.as_ref()?;
    let mut known: BTreeSet<String> = letters.iter().map(DeadLetter::cause).collect();
    known.extend(FailureCode::ALL.map(|code| code.to_string()));
    known.insert(RETRIES_EXHAUSTED.to_owned());
    if known.contains(code) {
        return None;
    }
    let known: Vec<String> = known.into_iter().collect();
    Some(CommandError::Usage(format!(
        "no dead letter has the cause {code:?}, and it is no failure code; known are {}",
        known.join(", ")
    )))
}

/// The letters of a look, parted.
struct Selection {
    /// To be moved.
    chosen: Vec<DeadLetter>,
    /// Selected, but left where they are for their verdict.
    skipped: Vec<DeadLetter>,
    others: Vec<DeadLetter>,
}

fn select(letters: Vec<DeadLetter>, arguments: &RedriveArguments) -> Selection {
    let ids: HashSet<&str> = arguments.message_ids.iter().map(String::as_str).collect();
    let (selected, others): (Vec<_>, Vec<_>) = letters.into_iter().partition(|letter| {
        arguments.all
            || arguments
                .code
                .as_ref()
                .is_some_and(|code| letter.cause() == *code)
            || ids.contains(letter.message_id.as_str())
    });
    let (chosen, skipped) = selected
        .into_iter()
        .partition(|letter| arguments.include_not_ready || letter.verdict == Verdict::Ready);
    Selection {
        chosen,
        skipped,
        others,
    }
}

impl Selection {
    /// Says what will not be moved, and why.
    fn remarks(&self, session: &Session, arguments: &RedriveArguments) {
        if !arguments.message_ids.is_empty() {
            for letter in &self.skipped {
                session.output.note(&printable(&format!(
                    "{}: skipped, it is {}",
                    letter.message_id, letter.verdict
                )));
            }
        }
        if !self.skipped.is_empty() {
            session.output.note(&format!(
                "skipped {}: --include-not-ready moves these too",
                by_verdict(&self.skipped)
            ));
        } else if self.chosen.is_empty() {
            session.output.note(&match &arguments.code {
                Some(code) => printable(&format!("no dead letter matches --code {code}")),
                None => "no dead letter matches".to_owned(),
            });
        }
    }
}

/// `3 ready, 1 still-invalid`
fn by_verdict(letters: &[DeadLetter]) -> String {
    let counts: Vec<String> = Verdict::ALL
        .into_iter()
        .filter_map(|verdict| {
            let with_it = letters.iter().filter(|letter| letter.verdict == verdict);
            let count = with_it.count();
            (count > 0).then(|| format!("{count} {verdict}"))
        })
        .collect();
    counts.join(", ")
}

fn missing(chosen: &[DeadLetter], skipped: &[DeadLetter], message_ids: &[String]) -> Vec<String> {
    let selected: HashSet<&str> = chosen
        .iter()
        .chain(skipped)
        .map(|letter| letter.message_id.as_str())
        .collect();
    message_ids
        .iter()
        .filter(|id| !selected.contains(id.as_str()))
        .cloned()
        .collect()
}

async fn confirmed(
    session: &Session,
    chosen: &[DeadLetter],
    interrupt: &mut Interrupt,
) -> Result<bool, CommandError> {
    let question = format!(
        "redrive {} letters ({}) to {:?} in {:?}? [y/N] ",
        chosen.len(),
        by_verdict(chosen),
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
        // A signal may have come while nobody listened; then no step is begun.
        if interrupt.received().now_or_never().is_some() {
            is_interrupted = true;
            session
                .output
                .note("interrupted: the rest stays where it is");
            break;
        }
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
    /// Whether everything that was asked for was done. Skipping is part of what was asked, unless
    /// the letter was named or nothing else was left.
    fn is_as_asked(&self, arguments: &RedriveArguments) -> bool {
        let names_letters = !arguments.message_ids.is_empty();
        let is_whole = names_letters || !self.truncated;
        let is_skipping_right = self.skipped == 0 || (self.moved > 0 && !names_letters);
        // An empty queue is what `--all` wants.
        let is_found = self.selected > 0 || arguments.all;
        self.errors.is_empty() && is_whole && is_skipping_right && is_found
    }

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
    let mut text = format!(
        "selected {}, moved {}, sent but not deleted {}, may have been sent {}, not sent {}, \
         skipped {}",
        report.selected,
        report.moved,
        report.sent_not_deleted,
        report.unknown,
        report.not_sent,
        report.skipped
    );
    if report.skipped > 0 {
        text.push_str(&format!(" ({})", report.skipped_in_words));
    }
    text.push('\n');
    session.output.text(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(message_ids: &[&str], code: Option<&str>) -> RedriveArguments {
        RedriveArguments {
            message_ids: message_ids.iter().map(ToString::to_string).collect(),
            code: code.map(str::to_owned),
            all: message_ids.is_empty() && code.is_none(),
            include_not_ready: false,
            yes: true,
        }
    }

    #[test]
    fn redrive_that_did_less_than_it_was_asked_fails() {
        let report = |selected, moved, skipped, truncated| Report {
            selected,
            moved,
            skipped,
            truncated,
            ..Report::default()
        };
        let all = arguments(&[], None);
        let code = arguments(&[], Some("retries-exhausted"));
        let named = arguments(&["m"], None);
        for (report, arguments, is_as_asked) in [
            (report(2, 2, 0, false), &all, true),
            (report(2, 2, 0, true), &all, false),
            (report(2, 2, 0, true), &code, false),
            (report(2, 2, 0, true), &named, true),
            (report(2, 1, 1, false), &all, true),
            (report(2, 0, 2, false), &all, false),
            (report(2, 1, 1, false), &named, false),
            (report(0, 0, 0, false), &all, true),
            (report(0, 0, 0, false), &code, false),
        ] {
            assert_eq!(report.is_as_asked(arguments), is_as_asked, "{report:?}");
        }
    }
}
