//! One line of a log: JSON as our functions write it, what Lambda writes, or any other text.
//!
//! Invariant: pure. Everything but [`LogLine::text`] is fit for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use event::EventKey;
use serde::Serialize;
use serde_json::{Map, Value};

use super::function::LogFunction;
use super::level::LogLevel;
use crate::printable::printable;

/// Bytes of a line that are kept; CloudWatch takes up to 1 MB.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a summary.
const SUMMARY_BYTES_MAX: usize = 1_000;
/// Longest id of a request that is taken for one.
const REQUEST_ID_BYTES_MAX: usize = 64;
/// What Lambda writes about the execution environment and each invocation (AWS Lambda Developer Guide, "Sending Lambda
/// function logs to CloudWatch Logs").
const PLATFORM: [&str; 7] = [
    "START ",
    "END ",
    "REPORT ",
    "INIT_START ",
    "INIT_REPORT ",
    "RESTORE_START ",
    "RESTORE_REPORT ",
];
/// Members that a summary leaves out: they have a place of their own, or say what every line says.
const WITHOUT: [&str; 8] = [
    "_aws",
    "FunctionName",
    "level",
    "message",
    "request_id",
    "span",
    "timestamp",
    "xray_trace_id",
];

/// Who wrote a line, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineKind {
    /// A function, as a JSON object.
    Json,
    /// Lambda, about an invocation or an execution environment.
    Platform,
    /// Any other text, e.g. of a panic.
    Text,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written, by CloudWatch's clock or that of whoever sent it there.
    pub at: DateTime<Utc>,
    /// The function whose log has it.
    pub function: LogFunction,
    /// Who wrote it.
    pub kind: LineKind,
    /// Its level; `None` where it does not say one.
    pub level: Option<LogLevel>,
    /// The invocation that it belongs to; of the api, the request of HTTP.
    pub request_id: Option<String>,
    /// The event that it names.
    pub event: Option<EventKey>,
    /// What it says, without its other members.
    pub message: String,
    /// The message, and the members that are not zero.
    pub summary: String,
    /// The line as it was written, at most 64 KiB of it.
    pub text: String,
    /// Whether more of it was written.
    pub is_cut: bool,
}

impl LogLine {
    /// Reads a line that was written at this time.
    #[must_use]
    pub fn parse(function: LogFunction, at: DateTime<Utc>, written: &str) -> Self {
        let written = written.trim_end_matches(['\n', '\r']);
        let text = prefix(written, TEXT_BYTES_MAX);
        let mut line = Self {
            at,
            function,
            kind: LineKind::Text,
            level: None,
            request_id: None,
            event: None,
            message: String::new(),
            summary: String::new(),
            text: text.to_owned(),
            is_cut: text.len() < written.len(),
        };
        match serde_json::from_str::<Map<String, Value>>(text) {
            Ok(members) => line.read_members(&members),
            Err(_) => line.read_text(),
        }
        line
    }

    /// The members of a JSON line that have no place of their own, by name; none of another line.
    #[must_use]
    pub fn fields(&self) -> BTreeMap<String, Value> {
        let members: Map<String, Value> = match self.kind {
            LineKind::Json | LineKind::Platform => {
                serde_json::from_str(&self.text).unwrap_or_default()
            }
            LineKind::Text => Map::new(),
        };
        let own = ["_aws", "level", "message", "request_id", "timestamp"];
        let others = members
            .into_iter()
            .filter(|(name, _)| !own.contains(&name.as_str()));
        others.collect()
    }

    fn read_members(&mut self, members: &Map<String, Value>) {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let of = |object: &str, name: &str| members.get(object)?.get(name)?.as_str();
        let platform = text("type").filter(|kind| kind.starts_with("platform."));
        self.kind = match platform {
            Some(_) => LineKind::Platform,
            None => LineKind::Json,
        };
        let failed = text("errorType").or(text("errorMessage")).is_some();
        let said = text("level").and_then(|level| level.parse().ok());
        self.level = said.or(match (platform, failed) {
            (_, true) => Some(LogLevel::Error),
            (Some(_), false) => Some(LogLevel::Info),
            (None, false) => None,
        });
        let ids = [
            text("request_id"),
            text("requestId"),
            text("AWSRequestId"),
            of("span", "requestId"),
            of("span", "request_id"),
            of("record", "requestId"),
        ];
        self.request_id = ids.into_iter().flatten().find_map(request_id);
        let key = |source: Option<&str>, id: Option<&str>| {
            Some(EventKey {
                source: source?.to_owned(),
                id: id?.to_owned(),
            })
        };
        self.event = key(text("source"), text("id"))
            .or_else(|| key(of("event", "source"), of("event", "id")));
        let said = text("message").or(text("errorMessage")).or(platform);
        self.message = said.map_or_else(|| shown(&self.text), shown);
        self.summary = match said {
            Some(_) => self.message.clone() + &others(members),
            None => self.message.clone(),
        };
        truncate(&mut self.summary);
    }

