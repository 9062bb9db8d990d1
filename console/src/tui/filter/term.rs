//! The terms of a filter: `name=value` or a value alone. Pure; invariant: every text has terms, also while it is typed.

use std::ops::Range;

/// One term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    /// What stands before the first `=` outside quotes, in lower case.
    pub(super) name: Option<String>,
    /// Without its quotes.
    pub(super) value: String,
    /// Whether a part of it stands in quotes.
    pub(super) has_quotes: bool,
    /// Its characters in the text.
    pub(super) span: Range<usize>,
}

/// The terms of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) terms: Vec<Term>,
    /// The quote that is not closed, and how many bytes of the last value stand before it.
    pub(super) open: Option<(char, usize)>,
}

/// Splits at blanks outside quotes.
pub(super) fn split(text: &str) -> Terms {
    let mut terms = Vec::new();
    let mut term: Option<Term> = None;
    let mut open = None;
    for (place, character) in text.chars().enumerate() {
        if open.is_none() && character.is_whitespace() {
            terms.extend(term.take());
            continue;
        }
        let term = term.get_or_insert_with(|| Term {
            name: None,
            value: String::new(),
            has_quotes: false,
            span: place..place,
        });
        term.span.end = place + 1;
        match (open, character) {
            (Some((quote, _)), character) if character == quote => open = None,
            (Some(_), character) => term.value.push(character),
            (None, '"' | '\'') => {
                term.has_quotes = true;
                open = Some((character, term.value.len()));
            }
            (None, '=') if term.name.is_none() => {
                term.name = Some(std::mem::take(&mut term.value).to_lowercase());
            }
            (None, character) => term.value.push(character),
        }
    }
    terms.extend(term);
    Terms { terms, open }
}

/// A value as it is written after `name=`: in quotes where it needs them.
pub(super) fn quoted(value: &str) -> String {
    let needs_quotes = |c: char| c.is_whitespace() || c == '"' || c == '\'';
    if !value.contains(needs_quotes) {
        return value.to_owned();
    }
    if !value.contains('"') {
        return format!("\"{value}\"");
    }
    if !value.contains('\'') {
        return format!("'{value}'");
    }
    // Nothing is escaped: a value with both is made of several pieces.
    let pieces: Vec<String> = value
        .split('"')
        .map(|piece| format!("\"{piece}\""))
        .collect();
    pieces.join("'\"'")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn terms_know_where_they_stand() {
        let Terms { terms, open } = split(" ä  type=\"a b\"c x='");
        let spans: Vec<_> = terms.iter().map(|term| term.span.clone()).collect();
        assert_eq!(spans, [1..2, 4..15, 16..19]);
        let values: Vec<_> = terms.iter().map(|term| term.value.as_str()).collect();
        assert_eq!(values, ["ä", "a bc", ""]);
        let names: Vec<_> = terms.iter().map(|term| term.name.as_deref()).collect();
        assert_eq!(names, [None, Some("type"), Some("x")]);
        assert_eq!(open, Some(('\'', 0)));
    }

    proptest! {
        #[test]
        fn quoted_value_is_read_back(value in "[a-z\"' =\t日-]{1,12}") {
            let Terms { terms, open } = split(&format!("a name={} b", quoted(&value)));
            prop_assert_eq!(open, None);
            prop_assert_eq!(terms.len(), 3);
            prop_assert_eq!(&terms[1].value, &value);
            prop_assert_eq!(terms[1].name.as_deref(), Some("name"));
        }
    }
}
