//! Reads log lines: a few pages of each function's log, all functions at once.
//!
//! Invariant: at most [`PAGES_MAX`] pages of a log are read, each with a limit of its own, and none is begun after
//! [`PAGING_LIMIT`]. What was not read for that is said, and read next. The calls of one connection keep the pace that an
//! account allows.

use backon::{BackoffBuilder as _, ExponentialBuilder};
use chrono::{DateTime, SecondsFormat, Utc};
use futures::future::join_all;
use serde_json::json;
use tokio::time::{Duration, Instant, sleep, timeout_at};

use super::function::LogFunction;
use super::line::LogLine;
use super::tail::{FunctionTail, LogTail, Page};
use crate::aws_call::{AwsCall, Form};
use crate::{Attempt, Pipeline, PipelineError, PipelineErrorKind};

const LOGS: &str = "logs";
/// Prefix of the target of CloudWatch Logs.
const LOGS_TARGET: &str = "Logs_20140328";
/// What reading a log needs.
pub(crate) const FILTER_LOG_EVENTS: &str = "logs:FilterLogEvents";
/// Lines of a page. CloudWatch returns up to 10,000 (API reference, "FilterLogEvents").
const LINES_PER_PAGE: usize = 2_500;
/// Pages of one log that one read reads at most.
const PAGES_MAX: usize = 4;
/// Bytes of a page: CloudWatch returns up to 1 MB of lines, whose quotes are escaped in the answer.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of lines after which one read begins no further page of a log.
const READ_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Time after which one read begins no further page.
const PAGING_LIMIT: Duration = Duration::from_secs(4);

/// Least time between two calls: an account may make five a second in most regions (CloudWatch Logs quotas), and others
/// read logs too.
const SPACING: Duration = Duration::from_millis(250);
/// Waits after a call that CloudWatch could not answer for now; no longer than [`PAGING_LIMIT`] together.
const PATIENCE: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(250))
    .with_factor(2.0)
    .with_max_times(4)
    .with_jitter();

/// How much one read may ask.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Time after which it begins no further call.
    paging: Duration,
    spacing: Duration,
    patience: ExponentialBuilder,
}

/// What one read brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRead {
    /// The new lines, by time.
    pub lines: Vec<LogLine>,
    /// Where to read on.
    pub next: LogTail,
    /// The logs that may have more lines than were read: the next read goes on there.
    pub behind: Vec<LogFunction>,
    /// The logs that could not be read; the others were. One that is behind too is read on by the next read.
    pub unread: Vec<LogFault>,
}

impl LogRead {
    /// Whether CloudWatch kept a log from being read on for now, so that it is not to be asked again at once.
    #[must_use]
    pub fn is_held_up(&self) -> bool {
        self.unread.iter().any(|fault| self.is_behind(fault))
    }

    /// Whether the log of a fault is read on by the next read.
    #[must_use]
    pub fn is_behind(&self, fault: &LogFault) -> bool {
        self.behind.contains(&fault.function)
    }
}

/// A log that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFault {
    /// Whose it is.
    pub function: LogFunction,
    /// Why.
    pub error: PipelineError,
}

/// What was read of one log.
struct FunctionRead {
    next: FunctionTail,
    lines: Vec<LogLine>,
    is_behind: bool,
    error: Option<PipelineError>,
}

impl FunctionRead {
    const fn begin(next: FunctionTail) -> Self {
        Self {
            next,
            lines: Vec::new(),
            is_behind: false,
            error: None,
        }
    }

    /// Takes a page. Returns how many bytes of lines it had.
    fn take(&mut self, page: Page) -> usize {
        let (events, is_more) = self.next.take(page, LINES_PER_PAGE);
        let bytes = events.iter().map(|event| event.message.len()).sum();
        let function = self.next.function;
        self.lines.extend(events.into_iter().filter_map(|event| {
            let at = DateTime::from_timestamp_millis(event.timestamp)?;
            Some(LogLine::parse(function, at, &event.message))
        }));
        self.is_behind = is_more;
        bytes
    }

