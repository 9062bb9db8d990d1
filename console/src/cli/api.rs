//! `api get`: prints the response of the HTTP API.
//!
//! Invariant: the body is printed unchanged, except for control characters; a terminal gets JSON with one
//! member a line.

use std::io::IsTerminal as _;

use serde::Serialize;
use serde_json::value::RawValue;

use super::status::milliseconds;
use super::{ApiCommand, CommandError, Exit, Session};
use pipeline::{API_BODY_BYTES_MAX, printable_lines};

/// The first error status (RFC 9110, 15.5).
const STATUS_FAILED_MIN: u16 = 400;

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

pub(super) async fn run(session: &Session, command: ApiCommand) -> Result<Exit, CommandError> {
    let ApiCommand::Get { path } = command;
    let answer = session.pipeline.api_get(&path).await?;
    if answer.body.len() >= API_BODY_BYTES_MAX {
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
