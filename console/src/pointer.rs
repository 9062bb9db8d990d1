//! JSON pointers (RFC 6901) into events, as columns of a list.
//!
//! Pure; invariant: a number is shown as it is written, and of an event only what is pointed at is kept.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::text::{fit, visible};

/// Columns at most.
pub(crate) const POINTERS_MAX: usize = 6;
/// Longest list of pointers, in characters.
pub(crate) const POINTERS_CHARS_MAX: usize = 1_000;
/// Characters that are kept of a value.
const CELL_CHARS_MAX: usize = 120;
/// Names from the outside in that are suggested.
const DEPTH_MAX: usize = 6;
/// Suggestions at most.
const SUGGESTED_MAX: usize = 200;

/// A place in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    text: String,
    names: Vec<String>,
}

/// What is at a place of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Nothing.
    Absent,
    /// A number, as it is written.
    Number(String),
    /// Anything else, fit for the screen.
    Text(String),
}

/// A list of pointers that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct PointerError {
    text: String,
    /// The characters of the pointer at fault.
    pub(crate) at: Range<usize>,
}

impl fmt::Display for Pointer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

impl FromStr for Pointer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('/') else {
            let right = text.trim_start_matches('.').replace('.', "/");
            return Err(match visible(&right).as_str() {
                "" => "a JSON pointer begins with /, like /data/flight".to_owned(),
                right => format!("{} does not begin with /; write /{right}", visible(text)),
            });
        };
        let names = rest.split('/').map(|name| {
            unescaped(name).ok_or_else(|| {
                format!(
                    "{}: ~ stands for itself only as ~0, and for / as ~1",
                    visible(text)
                )
            })
        });
        Ok(Self {
            text: text.to_owned(),
            names: names.collect::<Result<_, _>>()?,
        })
    }
}

/// Names with `~1` for `/` and `~0` for `~`; no other escapes exist.
fn unescaped(name: &str) -> Option<String> {
    let mut parts = name.split('~');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sign, rest) = match part.strip_prefix('0') {
            Some(rest) => ('~', rest),
            None => ('/', part.strip_prefix('1')?),
        };
        plain.push(sign);
        plain.push_str(rest);
    }
    Some(plain)
}

impl Pointer {
    /// The last name, which is the title of a column.
    pub(crate) fn title(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }

    /// What is there in an event. Reads no further than to that place.
    pub(crate) fn read(&self, payload: &str) -> Cell {
        let mut text = payload;
        for name in &self.names {
            match member(text, name) {
                Some(value) => text = value.get(),
                None => return Cell::Absent,
            }
        }
        let cut = |text: &str| {
            let kept: String = text.chars().take(CELL_CHARS_MAX + 1).collect();
            fit(&visible(&kept), CELL_CHARS_MAX)
        };
        match serde_json::from_str::<String>(text) {
            Ok(text) => Cell::Text(cut(&text)),
            Err(_) if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                Cell::Number(cut(text))
            }
            Err(_) => Cell::Text(cut(text)),
        }
    }
}

/// Reads pointers that are separated by blanks.
pub(crate) fn parse(text: &str) -> Result<Vec<Pointer>, PointerError> {
    let mut pointers: Vec<Pointer> = Vec::new();
    for (word, at) in words(text) {
        let pointer = word.parse::<Pointer>();
        let refused = match &pointer {
            Err(error) => Some(error.clone()),
            Ok(pointer) if pointers.contains(pointer) => {
                Some(format!("{} is given twice; keep one", visible(&word)))
            }
            Ok(_) if pointers.len() == POINTERS_MAX => {
                Some(format!("{POINTERS_MAX} columns at most; leave one out"))
            }
            Ok(_) => None,
        };
        if let Some(text) = refused {
            return Err(PointerError { text, at });
        }
        pointers.extend(pointer);
    }
    Ok(pointers)
}

/// The words of a text, and their characters.
pub(crate) fn words(text: &str) -> Vec<(String, Range<usize>)> {
    let mut words: Vec<(String, Range<usize>)> = Vec::new();
    let mut is_between = true;
    for (place, character) in text.chars().enumerate() {
        if character.is_whitespace() {
            is_between = true;
            continue;
        }
        if is_between {
            words.push((String::new(), place..place));
            is_between = false;
        }
        if let Some((word, at)) = words.last_mut() {
            word.push(character);
            at.end = place + 1;
        }
    }
    words
}

/// Pointers to the values of an event, with the values, as they come.
pub(crate) fn suggested(payload: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let Ok(event) = serde_json::from_str::<serde_json::Value>(payload) {
        leaves(&event, &mut String::new(), 0, &mut found);
    }
    found
}

fn leaves(
    value: &serde_json::Value,
    path: &mut String,
    depth: usize,
    found: &mut Vec<(String, String)>,
) {
    let members = value.as_object().filter(|_| depth < DEPTH_MAX);
    let Some(members) = members else {
        if depth > 0 && found.len() < SUGGESTED_MAX {
            found.push((path.clone(), value.to_string()));
        }
        return;
    };
    for (name, value) in members {
        let length = path.len();
        path.push('/');
        path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        // A blank would end the pointer where it is typed.
        if !path.contains(char::is_whitespace) && visible(path) == *path {
            leaves(value, path, depth + 1, found);
        }
        path.truncate(length);
    }
}

