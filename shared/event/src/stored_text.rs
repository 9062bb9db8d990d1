//! The text in which PostgreSQL returns an event that it stores as `jsonb`.
//!
//! Invariant: for every event that `parse_event` accepts, the text is that of `payload::text`, byte for byte.
//! `store` compares the two on generated events.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// SHA-256 of [`stored_text`], in lower-case hex: two events have the same digest exactly when their records
/// have the same text.
#[must_use]
pub fn stored_sha256(json: &str) -> String {
    format!("{:x}", Sha256::digest(stored_text(json)))
}

/// The text of the record of an event. `json` is an event that `parse_event` accepts; for any other text the
/// result has no meaning.
#[must_use]
pub fn stored_text(json: &str) -> String {
    Reader { json, position: 0 }.value()
}

/// Reads values one after the other. Its depth is limited by the nesting of an event.
struct Reader<'a> {
    json: &'a str,
    position: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> String {
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => escaped(&self.string()),
            Some(b'-' | b'0'..=b'9') => {
                number(self.take_while(|byte| {
                    matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
                }))
            }
            Some(_) | None => self
                .take_while(|byte| byte.is_ascii_alphabetic())
                .to_owned(),
        }
    }

    /// Members are sorted by the length of their names, then by bytes; of several with one name the last stays.
    fn object(&mut self) -> String {
        let mut members: BTreeMap<(usize, String), String> = BTreeMap::new();
        self.position += 1;
        while let Some(b'"' | b',') = self.peek() {
            if self.peek() == Some(b',') {
                self.position += 1;
                continue;
            }
            let name = self.string();
            if self.peek() == Some(b':') {
                self.position += 1;
            }
            let value = self.value();
            members.insert((name.len(), name), value);
        }
        self.position += 1;
        let members = members.iter();
        let members = members.map(|((_, name), value)| format!("{}: {value}", escaped(name)));
        format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
    }

    fn array(&mut self) -> String {
        let mut items = Vec::new();
        self.position += 1;
        while let Some(byte) = self.peek() {
            let before = self.position;
            match byte {
                b']' => break,
                b',' => self.position += 1,
                _ => items.push(self.value()),
            }
            if self.position == before {
                break;
            }
        }
        self.position += 1;
        format!("[{}]", items.join(", "))
    }

    /// The text of a string, without its quotes and escapes.
    fn string(&mut self) -> String {
        let start = self.position;
        let mut is_escaped = false;
        let length = self.json.bytes().skip(start + 1).take_while(|byte| {
            let is_end = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            !is_end
        });
        self.position = start + 1 + length.count() + 1;
        let quoted = self.json.get(start..self.position).unwrap_or_default();
        serde_json::from_str(quoted).unwrap_or_default()
    }

    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        self.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        self.json.as_bytes().get(self.position).copied()
    }

    fn take_while(&mut self, is_wanted: impl Fn(u8) -> bool) -> &'a str {
        let start = self.position;
        let bytes = self.json.bytes().skip(start);
        self.position += bytes.take_while(|byte| is_wanted(*byte)).count();
        self.json.get(start..self.position).unwrap_or_default()
    }
}

/// As `escape_json` of PostgreSQL writes it.
fn escaped(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\0'..='\u{1f}' => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// As `numeric` writes it: without an exponent, with all digits after the point that were given.
fn number(raw: &str) -> String {
    let (sign, unsigned) = match raw.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", raw),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().unwrap_or(0)),
        None => (unsigned, 0),
    };
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [integer, fraction].concat();
    let count = |text: &str| i64::try_from(text.len()).unwrap_or(0);
    let size = |count: i64| usize::try_from(count).unwrap_or(0);
    let scale = size(count(fraction) - exponent);
    if digits.bytes().all(|digit| digit == b'0') {
        return with_fraction("0", &"0".repeat(scale));
    }
    let point = count(integer) + exponent;
    let before = digits.get(..size(point)).unwrap_or(&digits);
    let after = digits.get(size(point)..).unwrap_or_default();
    let whole = [before, &"0".repeat(size(point - count(&digits)))].concat();
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let fraction = ["0".repeat(size(-point)), after.to_owned()].concat();
    format!("{sign}{}", with_fraction(whole, &fraction))
}

fn with_fraction(whole: &str, fraction: &str) -> String {
    if fraction.is_empty() {
        return whole.to_owned();
    }
    format!("{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_that_of_jsonb() {
        for (json, expected) in [
            (
                r#" { "bb" : [ 1 , { } , [ ] , null ] , "a":true, "c":"x" } "#,
                r#"{"a": true, "c": "x", "bb": [1, {}, [], null]}"#,
            ),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a": 3, "b": 2}"#),
            (
                r#"["\u0041\/\u001f\n", "\"\\", "é\u00e9😀\ud83d\ude00"]"#,
                "[\"A/\\u001f\\n\", \"\\\"\\\\\", \"éé😀😀\"]",
            ),
        ] {
            assert_eq!(stored_text(json), expected, "{json}");
        }
    }

    #[test]
    fn numbers_keep_their_digits_and_lose_their_exponents() {
        for (raw, expected) in [
            ("1.50", "1.50"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("1e5", "100000"),
            ("1.5E+1", "15"),
            ("1.50e1", "15.0"),
            ("15e-1", "1.5"),
            ("-1e-3", "-0.001"),
            ("0.0e-3", "0.0000"),
            ("0e1000000000", "0"),
            ("12.34e-3", "0.01234"),
        ] {
            assert_eq!(number(raw), expected, "{raw}");
        }
    }

    #[test]
    fn digest_tells_texts_apart_and_not_their_layout() {
        let digest = stored_sha256(r#"{"a":1.5}"#);
        assert_eq!(digest, stored_sha256("{ \"a\" :\n1.5 }"));
        assert_ne!(digest, stored_sha256(r#"{"a":1.50}"#));
    }
}
