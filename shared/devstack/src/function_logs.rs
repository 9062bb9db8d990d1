//! Sends what functions log to CloudWatch Logs. On AWS, Lambda does; here they log to files, because the emulator keeps
//! only a part of their lines.
//!
//! Invariant: a line is sent once it is complete, with the time that it says, in calls within the limits of
//! `PutLogEvents`. How many the emulator keeps, it limits itself (`emulator.py`).

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use crate::endpoints::{LOG_STREAM, log_group};
use crate::log_file::LogReader;
use crate::{DevstackError, services};

const INTERVAL: Duration = Duration::from_secs(1);
/// Time limit of one function's lines, so that one cannot block the next.
const SEND_LIMIT: Duration = Duration::from_secs(10);
/// Most bytes of a log that one call sends (CloudWatch Logs API reference, "PutLogEvents": 1 MiB, with 26 bytes for
/// each line).
const READ_BYTES_MAX: u64 = 512 * 1_024;
/// Most lines of one call (the same).
const CALL_LINES_MAX: usize = 10_000;
/// Most bytes of a line (the same: 256 KB, with 26 for each); what is longer is cut.
const LINE_BYTES_MAX: usize = 256 * 1_000 - 26;

/// Sends new lines until the future is dropped. After a failure, which is logged, the same lines are sent again; if the
/// failed call had succeeded without an answer, they are there twice.
pub(crate) async fn send_for_ever(endpoint_url: String, logs: [(&'static str, LogReader); 3]) {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        for (function, log) in &logs {
            let sending = send(&endpoint_url, function, log);
            match tokio::time::timeout(SEND_LIMIT, sending).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, function, "log lines were not sent"),
                Err(_) => tracing::warn!(function, "log lines were not sent in time"),
            }
        }
    }
}

/// Sends the lines that were not sent; each part that was is passed.
async fn send(endpoint_url: &str, function: &str, log: &LogReader) -> Result<(), DevstackError> {
    loop {
        let lines = log.lines(READ_BYTES_MAX)?;
        if lines.is_empty() {
            return Ok(());
        }
        let events = log_events(&String::from_utf8_lossy(&lines), Utc::now());
        for call in events.chunks(CALL_LINES_MAX) {
            let body = json!({
                "logGroupName": log_group(function),
                "logStreamName": LOG_STREAM,
                "logEvents": call,
            });
            services::logs(endpoint_url, "PutLogEvents", &body).await?;
        }
        log.pass(lines.len());
    }
}

/// The times that our functions write.
#[derive(Deserialize)]
struct Timed {
    timestamp: Option<DateTime<Utc>>,
    #[serde(rename = "_aws")]
    metrics: Option<Metrics>,
}

#[derive(Deserialize)]
struct Metrics {
    #[serde(rename = "Timestamp")]
    timestamp_ms: i64,
}

/// The lines in the order of their times, as CloudWatch wants them. One without a time was written just now.
fn log_events(lines: &str, now: DateTime<Utc>) -> Vec<Value> {
    let mut timed: Vec<(i64, &str)> = lines
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| (time_ms(line).unwrap_or(now.timestamp_millis()), cut(line)))
        .collect();
    timed.sort_by_key(|(at_ms, _)| *at_ms);
    let event = |(at_ms, line): (i64, &str)| json!({"timestamp": at_ms, "message": line});
    timed.into_iter().map(event).collect()
}

fn cut(line: &str) -> &str {
    let mut ends = (0..=line.len().min(LINE_BYTES_MAX)).rev();
    ends.find_map(|end| line.get(..end)).unwrap_or_default()
}

fn time_ms(line: &str) -> Option<i64> {
    let timed: Timed = serde_json::from_str(line).ok()?;
    let metrics = timed.metrics.map(|metrics| metrics.timestamp_ms);
    metrics.or(timed.timestamp.map(|at| at.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_beyond_the_limit_of_an_event_is_cut_at_a_character() {
        assert_eq!(cut("short"), "short");
        let long = format!("{}ü", "x".repeat(LINE_BYTES_MAX - 1));
        assert_eq!(cut(&long).len(), LINE_BYTES_MAX - 1);
        let now = DateTime::from_timestamp_millis(9_000).unwrap();
        let events = log_events(&long, now);
        assert_eq!(
            events[0]["message"].as_str().unwrap().len(),
            LINE_BYTES_MAX - 1
        );
    }

    #[test]
    fn lines_have_the_time_that_they_say_and_are_in_its_order() {
        let now = DateTime::from_timestamp_millis(9_000).unwrap();
        let batch = r#"{"_aws":{"Timestamp":2000},"message":"batch handled"}"#;
        let warning = r#"{"timestamp":"1970-01-01T00:00:01.500Z","message":"will retry"}"#;
        let lines = format!("{batch}\n{warning}\n\nno time\n");
        let expected = [(1_500, warning), (2_000, batch), (9_000, "no time")];
        let expected = expected.map(|(at, line)| json!({"timestamp": at, "message": line}));
        assert_eq!(log_events(&lines, now), expected);
    }
}
