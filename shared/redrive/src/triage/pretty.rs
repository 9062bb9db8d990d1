//! An event laid out for people, with every value as it was written.
//!
//! Invariant: what is laid out reads back as the same JSON; numbers keep their digits.

use event::unwrap_envelope;
use jaq_json::{read, write};
use serde_json::value::RawValue;

/// The event of a body over several lines; `None` where it is no JSON. Out of an SNS envelope comes
/// the bare event.
#[must_use]
pub fn pretty(body: &str) -> Option<String> {
    let event = unwrap_envelope(body);
    // The reader takes more than JSON does: comments, NaN, bytes.
    serde_json::from_str::<&RawValue>(&event).ok()?;
    let value = read::parse_single(event.as_bytes()).ok()?;
    let layout = write::Pp {
        indent: Some("  ".to_owned()),
        sep_space: true,
        ..write::Pp::default()
    };
    let mut text = Vec::new();
    write::write(&mut text, &layout, 0, &value).ok()?;
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_order_stay_as_they_were_written() {
        let text = r#"{"b":1.50,"a":12345678901234567890,"c":[]}"#;
        let expected = "{\n  \"b\": 1.50,\n  \"a\": 12345678901234567890,\n  \"c\": []\n}";
        assert_eq!(pretty(text).as_deref(), Some(expected));
        assert_eq!(pretty("no json"), None);
    }
}
