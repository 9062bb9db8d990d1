//! Lines and answers for the tests of the screen.

use chrono::Duration;
use pipeline::logs::{LogFault, LogFunction, LogLine, LogRead, LogTail};
use pipeline::{Attempt, PipelineError};

use crate::tui::fault::Fault;
use crate::tui::testing::{Harness, now};

pub(super) const REQUEST: &str = "5f0c2d9e-6a1b-4c3d-8e2f-000000000007";

pub(super) fn open(width: u16, height: u16) -> Harness {
    Harness::on('7', width, height)
}

/// A line that was written so many seconds after a minute ago.
pub(super) fn line(secs: i64, function: LogFunction, written: &str) -> LogLine {
    let at = now() - Duration::seconds(60) + Duration::seconds(secs);
    LogLine::parse(function, at, written)
}

pub(super) fn batch(secs: i64, request_id: &str, dead_lettered: u32) -> LogLine {
    let level = if dead_lettered > 0 { "WARN" } else { "INFO" };
    let written = format!(
        r#"{{"_aws":{{"Timestamp":1}},"FunctionName":"events-ingest","level":"{level}","message":"batch handled","request_id":"{request_id}","received":20,"stored":{},"late":0,"duplicates":0,"expired":0,"dead_lettered":{dead_lettered},"retried":0,"failed_missing-attribute":{dead_lettered},"database_ms":7,"lag_p50_ms":180,"duration_ms":9}}"#,
        20 - dead_lettered
    );
    line(secs, LogFunction::Ingest, &written)
}

/// Of two invocations, the second of which refused an event, and of the other functions.
pub(super) fn lines() -> Vec<LogLine> {
    let lambda = |secs, text: &str| {
        line(
            secs,
            LogFunction::Ingest,
            &format!("{text} RequestId: {REQUEST}"),
        )
    };
    vec![
        line(
            0,
            LogFunction::Migrate,
            r#"{"level":"INFO","message":"partitions created","created":3}"#,
        ),
        batch(10, "5f0c2d9e-6a1b-4c3d-8e2f-000000000006", 0),
        line(
            15,
            LogFunction::Api,
            r#"{"timestamp":"t","level":"ERROR","message":"request failed","error":"database: connection refused","span":{"request_id":"h-1","name":"request"}}"#,
        ),
        line(
            16,
            LogFunction::Api,
            "thread 'main' (7) panicked at lambdas/api/src/main.rs:1:1:",
        ),
        line(16, LogFunction::Api, "a defect"),
        lambda(20, "START"),
        batch(21, REQUEST, 1),
        lambda(22, "END"),
        lambda(22, "REPORT"),
    ]
}

pub(super) fn read(lines: Vec<LogLine>) -> LogRead {
    LogRead {
        lines,
        next: LogTail::since(&LogFunction::ALL, now()),
        behind: Vec::new(),
        unread: Vec::new(),
    }
}

pub(super) fn late() -> Fault {
    Fault {
        message: "no answer within 10 s".to_owned(),
        hint: Some("^r tries again".to_owned()),
        ..Fault::default()
    }
}

pub(super) fn denied() -> Fault {
    let attempt = Attempt::start(
        "read the log group /aws/lambda/events-ingest",
        "https://logs.us-east-1.amazonaws.com",
    );
    let error = attempt.denied("AccessDeniedException", Some("logs:FilterLogEvents"));
    Fault::from(&error)
}

/// A log that could not be read.
pub(super) fn unread() -> LogFault {
    LogFault {
        function: LogFunction::Migrate,
        error: PipelineError::not_configured(
            "read the log of the function migrate",
            "its name is not known".to_owned(),
            "name it",
        ),
    }
}

/// A log whose reading CloudWatch throttled.
pub(super) fn throttled() -> LogFault {
    let attempt = Attempt::start("ask logs for FilterLogEvents", "https://logs.example");
    LogFault {
        function: LogFunction::Ingest,
        error: attempt.refused("ThrottlingException: Rate exceeded"),
    }
}
