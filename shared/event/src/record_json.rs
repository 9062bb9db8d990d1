//! A record as it was read, its JSON and the choice of its fields.
//!
//! Invariant: with all fields the JSON is that of [`Record`]. The payload is copied and never parsed: it is
//! `jsonb` that the database wrote as text.

use std::str::FromStr;

use chrono::{DateTime, Datelike as _, SecondsFormat, Timelike as _, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::record::Record;
use crate::record_id::RecordId;

/// A stored event, borrowed from where it was read.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    /// Identity in the database.
    pub record_id: RecordId,
    /// CloudEvents `source`.
    pub source: &'a str,
    /// CloudEvents `id`.
    pub id: &'a str,
    /// CloudEvents `type`.
    pub event_type: &'a str,
    /// CloudEvents `subject`.
    pub subject: Option<&'a str>,
    /// CloudEvents `time`, to the microsecond.
    pub occurred_at: DateTime<Utc>,
    /// Time of the insert, to the microsecond.
    pub ingested_at: DateTime<Utc>,
    /// The whole event as JSON; `None` where it was not read.
    pub payload: Option<&'a str>,
}

/// A field of a record's JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Field {
    /// `record_id`.
    RecordId,
    /// `source`.
    Source,
    /// `id`.
    Id,
    /// `type`.
    Type,
    /// `subject`.
    Subject,
    /// `occurred_at`.
    OccurredAt,
    /// `ingested_at`.
    IngestedAt,
    /// `payload`.
    Payload,
}

impl Field {
    /// Every field, in the order of the JSON.
    pub const ALL: [Self; 8] = [
        Self::RecordId,
        Self::Source,
        Self::Id,
        Self::Type,
        Self::Subject,
        Self::OccurredAt,
        Self::IngestedAt,
        Self::Payload,
    ];

    /// The name in the JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RecordId => "record_id",
            Self::Source => "source",
            Self::Id => "id",
            Self::Type => "type",
            Self::Subject => "subject",
            Self::OccurredAt => "occurred_at",
            Self::IngestedAt => "ingested_at",
            Self::Payload => "payload",
        }
    }

    const fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

/// Fields of a record, at least one. Their text is a list separated by commas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields(u8);

impl Fields {
    /// Every field.
    pub const ALL: Self = Self(u8::MAX);

    /// Whether the field is chosen.
    #[must_use]
    pub const fn has(self, field: Field) -> bool {
        self.0 & field.bit() != 0
    }
}

impl FromStr for Fields {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut fields = Self(0);
        for name in text.split(',') {
            let Some(field) = Field::ALL.into_iter().find(|field| field.name() == name) else {
                let names = Field::ALL.map(Field::name).join(", ");
                return Err(format!("{name:?} is not one of {names}"));
            };
            fields.0 |= field.bit();
        }
        Ok(fields)
    }
}

impl<'a> From<&'a Record> for RecordView<'a> {
    fn from(record: &'a Record) -> Self {
        Self {
            record_id: record.record_id,
            source: &record.source,
            id: &record.id,
            event_type: &record.event_type,
            subject: record.subject.as_deref(),
            occurred_at: record.occurred_at,
            ingested_at: record.ingested_at,
            payload: Some(record.payload.get()),
        }
    }
}

impl RecordView<'_> {
    /// Appends the record as a JSON object with these fields.
    ///
    /// # Errors
    /// None, because no text fails; the type is that of the serializer.
    pub fn write_json(&self, fields: Fields, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let mut separator = b'{';
        for field in Field::ALL {
            if !fields.has(field) {
                continue;
            }
            out.push(separator);
            separator = b',';
            out.push(b'"');
            out.extend_from_slice(field.name().as_bytes());
            out.extend_from_slice(b"\":");
            match field {
                Field::RecordId => serde_json::to_writer(&mut *out, &self.record_id)?,
                Field::Source => serde_json::to_writer(&mut *out, self.source)?,
                Field::Id => serde_json::to_writer(&mut *out, self.id)?,
                Field::Type => serde_json::to_writer(&mut *out, self.event_type)?,
                Field::Subject => serde_json::to_writer(&mut *out, &self.subject)?,
                Field::OccurredAt => write_time(self.occurred_at, out),
                Field::IngestedAt => write_time(self.ingested_at, out),
                Field::Payload => {
                    out.extend_from_slice(self.payload.unwrap_or("null").as_bytes());
                }
            }
        }
        out.push(b'}');
        Ok(())
    }
}