/// One member of an object, or one element of an array, as it is written.
fn member<'t>(text: &'t str, name: &str) -> Option<&'t RawValue> {
    let mut found = None;
    let mut parser = serde_json::Deserializer::from_str(text);
    let visitor = Member {
        name,
        found: &mut found,
    };
    // What follows is not read, which is an error for the parser.
    let _ = parser.deserialize_any(visitor);
    found
}

struct Member<'n, 'f, 'de> {
    name: &'n str,
    found: &'f mut Option<&'de RawValue>,
}

impl<'de> Visitor<'de> for Member<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == self.name {
                *self.found = Some(map.next_value()?);
                return Ok(());
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let is_index = self.name == "0" || !self.name.starts_with(['0', '+']);
        let Some(index) = self.name.parse::<usize>().ok().filter(|_| is_index) else {
            return Ok(());
        };
        for _ in 0..index {
            if sequence.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        *self.found = sequence.next_element()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENT: &str = r#"{"type": "a.b", "a/b": {"~": [10, {"x": null}]}, "data": {"price": 412.500,
        "big": 123456789012345678901234567890, "is": true, "tags": ["a", "b"], "text": "\u001b[2J"}}"#;

    fn read(pointer: &str) -> Cell {
        pointer.parse::<Pointer>().unwrap().read(EVENT)
    }

    #[test]
    fn value_is_found_at_its_place_and_numbers_stay_as_they_are_written() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let number = |text: &str| Cell::Number(text.to_owned());
        assert_eq!(read("/type"), text("a.b"));
        assert_eq!(read("/data/price"), number("412.500"));
        assert_eq!(read("/data/big"), number("123456789012345678901234567890"));
        assert_eq!(read("/data/is"), text("true"));
        assert_eq!(read("/data/tags"), text(r#"["a", "b"]"#));
        assert_eq!(read("/data/tags/1"), text("b"));
        assert_eq!(read("/a~1b/~0/0"), number("10"));
        assert_eq!(read("/a~1b/~0/1/x"), text("null"));
        assert_eq!(read("/data/text"), text("␛[2J"));
        for absent in [
            "/",
            "/x",
            "/type/x",
            "/data/tags/2",
            "/data/tags/01",
            "/data/tags/-",
        ] {
            assert_eq!(read(absent), Cell::Absent, "{absent}");
        }
        let pointer = "/a".parse::<Pointer>().unwrap();
        for text in ["", "[]", "no JSON", "{\"a\"", "{\"a\":"] {
            assert_eq!(pointer.read(text), Cell::Absent, "{text}");
        }
    }

    #[test]
    fn long_value_is_cut() {
        let event = format!("{{\"a\":\"{}\"}}", "日".repeat(300));
        let Cell::Text(text) = "/a".parse::<Pointer>().unwrap().read(&event) else {
            unreachable!();
        };
        assert!(text.ends_with('…') && text.chars().count() <= CELL_CHARS_MAX);
    }

    #[test]
    fn what_is_no_pointer_is_refused_with_what_would_be_right() {
        let refused = |text: &str| {
            let error = parse(text).unwrap_err();
            (error.to_string(), error.at)
        };
        assert_eq!(
            refused("/a  data.flight"),
            (
                "data.flight does not begin with /; write /data/flight".into(),
                4..15
            )
        );
        assert!(refused(".data.flight").0.ends_with("write /data/flight"));
        assert!(refused(".").0.contains("like /data/flight"));
        assert!(refused("/a~2").0.contains("~0"));
        assert!(refused("/a~").0.contains("~0"));
        assert_eq!(refused("/a /a").0, "/a is given twice; keep one");
        let many: Vec<_> = (0..=POINTERS_MAX).map(|n| format!("/{n}")).collect();
        assert_eq!(
            refused(&many.join(" ")).0,
            "6 columns at most; leave one out"
        );
        assert_eq!(parse(&many[1..].join(" ")).unwrap().len(), POINTERS_MAX);
        assert_eq!(parse("  "), Ok(Vec::new()));
    }

    #[test]
    fn places_of_an_event_are_suggested_with_their_values() {
        let found = suggested(EVENT);
        let has =
            |pointer: &str, value: &str| found.contains(&(pointer.to_owned(), value.to_owned()));
        assert!(has("/type", "\"a.b\""), "{found:?}");
        assert!(has("/data/is", "true"), "{found:?}");
        assert!(has("/a~1b/~0", "[10,{\"x\":null}]"), "{found:?}");
        assert!(!found.iter().any(|(pointer, _)| pointer == "/data"));
        assert!(suggested("no JSON").is_empty());
        assert_eq!(suggested("{\"a b\":1,\"c\":2}").len(), 1);
    }

    proptest! {
        #[test]
        fn every_suggested_pointer_finds_its_value(
            names in proptest::collection::vec("[a-z~/0-9日]{0,4}", 1..5), value in 0u32..1_000
        ) {
            let mut event = serde_json::json!(value);
            for name in names.iter().rev() {
                event = serde_json::json!({ name.as_str(): event });
            }
            let event = event.to_string();
            let found = suggested(&event);
            prop_assert_eq!(found.len(), 1);
            let pointer: Pointer = found[0].0.parse().unwrap();
            prop_assert_eq!(pointer.read(&event), Cell::Number(value.to_string()));
            prop_assert_eq!(pointer.title(), names.last().unwrap().as_str());
        }
    }
}
