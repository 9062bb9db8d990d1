//! Words as a shell reads them back. Pure.

use std::borrow::Cow;

/// A word that a shell takes for itself.
pub(crate) fn word(text: &str) -> Cow<'_, str> {
    if !text.is_empty() && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    in_quotes(text)
}

/// Whether no shell takes a character for anything else, wherever it stands.
pub(crate) fn is_plain(character: char) -> bool {
    character.is_alphanumeric() || "._-/+@=:,%".contains(character)
}

/// `shell_words` takes `!` and braces for plain, which at a prompt stand for an earlier command and for several words.
pub(crate) fn in_quotes(text: &str) -> Cow<'_, str> {
    match shell_words::quote(text) {
        Cow::Borrowed(plain) => Cow::Owned(format!("'{plain}'")),
        Cow::Owned(quoted) => Cow::Owned(quoted),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn word_that_means_more_is_in_quotes() {
        for (text, expected) in [
            ("flight.delayed", "flight.delayed"),
            ("", "''"),
            ("a!b", "'a!b'"),
            ("$(touch x)", "'$(touch x)'"),
            ("it's", "'it'\\''s'"),
        ] {
            assert_eq!(word(text), expected);
        }
    }

    proptest! {
        #[test]
        fn word_is_read_back(text in "[ -~日]{0,20}") {
            let line = format!("a {} b", word(&text));
            prop_assert_eq!(shell_words::split(&line).unwrap(), ["a", &text, "b"]);
        }
    }
}
