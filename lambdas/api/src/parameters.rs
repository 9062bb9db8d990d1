//! Strict parsing of query parameters.
//!
//! Invariant: an unknown, repeated, empty or invalid parameter is a problem document that names it; none is
//! silently ignored. The fields of a type are the parameters of its path, and its documentation is derived from
//! the same fields.

use std::fmt::Display;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use event::{Fields, QueryError, RecordId};
use percent_encoding::percent_decode_str;
use serde::de::value::StringDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, IntoDeserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

use crate::problem::Problem;

/// The parameters of a request.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        read(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// A path without parameters.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub(crate) struct NoParameters {}

/// Reads a query string.
pub(crate) fn read<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let not_utf8 = || Problem::parameter(name, "is not percent-encoded UTF-8");
        let name = decoded(name).ok_or_else(not_utf8)?;
        let value = decoded(value).ok_or_else(not_utf8)?;
        pairs.push((name, value));
    }
    T::deserialize(Pairs { pairs }).map_err(|fault| Problem {
        parameter: fault.parameter,
        ..Problem::parameter("", fault.detail)
    })
}

/// Text without its form encoding; `None` when an escape is not `%` and two hexadecimal digits, or when the
/// bytes are not UTF-8.
fn decoded(text: &str) -> Option<String> {
    let is_escape = |rest: &str| {
        let mut digits = rest.bytes().take(2).filter(u8::is_ascii_hexdigit);
        digits.next().and(digits.next()).is_some()
    };
    if !text.split('%').skip(1).all(is_escape) {
        return None;
    }
    let text = text.replace('+', " ");
    let text = percent_decode_str(&text).decode_utf8().ok()?;
    Some(text.into_owned())
}

/// A parameter that is an RFC 3339 timestamp.
pub(crate) fn time<'de, D>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error>
where
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    match DateTime::parse_from_rfc3339(&text) {
        Ok(time) => Ok(Some(time.with_timezone(&Utc))),
        Err(_) => {
            let hint = if text.contains(' ') {
                " (in a URL, + is written %2B)"
            } else {
                ""
            };
            Err(serde::de::Error::custom(format_args!(
                "not an RFC 3339 timestamp like \"2026-01-31T12:00:00Z\"{hint}"
            )))
        }
    }
}

/// A parameter that is a list of the fields of a record.
pub(crate) fn fields<'de, D>(deserializer: D) -> Result<Option<Fields>, D::Error>
where
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// The record id in a path.
pub(crate) struct RecordIdInPath(pub(crate) RecordId);

impl<S: Sync + Send> FromRequestParts<S> for RecordIdInPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Not the extractor of axum, whose rejection is plain text when the path is not UTF-8.
        let last = parts.uri.path().rsplit('/').next().and_then(decoded);
        let number = last.and_then(|text| text.parse().ok());
        number.map(RecordId).map(Self).ok_or_else(|| {
            Problem::parameter("record_id", "not a whole number; see record_id of a record")
        })
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        Self::parameter(error.parameter, error.detail)
    }
}

/// Why parameters cannot be used.
#[derive(Debug)]
struct Fault {
    parameter: Option<String>,
    detail: String,
}

impl Fault {
    fn of(parameter: &str, detail: impl Into<String>) -> Self {
        Self {
            parameter: Some(parameter.to_owned()),
            detail: detail.into(),
        }
    }
}

impl Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.detail)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: Display>(detail: T) -> Self {
        Self {
            parameter: None,
            detail: detail.to_string(),
        }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!(
            "{variant:?} is not one of {}",
            expected.join(", ")
        ))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::of(field, "is missing")
    }
}

/// All parameters of a request, as the source of a struct.
struct Pairs {
    pairs: Vec<(String, String)>,
}

