//! Reads log lines: a few pages of each function's log, all functions at once.
//!
//! Invariant: at most [`PAGES_MAX`] pages of a log are read, each with a limit of its own, and none is begun after
//! [`PAGING_LIMIT`]. What was not read for that is said, and read next.

use chrono::DateTime;
use futures::future::join_all;
use serde_json::json;
use tokio::time::{Duration, Instant};

use super::function::LogFunction;
use super::line::LogLine;
use super::tail::{FunctionTail, LogTail, Page};
use crate::aws_call::{AwsCall, Form};
use crate::{Attempt, Pipeline, PipelineError};

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

/// What one read brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRead {
    /// The new lines, by time.
    pub lines: Vec<LogLine>,
    /// Where to read on.
    pub next: LogTail,
    /// The logs that have more lines than one read reads.
    pub behind: Vec<LogFunction>,
    /// The logs that could not be read; the others were.
    pub unread: Vec<LogFault>,
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

impl Pipeline {
    /// Reads the lines after those that were read last.
    ///
    /// # Errors
    /// When no log could be read.
    pub async fn read_logs(&self, tail: &LogTail) -> Result<LogRead, PipelineError> {
        let begun = Instant::now();
        let reads = tail
            .functions
            .iter()
            .map(|function| self.read_log(function.clone(), tail, begun));
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
        let is_nothing_read = read.unread.len() == tail.functions.len() && read.lines.is_empty();
        match read.unread.first() {
            Some(first) if is_nothing_read => Err(first.error.clone()),
            Some(_) | None => Ok(read),
        }
    }

    async fn read_log(
        &self,
        mut next: FunctionTail,
        tail: &LogTail,
        begun: Instant,
    ) -> FunctionRead {
        let mut read = FunctionRead {
            next: next.clone(),
            lines: Vec::new(),
            is_behind: false,
            error: None,
        };
        let mut bytes = 0;
        for _ in 0..PAGES_MAX {
            let page = match self.log_page(&next, tail, LINES_PER_PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    // It is asked again at the next read, and not at once.
                    read.error = Some(error);
                    read.is_behind = false;
                    break;
                }
            };
            let (events, is_more) = next.take(page, LINES_PER_PAGE);
            bytes += events
                .iter()
                .map(|event| event.message.len())
                .sum::<usize>();
            read.lines.extend(events.into_iter().filter_map(|event| {
                let at = DateTime::from_timestamp_millis(event.timestamp)?;
                Some(LogLine::parse(next.function, at, &event.message))
            }));
            read.is_behind = is_more;
            if !is_more || bytes >= READ_BYTES_MAX || begun.elapsed() >= PAGING_LIMIT {
                break;
            }
        }
        read.next = next;
        read
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
        let pattern = tail.request_id.as_ref().map(|id| format!("\"{id}\""));
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
        let tail = LogTail::since(&[LogFunction::Ingest], chrono::Utc::now());
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
