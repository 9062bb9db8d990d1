//! CloudEvents 1.0 events in structured JSON, and the only code that validates them.
//!
//! Invariant: PostgreSQL stores every event that `parse_event` accepts; every refusal carries a code
//! and a detail.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, SubsecRound, Utc};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::envelope::unwrap_envelope;
use crate::failure::{Failure, FailureCode};
use crate::jsonb;

/// Largest `id`, `source`, `type` or `subject`, in bytes. Two of them together must fit a B-tree
/// entry of PostgreSQL (2,704 bytes).
pub const ATTRIBUTE_BYTES_MAX: usize = 1_024;

/// Largest `time`, in bytes: a usual one has 25, and PostgreSQL reads at most 128.
const TIME_BYTES_MAX: usize = 64;

/// Identity of an event (CloudEvents 1.0, "id": source + id is unique).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventKey {
    /// CloudEvents `source`. No event has U+0000, which PostgreSQL cannot store.
    #[schema(pattern = "^[^\\u0000]*$")]
    pub source: String,
    /// CloudEvents `id`.
    #[schema(pattern = "^[^\\u0000]*$")]
    pub id: String,
}

/// An event that passed every check. Borrows from the body it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// CloudEvents `source`.
    pub source: Cow<'a, str>,
    /// CloudEvents `id`.
    pub id: Cow<'a, str>,
    /// CloudEvents `type`.
    pub event_type: Cow<'a, str>,
    /// CloudEvents `subject`.
    pub subject: Option<Cow<'a, str>>,
    /// CloudEvents `time`, truncated to microseconds, which is what PostgreSQL stores.
    pub time: DateTime<Utc>,
    /// The extension `traceparent`, if it is a string (CloudEvents, "Distributed Tracing extension").
    /// Its format is not checked: an event with a malformed one is still stored.
    pub traceparent: Option<Cow<'a, str>>,
    /// The whole event as published, JSON text.
    pub json: Cow<'a, str>,
}

impl Event<'_> {
    /// Identity of the event.
    #[must_use]
    pub fn key(&self) -> EventKey {
        EventKey {
            source: self.source.to_string(),
            id: self.id.to_string(),
        }
    }

    /// The same event with owned text, independent of the body it was read from.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        Event {
            source: Cow::Owned(self.source.into_owned()),
            id: Cow::Owned(self.id.into_owned()),
            event_type: Cow::Owned(self.event_type.into_owned()),
            subject: self.subject.map(|subject| Cow::Owned(subject.into_owned())),
            time: self.time,
            traceparent: self.traceparent.map(|it| Cow::Owned(it.into_owned())),
            json: Cow::Owned(self.json.into_owned()),
        }
    }
}

/// The full parser: the reference for the fast path in `plain.rs`.
pub(crate) fn parse_fully(json: &str) -> Result<Event<'_>, Failure> {
    let attributes = read_attributes(json)?;
    if let Some(refusal) = jsonb::first_refusal(json) {
        return Err(refusal);
    }
    attributes.into_event(json)
}

fn read_attributes(json: &str) -> Result<Attributes<'_>, Failure> {
    serde_json::from_str::<Attributes<'_>>(json).map_err(|error| {
        if json.trim().is_empty() {
            return Failure::new(FailureCode::NotJson, "the message is empty");
        }
        // Reading into strings also fails on legal JSON with lone surrogates in a name; ignoring all
        // values fails only when the text is not JSON.
        match serde_json::from_str::<IgnoredAny>(json) {
            Err(syntax) => Failure::new(FailureCode::NotJson, syntax.to_string()),
            Ok(_) => jsonb::first_refusal(json)
                .unwrap_or_else(|| Failure::new(FailureCode::NotAnEvent, error.to_string())),
        }
    })
}

/// The context attributes as raw JSON, in one pass over the text.
#[derive(Default)]
struct Attributes<'a> {
    specversion: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    source: Option<&'a RawValue>,
    event_type: Option<&'a RawValue>,
    time: Option<&'a RawValue>,
    subject: Option<&'a RawValue>,
    datacontenttype: Option<&'a RawValue>,
    dataschema: Option<&'a RawValue>,
    data_base64: Option<&'a RawValue>,
    traceparent: Option<&'a RawValue>,
    has_data: bool,
    /// The first violation of a rule for names or extensions. A missing or wrong required attribute
    /// is reported before it, because it matters more.
    minor_failure: Option<Failure>,
}

impl<'de> Deserialize<'de> for Attributes<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AttributesVisitor)
    }
}