    /// The log could not be read on. It stays where it is where another call may be answered, also one without a token
    /// that was refused; otherwise it is asked again by those that read it from time to time.
    fn fail(&mut self, error: PipelineError, now: DateTime<Utc>) {
        let is_refused = error.kind == PipelineErrorKind::Refused
            && !error.is_passing()
            && !error.is_without_access();
        let dropped = is_refused.then(|| self.next.drop_token(now)).flatten();
        self.is_behind = error.is_passing() || dropped.is_some();
        self.error = Some(match dropped {
            Some(from) => {
                let from = from.to_rfc3339_opts(SecondsFormat::Secs, true);
                error.with_remark(&format!("it is read again from {from} on"))
            }
            None => error,
        });
    }
}

impl Pipeline {
    /// Reads the lines after those that were read last.
    ///
    /// # Errors
    /// When no log could be read, and none is to be read on.
    pub async fn read_logs(&self, tail: &LogTail) -> Result<LogRead, PipelineError> {
        // An emulator has no quota.
        let is_local = self.environment().is_loopback();
        let limits = Limits {
            paging: PAGING_LIMIT,
            spacing: if is_local { Duration::ZERO } else { SPACING },
            patience: PATIENCE,
        };
        self.read_logs_within(tail, limits).await
    }

    async fn read_logs_within(
        &self,
        tail: &LogTail,
        limits: Limits,
    ) -> Result<LogRead, PipelineError> {
        let until = Instant::now() + limits.paging;
        let reads = tail
            .functions
            .iter()
            .map(|function| self.read_log(function.clone(), tail, limits, until));
        let mut read = LogRead {
            lines: Vec::new(),
            next: LogTail {
                functions: Vec::new(),
                ..tail.clone()
            },
            behind: Vec::new(),
            unread: Vec::new(),
        };
        for of_function in join_all(reads).await {
            let FunctionRead {
                next,
                mut lines,
                is_behind,
                error,
            } = of_function;
            let function = next.function;
            read.lines.append(&mut lines);
            read.behind.extend(is_behind.then_some(function));
            let fault = error.map(|error| LogFault { function, error });
            read.unread.extend(fault);
            read.next.functions.push(next);
        }
        // Stable: lines of one millisecond stay in the order of their log.
        read.lines.sort_by_key(|line| line.at);
        let is_nothing_read = read.unread.len() == tail.functions.len()
            && read.lines.is_empty()
            && read.behind.is_empty();
        match read.unread.first() {
            Some(first) if is_nothing_read => Err(first.error.clone()),
            Some(_) | None => Ok(read),
        }
    }

    async fn read_log(
        &self,
        next: FunctionTail,
        tail: &LogTail,
        limits: Limits,
        until: Instant,
    ) -> FunctionRead {
        let mut read = FunctionRead::begin(next);
        let mut bytes = 0;
        for _ in 0..PAGES_MAX {
            match self.page_in_time(&read.next, tail, limits, until).await {
                Ok(Some(page)) => bytes += read.take(page),
                Ok(None) => {
                    read.is_behind = true;
                    break;
                }
                Err(error) => {
                    read.fail(error, Utc::now());
                    break;
                }
            }
            if !read.is_behind || bytes >= READ_BYTES_MAX || Instant::now() >= until {
                break;
            }
        }
        read
    }

    /// A page, for which CloudWatch is asked again while it cannot answer for now; `None` where no call could begin in
    /// time.
    async fn page_in_time(
        &self,
        from: &FunctionTail,
        tail: &LogTail,
        limits: Limits,
        until: Instant,
    ) -> Result<Option<Page>, PipelineError> {
        let mut waits = limits.patience.build();
        let mut last = None;
        loop {
            let turn = self.log_pace().turn(limits.spacing);
            if timeout_at(until, turn).await.is_err() {
                return last.map_or(Ok(None), Err);
            }
            let error = match self.log_page(from, tail, LINES_PER_PAGE).await {
                Err(error) if error.is_passing() => error,
                answer => return answer.map(Some),
            };
            let wait = waits.next().unwrap_or(Duration::MAX);
            if until.saturating_duration_since(Instant::now()) <= wait {
                return Err(error);
            }
            last = Some(error);
            sleep(wait).await;
        }
    }

