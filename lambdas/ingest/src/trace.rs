//! The W3C trace of an event. Pure.
//!
//! Invariant: an invalid `traceparent` makes no event invalid; it is ignored.

use std::borrow::Cow;
use std::fmt;

use event::{Event, unwrap_envelope};
use serde::{Deserialize, Serialize, Serializer};

/// Bytes of a `traceparent` of version 00.
const TRACEPARENT_BYTES: usize = 55;

/// The `trace-id` of a W3C `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TraceId(u128);

#[derive(Deserialize)]
struct Traced<'a> {
    #[serde(borrow)]
    traceparent: Cow<'a, str>,
}

impl TraceId {
    pub(crate) fn of_event(event: &Event<'_>) -> Option<Self> {
        Self::parse(event.traceparent.as_deref()?)
    }

    /// The trace in a body, raw or in an SNS envelope, that is no valid event.
    pub(crate) fn of_body(body: &str) -> Option<Self> {
        let json = unwrap_envelope(body);
        // A cheap check first: most have no trace. An array is no event.
        if !json.contains("traceparent") || !json.trim_start().starts_with('{') {
            return None;
        }
        let traced: Traced<'_> = serde_json::from_str(&json).ok()?;
        Self::parse(&traced.traceparent)
    }

    /// Reads a `traceparent` (W3C Trace Context, 3.2.2): `00-TRACE-PARENT-FLAGS` in lower case
    /// hexadecimal digits; later versions may add to it.
    fn parse(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.splitn(5, '-');
        let version = digits(parts.next()?, 2)?;
        let trace = digits(parts.next()?, 32)?;
        let parent = digits(parts.next()?, 16)?;
        digits(parts.next()?, 2)?;
        let has_length = version != 0 || traceparent.len() == TRACEPARENT_BYTES;
        (version != 0xff && trace != 0 && parent != 0 && has_length).then_some(Self(trace))
    }
}

fn digits(text: &str, length: usize) -> Option<u128> {
    let is_hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != length || !text.bytes().all(is_hexadecimal) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn parsed(traceparent: &str) -> Option<String> {
        TraceId::parse(traceparent).map(|id| id.to_string())
    }

    #[test]
    fn traceparent_is_read_as_specified() {
        let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(parsed(&good).as_deref(), Some(TRACE));
        let later = format!("cc-{TRACE}-00f067aa0ba902b7-01-what-comes");
        assert_eq!(parsed(&later).as_deref(), Some(TRACE));
        for bad in [
            String::new(),
            format!("{good}-more"),
            good.to_uppercase(),
            good.replacen("00", "ff", 1),
            good.replace(TRACE, &"0".repeat(32)),
            good.replace("00f067aa0ba902b7", &"0".repeat(16)),
            good.replace(TRACE, "4bf9"),
            good.replace("-01", "-zz"),
            good.replace("-01", ""),
        ] {
            assert_eq!(parsed(&bad), None, "{bad}");
        }
    }

    #[test]
    fn trace_is_found_in_an_event_an_envelope_and_an_invalid_event() {
        let event = format!(r#"{{"traceparent":"00-{TRACE}-00f067aa0ba902b7-01","time":7}}"#);
        let envelope = serde_json::json!({
            "Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": event,
        });
        for body in [event, envelope.to_string()] {
            let found = TraceId::of_body(&body).map(|id| id.to_string());
            assert_eq!(found.as_deref(), Some(TRACE), "{body}");
        }
    }

    #[test]
    fn trace_of_a_valid_event_is_that_of_its_body() {
        let event = |traceparent: &str| {
            format!(
                r#"{{"specversion":"1.0","id":"1","source":"/a","type":"a.b","time":"2026-01-31T12:00:00Z","traceparent":{traceparent}}}"#
            )
        };
        let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
        // An event with an escape is read by the full parser.
        for (traceparent, expected) in [
            (format!("\"{good}\""), Some(TRACE)),
            (
                format!("\"{}\"", good.replacen('0', "\\u0030", 1)),
                Some(TRACE),
            ),
            ("7".to_owned(), None),
            ("null".to_owned(), None),
        ] {
            let json = event(&traceparent);
            let envelope = serde_json::json!({
                "Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": json,
            });
            for body in [json, envelope.to_string()] {
                let event = event::parse_body(&body).unwrap();
                let found = TraceId::of_event(&event).map(|id| id.to_string());
                assert_eq!(found.as_deref(), expected, "{body}");
                assert_eq!(TraceId::of_event(&event), TraceId::of_body(&body), "{body}");
            }
        }
    }

    #[test]
    fn trace_in_the_data_and_an_invalid_one_are_not_the_trace_of_the_event() {
        let inside = format!(r#"{{"data":{{"traceparent":"00-{TRACE}-00f067aa0ba902b7-01"}}}}"#);
        let list = format!(r#"["00-{TRACE}-00f067aa0ba902b7-01", "traceparent"]"#);
        for body in [
            inside.as_str(),
            list.as_str(),
            r#"{"traceparent":7}"#,
            r#"{"traceparent":"#,
        ] {
            assert_eq!(TraceId::of_body(body), None, "{body}");
        }
    }
}
