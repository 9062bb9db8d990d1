//! Invalid messages, at least one for each failure code.
//!
//! Invariant: a fault breaks only one rule, so its failure code is known in advance.

use event::{ATTRIBUTE_BYTES_MAX, FailureCode};
use serde_json::{Map, Value, json};

/// A mistake of a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Truncated JSON.
    Truncated,
    /// A log line and not JSON.
    PlainText,
    /// Several events in one message.
    Batch,
    /// `specversion` of an old library.
    OldVersion,
    /// No `time`.
    WithoutTime,
    /// No `id`.
    WithoutId,
    /// An `id` that is a number.
    NumericId,
    /// An extension with a capital letter.
    ExtensionName,
    /// A `time` in a local format.
    LocalTime,
    /// A stack trace as `id`, longer than allowed.
    LongId,
    /// `\u0000` in the data.
    NulCharacter,
    /// Half of an emoji in the data.
    LoneSurrogate,
    /// A number that PostgreSQL cannot store.
    HugeNumber,
}

impl Fault {
    /// Every fault, in the order in which traffic uses them.
    pub const ALL: [Self; 13] = [
        Self::WithoutTime,
        Self::Truncated,
        Self::NulCharacter,
        Self::LocalTime,
        Self::OldVersion,
        Self::NumericId,
        Self::HugeNumber,
        Self::Batch,
        Self::LongId,
        Self::WithoutId,
        Self::LoneSurrogate,
        Self::PlainText,
        Self::ExtensionName,
    ];

    /// The failure code with which the ingest refuses it.
    #[must_use]
    pub const fn code(self) -> FailureCode {
        match self {
            Self::Truncated | Self::PlainText => FailureCode::NotJson,
            Self::Batch => FailureCode::NotAnEvent,
            Self::OldVersion => FailureCode::UnsupportedSpecversion,
            Self::WithoutTime | Self::WithoutId => FailureCode::MissingAttribute,
            Self::NumericId | Self::ExtensionName => FailureCode::InvalidAttribute,
            Self::LocalTime => FailureCode::InvalidTime,
            Self::LongId => FailureCode::TooLarge,
            Self::NulCharacter | Self::LoneSurrogate | Self::HugeNumber => {
                FailureCode::RefusedByDatabase
            }
        }
    }

    /// The body of `event` with this fault. The rest of the event is unchanged, so that no two messages are
    /// equal.
    pub(crate) fn break_event(self, mut event: Map<String, Value>) -> String {
        let mut set = |name: &str, value: Value| {
            event.insert(name.to_owned(), value);
        };
        match self {
            Self::Truncated => {
                let text = Value::Object(event).to_string();
                let end = text.len() - 9;
                return text.chars().take(end).collect();
            }
            Self::PlainText => {
                let id = event.remove("id").unwrap_or_default();
                return format!("ERROR connection reset by peer while publishing {id}");
            }
            Self::Batch => return json!([event]).to_string(),
            Self::OldVersion => set("specversion", json!("0.3")),
            Self::WithoutTime => {
                event.remove("time");
            }
            Self::WithoutId => {
                event.remove("id");
            }
            Self::NumericId => set("id", json!(4_711)),
            Self::ExtensionName => set("traceParent", json!("00-4bf92f3577b34da6-01")),
            Self::LocalTime => set("time", json!("24/11/2026 9:05")),
            Self::LongId => {
                let id = "at com.airline.bags.Scanner ".repeat(ATTRIBUTE_BYTES_MAX / 20);
                set("id", json!(id));
            }
            Self::NulCharacter => return with_data(event, r#""remark\u0000""#),
            Self::LoneSurrogate => return with_data(event, r#""thank you \ud83d""#),
            Self::HugeNumber => return with_data(event, "1e400000"),
        }
        Value::Object(event).to_string()
    }
}

/// Inserts raw JSON into the data that a `Value` cannot represent.
fn with_data(mut event: Map<String, Value>, json: &str) -> String {
    const PLACE: &str = "__place__";
    if let Some(Value::Object(data)) = event.get_mut("data") {
        data.insert("remark".to_owned(), json!(PLACE));
    }
    Value::Object(event)
        .to_string()
        .replace(&format!("\"{PLACE}\""), json)
}
