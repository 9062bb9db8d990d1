//! `publish`: validate, then send everything.
//!
//! Invariant: nothing is sent unless every event is valid; what is counted as published was
//! confirmed by the topic.

mod input;

use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use crate::cli::publish::input::{InputFault, Located, UNKNOWN_CODE};
use crate::cli::{CommandError, Exit, Interrupt, PublishArguments, Session, progress};
use pipeline::audit::Operation;
use pipeline::model::Published;
use pipeline::{PipelineError, PlannedChange, WritePermit, printable};

/// Largest input, in bytes.
const INPUT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Messages of one step without a rate: several batches that run at once.
const STEP_MAX: usize = 200;
/// Steps a second with a rate, so that a rate is even and not in bursts.
const STEPS_PER_SECOND: f64 = 10.0;
/// Faults that are listed; the rest is counted.
const FAULTS_SHOWN_MAX: usize = 100;
/// Messages that are named one by one; of more only the number is told.
const MESSAGES_NAMED_MAX: usize = 10;

#[derive(Debug, Default, Serialize)]
struct Report {
    published: usize,
    failed: usize,
    errors: Vec<InputFault>,
    /// What the topic confirmed, where it was to be a few.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<PublishedMessage>>,
    #[serde(skip)]
    is_unreachable: bool,
}

/// A message by which it can be looked up.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct PublishedMessage {
    /// The topic's id; the queue gives the message another one.
    sns_message_id: String,
    /// The event's `id`, if the body has one.
    event_id: Option<String>,
}

impl PublishedMessage {
    fn of(published: Published, body: &str) -> Self {
        Self {
            sns_message_id: published.sns_message_id,
            event_id: event::peek_identity(body).id,
        }
    }

    fn sentence(&self) -> String {
        let event_id = self.event_id.as_deref().unwrap_or("none");
        format!("message {}, event id {event_id}", self.sns_message_id)
    }
}

pub(crate) async fn run(
    session: &Session,
    arguments: &PublishArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let file = arguments.file.to_string_lossy().into_owned();
    // A refusal must not wait for the input.
    session
        .pipeline
        .check_write(&format!("publish to {:?}", session.pipeline.topic_name()))?;
    let text = tokio::select! {
        text = read_input(arguments.file.clone()) => text?,
        () = interrupt.received() => return Err(CommandError::Interrupted),
    };
    let events = if arguments.raw {
        vec![Located {
            line: 1,
            value: text,
        }]
    } else {
        match input::read(&file, &text) {
            Ok(events) => events,
            Err(faults) => return refuse(session, faults),
        }
    };
    let copies = arguments.count.map_or(1, |count| count as usize);
    let permit = session
        .pipeline
        .begin_change(PlannedChange {
            operation: Operation::Publish,
            target: session.pipeline.topic_name().to_owned(),
            planned: events.len() * copies,
            details: json!({ "file": file, "raw": arguments.raw }),
        })
        .await?;
    let mut report = Report {
        messages: (events.len() * copies <= MESSAGES_NAMED_MAX).then(Vec::new),
        ..Report::default()
    };
    let ended = {
        let sending = send(session, &permit, arguments, &file, &events, &mut report);
        tokio::select! {
            result = sending => result,
            () = interrupt.received() => Err(CommandError::Interrupted),
        }
    };
    let is_interrupted = matches!(ended, Err(CommandError::Interrupted));
    let counts = [("published", report.published), ("failed", report.failed)];
    let error = ended.as_ref().err().map(ToString::to_string);
    if let Err(error) = permit.end(counts, error).await {
        session.output.note(&error.to_string());
    }
    if !is_interrupted {
        ended?;
    }
    finish(session, &report)?;
    Ok(if is_interrupted {
        session
            .output
            .note("interrupted: messages of the last step may have been sent as well");
        Exit::Interrupted
    } else if report.failed == 0 {
        Exit::Done
    } else if report.published == 0 && report.is_unreachable {
        Exit::Unreachable
    } else {
        Exit::Failed
    })
}

fn refuse(session: &Session, faults: Vec<InputFault>) -> Result<Exit, CommandError> {
    let report = Report {
        failed: faults.len(),
        errors: faults,
        ..Report::default()
    };
    finish(session, &report)?;
    session.output.note("nothing was sent");
    Ok(Exit::Failed)
}

fn finish(session: &Session, report: &Report) -> Result<(), CommandError> {
    for fault in &report.errors {
        session.output.note(&printable(&fault.sentence()));
    }
    let hidden = report.failed.saturating_sub(report.errors.len());
    if hidden > 0 {
        session.output.note(&format!("and {hidden} more"));
    }
    if session.output.is_json() {
        session.output.json(report)
    } else {
        for message in report.messages.iter().flatten() {
            session.output.note(&printable(&message.sentence()));
        }
        session.output.text(&format!(
            "published {}, failed {}\n",
            report.published, report.failed
        ))
    }
}