/// A time as `chrono` serializes it. Its own way takes as long as the rest of a page's JSON, so the usual form
/// is written here.
fn write_time(time: DateTime<Utc>, out: &mut Vec<u8>) {
    out.push(b'"');
    let (year, nanos) = (time.year(), time.nanosecond());
    // A leap second has more nanoseconds.
    if !(0..=9_999).contains(&year) || nanos % 1_000 != 0 || nanos >= 1_000_000_000 {
        let text = time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    let year = year.unsigned_abs();
    out.extend_from_slice(&two_digits(year / 100));
    out.extend_from_slice(&two_digits(year % 100));
    for (mark, number) in [
        (b'-', time.month()),
        (b'-', time.day()),
        (b'T', time.hour()),
        (b':', time.minute()),
        (b':', time.second()),
    ] {
        out.push(mark);
        out.extend_from_slice(&two_digits(number));
    }
    let micros = nanos / 1_000;
    if micros > 0 {
        let (millis, rest) = (micros / 1_000, micros % 1_000);
        out.push(b'.');
        out.extend_from_slice(&three_digits(millis));
        if rest > 0 {
            out.extend_from_slice(&three_digits(rest));
        }
    }
    out.extend_from_slice(b"Z\"");
}

/// Of a number below 100.
fn two_digits(number: u32) -> [u8; 2] {
    [digit(number / 10), digit(number)]
}

/// Of a number below 1,000.
fn three_digits(number: u32) -> [u8; 3] {
    [digit(number / 100), digit(number / 10), digit(number)]
}

fn digit(number: u32) -> u8 {
    b"0123456789"
        .get((number % 10) as usize)
        .copied()
        .unwrap_or(b'0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    fn written(record: &Record, fields: Fields) -> String {
        let mut out = Vec::new();
        RecordView::from(record)
            .write_json(fields, &mut out)
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    fn time() -> impl Strategy<Value = DateTime<Utc>> {
        // Years -20,000 to 20,000; whole seconds, milliseconds, microseconds and nanoseconds.
        let part = prop::sample::select(vec![1_000_000_000_u32, 1_000_000, 1_000, 1]);
        (
            -690_000_000_000_i64..570_000_000_000,
            0_u32..1_000_000_000,
            part,
        )
            .prop_map(|(seconds, nanos, part)| {
                DateTime::from_timestamp(seconds, nanos / part * part).unwrap()
            })
    }

    proptest! {
        #[test]
        fn json_is_that_of_the_record(
            texts in prop::array::uniform3(any::<String>()),
            subject in any::<Option<String>>(),
            record_id in any::<i64>(),
            (occurred_at, ingested_at) in (time(), time()),
        ) {
            let [source, id, event_type] = texts;
            let record = Record {
                record_id: RecordId(record_id),
                source,
                id,
                event_type,
                subject,
                occurred_at,
                ingested_at,
                payload: RawValue::from_string(r#"{"n": 1e400000}"#.to_owned()).unwrap(),
            };
            prop_assert_eq!(written(&record, Fields::ALL), serde_json::to_string(&record).unwrap());
        }

        #[test]
        fn chosen_fields_are_those_of_the_json(names in prop::sample::subsequence(Field::ALL.to_vec(), 1..=8)) {
            let text = names.iter().map(|field| field.name()).collect::<Vec<_>>().join(",");
            let record: Record = serde_json::from_str(
                r#"{"record_id":1,"source":"s","id":"i","type":"t","subject":null,
                    "occurred_at":"2026-11-24T12:00:00.5Z","ingested_at":"2026-11-24T12:00:01Z","payload":{}}"#,
            ).unwrap();
            let json: serde_json::Value =
                serde_json::from_str(&written(&record, text.parse().unwrap())).unwrap();
            let found: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
            let mut expected: Vec<&str> = names.iter().map(|field| field.name()).collect();
            expected.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn unknown_field_is_named() {
        let error = "source,sorce".parse::<Fields>().unwrap_err();
        assert!(
            error.starts_with("\"sorce\" is not one of record_id, source, id"),
            "{error}"
        );
        assert_eq!("id,id".parse::<Fields>(), "id".parse());
        assert!("id,".parse::<Fields>().unwrap_err().contains("\"\""));
    }
}
