//! Strict parsing of query parameters.
//!
//! Invariant: an unknown, repeated, empty or invalid parameter is a problem document that names it; none is
//! silently ignored.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, Utc};
use event::{Cursor, CursorError, QueryError, RecordId};

use crate::problem::Problem;

/// The years of RFC 3339, one more at each end because of offsets.
const YEARS: RangeInclusive<i32> = -1..=10_000;

/// The parameters of one request: each is known and occurs once.
#[derive(Debug)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
}

impl Parameters {
    /// Reads a query string; `known` are the parameters of the path.
    pub(crate) fn read(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query.unwrap_or_default())
            .map_err(|_| Problem::parameter("?", "the query string is not form-encoded UTF-8"))?;
        for (position, (name, value)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let detail = match known {
                    [] => "this path has no parameters".to_owned(),
                    _ => format!("unknown; this path has {}", known.join(", ")),
                };
                return Err(Problem::parameter(name, detail));
            }
            if value.is_empty() {
                return Err(Problem::parameter(name, "empty; leave it out instead"));
            }
            if pairs.iter().take(position).any(|(other, _)| other == name) {
                return Err(Problem::parameter(name, "occurs more than once"));
            }
        }
        Ok(Self { pairs })
    }

    /// A parameter as text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        let value = self.pairs.iter().find(|(known, _)| known == name);
        match value {
            // PostgreSQL cannot store this character, so nothing can match.
            Some((_, value)) if value.contains('\0') => {
                Err(Problem::parameter(name, "must not contain U+0000"))
            }
            Some((_, value)) => Ok(Some(value.clone())),
            None => Ok(None),
        }
    }

    /// A parameter that is one of a few keywords.
    pub(crate) fn keyword<T: FromStr<Err: Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Problem> {
        self.text(name)?
            .map(|text| text.parse())
            .transpose()
            .map_err(|error: T::Err| Problem::parameter(name, error.to_string()))
    }

    /// A parameter that is an RFC 3339 timestamp.
    pub(crate) fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
        self.text(name)?
            .map(|text| {
                DateTime::parse_from_rfc3339(&text).map_err(|_| {
                    let hint = if text.contains(' ') {
                        " (in a URL, + is written %2B)"
                    } else {
                        ""
                    };
                    Problem::parameter(
                        name,
                        format!("not an RFC 3339 timestamp like \"2026-01-31T12:00:00Z\"{hint}"),
                    )
                })
            })
            .transpose()
            .map(|time| time.map(|time| time.with_timezone(&Utc)))
    }
}

/// A cursor. Years outside of [`YEARS`] are refused, because PostgreSQL cannot compare with them.
pub(crate) fn cursor(text: &str) -> Result<Cursor, Problem> {
    Cursor::decode(text)
        .ok()
        .filter(|cursor| YEARS.contains(&cursor.occurred_at.year()))
        .ok_or_else(|| Problem::parameter("cursor", CursorError.to_string()))
}

/// The record id in a path.
pub(crate) fn record_id(text: &str) -> Result<RecordId, Problem> {
    text.parse().map(RecordId).map_err(|_| {
        Problem::parameter("record_id", "not a whole number; see record_id of a record")
    })
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        Self::parameter(error.parameter, error.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(query: &str) -> Option<String> {
        Parameters::read(Some(query), &["limit", "from"])
            .and_then(|parameters| parameters.time("from").map(|_| ()))
            .err()
            .and_then(|problem| problem.parameter)
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        assert_eq!(fault("limit=1&from=2026-01-01T00:00:00%2B01:00"), None);
        assert_eq!(fault("limti=1").as_deref(), Some("limti"));
        assert_eq!(fault("limit=1&limit=1").as_deref(), Some("limit"));
        assert_eq!(fault("limit=").as_deref(), Some("limit"));
        assert_eq!(fault("from=yesterday").as_deref(), Some("from"));
        assert_eq!(fault("from=%00").as_deref(), Some("from"));
    }

    #[test]
    fn cursor_beyond_the_calendar_is_none() {
        let at = |micros| Cursor {
            order: event::Order::Desc,
            occurred_at: DateTime::from_timestamp_micros(micros).unwrap(),
            record_id: RecordId(1),
        };
        assert_eq!(cursor(&at(0).encode()), Ok(at(0)));
        let beyond = at(-8_000_000_000_000_000_000 / 1_000 * 800);
        assert_eq!(
            cursor(&beyond.encode()).unwrap_err().parameter.as_deref(),
            Some("cursor")
        );
    }

    #[test]
    fn unescaped_plus_is_explained() {
        let parameters =
            Parameters::read(Some("from=2026-01-01T00:00:00+01:00"), &["from"]).unwrap();
        let problem = parameters.time("from").unwrap_err();
        assert!(problem.detail.contains("%2B"), "{}", problem.detail);
    }
}