impl<'de> Deserializer<'de> for Pairs {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        for (position, (name, value)) in self.pairs.iter().enumerate() {
            if !fields.contains(&name.as_str()) {
                let detail = match fields {
                    [] => "this path has no parameters".to_owned(),
                    _ => format!("unknown; this path has {}", fields.join(", ")),
                };
                return Err(Fault::of(name, detail));
            }
            if value.is_empty() {
                return Err(Fault::of(name, "empty; leave it out instead"));
            }
            // PostgreSQL cannot store this character, so nothing can match.
            if value.contains('\0') {
                return Err(Fault::of(name, "must not contain U+0000"));
            }
            let mut before = self.pairs.iter().take(position);
            if before.any(|(other, _)| other == name) {
                return Err(Fault::of(name, "occurs more than once"));
            }
        }
        visitor.visit_map(Values {
            rest: self.pairs.into_iter(),
            current: None,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Values {
    rest: std::vec::IntoIter<(String, String)>,
    current: Option<(String, String)>,
}

impl<'de> MapAccess<'de> for Values {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.current = self.rest.next();
        let Some((name, _)) = &self.current else {
            return Ok(None);
        };
        let name: StringDeserializer<Fault> = name.clone().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (name, text) = self.current.take().unwrap_or_default();
        seed.deserialize(Text { text }).map_err(|fault| Fault {
            parameter: fault.parameter.or(Some(name)),
            detail: fault.detail,
        })
    }
}

/// The value of one parameter.
struct Text {
    text: String,
}

impl<'de> Deserializer<'de> for Text {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_string(self.text)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(self.text.into_deserializer())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.text.as_str() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            other => Err(serde::de::Error::unknown_variant(other, &["true", "false"])),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.text.parse() {
            Ok(number) => visitor.visit_i64(number),
            Err(_) => Err(serde::de::Error::custom("not a whole number")),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use event::Order;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Some {
        limit: Option<i64>,
        order: Option<Order>,
        deep: Option<bool>,
        #[serde(default, deserialize_with = "time")]
        from: Option<DateTime<Utc>>,
        #[serde(rename = "type")]
        event_type: Option<String>,
    }

    fn fault(query: &str) -> Option<String> {
        read::<Some>(query)
            .err()
            .and_then(|problem| problem.parameter)
    }

    #[test]
    fn each_kind_of_value_is_read() {
        let some: Some = read(
            "limit=-1&&order=asc&deep=true&type=a+b%2B%C3%B1&from=2026-01-01T01:00:00%2B01:00",
        )
        .unwrap();
        assert_eq!((some.limit, some.deep), (Some(-1), Some(true)));
        assert_eq!(some.order, Some(Order::Asc));
        assert_eq!(some.event_type.as_deref(), Some("a b+ñ"));
        assert_eq!(some.from, "2026-01-01T00:00:00Z".parse().ok());
        assert_eq!(read::<Some>("").unwrap().limit, None);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (query, parameter) in [
            ("limti=1", "limti"),
            ("limit=1&limit=1", "limit"),
            ("limit=", "limit"),
            ("limit", "limit"),
            ("limit=ten", "limit"),
            ("order=up", "order"),
            ("deep=yes", "deep"),
            ("from=yesterday", "from"),
            ("from=%00", "from"),
            ("type=%ff", "type"),
            ("type=%zz", "type"),
            ("type=a%2", "type"),
            ("type=%", "type"),
            ("%ff=a", "%ff"),
            ("=a", ""),
        ] {
            assert_eq!(fault(query).as_deref(), Some(parameter), "{query}");
        }
    }

    #[test]
    fn allowed_words_and_the_escape_of_plus_are_explained() {
        let detail = |query| read::<Some>(query).unwrap_err().detail;
        assert_eq!(detail("order=up"), "\"up\" is not one of asc, desc");
        let plus = detail("from=2026-01-01T00:00:00+01:00");
        assert!(plus.contains("%2B"), "{plus}");
        let none = read::<NoParameters>("x=1").unwrap_err().detail;
        assert_eq!(none, "this path has no parameters");
    }
}
