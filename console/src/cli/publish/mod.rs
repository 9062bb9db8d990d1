//! `publish`: validate, then send everything.
//!
//! Invariant: nothing is sent unless every event is valid; what is counted as published was
//! confirmed by the topic.

mod input;

use std::io::{self, Read as _};
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use crate::cli::publish::input::{InputFault, Located, UNKNOWN_CODE};
use crate::cli::{CommandError, Exit, Interrupt, PublishArguments, Session, progress};
use crate::text::messages_in_words;
use pipeline::model::Published;
use pipeline::{PipelineError, Publication, PublicationEnd, printable};

/// Largest input, in bytes.
const INPUT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Faults that are listed; the rest is counted.
const FAULTS_SHOWN_MAX: usize = 100;
/// Messages that are named one by one; of more only the number is shown.
const MESSAGES_NAMED_MAX: usize = 10;
/// What a signal is answered with.
const STOPPING: &str = "interrupted: the step under way is brought to its end";

#[derive(Debug, Default, Serialize)]
struct Report {
    published: usize,
    failed: usize,
    /// Of these, messages without an answer: they may have been published.
    unconfirmed: usize,
    /// Of these, messages of the step that was under way when a signal ended the command.
    #[serde(skip)]
    cut_off: usize,
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
    // Each copy gets an id of its own.
    let is_as_written = !arguments.raw && arguments.count.is_none();
    let conflicts = if is_as_written {
        input::conflicts(&file, &events)
    } else {
        Vec::new()
    };
    if !conflicts.is_empty() {
        return refuse(session, conflicts);
    }
    let total = events.len() * arguments.count.map_or(1, |count| count as usize);
    let mut report = Report {
        messages: (total <= MESSAGES_NAMED_MAX).then(Vec::new),
        ..Report::default()
    };
    let end = publish(
        session,
        arguments,
        &file,
        &events,
        total,
        &mut report,
        interrupt,
    )
    .await?;
    if let Some(error) = &end.audit_error {
        session.output.note(&error.to_string());
    }
    report.count(&end);
    finish(session, &report)?;
    Ok(if end.is_cancelled {
        Exit::Interrupted
    } else if report.failed == 0 {
        Exit::Done
    } else if report.published == 0 && report.is_unreachable {
        Exit::Unreachable
    } else {
        Exit::Failed
    })
}

async fn publish(
    session: &Session,
    arguments: &PublishArguments,
    file: &str,
    events: &[Located<String>],
    total: usize,
    report: &mut Report,
    interrupt: &mut Interrupt,
) -> Result<PublicationEnd, CommandError> {
    let of = |number: usize| events.get(number % events.len().max(1));
    let body = |number: usize| match (of(number), arguments.count) {
        // Every event was parsed, so its copy can be made.
        (Some(event), Some(_)) => input::with_new_id(&event.value).unwrap_or_default(),
        (Some(event), None) => event.value.clone(),
        (None, _) => String::new(),
    };
    let bar = progress::bar(total as u64, "publish");
    let answered = |number: usize, body: &str, answer: Result<Published, PipelineError>| {
        bar.inc(1);
        match answer {
            Ok(published) => report.confirm(published, body),
            Err(error) => report.fail(file, of(number).map_or(1, |event| event.line), &error),
        }
    };
    let publication = Publication {
        messages: total,
        rate_per_sec: arguments.rate,
        details: json!({ "file": file, "raw": arguments.raw }),
    };
    let cancel = interrupt.cancellation();
    let publishing = session
        .pipeline
        .publish(publication, body, answered, &cancel);
    let end = interrupt
        .cancels(session.output, STOPPING, publishing)
        .await;
    bar.finish_and_clear();
    Ok(end?)
}

fn refuse(session: &Session, faults: Vec<InputFault>) -> Result<Exit, CommandError> {
    let report = Report {
        failed: faults.len(),
        errors: faults,
        ..Report::default()
    };
    finish(session, &report)?;
    session.output.note(match report.failed {
        1 => "1 event is invalid, so nothing was sent",
        _ => "events are invalid, so nothing was sent",
    });
    Ok(Exit::Failed)
}

fn finish(session: &Session, report: &Report) -> Result<(), CommandError> {
    for fault in &report.errors {
        session.output.note(&printable(&fault.sentence()));
    }
    let answered = report.failed.saturating_sub(report.cut_off);
    let hidden = answered.saturating_sub(report.errors.len());
    if hidden > 0 {
        session.output.note(&format!("and {hidden} more"));
    }
    if report.cut_off > 0 {
        session.output.note(&format!(
            "no answer was awaited for {} of the last step",
            messages_in_words(report.cut_off as u64)
        ));
    }
    if session.output.is_json() {
        session.output.json(report)
    } else {
        for message in report.messages.iter().flatten() {
            session.output.note(&printable(&message.sentence()));
        }
        session.output.text(&report.in_words())
    }
}

impl Report {
    /// What a signal cut off had no answer either.
    fn count(&mut self, end: &PublicationEnd) {
        self.published = end.published;
        self.failed = end.failed + end.unknown;
        self.unconfirmed = end.unconfirmed + end.unknown;
        self.cut_off = end.unknown;
    }

    fn in_words(&self) -> String {
        let mut text = format!("published {}, failed {}", self.published, self.failed);
        if self.unconfirmed > 0 {
            text.push_str(&format!(", of these {} may be published", self.unconfirmed));
        }
        text.push('\n');
        text
    }

    fn confirm(&mut self, published: Published, body: &str) {
        if let Some(messages) = &mut self.messages {
            messages.push(PublishedMessage::of(published, body));
        }
    }

    fn fail(&mut self, file: &str, line: usize, error: &PipelineError) {
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
    fn messages_without_an_answer_are_among_those_that_failed() {
        let words = |failed, unconfirmed| {
            let report = Report {
                published: 3,
                failed,
                unconfirmed,
                ..Report::default()
            };
            report.in_words()
        };
        assert_eq!(words(2, 0), "published 3, failed 2\n");
        assert_eq!(
            words(2, 1),
            "published 3, failed 2, of these 1 may be published\n"
        );
    }

    #[test]
    fn message_is_named_by_its_id_and_the_event_s_if_there_is_one() {
        let sentence = |body: &str| {
            let published = Published {
                sns_message_id: "m-1".to_owned(),
                acknowledged_at: chrono::Utc::now(),
                latency: std::time::Duration::ZERO,
            };
            PublishedMessage::of(published, body).sentence()
        };
        assert_eq!(sentence("{\"id\":\"e-1\"}"), "message m-1, event id e-1");
        assert_eq!(sentence("not json"), "message m-1, event id none");
    }
}
