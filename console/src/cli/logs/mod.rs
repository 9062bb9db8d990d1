//! `logs`: what the functions wrote.
//!
//! Invariant: what was not read is said on standard error, and a log that could not be read changes the exit code.

pub(crate) mod arguments;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use event::EventKey;
use pipeline::logs::{
    LineKind, LogFault, LogFilter, LogFunction, LogLevel, LogLine, LogRead, LogSearch, LogTail,
};
use pipeline::{PipelineErrorKind, printable};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use self::arguments::LogsArguments;
use super::{CommandError, Exit, Interrupt, Output, Session};

/// Bytes of lines that are kept before they are shown.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Time after which a log that is not followed is read no further.
const TIME_MAX: Duration = Duration::from_secs(120);
/// Between two reads of a log that is followed, or that CloudWatch does not answer for now. An account may call
/// `FilterLogEvents` five times a second in most regions (CloudWatch Logs quotas), and three logs are read.
const PERIOD: Duration = Duration::from_secs(5);
/// The same on this machine.
const LOCAL_PERIOD: Duration = Duration::from_secs(1);

pub(super) async fn run(
    session: &Session,
    arguments: LogsArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let follows = arguments.follow;
    let mut reading = Reading::new(session, arguments);
    let work = async {
        if follows {
            reading.follow().await
        } else {
            reading.once().await
        }
    };
    tokio::select! {
        result = work => result,
        () = interrupt.received() => Err(CommandError::Interrupted),
    }
}

struct Reading<'a> {
    session: &'a Session,
    output: Output,
    search: LogSearch,
    tail: LogTail,
    arguments: LogsArguments,
    /// The logs that could not be read when they were read last.
    unread: Vec<LogFunction>,
    exit: Exit,
}

/// What one read brought.
struct Part {
    /// The lines that are wanted.
    lines: Vec<LogLine>,
    /// The logs that have more.
    behind: Vec<LogFunction>,
    /// Whether one of them cannot be read on at once.
    is_held_up: bool,
}

impl<'a> Reading<'a> {
    fn new(session: &'a Session, arguments: LogsArguments) -> Self {
        let functions = match arguments.function.as_slice() {
            [] => &LogFunction::ALL,
            chosen => chosen,
        };
        let mut tail = LogTail::since(functions, arguments.since);
        if let Some(id) = &arguments.request_id {
            tail = tail.of_request(id);
        }
        let texts = [&arguments.text, &arguments.request_id];
        let filter = LogFilter {
            level: arguments.level,
            texts: texts.into_iter().flatten().cloned().collect(),
            ..LogFilter::default()
        };
        Self {
            session,
            output: session.output,
            search: LogSearch::new(filter),
            tail,
            arguments,
            unread: Vec::new(),
            exit: Exit::Done,
        }
    }

    /// The lines until now, in the order of their times.
    async fn once(&mut self) -> Result<Exit, CommandError> {
        let limit = usize::try_from(self.arguments.limit).unwrap_or(usize::MAX);
        let mut lines: Vec<LogLine> = Vec::new();
        let mut bytes = 0;
        let begun = Instant::now();
        let unfinished = loop {
            let part = self.read().await?;
            let behind = part.behind;
            let read = part.lines.iter();
            bytes += read.map(|line| line.text.len()).sum::<usize>();
            lines.extend(part.lines);
            if behind.is_empty() || lines.len() > limit || bytes > BYTES_MAX {
                break behind;
            }
            self.tail = self.tail.clone().only(&behind);
            if begun.elapsed() >= TIME_MAX {
                self.note_late();
                break behind;
            }
            if part.is_held_up {
                tokio::time::sleep(self.period()).await;
            }
        };
        // Each log is read in pages of its own.
        lines.sort_by_key(|line| line.at);
        if !unfinished.is_empty() {
            keep_complete(&mut lines, self.tail.clone().only(&unfinished).reached());
        }
        let is_limited = lines.len() > limit || bytes > BYTES_MAX;
        lines.truncate(limit);
        if self.output.is_json() {
            let lines: Vec<LineJson<'_>> = lines.iter().map(LineJson::of).collect();
            self.output.json(&lines)?;
        } else {
            self.output
                .text(&lines.iter().map(text).collect::<String>())?;
        }
        if is_limited && let Some(last) = lines.last() {
            self.output.note(&format!(
                "{} lines, until {}; what was written after that is left out: choose a later --since or a larger --limit",
                lines.len(),
                moment(last.at)
            ));
        }
        match &self.arguments.request_id {
            Some(id) if lines.is_empty() => {
                let since = moment(self.arguments.since);
                let part = if self.exit == Exit::Done {
                    ""
                } else {
                    " of what was read"
                };
                let note = format!("no line{part} since {since} has the request {id}");
                self.output.note(&note);
                Ok(self.exit.max(Exit::Failed))
            }
            Some(_) | None => Ok(self.exit),
        }
    }

    /// Not all was read, and what is left out is not known.
    fn note_late(&mut self) {
        let reached = self.tail.reached().map(moment);
        let reached = reached.map_or_else(String::new, |reached| format!(" until {reached}"));
        self.output.note(&format!(
            "read{reached}, for {} s; what was written after that is left out: choose a later --since",
            TIME_MAX.as_secs()
        ));
        self.exit = self.exit.max(Exit::Failed);
    }