    fn read_text(&mut self) {
        let text = self.text.as_str();
        let is_platform = PLATFORM.iter().any(|start| text.starts_with(start));
        let has_failed = text.contains(" panicked at ")
            || text.contains("Task timed out after")
            || text.contains("Error: Runtime exited")
            || text.contains("Status: error")
            || text.contains("Status: timeout");
        self.level = match (has_failed, is_platform) {
            (true, _) => Some(LogLevel::Error),
            (false, true) => Some(LogLevel::Info),
            (false, false) => None,
        };
        if is_platform {
            self.kind = LineKind::Platform;
        }
        let named = text.split_once("RequestId: ").map(|(_, rest)| rest);
        let named = named.and_then(|rest| rest.split_whitespace().next());
        // `2026-11-28T10:00:00.000Z ID Task timed out after 10.00 seconds`
        let timed_out = text.split_whitespace().nth(1);
        let timed_out = timed_out.filter(|_| text.contains("Task timed out after"));
        self.request_id = named.or(timed_out).and_then(request_id);
        self.message = shown(text);
        self.summary.clone_from(&self.message);
        truncate(&mut self.summary);
    }
}

/// Tabs stand between the parts of what Lambda writes.
fn shown(text: &str) -> String {
    printable(&text.replace('\t', "  "))
}

/// ` name=value …`, without zeros and what is empty: what failed comes first, and times come last.
fn others(members: &Map<String, Value>) -> String {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    sorted.sort_by_key(|(name, _)| (rank(name), *name));
    let mut text = String::new();
    for (name, value) in sorted {
        if WITHOUT.contains(&name.as_str()) || is_nothing(value) {
            continue;
        }
        let value = match value.as_str() {
            Some(value) => shown(value),
            None => shown(&value.to_string()),
        };
        // Writing to a String cannot fail.
        let _ = write!(text, " {}={value}", shown(name));
        if text.len() > SUMMARY_BYTES_MAX {
            break;
        }
    }
    text
}

fn rank(name: &str) -> u8 {
    let is_failure = name == "error"
        || name.starts_with("failed")
        || ["dead_lettered", "retried"].contains(&name);
    match (is_failure, name.ends_with("_ms")) {
        (true, _) => 0,
        (false, false) => 1,
        (false, true) => 2,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) => false,
    }
}

/// An id that can stand in a filter pattern and on a screen.
fn request_id(text: &str) -> Option<String> {
    let is_plain = !text.is_empty()
        && text.len() <= REQUEST_ID_BYTES_MAX
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:=+/".contains(&byte));
    is_plain.then(|| text.to_owned())
}

fn truncate(text: &mut String) {
    let kept = prefix(text, SUMMARY_BYTES_MAX).len();
    if kept < text.len() {
        text.truncate(kept);
        text.push('…');
    }
}

