//! Makes text from the pipeline safe to print.
//!
//! Invariant: the result contains no character that controls a terminal. Escapes are those of JSON, so
//! that escaped JSON has the same value.

use std::fmt::Write as _;

/// The text on one line: every control character and every character that changes the writing direction is
/// escaped.
#[must_use]
pub fn printable(text: &str) -> String {
    escaped(text, |_| false)
}

/// The text with its line breaks and tabs; everything else as in [`printable`].
#[must_use]
pub fn printable_lines(text: &str) -> String {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

/// JSON text with the same value and without characters that control a terminal: in strings as in
/// [`printable`]; white space between tokens becomes a space.
#[must_use]
pub fn printable_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            // In strings JSON escapes them, so these are between two tokens.
            '\n' | '\r' | '\t' => safe.push(' '),
            c if event::is_deceptive(c) => push_escape(&mut safe, c),
            c => safe.push(c),
        }
    }
    safe
}

fn escaped(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_kept(c) || !event::is_deceptive(c) {
            safe.push(c);
            continue;
        }
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            other => push_escape(&mut safe, other),
        }
    }
    safe
}

/// The escape of JSON (RFC 8259, 7): UTF-16 units, so a pair beyond the basic plane.
fn push_escape(text: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\\u{unit:04x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_line_breaks_and_direction_marks_are_escaped() {
        assert_eq!(
            printable("a\u{1b}]0;x\u{7}\n\u{9b}31m\u{202e}é"),
            "a\\u001b]0;x\\u0007\\n\\u009b31m\\u202eé"
        );
    }

    #[test]
    fn lines_keep_their_breaks_and_json_stays_the_same_json() {
        let json = "{\n\t\"a\": \"b\\u001b\u{202e}\"\n}";
        let shown = printable_lines(json);
        let before: serde_json::Value = serde_json::from_str(json).unwrap();
        let after: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(before, after);
        assert!(shown.contains('\n'));
    }

    #[test]
    fn json_with_line_breaks_between_tokens_stays_the_same_json() {
        let json = "{\r\n\t\"a\":\r[1e400,\"\u{9b}2J\u{202e}\u{7f}\u{2028}\"]}";
        assert_eq!(
            printable_json(json),
            r#"{   "a": [1e400,"\u009b2J\u202e\u007f\u2028"]}"#
        );
    }

    #[test]
    fn escapes_beyond_the_basic_plane_are_pairs() {
        let mut text = String::new();
        push_escape(&mut text, '\u{e0001}');
        assert_eq!(text, "\\udb40\\udc01");
    }

    proptest::proptest! {
        #[test]
        fn printable_json_has_the_same_value_and_nothing_deceptive(text in ".*") {
            let json = serde_json::to_string(&serde_json::json!({ &text: [&text] })).unwrap();
            let shown = printable_json(&json);
            proptest::prop_assert!(!shown.chars().any(event::is_deceptive));
            let before: serde_json::Value = serde_json::from_str(&json).unwrap();
            let after: serde_json::Value = serde_json::from_str(&shown).unwrap();
            proptest::prop_assert_eq!(before, after);
        }
    }
}
