//! `api get`: prints the response of the HTTP API, what repeated calls sum up to, or the same call for `curl`.
//!
//! Invariant: the body is printed unchanged, except for control characters; a terminal gets JSON with one
//! member a line. A command for `curl` has no secret in it.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use super::status::milliseconds;
use super::{ApiCommand, CommandError, Exit, Interrupt, Session};
use crate::text::{UNKNOWN, latency};
use pipeline::api_call::{ApiCall, CallSeries, CallSummary, CurlCommand};
use pipeline::{API_BODY_BYTES_MAX, printable_lines};

/// The first error status (RFC 9110, 15.5).
const STATUS_FAILED_MIN: u16 = 400;
/// What a signal is answered with.
const STOPPING: &str = "interrupted: no further call is sent";

#[derive(Serialize)]
struct Answer<'a> {
    status: u16,
    latency_ms: f64,
    body: Body<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Json(&'a RawValue),
    Text(&'a str),
}

#[derive(Serialize)]
struct Repeated<'a> {
    calls: usize,
    unanswered: usize,
    statuses: &'a BTreeMap<u16, usize>,
    latency_ms: Latencies,
}

/// Null where no call had an answer.
#[derive(Serialize)]
struct Latencies {
    min: Option<f64>,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

#[derive(Serialize)]
struct Curl<'a> {
    command: &'a str,
    /// What sets the variables that it uses; null where it uses none.
    before: Option<&'a str>,
}

pub(super) async fn run(
    session: &Session,
    command: ApiCommand,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let ApiCommand::Get { path, repeat, curl } = command;
    if curl {
        return print_curl(session, &ApiCall::get(path));
    }
    match repeat {
        Some(calls) => run_repeated(session, &ApiCall::get(path), calls, interrupt).await,
        None => tokio::select! {
            result = run_once(session, &path) => result,
            () = interrupt.received() => Err(CommandError::Interrupted),
        },
    }
}

fn print_curl(session: &Session, call: &ApiCall) -> Result<Exit, CommandError> {
    let environment = session.pipeline.environment();
    let Some(curl) = CurlCommand::of(environment, call) else {
        let text = match &environment.api_url {
            None => format!("no API in environment {:?}", environment.name),
            Some(_) => format!("the path {:?} leads out of the API", call.target),
        };
        return Err(CommandError::Usage(text));
    };
    let before = curl.before.as_deref();
    if session.output.is_json() {
        let command = &curl.text;
        session.output.json(&Curl { command, before })?;
    } else {
        if let Some(before) = before {
            let before = printable_lines(before);
            session.output.note(&format!("before it: {before}"));
        }
        let command = printable_lines(&curl.text);
        session.output.text(&format!("{command}\n"))?;
    }
    Ok(Exit::Done)
}

/// Sends a call so often; the first one without an answer is the last.
async fn run_repeated(
    session: &Session,
    call: &ApiCall,
    calls: u32,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let cancel = interrupt.cancellation();
    let mut series = CallSeries::default();
    let sending = async {
        for _ in 0..calls {
            let sent = cancel.run_until_cancelled(session.pipeline.api_call(call));
            match sent.await {
                Some(Ok(answer)) => series.answered(&answer),
                Some(Err(error)) => {
                    series.unanswered();
                    return Err(error);
                }
                None => return Ok(false),
            }
        }
        Ok(true)
    };
    let ended = interrupt.cancels(session.output, STOPPING, sending).await;
    // What was measured is not lost by what ended it.
    let summary = series.summary();
    if summary.calls > summary.unanswered {
        write_summary(session, &summary)?;
    }
    match ended? {
        false => Err(CommandError::Interrupted),
        true if summary
            .statuses
            .keys()
            .any(|status| *status >= STATUS_FAILED_MIN) =>
        {
            Ok(Exit::Failed)
        }
        true => Ok(Exit::Done),
    }
}

fn write_summary(session: &Session, summary: &CallSummary) -> Result<(), CommandError> {
    let took = |value: Option<Duration>| value.map(milliseconds);
    if session.output.is_json() {
        return session.output.json(&Repeated {
            calls: summary.calls,
            unanswered: summary.unanswered,
            statuses: &summary.statuses,
            latency_ms: Latencies {
                min: took(summary.min),
                p50: took(summary.p50),
                p95: took(summary.p95),
                p99: took(summary.p99),
                max: took(summary.max),
            },
        });
    }
    let mut text = String::new();
    for (status, count) in &summary.statuses {
        text += &format!("{status}  {count:>10}\n");
    }
    for (name, value) in [
        ("min", summary.min),
        ("p50", summary.p50),
        ("p95", summary.p95),
        ("p99", summary.p99),
        ("max", summary.max),
    ] {
        let value = value.map_or_else(|| UNKNOWN.to_owned(), latency);
        text += &format!("{name}  {value:>10}\n");
    }
    session.output.text(&text)
}

async fn run_once(session: &Session, path: &str) -> Result<Exit, CommandError> {
    let answer = session.pipeline.api_get(path).await?;
    if answer.is_cut {
        session.output.note(&format!(
            "the body was truncated at {API_BODY_BYTES_MAX} bytes"
        ));
    }
    let failed = answer.status >= STATUS_FAILED_MIN;
    if session.output.is_json() {
        session.output.json(&Answer {
            status: answer.status,
            latency_ms: milliseconds(answer.latency),
            body: match serde_json::from_str(&answer.body) {
                Ok(json) => Body::Json(json),
                Err(_) => Body::Text(&answer.body),
            },
        })?;
    } else {
        let pretty = std::io::stdout()
            .is_terminal()
            .then(|| redrive::triage::pretty(&answer.body))
            .flatten();
        let mut body = printable_lines(pretty.as_deref().unwrap_or(&answer.body));
        if !body.ends_with('\n') {
            body.push('\n');
        }
        session.output.text(&body)?;
        if failed {
            session
                .output
                .note(&format!("get {path}: the API returned {}", answer.status));
        }
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}