/// The longest prefix of at most so many bytes.
fn prefix(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(written: &str) -> LogLine {
        LogLine::parse(LogFunction::Ingest, DateTime::UNIX_EPOCH, written)
    }

    const BATCH: &str = r#"{"_aws":{"Timestamp":1},"FunctionName":"events-ingest","level":"WARN",
        "message":"batch handled","request_id":"r-1","received":3,"stored":2,"duplicates":0,
        "dead_lettered":1,"failed_invalid-time":1,"failed_traces":[],"database_ms":7}"#;

    #[test]
    fn report_of_a_batch_has_its_level_its_request_and_what_is_not_zero() {
        let line = parse(BATCH);
        assert_eq!(
            (line.kind, line.level),
            (LineKind::Json, Some(LogLevel::Warn))
        );
        assert_eq!(line.request_id.as_deref(), Some("r-1"));
        assert_eq!(line.message, "batch handled");
        let summary =
            "batch handled dead_lettered=1 failed_invalid-time=1 received=3 stored=2 database_ms=7";
        assert_eq!(line.summary, summary);
        let fields = line.fields();
        assert_eq!(fields["duplicates"], 0, "the fields have the zeros too");
        assert!(!fields.contains_key("_aws") && !fields.contains_key("message"));
    }

    #[test]
    fn line_of_the_log_has_the_request_of_its_span() {
        for (span, expected) in [
            (
                r#"{"name":"Lambda runtime invoke","requestId":"r-2"}"#,
                Some("r-2"),
            ),
            (r#"{"name":"request","request_id":"h-3"}"#, Some("h-3")),
            (r#"{"name":"request","request_id":"\u001b[2J"}"#, None),
            ("null", None),
        ] {
            let line = parse(&format!(
                r#"{{"timestamp":"t","level":"ERROR","message":"events not written","span":{span}}}"#
            ));
            assert_eq!(line.request_id.as_deref(), expected, "{span}");
            assert_eq!(line.level, Some(LogLevel::Error));
            assert_eq!(line.summary, "events not written");
        }
    }

    #[test]
    fn lines_of_lambda_belong_to_their_invocation() {
        for (text, level) in [
            ("START RequestId: r-4 Version: $LATEST", LogLevel::Info),
            ("END RequestId: r-4", LogLevel::Info),
            (
                "REPORT RequestId: r-4\tDuration: 3 ms\tBilled Duration: 4 ms",
                LogLevel::Info,
            ),
            (
                "REPORT RequestId: r-4\tDuration: 3 ms\tStatus: timeout",
                LogLevel::Error,
            ),
            (
                "RequestId: r-4 Error: Runtime exited with error: signal: killed",
                LogLevel::Error,
            ),
            (
                "2026-11-28T10:00:00.000Z r-4 Task timed out after 10.00 seconds",
                LogLevel::Error,
            ),
        ] {
            let line = parse(text);
            assert_eq!(line.request_id.as_deref(), Some("r-4"), "{text}");
            assert_eq!(line.level, Some(level), "{text}");
        }
        let line = parse("REPORT RequestId: r-4\tDuration: 3 ms");
        assert_eq!(line.kind, LineKind::Platform);
        assert_eq!(line.summary, "REPORT RequestId: r-4  Duration: 3 ms");
        let json = r#"{"time":"t","type":"platform.report","record":{"requestId":"r-5"}}"#;
        let line = parse(json);
        assert_eq!(
            (line.kind, line.level),
            (LineKind::Platform, Some(LogLevel::Info))
        );
        assert_eq!(line.request_id.as_deref(), Some("r-5"));
    }

    #[test]
    fn panic_is_an_error_and_its_further_lines_have_no_level() {
        let first = parse("thread 'main' (7) panicked at lambdas/ingest/src/handle.rs:3:5:");
        assert_eq!(
            (first.kind, first.level),
            (LineKind::Text, Some(LogLevel::Error))
        );
        assert_eq!(parse("index out of bounds").level, None);
        let json = r#"{"errorType":"Runtime.ExitError","errorMessage":"exit status 101"}"#;
        let line = parse(json);
        assert_eq!(line.level, Some(LogLevel::Error));
        assert_eq!(line.message, "exit status 101");
    }

    #[test]
    fn line_that_names_an_event_has_its_key() {
        let key = |source: &str, id: &str| {
            Some(EventKey {
                source: source.to_owned(),
                id: id.to_owned(),
            })
        };
        let line = parse(r#"{"message":"m","source":"/s","id":"1"}"#);
        assert_eq!(line.event, key("/s", "1"));
        let line = parse(r#"{"message":"m","event":{"source":"/s","id":"2"}}"#);
        assert_eq!(line.event, key("/s", "2"));
        assert_eq!(parse(r#"{"message":"m","source":"/s"}"#).event, None);
    }

    #[test]
    fn what_is_shown_controls_no_terminal_and_a_long_line_is_cut() {
        let hostile = "a\u{1b}[2J\u{202e}b";
        for text in [
            hostile.to_owned(),
            serde_json::json!({"message": hostile, hostile: hostile}).to_string(),
        ] {
            let line = parse(&text);
            for shown in [&line.message, &line.summary] {
                assert!(!shown.chars().any(event::is_deceptive), "{shown:?}");
            }
        }
        let long = parse(&"é".repeat(TEXT_BYTES_MAX));
        assert!(long.is_cut && long.text.len() <= TEXT_BYTES_MAX);
        assert!(long.summary.len() <= SUMMARY_BYTES_MAX + '…'.len_utf8());
        assert!(!parse("short\n").is_cut);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_line(text in ".{0,200}") {
            let line = parse(&text);
            proptest::prop_assert!(!line.summary.chars().any(event::is_deceptive));
            proptest::prop_assert!(text.starts_with(&line.text));
        }
    }
}