    /// One call, for at most so many lines.
    async fn log_page(
        &self,
        from: &FunctionTail,
        tail: &LogTail,
        lines_max: usize,
    ) -> Result<Page, PipelineError> {
        let group = from.function.log_group(self.environment())?;
        let operation = format!("read the log group {group}");
        let attempt = Attempt::start(operation, self.aws_address(LOGS));
        let mut body = json!({
            "logGroupName": group,
            "startTime": from.from_ms,
            "limit": lines_max,
        });
        let pattern = tail.text.as_ref().map(|text| format!("\"{text}\""));
        let more = [
            ("endTime", tail.until_ms.map(|until| json!(until))),
            ("filterPattern", pattern.map(|pattern| json!(pattern))),
            (
                "nextToken",
                from.next_token.as_ref().map(|token| json!(token)),
            ),
        ];
        for (name, value) in more {
            if let (Some(value), Some(members)) = (value, body.as_object_mut()) {
                members.insert(name.to_owned(), value);
            }
        }
        let call = AwsCall {
            service: LOGS,
            operation: "FilterLogEvents",
        };
        let form = Form::Json(LOGS_TARGET, body);
        let answer = self.aws_call_up_to(call, form, PAGE_BYTES_MAX).await;
        let text = answer.map_err(|error| explained(error, &attempt))?;
        serde_json::from_str(&text).map_err(|error| attempt.refused(error.to_string()))
    }

    /// Asks for one line of the ingest's log, to see whether it can be read.
    pub(crate) async fn probe_logs(&self) -> Result<(), PipelineError> {
        let tail = LogTail::since(&[LogFunction::Ingest], Utc::now());
        for from in &tail.functions {
            self.log_page(from, &tail, 1).await?;
        }
        Ok(())
    }
}