    /// New lines as they come, until a signal or until nobody reads them.
    async fn follow(&mut self) -> Result<Exit, CommandError> {
        let mut is_connected = false;
        loop {
            let goes_on = match self.read().await {
                Ok(part) => {
                    is_connected = true;
                    for line in &part.lines {
                        self.show(line)?;
                    }
                    !part.behind.is_empty() && !part.is_held_up
                }
                // What was reached before may be reached again.
                Err(CommandError::Pipeline(error)) if is_connected && error.is_unreachable() => {
                    self.output
                        .note(&printable(&format!("{error}; asks again")));
                    false
                }
                Err(error) => return Err(error),
            };
            if !goes_on {
                tokio::time::sleep(self.period()).await;
            }
        }
    }

    fn period(&self) -> Duration {
        let is_local = self.session.pipeline.environment().is_loopback();
        if is_local { LOCAL_PERIOD } else { PERIOD }
    }

    fn show(&self, line: &LogLine) -> Result<(), CommandError> {
        if self.output.is_json() {
            self.output.json(&LineJson::of(line))
        } else {
            self.output.text(&text(line))
        }
    }

    async fn read(&mut self) -> Result<Part, CommandError> {
        let read = self.session.pipeline.read_logs(&self.tail).await?;
        let is_held_up = read.is_held_up();
        self.note_unread(&read);
        let LogRead {
            lines,
            next,
            behind,
            unread,
        } = read;
        self.tail = next;
        self.unread = unread.iter().map(|fault| fault.function).collect();
        let search = &mut self.search;
        let wanted = lines.into_iter().filter(|line| search.takes(line));
        Ok(Part {
            lines: wanted.collect(),
            behind,
            is_held_up,
        })
    }

    /// Says once which logs are not read, or not for now.
    fn note_unread(&mut self, read: &LogRead) {
        for fault in &read.unread {
            let is_read_on = read.is_behind(fault);
            if !is_read_on {
                self.note_failure(fault);
            }
            if !self.unread.contains(&fault.function) {
                let (what, next) = match is_read_on {
                    true => ("not read on yet", "asks again".to_owned()),
                    false => ("not read", fault.error.hint()),
                };
                let note = format!("{what}: {}; {next}", fault.error);
                self.output.note(&printable(&note));
            }
        }
    }

    fn note_failure(&mut self, fault: &LogFault) {
        // A name that is not known is no failure, unless it is asked for.
        let is_asked_for = self.arguments.function.contains(&fault.function);
        if fault.error.kind != PipelineErrorKind::NotConfigured || is_asked_for {
            self.exit = self.exit.max(Exit::of(fault.error.kind));
        }
    }
}

/// Leaves out lines behind the time until which every log was read: other logs may have lines between them.
fn keep_complete(lines: &mut Vec<LogLine>, reached: Option<DateTime<Utc>>) {
    if let Some(reached) = reached {
        lines.retain(|line| line.at <= reached);
    }
}

/// `2026-11-28T10:00:00.123Z  ingest   warn   batch handled dead_lettered=1  request 5f0c…`
fn text(line: &LogLine) -> String {
    let level = line.level.map_or("-", |level| level.as_str());
    let request = line.request_id.as_ref();
    let request = request.map_or_else(String::new, |id| format!("  request {id}"));
    // It is fit for a terminal.
    let summary = &line.summary;
    let at = moment(line.at);
    format!(
        "{at}  {:<7}  {level:<5}  {summary}{request}\n",
        line.function.as_str()
    )
}

/// To the millisecond, UTC.
fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A line as JSON. The fields are published.
#[derive(Serialize)]
struct LineJson<'a> {
    at: String,
    function: LogFunction,
    kind: LineKind,
    level: Option<LogLevel>,
    request_id: Option<&'a str>,
    event: Option<&'a EventKey>,
    message: &'a str,
    fields: BTreeMap<String, Value>,
    is_cut: bool,
}

impl<'a> LineJson<'a> {
    fn of(line: &'a LogLine) -> Self {
        Self {
            at: moment(line.at),
            function: line.function,
            kind: line.kind,
            level: line.level,
            request_id: line.request_id.as_deref(),
            event: line.event.as_ref(),
            message: &line.message,
            fields: line.fields(),
            is_cut: line.is_cut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<LogLine> {
        let at = DateTime::from_timestamp_millis(1_795_000_000_123).unwrap();
        let parse = |function, written: &str| LogLine::parse(function, at, written);
        vec![
            parse(
                LogFunction::Ingest,
                r#"{"_aws":{},"level":"WARN","message":"batch handled","request_id":"r-1","dead_lettered":1,"stored":0}"#,
            ),
            parse(LogFunction::Ingest, "END RequestId: r-1"),
            parse(LogFunction::Api, "\u{1b}[2J\u{202e}no level"),
            parse(
                LogFunction::Migrate,
                r#"{"level":"INFO","message":"m\u001b[2J","event":{"source":"/s","id":"1"}}"#,
            ),
        ]
    }

    #[test]
    fn line_is_text_that_controls_no_terminal_and_json_with_published_names() {
        insta::assert_snapshot!("logs_text", lines().iter().map(text).collect::<String>());
        let lines = lines();
        let json: Vec<LineJson<'_>> = lines.iter().map(LineJson::of).collect();
        insta::assert_snapshot!("logs_json", serde_json::to_string_pretty(&json).unwrap());
    }

    #[test]
    fn lines_end_where_the_slowest_log_was_read_to() {
        let mut lines = lines();
        let (count, second) = (lines.len(), lines[1].at);
        keep_complete(&mut lines, None);
        assert_eq!(lines.len(), count);
        lines[0].at = second - chrono::Duration::seconds(1);
        lines[2].at = second + chrono::Duration::seconds(1);
        lines.truncate(3);
        keep_complete(&mut lines, Some(second));
        assert_eq!(lines.len(), 2);
    }
}
