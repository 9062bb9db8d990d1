//! One parameter of an operation, and what is wrong with a value of it. Pure; invariant: an empty text is no value.

use chrono::DateTime;
use reqwest::header::HeaderValue;

/// Most characters of a value: path and query of the API have room for 8 KiB.
const VALUE_CHARS_MAX: usize = 2_000;

/// Where a parameter is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterPlace {
    /// In place of its name in the path.
    Path,
    /// In the query.
    Query,
    /// As a header.
    Header,
}

/// What a value can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Any text of so many characters.
    Text {
        /// Fewest characters.
        chars_min: Option<u64>,
        /// Most characters.
        chars_max: Option<u64>,
    },
    /// A whole number.
    Integer {
        /// The smallest.
        min: Option<i64>,
        /// The greatest.
        max: Option<i64>,
    },
    /// `true` or `false`.
    Boolean,
    /// One of these.
    Choice(Vec<String>),
    /// Some of these, separated by commas; any texts where none are named.
    List(Vec<String>),
    /// An RFC 3339 time.
    Time,
}

/// A parameter of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiParameter {
    /// Its name, unique in its operation.
    pub name: String,
    /// Where it is sent.
    pub place: ParameterPlace,
    /// What it means.
    pub description: String,
    /// Whether a call needs it.
    pub is_required: bool,
    /// What a value can be.
    pub kind: ValueKind,
    /// What the API takes where it is left out.
    pub default: Option<String>,
    /// A value that the document shows.
    pub example: Option<String>,
}

impl ApiParameter {
    /// What is wrong with a value, in words that stand beside it; an empty one is left out.
    ///
    /// # Errors
    /// The words.
    pub fn check(&self, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return match self.is_required {
                true => Err("is required".to_owned()),
                false => Ok(()),
            };
        }
        if value.chars().count() > VALUE_CHARS_MAX {
            return Err(format!("is longer than {VALUE_CHARS_MAX} characters"));
        }
        if value.contains('\0') {
            return Err("must not contain U+0000".to_owned());
        }
        match self.place {
            ParameterPlace::Path if matches!(value, "." | "..") => {
                return Err("would be another path".to_owned());
            }
            ParameterPlace::Header if HeaderValue::from_str(value).is_err() => {
                return Err("has characters that no header can have".to_owned());
            }
            ParameterPlace::Path | ParameterPlace::Query | ParameterPlace::Header => {}
        }
        self.kind.check(value)
    }

    /// `integer, 1 to 500, by default 50`
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut words = self.kind.in_words();
        if let Some(default) = &self.default {
            words.push_str(&format!(", by default {default}"));
        }
        if self.is_required {
            words.push_str(", required");
        }
        words
    }
}

impl ValueKind {
    fn check(&self, value: &str) -> Result<(), String> {
        match self {
            Self::Text {
                chars_min,
                chars_max,
            } => {
                let length = value.chars().count() as u64;
                if let Some(min) = chars_min.filter(|min| length < *min) {
                    return Err(format!("has {length} characters, wants {min} at least"));
                }
                match chars_max.filter(|max| length > *max) {
                    Some(max) => Err(format!("has {length} characters, takes {max} at most")),
                    None => Ok(()),
                }
            }
            Self::Integer { min, max } => {
                let Ok(number) = value.parse::<i64>() else {
                    return Err("is no whole number".to_owned());
                };
                if let Some(min) = min.filter(|min| number < *min) {
                    return Err(format!("is less than {min}"));
                }
                match max.filter(|max| number > *max) {
                    Some(max) => Err(format!("is more than {max}")),
                    None => Ok(()),
                }
            }
            Self::Boolean if matches!(value, "true" | "false") => Ok(()),
            Self::Boolean => Err("is neither true nor false".to_owned()),
            Self::Choice(choices) => known(value, choices),
            Self::List(choices) => value.split(',').try_for_each(|item| match item {
                "" => Err("has an empty item".to_owned()),
                _ if choices.is_empty() => Ok(()),
                _ => known(item, choices),
            }),
            Self::Time if DateTime::parse_from_rfc3339(value).is_ok() => Ok(()),
            Self::Time => Err("is no time like 2026-01-31T12:00:00Z".to_owned()),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Text {
                chars_min,
                chars_max,
            } => match (chars_min.filter(|min| *min > 1), chars_max) {
                (Some(min), Some(max)) if min == *max => format!("text of {min} characters"),
                (Some(min), Some(max)) => format!("text of {min} to {max} characters"),
                (Some(min), None) => format!("text of {min} characters at least"),
                (None, Some(max)) => format!("text of {max} characters at most"),
                (None, None) => "text".to_owned(),
            },
            Self::Integer { min, max } => match (min, max) {
                (Some(min), Some(max)) => format!("integer, {min} to {max}"),
                (Some(min), None) => format!("integer, {min} at least"),
                (None, Some(max)) => format!("integer, {max} at most"),
                (None, None) => "integer".to_owned(),
            },
            Self::Boolean => "true or false".to_owned(),
            Self::Choice(choices) => choices.join(" or "),
            Self::List(choices) if choices.is_empty() => "list, by commas".to_owned(),
            Self::List(choices) => format!("list of {}", choices.join(",")),
            Self::Time => "time (RFC 3339)".to_owned(),
        }
    }
}

