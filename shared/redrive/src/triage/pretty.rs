//! JSON laid out for people, one member a line: the only layout of JSON text in the console's
//! commands and its editor.
//!
//! Invariant: only white space outside strings changes. Digits of numbers, escapes, the order of
//! members and duplicate names stay, because an edited text is sent in the place of the original.
//!
//! Own code, because every crate that was looked at reads the text into values and writes others:
//! `serde_json` (`arbitrary_precision`, `preserve_order`) and `jaq_json::write` merge duplicate names
//! and rewrite escapes, `serde-transcode` cannot pass long numbers, and `jsonxf` has had no release
//! since 2021. `opsconsole::tui::document` lays out for the screen: it colours, marks a place and cuts.

use serde_json::value::RawValue;

const INDENT: &str = "  ";
/// Levels that are indented further: one that is nested ten thousand times would fill the memory.
const INDENTED_MAX: usize = 64;

/// The text with one member a line; `None` if it is not JSON.
#[must_use]
pub fn pretty(json: &str) -> Option<String> {
    serde_json::from_str::<&RawValue>(json).ok()?;
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut is_escaped = false;
    let mut characters = json.chars().peekable();
    while let Some(c) = characters.next() {
        if in_string {
            text.push(c);
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        match c {
            c if c.is_ascii_whitespace() => {}
            '"' => {
                in_string = true;
                text.push(c);
            }
            '{' | '[' => {
                text.push(c);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(end);
                } else {
                    depth += 1;
                    break_line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                break_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            other => text.push(other),
        }
    }
    Some(text)
}

fn break_line(text: &mut String, depth: usize) {
    text.push('\n');
    for _ in 0..depth.min(INDENTED_MAX) {
        text.push_str(INDENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_keeps_numbers_escapes_and_empty_containers() {
        let json = r#"{"a":1e400,"b":[1, "x\"{,:" ],"c":{ },"d":[]}"#;
        let expected = "{\n  \"a\": 1e400,\n  \"b\": [\n    1,\n    \"x\\\"{,:\"\n  ],\n  \"c\": {},\n  \"d\": []\n}";
        assert_eq!(pretty(json).unwrap(), expected);
        assert_eq!(pretty("not json"), None);
    }

    #[test]
    fn deep_nesting_makes_no_text_without_end() {
        let levels = 20_000;
        let json = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let text = pretty(&json).unwrap();
        assert!(text.len() < levels * 2 * (INDENTED_MAX + 1) * INDENT.len());
        assert_eq!(text.split_whitespace().collect::<String>(), json);
    }

    #[test]
    fn duplicates_escapes_digits_and_order_stay_as_they_were_written() {
        let json = r#"{"b":1.50,"a":12345678901234567890,"b":"\u00e4\/","c":[]}"#;
        let expected = "{\n  \"b\": 1.50,\n  \"a\": 12345678901234567890,\n  \"b\": \"\\u00e4\\/\",\n  \"c\": []\n}";
        assert_eq!(pretty(json).as_deref(), Some(expected));
    }
}
