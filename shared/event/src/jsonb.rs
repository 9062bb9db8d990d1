//! Legal JSON that PostgreSQL's `jsonb` cannot store.
//!
//! Invariant: for well-formed JSON, `first_refusal` returns `None` exactly when `text::jsonb`
//! succeeds, except for two limits of our own: [`NESTING_MAX`], and the number of digits of all
//! numbers when they are written out.

use crate::failure::{Failure, FailureCode};

/// Largest event, in bytes of JSON: the default limit of an SNS topic (Amazon SNS quotas), so that
/// every stored event can be published again.
pub const EVENT_BYTES_MAX: usize = 256 * 1_024;

/// Deepest nesting of objects and arrays that the pipeline accepts. Most JSON parsers stop at 128
/// levels (serde_json too), so third parties could not read a deeper event.
pub const NESTING_MAX: usize = 100;

/// Digits before the decimal point that `numeric` stores (PostgreSQL manual, table 8.2).
const NUMERIC_INTEGER_DIGITS_MAX: i64 = 131_072;
/// Digits after the decimal point that `numeric` stores (PostgreSQL manual, table 8.2).
pub(crate) const NUMERIC_SCALE_MAX: i64 = 16_383;
/// `numeric_in` refuses exponents of this size whatever the digits are.
const NUMERIC_EXPONENT_LIMIT: i64 = (i32::MAX / 2) as i64;

enum Segment<'a> {
    Key(&'a str),
    Index(usize),
}

/// Finds the first place that `jsonb` would refuse.
///
/// `json` must be well-formed; for other text the result is meaningless, but there is no panic.
#[must_use]
pub fn first_refusal(json: &str) -> Option<Failure> {
    Scanner {
        json,
        position: 0,
        path: Vec::new(),
        digits: 0,
    }
    .scan()
}

struct Scanner<'a> {
    json: &'a str,
    position: usize,
    path: Vec<Segment<'a>>,
    /// Digits of all numbers so far as PostgreSQL writes them out: `1e100000` is stored in a few bytes
    /// and returned as 100,001 digits.
    digits: usize,
}

impl<'a> Scanner<'a> {
    fn scan(mut self) -> Option<Failure> {
        // True where the next string of an object is a key.
        let mut expects_key = false;
        while let Some(&byte) = self.json.as_bytes().get(self.position) {
            match byte {
                b'{' | b'[' => {
                    if self.path.len() >= NESTING_MAX {
                        return Some(self.failure(
                            FailureCode::TooLarge,
                            format!("nested deeper than {NESTING_MAX} levels"),
                        ));
                    }
                    expects_key = byte == b'{';
                    self.path.push(if expects_key {
                        Segment::Key("")
                    } else {
                        Segment::Index(0)
                    });
                    self.position += 1;
                }
                b'}' | b']' => {
                    self.path.pop();
                    expects_key = false;
                    self.position += 1;
                }
                b',' => {
                    match self.path.last_mut() {
                        Some(Segment::Index(index)) => *index += 1,
                        Some(Segment::Key(_)) => expects_key = true,
                        None => {}
                    }
                    self.position += 1;
                }
                b'"' => {
                    let raw = self.string();
                    if expects_key {
                        if let Some(last) = self.path.last_mut() {
                            *last = Segment::Key(raw);
                        }
                        expects_key = false;
                    }
                    if let Some(problem) = string_problem(raw) {
                        return Some(self.failure(FailureCode::RefusedByDatabase, problem));
                    }
                }
                b'-' | b'0'..=b'9' => {
                    let raw = self.number();
                    let Some(digits) = numeric_digits(raw) else {
                        return Some(self.failure(
                            FailureCode::RefusedByDatabase,
                            format!(
                                "the number {} is too large or too precise for PostgreSQL's numeric",
                                abbreviated(raw)
                            ),
                        ));
                    };
                    self.digits = self.digits.saturating_add(digits);
                    if self.digits > EVENT_BYTES_MAX {
                        return Some(self.failure(
                            FailureCode::TooLarge,
                            format!(
                                "with the number {} the event's numbers written out have more \
                                 than {EVENT_BYTES_MAX} digits",
                                abbreviated(raw)
                            ),
                        ));
                    }
                }
                _ => self.position += 1,
            }
        }
        None
    }