fn known(value: &str, choices: &[String]) -> Result<(), String> {
    match choices.iter().any(|choice| choice == value) {
        true => Ok(()),
        false => Err(format!("unknown: {value}; one of {}", choices.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(kind: ValueKind, place: ParameterPlace, is_required: bool) -> ApiParameter {
        ApiParameter {
            name: "value".to_owned(),
            place,
            description: String::new(),
            is_required,
            kind,
            default: None,
            example: None,
        }
    }

    #[test]
    fn value_is_judged_by_its_kind_and_its_limits() {
        let text = |chars_min, chars_max| ValueKind::Text {
            chars_min,
            chars_max,
        };
        let integer = ValueKind::Integer {
            min: Some(1),
            max: Some(500),
        };
        let names = || vec!["asc".to_owned(), "desc".to_owned()];
        let (choice, list) = (ValueKind::Choice(names()), ValueKind::List(names()));
        let long = "x".repeat(2_001);
        for (kind, value, expected) in [
            (&text(None, None), "anything", None),
            (&text(None, None), &*long, Some("longer than 2000")),
            (&text(None, None), "a\0b", Some("U+0000")),
            (&text(Some(3), Some(4)), "äöü", None),
            (
                &text(Some(3), Some(4)),
                "äö",
                Some("has 2 characters, wants 3"),
            ),
            (
                &text(Some(3), Some(4)),
                "abcde",
                Some("has 5 characters, takes 4"),
            ),
            (&integer, "1", None),
            (&integer, "500", None),
            (&integer, "0", Some("is less than 1")),
            (&integer, "501", Some("is more than 500")),
            (&integer, "1.5", Some("no whole number")),
            (&integer, "many", Some("no whole number")),
            (&ValueKind::Boolean, "true", None),
            (&ValueKind::Boolean, "yes", Some("neither true nor false")),
            (&choice, "desc", None),
            (&choice, "down", Some("unknown: down; one of asc, desc")),
            (&list, "asc,desc", None),
            (&list, "asc,,desc", Some("empty item")),
            (&list, "asc,up", Some("unknown: up")),
            (&ValueKind::List(Vec::new()), "anything", None),
            (&ValueKind::Time, "2026-01-31T12:00:00+01:00", None),
            (&ValueKind::Time, "yesterday", Some("no time like")),
        ] {
            let judged = parameter(kind.clone(), ParameterPlace::Query, false).check(value);
            match (judged, expected) {
                (Ok(()), None) => {}
                (Err(said), Some(expected)) => assert!(said.contains(expected), "{said}"),
                (judged, _) => panic!("{kind:?} {value:?}: {judged:?}"),
            }
        }
    }

    #[test]
    fn value_is_judged_by_its_place() {
        let text = ValueKind::Text {
            chars_min: None,
            chars_max: None,
        };
        let of = |place, value| parameter(text.clone(), place, true).check(value).is_ok();
        assert!(!of(ParameterPlace::Query, ""), "it is required");
        assert!(!of(ParameterPlace::Path, ".."));
        assert!(of(ParameterPlace::Query, ".."));
        assert!(!of(ParameterPlace::Header, "a\nb"));
        assert!(of(ParameterPlace::Query, "a\nb"));
        let optional = parameter(text.clone(), ParameterPlace::Query, false);
        assert_eq!(optional.check(""), Ok(()), "it is left out");
    }

    #[test]
    fn limits_are_told_in_words() {
        let mut one = parameter(
            ValueKind::Integer {
                min: Some(1),
                max: Some(500),
            },
            ParameterPlace::Query,
            false,
        );
        one.default = Some("50".to_owned());
        assert_eq!(one.in_words(), "integer, 1 to 500, by default 50");
        one.kind = ValueKind::Text {
            chars_min: Some(40),
            chars_max: Some(40),
        };
        one.default = None;
        one.is_required = true;
        assert_eq!(one.in_words(), "text of 40 characters, required");
    }
}