struct AttributesVisitor;

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for AttributesVisitor {
    type Value = Attributes<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object with the attributes of a CloudEvent")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut attributes = Attributes::default();
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            attributes.set(&name, map.next_value::<&'de RawValue>()?);
        }
        Ok(attributes)
    }
}

impl<'a> Attributes<'a> {
    fn set(&mut self, name: &str, value: &'a RawValue) {
        let slot = match name {
            "specversion" => &mut self.specversion,
            "id" => &mut self.id,
            "source" => &mut self.source,
            "type" => &mut self.event_type,
            "time" => &mut self.time,
            "subject" => &mut self.subject,
            "datacontenttype" => &mut self.datacontenttype,
            "dataschema" => &mut self.dataschema,
            "data_base64" => &mut self.data_base64,
            "data" => {
                self.has_data = true;
                return;
            }
            extension => {
                if self.minor_failure.is_none() {
                    self.minor_failure = extension_failure(extension, value);
                }
                if extension == "traceparent" {
                    self.traceparent = Some(value);
                }
                return;
            }
        };
        // CloudEvents 1.0 JSON format, 2.2: an attribute that is null counts as absent.
        let present = (value.get() != "null").then_some(value);
        if slot.is_some() && self.minor_failure.is_none() {
            self.minor_failure = Some(Failure::at(
                FailureCode::InvalidAttribute,
                format!("{name:?} occurs twice"),
                format!("/{name}"),
            ));
        }
        *slot = present;
    }

    fn into_event(self, json: &'a str) -> Result<Event<'a>, Failure> {
        let version = required("specversion", self.specversion)?;
        let version = string("specversion", version)?;
        if version != "1.0" {
            return Err(Failure::at(
                FailureCode::UnsupportedSpecversion,
                format!(
                    "specversion is {:?}, only \"1.0\" is supported",
                    abbreviated(&version)
                ),
                "/specversion",
            ));
        }
        let id = required("id", self.id)?;
        let source = required("source", self.source)?;
        let event_type = required("type", self.event_type)?;
        let time = required("time", self.time)?;
        let event = Event {
            id: text("id", id)?,
            source: text("source", source)?,
            event_type: text("type", event_type)?,
            time: timestamp(time)?,
            subject: self
                .subject
                .map(|subject| text("subject", subject))
                .transpose()?,
            traceparent: self
                .traceparent
                .and_then(|raw| string("traceparent", raw).ok()),
            json: Cow::Borrowed(json),
        };
        uri_reference("source", &event.source)?;
        if let Some(raw) = self.datacontenttype {
            media_type(&text("datacontenttype", raw)?)?;
        }
        if let Some(raw) = self.dataschema {
            uri_reference("dataschema", &text("dataschema", raw)?)?;
        }
        if let Some(raw) = self.data_base64 {
            base64_data(raw, self.has_data)?;
        }
        match self.minor_failure {
            Some(failure) => Err(failure),
            None => Ok(event),
        }
    }
}

fn required<'a>(name: &str, value: Option<&'a RawValue>) -> Result<&'a RawValue, Failure> {
    value.ok_or_else(|| {
        Failure::at(
            FailureCode::MissingAttribute,
            format!("{name:?} is required"),
            format!("/{name}"),
        )
    })
}

fn invalid(name: &str, detail: impl fmt::Display) -> Failure {
    Failure::at(
        FailureCode::InvalidAttribute,
        format!("{name:?} {detail}"),
        format!("/{name}"),
    )
}

fn string<'a>(name: &str, raw: &'a RawValue) -> Result<Cow<'a, str>, Failure> {
    serde_json::from_str::<Name<'a>>(raw.get())
        .map(|Name(text)| text)
        .map_err(|_| invalid(name, format_args!("must be a string, not {}", kind_of(raw))))
}

/// A string attribute within the limits of CloudEvents 1.0 ("Type system": no control characters) and
/// of this pipeline.
fn text<'a>(name: &str, raw: &'a RawValue) -> Result<Cow<'a, str>, Failure> {
    let text = string(name, raw)?;
    attribute_rules(name, &text)?;
    Ok(text)
}

/// The rules for string attributes, see [`text`].
pub(crate) fn attribute_rules(name: &str, text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        return Err(invalid(name, "must not be empty"));
    }
    if text.len() > ATTRIBUTE_BYTES_MAX {
        return Err(Failure::at(
            FailureCode::TooLarge,
            format!(
                "{name:?} has {} bytes, at most {ATTRIBUTE_BYTES_MAX} are allowed",
                text.len()
            ),
            format!("/{name}"),
        ));
    }
    if let Some(control) = text.chars().find(|c| c.is_control()) {
        return Err(invalid(
            name,
            format_args!(
                "must not contain the control character U+{:04X}",
                u32::from(control)
            ),
        ));
    }
    Ok(())
}

