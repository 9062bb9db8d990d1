//! The filter of the lines as it is typed. Pure; what is no name is a text to look for, so every text can be typed.

use pipeline::logs::{LogFilter, LogLevel};

use crate::tui::format::visible;

/// Longest filter, in characters.
pub(super) const QUERY_CHARS_MAX: usize = 500;
/// What can be written, as it is offered.
pub(super) const FORMS: &str = "a text · level=warn · function=ingest · request=ID";

/// Examples and what they mean, for the help.
pub(crate) const EXAMPLES: [(&str, &str); 5] = [
    ("refused", "lines that contain this text"),
    ("\"two words\"", "quotes keep blanks together"),
    (
        "level=warn",
        "this level and above; also error, info, debug",
    ),
    ("function=ingest", "of this function; also api, migrate"),
    ("request=5f0c2d9e", "of this request, its id in full"),
];

/// Reads a filter; the error says what would be right.
pub(super) fn parse(text: &str) -> Result<LogFilter, String> {
    let mut filter = LogFilter::default();
    for word in words(text) {
        let refused =
            |name: &str, value: &str, why: String| format!("{name}={}: {why}", visible(value));
        match word.split_once('=') {
            Some(("level", value)) => {
                let level = value.parse();
                filter.level = Some(level.map_err(|why| refused("level", value, why))?);
            }
            Some(("function", value)) => {
                let function = value.parse();
                filter.function = Some(function.map_err(|why| refused("function", value, why))?);
            }
            Some(("request", "")) => return Err("request= has no id".to_owned()),
            Some(("request", value)) => filter.request_id = Some(value.to_owned()),
            Some(_) | None => filter.texts.push(word),
        }
    }
    Ok(filter)
}

/// The next of all levels, `warn` and `error`, in the text of a filter.
pub(super) fn with_next_level(text: &str, level: Option<LogLevel>) -> String {
    let next = match level {
        None => Some(LogLevel::Warn),
        Some(LogLevel::Trace | LogLevel::Debug | LogLevel::Info | LogLevel::Warn) => {
            Some(LogLevel::Error)
        }
        Some(LogLevel::Error) => None,
    };
    let others = text.split_whitespace();
    let others = others.filter(|word| !word.starts_with("level="));
    let level = next.map(|level| format!("level={}", level.as_str()));
    let words: Vec<&str> = others.chain(level.as_deref()).collect();
    words.join(" ")
}

/// Words between blanks; a quote keeps blanks together, also where it is not closed yet.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut is_quoted = false;
    for c in text.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            c if c.is_whitespace() && !is_quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use pipeline::logs::LogFunction;

    use super::*;

    #[test]
    fn names_set_what_they_say_and_other_words_are_texts() {
        let filter = parse("level=warn dead_lettered=1 \"two words\" function=api request=r-1");
        let expected = LogFilter {
            function: Some(LogFunction::Api),
            level: Some(LogLevel::Warn),
            request_id: Some("r-1".to_owned()),
            texts: vec!["dead_lettered=1".to_owned(), "two words".to_owned()],
        };
        assert_eq!(filter, Ok(expected));
        assert_eq!(parse("  "), Ok(LogFilter::default()));
        assert_eq!(parse("\"a b").unwrap().texts, ["a b"]);
    }

    #[test]
    fn value_that_is_none_is_refused_with_what_would_be_right() {
        for (text, expected) in [
            (
                "level=wa",
                "level=wa: use trace, debug, info, warn or error",
            ),
            ("function=", "function=: use ingest, api or migrate"),
            ("request=", "request= has no id"),
        ] {
            assert_eq!(parse(text), Err(expected.to_owned()));
        }
    }

    #[test]
    fn levels_go_round_and_the_rest_stays() {
        let mut text = "a".to_owned();
        for expected in ["a level=warn", "a level=error", "a"] {
            let level = parse(&text).unwrap().level;
            text = with_next_level(&text, level);
            assert_eq!(text, expected);
        }
    }
}
