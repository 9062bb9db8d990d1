//! Text and numbers in XML.

/// Text as it may stand between tags and in attributes. XML has no form for control characters, so each becomes the
/// replacement character.
pub(crate) fn escaped(text: &str) -> String {
    let allowed: String = text
        .chars()
        .map(|character| match character {
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            other => other,
        })
        .collect();
    quick_xml::escape::escape(allowed.as_str()).into_owned()
}

/// A number with two decimals at most, and none that say nothing.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}