fn timestamp(raw: &RawValue) -> Result<DateTime<Utc>, Failure> {
    let text = string("time", raw)?;
    read_timestamp(&text).ok_or_else(|| {
        Failure::at(
            FailureCode::InvalidTime,
            format!(
                "time is {:?}, not an RFC 3339 timestamp like \"2026-01-31T12:00:00Z\"",
                abbreviated(&text)
            ),
            "/time",
        )
    })
}

/// Reads an RFC 3339 timestamp, truncated to microseconds.
pub(crate) fn read_timestamp(text: &str) -> Option<DateTime<Utc>> {
    // chrono accepts more than RFC 3339: a space instead of the "T", the Unicode minus sign, and any
    // number of digits after the second.
    let has_separator = matches!(text.as_bytes().get(10), Some(b'T' | b't'));
    if !text.is_ascii() || text.len() > TIME_BYTES_MAX {
        return None;
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    has_separator.then(|| time.with_timezone(&Utc).trunc_subsecs(6))
}

pub(crate) fn uri_reference(name: &str, text: &str) -> Result<(), Failure> {
    match text.chars().find(|c| {
        c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\\' | '^' | '`' | '{' | '|' | '}')
    }) {
        None => Ok(()),
        Some(c) => Err(invalid(
            name,
            format_args!("must be a URI reference (RFC 3986): {c:?} is not allowed"),
        )),
    }
}

pub(crate) fn media_type(text: &str) -> Result<(), Failure> {
    match text.split_once('/') {
        Some((kind, rest)) if !kind.is_empty() && !rest.is_empty() => Ok(()),
        _ => Err(invalid(
            "datacontenttype",
            format_args!(
                "is {:?}, not a media type like \"application/json\"",
                abbreviated(text)
            ),
        )),
    }
}

fn base64_data(raw: &RawValue, has_data: bool) -> Result<(), Failure> {
    use base64::Engine as _;
    if has_data {
        return Err(invalid(
            "data_base64",
            "must not be used together with \"data\"",
        ));
    }
    let text = string("data_base64", raw)?;
    base64::engine::general_purpose::STANDARD
        .decode(text.as_bytes())
        .map(|_| ())
        .map_err(|error| {
            invalid(
                "data_base64",
                format_args!("is not Base64 (RFC 4648): {error}"),
            )
        })
}

/// CloudEvents 1.0, "Naming conventions": lower-case letters and digits.
pub(crate) fn is_attribute_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// CloudEvents 1.0, "Type system": values are booleans, numbers or strings.
fn extension_failure(name: &str, value: &RawValue) -> Option<Failure> {
    if !is_attribute_name(name) {
        return Some(Failure::at(
            FailureCode::InvalidAttribute,
            format!(
                "{:?} is not an attribute name: only lower-case letters and digits are allowed",
                abbreviated(name)
            ),
            format!("/{}", name.replace('~', "~0").replace('/', "~1")),
        ));
    }
    matches!(value.get().as_bytes().first(), Some(b'{' | b'[')).then(|| {
        invalid(
            name,
            format_args!("must not be {}; put it into \"data\"", kind_of(value)),
        )
    })
}

fn kind_of(raw: &RawValue) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

fn abbreviated(text: &str) -> Cow<'_, str> {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or(text))),
    }
}

/// The identity of an event that may be invalid: to show in lists, never to decide by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialIdentity {
    /// CloudEvents `source`, if it is a string.
    pub source: Option<String>,
    /// CloudEvents `id`, if it is a string.
    pub id: Option<String>,
    /// CloudEvents `type`, if it is a string.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
}

/// Reads the identity from a body, also when the event is invalid.
#[must_use]
pub fn peek_identity(body: &str) -> PartialIdentity {
    let json = unwrap_envelope(body);
    let Ok(attributes) = serde_json::from_str::<Attributes<'_>>(&json) else {
        return PartialIdentity::default();
    };
    let owned = |raw: Option<&RawValue>| {
        serde_json::from_str::<Name<'_>>(raw?.get())
            .ok()
            .map(|Name(text)| text.into_owned())
    };
    PartialIdentity {
        source: owned(attributes.source),
        id: owned(attributes.id),
        event_type: owned(attributes.event_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jsonb::EVENT_BYTES_MAX;
    use crate::parse::parse_body;

    const GOOD: &str = r#"{"specversion":"1.0","id":"1","source":"/crew","type":"a.b","time":"2026-01-31T12:00:00.1234567+01:00","data":{"x":1}}"#;

    fn failure(json: &str) -> (FailureCode, Option<String>) {
        let failure = parse_body(json).expect_err(json);
        (failure.code, failure.pointer)
    }

    /// GOOD with one text replaced by another.
    fn with(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from));
        GOOD.replace(from, to)
    }

    #[test]
    fn good_event_is_read_and_borrowed() {
        let event = parse_body(GOOD).unwrap();
        assert_eq!(
            event.key(),
            EventKey {
                source: "/crew".into(),
                id: "1".into()
            }
        );
        assert_eq!(event.time.to_rfc3339(), "2026-01-31T11:00:00.123456+00:00");
        assert!(matches!(event.json, Cow::Borrowed(_)));
    }

    #[test]
    fn enveloped_event_is_the_same_event() {
        let envelope = serde_json::json!({
            "Type": "Notification", "TopicArn": "arn", "Message": GOOD
        })
        .to_string();
        assert_eq!(parse_body(&envelope).unwrap(), parse_body(GOOD).unwrap());
    }

    #[test]
    fn each_fault_has_its_code_and_place() {
        use FailureCode as Code;
        let at = |pointer: &str| Some(pointer.to_owned());
        assert_eq!(failure(""), (Code::NotJson, None));
        assert_eq!(failure("{\"id\":"), (Code::NotJson, None));
        assert_eq!(failure("\u{1b}[31m"), (Code::NotJson, None));
        assert_eq!(failure("[1]"), (Code::NotAnEvent, None));
        assert_eq!(failure("42"), (Code::NotAnEvent, None));
        assert_eq!(failure("{}"), (Code::MissingAttribute, at("/specversion")));
        assert_eq!(
            failure(&with("\"1.0\"", "\"0.3\"")),
            (Code::UnsupportedSpecversion, at("/specversion"))
        );
        assert_eq!(
            failure(&with("\"id\":\"1\",", "")),
            (Code::MissingAttribute, at("/id"))
        );
        assert_eq!(
            failure(&with("\"1\"", "null")),
            (Code::MissingAttribute, at("/id"))
        );
        assert_eq!(
            failure(&with("\"1\"", "1")),
            (Code::InvalidAttribute, at("/id"))
        );
        assert_eq!(
            failure(&with("\"1\"", "\"\"")),
            (Code::InvalidAttribute, at("/id"))
        );
        assert_eq!(
            failure(&with("/crew", "a b")),
            (Code::InvalidAttribute, at("/source"))
        );
        assert_eq!(
            failure(&with("T12", " 12")),
            (Code::InvalidTime, at("/time"))
        );
        assert_eq!(
            failure(&with("-31T", "-32T")),
            (Code::InvalidTime, at("/time"))
        );
        assert_eq!(
            failure(&with("\"data\"", "\"Data\"")),
            (Code::InvalidAttribute, at("/Data"))
        );
        assert_eq!(
            failure(&with("\"data\"", "\"ext\"")),
            (Code::InvalidAttribute, at("/ext"))
        );
        assert_eq!(
            failure(&with("{\"x\":1}", "1,\"data_base64\":\"AA==\"")),
            (Code::InvalidAttribute, at("/data_base64"))
        );
        assert_eq!(
            failure(&with("\"data\"", "\"id\":\"2\",\"data\"")),
            (Code::InvalidAttribute, at("/id"))
        );
        assert_eq!(
            failure(&with("{\"x\":1}", r#""\u0000""#)),
            (Code::RefusedByDatabase, at("/data"))
        );
        assert_eq!(
            failure(&with("{\"x\":1}", r#"{"\ud800":1}"#)),
            (Code::RefusedByDatabase, at("/data/\\ud800"))
        );
        assert_eq!(
            failure(&with("\"data\"", r#""\ud800""#)).0,
            Code::RefusedByDatabase
        );
        assert_eq!(
            failure(&with("\"1\"", &format!("\"{}\"", "x".repeat(1_025)))),
            (Code::TooLarge, at("/id"))
        );
        assert_eq!(
            failure(&with(
                "{\"x\":1}",
                &format!("\"{}\"", "x".repeat(EVENT_BYTES_MAX))
            )),
            (Code::TooLarge, None)
        );
    }

    #[test]
    fn identity_is_read_from_invalid_events_too() {
        let identity = peek_identity(&with("\"time\"", "\"tme\""));
        assert_eq!(identity.event_type.as_deref(), Some("a.b"));
        assert_eq!(peek_identity("nonsense"), PartialIdentity::default());
    }
}
