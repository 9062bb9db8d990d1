//! JSON without blanks between its parts.
//!
//! Invariant: a text that is JSON stays the same value, with the same digits and the same escapes.

/// PostgreSQL writes a blank after each colon and comma of `jsonb`, by which an event can get larger than
/// the largest that the ingest accepts.
pub(super) fn compact(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut is_in_string, mut is_escaped) = (false, false);
    for letter in json.chars() {
        if is_in_string {
            is_in_string = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
        } else if matches!(letter, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            is_in_string = letter == '"';
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blanks_between_parts_are_left_out() {
        let text = r#" { "a b" : [ 1.50 , "c \" d\\" , " \\\" " ] ,
            "e" : null } "#;
        assert_eq!(
            compact(text),
            r#"{"a b":[1.50,"c \" d\\"," \\\" "],"e":null}"#
        );
    }
}
