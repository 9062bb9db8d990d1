//! Values of an answer in SQL as people read them. Pure.

use serde_json::value::RawValue;

/// A text without its quotes, `-` for null, anything else as PostgreSQL writes it.
pub(crate) fn shown(value: &RawValue) -> String {
    match serde_json::from_str::<Option<String>>(value.get()) {
        Ok(Some(text)) => text,
        Ok(None) => "-".to_owned(),
        Err(_) => value.get().to_owned(),
    }
}

/// Whether it can stand in a column of numbers.
pub(crate) fn is_number(value: &RawValue) -> bool {
    let text = value.get();
    text == "null" || text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_shown_as_people_read_it() {
        for (json, expected, is_a_number) in [
            ("\"a\\\"b\"", "a\"b", false),
            ("null", "-", true),
            ("1.50", "1.50", true),
            ("-3", "-3", true),
            ("true", "true", false),
            ("{\"x\": 1.0}", "{\"x\": 1.0}", false),
        ] {
            let value = RawValue::from_string(json.to_owned()).unwrap();
            assert_eq!(
                (shown(&value).as_str(), is_number(&value)),
                (expected, is_a_number)
            );
        }
    }
}