    /// Consumes a string; returns the text between its quotes, with its escapes.
    fn string(&mut self) -> &'a str {
        let start = self.position + 1;
        let bytes = self.json.as_bytes();
        let mut end = start;
        while let Some(&byte) = bytes.get(end) {
            match byte {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        self.position = end + 1;
        self.json
            .get(start..end.min(bytes.len()))
            .unwrap_or_default()
    }

    fn number(&mut self) -> &'a str {
        let start = self.position;
        let length = self
            .json
            .as_bytes()
            .iter()
            .skip(start)
            .take_while(|b| matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
            .count();
        self.position = start + length;
        self.json.get(start..self.position).unwrap_or_default()
    }

    fn failure(&self, code: FailureCode, detail: String) -> Failure {
        let mut pointer = String::new();
        for segment in &self.path {
            pointer.push('/');
            match segment {
                Segment::Key(raw) => {
                    pointer.push_str(&decoded(raw).replace('~', "~0").replace('/', "~1"));
                }
                Segment::Index(index) => pointer.push_str(&index.to_string()),
            }
        }
        Failure::at(code, detail, pointer)
    }
}

/// A member name with its escapes decoded; unchanged where they cannot be (half a surrogate pair).
fn decoded(raw: &str) -> String {
    serde_json::from_str(&format!("\"{raw}\"")).unwrap_or_else(|_| raw.to_owned())
}

fn abbreviated(number: &str) -> String {
    const SHOWN: usize = 24;
    if number.len() <= SHOWN {
        number.to_owned()
    } else {
        format!(
            "{}… ({} characters)",
            number.get(..SHOWN).unwrap_or(number),
            number.len()
        )
    }
}

/// Checks the `\u` escapes in a string's raw text.
fn string_problem(raw: &str) -> Option<String> {
    let bytes = raw.as_bytes();
    let mut position = 0;
    while let Some(offset) = bytes.get(position..)?.iter().position(|b| *b == b'\\') {
        position += offset;
        if bytes.get(position + 1) != Some(&b'u') {
            position += 2;
            continue;
        }
        let unit = unit_at(raw, position)?;
        position += 6;
        match unit {
            0 => return Some(r"\u0000 cannot be stored as text by PostgreSQL".to_owned()),
            0xd800..=0xdbff => match unit_at(raw, position) {
                Some(0xdc00..=0xdfff) => position += 6,
                _ => return Some(lone(unit)),
            },
            0xdc00..=0xdfff => return Some(lone(unit)),
            _ => {}
        }
    }
    None
}

fn lone(unit: u16) -> String {
    format!(r"\u{unit:04x} is half of a surrogate pair")
}

fn unit_at(raw: &str, position: usize) -> Option<u16> {
    let escape = raw.get(position..position + 6)?;
    u16::from_str_radix(escape.strip_prefix("\\u")?, 16).ok()
}

/// Digits of a JSON number as `numeric_out` writes it, or `None` where `numeric_in` refuses it.
fn numeric_digits(number: &str) -> Option<usize> {
    let unsigned = number.strip_prefix('-').unwrap_or(number);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        // An exponent that does not fit an i64 is beyond every limit.
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    if exponent.abs() >= NUMERIC_EXPONENT_LIMIT {
        return None;
    }
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let count = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let scale = (count(fraction) - exponent).max(0);
    if scale > NUMERIC_SCALE_MAX {
        return None;
    }
    let zeros = integer
        .bytes()
        .chain(fraction.bytes())
        .take_while(|b| *b == b'0')
        .count();
    let integer_digits = if zeros == integer.len() + fraction.len() {
        1
    } else {
        count(integer) - i64::try_from(zeros).unwrap_or(i64::MAX) + exponent
    };
    if integer_digits > NUMERIC_INTEGER_DIGITS_MAX {
        return None;
    }
    usize::try_from(integer_digits.max(1) + scale).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(json: &str) -> Option<String> {
        first_refusal(json).and_then(|failure| failure.pointer)
    }

    #[test]
    fn finds_what_jsonb_refuses_and_where() {
        assert_eq!(
            pointer(r#"{"a":{"b":["x","\u0000"]}}"#).as_deref(),
            Some("/a/b/1")
        );
        assert_eq!(pointer(r#"{"a":"\ud800"}"#).as_deref(), Some("/a"));
        assert_eq!(pointer(r#"{"a":"\udc00x"}"#).as_deref(), Some("/a"));
        assert_eq!(pointer(r#"{"a":"\ud800A"}"#).as_deref(), Some("/a"));
        assert_eq!(pointer(r#"{"n":1e400000}"#).as_deref(), Some("/n"));
        assert_eq!(pointer(r#"{"n":1e-20000}"#).as_deref(), Some("/n"));
        assert_eq!(
            pointer(r#"{"a/b~":[0e9999999999]}"#).as_deref(),
            Some("/a~1b~0/0")
        );
    }

    #[test]
    fn accepts_what_jsonb_stores() {
        for json in [
            r#"{"a":"\ud83d\ude00 \\u0000 \u0001"}"#,
            r#"{"n":[1e131071, 0e400000, -1.5E-16382, 0.0, -0]}"#,
            r#"{"n":[1e131071, 1e131071]}"#,
            r#"[]"#,
            r#""x""#,
        ] {
            assert_eq!(first_refusal(json), None, "{json}");
        }
    }

    #[test]
    fn numbers_that_are_too_long_when_written_out_are_refused() {
        let failure = first_refusal(r#"{"n":[1e131071, 1e131071, 1]}"#).unwrap();
        assert_eq!(failure.code, FailureCode::TooLarge);
        assert_eq!(failure.pointer.as_deref(), Some("/n/2"));
    }

    #[test]
    fn nesting_has_a_limit() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(first_refusal(&deep(NESTING_MAX)), None);
        assert_eq!(
            first_refusal(&deep(NESTING_MAX + 1)).map(|failure| failure.code),
            Some(FailureCode::TooLarge)
        );
    }
}
