//! Text of the world, made safe for a terminal.
//!
//! Invariant: what comes out holds no control character that a terminal would obey. Escapes are
//! those of JSON, so that safe JSON stays the same JSON.

use std::fmt::Write as _;

/// The text on one line: every control character and every character that turns the direction of
/// writing is escaped.
#[must_use]
pub fn printable(text: &str) -> String {
    escaped(text, |_| false)
}

/// The text with its line breaks and tabs; everything else as in [`printable`].
#[must_use]
pub fn printable_lines(text: &str) -> String {
    escaped(text, |c| matches!(c, '\n' | '\t'))
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
            other => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{:04x}", u32::from(other));
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_line_breaks_and_direction_marks_are_shown_not_obeyed() {
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
}