/// The error under the name of the log, with the permission where that is missing.
fn explained(error: PipelineError, attempt: &Attempt) -> PipelineError {
    if error.is_denied() {
        return attempt.denied(&error.cause, Some(FILTER_LOG_EVENTS));
    }
    if error.cause.contains("ResourceNotFoundException") {
        return attempt.refused(&error.cause).with_hint(
            "its function has not logged yet, or has another name: the log groups are those of ingest_function in the \
             environment's entry",
        );
    }
    error
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::environment::Environment;

    const LIMITS: Limits = Limits {
        paging: PAGING_LIMIT,
        spacing: Duration::ZERO,
        patience: ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(1))
            .with_max_times(2),
    };

    /// The body of the next request on a connection.
    async fn question(client: &mut TcpStream) -> Value {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let (_, length) = head.split_once("content-length: ").unwrap();
        let length = length.lines().next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        client.read_exact(&mut body).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// CloudWatch Logs, which gives one answer after the other, and the last one again and again.
    async fn service(answers: Vec<(u16, Value)>) -> (Pipeline, Arc<Mutex<Vec<Value>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let environment = Environment {
            endpoint_url: Some(format!("http://{}", listener.local_addr().unwrap())),
            ingest_function: Some("e-ingest".to_owned()),
            ..Environment::example()
        };
        let asked = Arc::new(Mutex::new(Vec::new()));
        let questions = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut number = 0;
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let question = question(&mut client).await;
                questions.lock().unwrap().push(question);
                let (status, body) = answers.get(number).or(answers.last()).unwrap();
                number += 1;
                let body = body.to_string();
                let answer = format!(
                    "HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                client.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (Pipeline::connect(&environment).unwrap(), asked)
    }

    fn error(code: &str) -> (u16, Value) {
        (400, json!({"__type": code, "message": "no"}))
    }

    fn page(at_ms: i64, next_token: Option<&str>) -> (u16, Value) {
        let event = json!({"timestamp": at_ms, "message": "a line", "eventId": at_ms.to_string()});
        (200, json!({"events": [event], "nextToken": next_token}))
    }

    fn ingest() -> LogTail {
        LogTail::since(&[LogFunction::Ingest], DateTime::UNIX_EPOCH)
    }

    #[tokio::test]
    async fn throttled_call_and_one_that_failed_are_made_again_and_the_read_goes_on() {
        let failed = (503, json!({"__type": "ServiceUnavailableException"}));
        let answers = vec![
            page(20_000, Some("t")),
            error("ThrottlingException"),
            failed,
            page(30_000, None),
        ];
        let (pipeline, asked) = service(answers).await;
        let read = pipeline.read_logs_within(&ingest(), LIMITS).await.unwrap();
        assert_eq!((read.lines.len(), read.unread.len()), (2, 0));
        assert!(read.behind.is_empty());
        let asked = asked.lock().unwrap();
        let tokens: Vec<_> = asked
            .iter()
            .map(|question| &question["nextToken"])
            .collect();
        assert_eq!(
            tokens,
            [&Value::Null, &json!("t"), &json!("t"), &json!("t")]
        );
    }

    #[tokio::test]
    async fn log_that_is_throttled_for_long_stays_behind_with_its_token() {
        let answers = vec![page(20_000, Some("t")), error("ThrottlingException")];
        let (pipeline, asked) = service(answers).await;
        let read = pipeline.read_logs_within(&ingest(), LIMITS).await.unwrap();
        assert_eq!(read.behind, [LogFunction::Ingest]);
        assert!(read.is_held_up());
        let error = &read.unread[0].error;
        assert!(error.cause.contains("ThrottlingException"), "{error}");
        assert_eq!(asked.lock().unwrap().len(), 4, "two more than the first");
        // Where nothing came at all, it is no failure either.
        let read = pipeline.read_logs_within(&read.next, LIMITS).await.unwrap();
        assert!(read.lines.is_empty() && read.is_held_up());
        assert_eq!(asked.lock().unwrap().last().unwrap()["nextToken"], "t");
    }

    #[tokio::test]
    async fn refusal_of_a_token_drops_it_and_one_of_a_call_without_is_final() {
        let answers = vec![page(20_000, Some("t")), error("InvalidParameterException")];
        let (pipeline, asked) = service(answers).await;
        let read = pipeline.read_logs_within(&ingest(), LIMITS).await.unwrap();
        assert_eq!(read.behind, [LogFunction::Ingest]);
        let fault = &read.unread[0].error;
        assert!(
            fault.cause.contains("read again from 1970-01-01T00:00:10Z"),
            "{fault}"
        );
        let again = pipeline.read_logs_within(&read.next, LIMITS).await;
        assert_eq!(again.unwrap_err().kind, PipelineErrorKind::Refused);
        let asked = asked.lock().unwrap();
        let last = asked.last().unwrap();
        assert_eq!(
            (&last["nextToken"], &last["startTime"]),
            (&Value::Null, &json!(10_000))
        );
    }

    /// The logs of three functions, and a pace that allows one call.
    #[tokio::test]
    async fn calls_keep_one_pace_and_what_has_no_turn_is_read_next() {
        let (pipeline, asked) = service(vec![page(20_000, None)]).await;
        let limits = Limits {
            paging: Duration::from_millis(50),
            spacing: Duration::from_secs(3_600),
            ..LIMITS
        };
        let tail = LogTail::since(&LogFunction::ALL, DateTime::UNIX_EPOCH);
        let read = pipeline.read_logs_within(&tail, limits).await.unwrap();
        assert_eq!(asked.lock().unwrap().len(), 1);
        assert_eq!((read.lines.len(), read.behind.len()), (1, 2));
        assert!(!read.is_held_up(), "nothing has failed");
    }
}