async fn send(
    session: &Session,
    permit: &WritePermit,
    arguments: &PublishArguments,
    file: &str,
    events: &[Located<String>],
    report: &mut Report,
) -> Result<(), CommandError> {
    let copies = arguments.count.map_or(1, |count| count as usize);
    let total = events.len() * copies;
    let bar = progress::bar(total as u64, "publish");
    let step = step_size(arguments.rate);
    let started = Instant::now();
    let mut sent = 0;
    while sent < total {
        if let Some(rate) = arguments.rate {
            let due = Duration::try_from_secs_f64(sent as f64 / rate).unwrap_or(Duration::MAX);
            tokio::time::sleep_until(started + due).await;
        }
        let end = (sent + step).min(total);
        let chosen: Vec<&Located<String>> = events
            .iter()
            .cycle()
            .skip(sent % events.len())
            .take(end - sent)
            .collect();
        let bodies = bodies(&chosen, arguments.count.is_some())?;
        let answers = session.pipeline.publish(permit, &bodies).await;
        for ((event, body), answer) in chosen.iter().zip(&bodies).zip(answers) {
            match answer {
                Ok(published) => report.confirm(published, body),
                Err(error) => report.fail(file, event.line, &error),
            }
        }
        bar.set_position(end as u64);
        sent = end;
    }
    bar.finish_and_clear();
    Ok(())
}

impl Report {
    fn confirm(&mut self, published: Published, body: &str) {
        self.published += 1;
        if let Some(messages) = &mut self.messages {
            messages.push(PublishedMessage::of(published, body));
        }
    }

    fn fail(&mut self, file: &str, line: usize, error: &PipelineError) {
        self.failed += 1;
        self.is_unreachable |= error.is_unreachable();
        if self.errors.len() < FAULTS_SHOWN_MAX {
            self.errors.push(InputFault {
                file: file.to_owned(),
                line,
                code: error.may_have_happened().then_some(UNKNOWN_CODE),
                detail: error.to_string(),
                pointer: None,
            });
        }
    }
}

fn step_size(rate: Option<f64>) -> usize {
    match rate {
        // Rates are at most 10,000 a second, so the step is a small whole number.
        Some(rate) => (rate / STEPS_PER_SECOND).ceil().max(1.0) as usize,
        None => STEP_MAX,
    }
}

fn bodies(events: &[&Located<String>], with_new_ids: bool) -> Result<Vec<String>, CommandError> {
    events
        .iter()
        .map(|event| {
            if with_new_ids {
                input::with_new_id(&event.value)
                    .map_err(|error| CommandError::Failed(format!("copy an event: {error}")))
            } else {
                Ok(event.value.clone())
            }
        })
        .collect()
}

async fn read_input(path: std::path::PathBuf) -> Result<String, CommandError> {
    let name = path.display().to_string();
    let read = tokio::task::spawn_blocking(move || read_limited(&path)).await;
    let bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(cause)) => {
            return Err(CommandError::File {
                operation: format!("read {name:?}"),
                cause,
            });
        }
        Err(error) => return Err(CommandError::Failed(format!("read {name:?}: {error}"))),
    };
    String::from_utf8(bytes).map_err(|error| {
        CommandError::Failed(format!(
            "read {name:?}: the bytes at offset {} are no UTF-8, and a topic takes text only",
            error.utf8_error().valid_up_to()
        ))
    })
}

fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let reader: Box<dyn io::Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path)?)
    };
    let mut bytes = Vec::new();
    reader.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        return Err(io::Error::other(format!(
            "it has more than {INPUT_BYTES_MAX} bytes"
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_named_by_its_id_and_the_event_s_if_there_is_one() {
        let sentence = |body: &str| {
            let published = Published {
                sns_message_id: "m-1".to_owned(),
                acknowledged_at: chrono::Utc::now(),
                latency: Duration::ZERO,
            };
            PublishedMessage::of(published, body).sentence()
        };
        assert_eq!(sentence("{\"id\":\"e-1\"}"), "message m-1, event id e-1");
        assert_eq!(sentence("not json"), "message m-1, event id none");
    }

    #[test]
    fn steps_are_small_with_a_rate() {
        assert_eq!(step_size(None), STEP_MAX);
        assert_eq!(step_size(Some(0.5)), 1);
        assert_eq!(step_size(Some(25.0)), 3);
        assert_eq!(step_size(Some(10_000.0)), 1_000);
    }
}
