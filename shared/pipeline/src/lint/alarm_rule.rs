//! The rule of a composite alarm. Pure. Source: Amazon CloudWatch API Reference, "PutCompositeAlarm".

use std::iter::Peekable;
use std::str::Chars;

/// What stands in a rule beside names.
const WORDS: [&str; 9] = [
    "ALARM",
    "OK",
    "INSUFFICIENT_DATA",
    "AND",
    "OR",
    "NOT",
    "TRUE",
    "FALSE",
    "AT_LEAST",
];
/// In an ARN it stands before the name.
const BEFORE_NAME: &str = ":alarm:";

/// Names of the alarms that the rule names, by name or ARN. The number of `AT_LEAST` counts as a name.
#[must_use]
pub fn alarms_in_rule(rule: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = rule.chars().peekable();
    while let Some(first) = rest.next() {
        let name = if first == '"' {
            quoted(&mut rest)
        } else if is_delimiter(first) {
            continue;
        } else {
            let word = format!("{first}{}", unquoted(&mut rest));
            if WORDS.contains(&word.as_str()) {
                continue;
            }
            word
        };
        names.push(match name.split_once(BEFORE_NAME) {
            Some((_, name)) => name.to_owned(),
            None => name,
        });
    }
    names
}

/// Up to the quote that is not escaped.
fn quoted(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(next) = rest.next().filter(|next| *next != '"') {
        text.extend(if next == '\\' {
            rest.next()
        } else {
            Some(next)
        });
    }
    text
}

fn unquoted(rest: &mut Peekable<Chars<'_>>) -> String {
    std::iter::from_fn(|| rest.next_if(|next| !is_delimiter(*next) && *next != '"')).collect()
}

const fn is_delimiter(character: char) -> bool {
    character.is_ascii_whitespace() || matches!(character, '(' | ')' | ',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_names_alarms_in_every_spelling() {
        for (rule, expected) in [
            (
                r#"(ALARM("a b-1h-long") AND ALARM("a-1h-short")) OR (ALARM("c") AND NOT OK("d"))"#,
                vec!["a b-1h-long", "a-1h-short", "c", "d"],
            ),
            (
                "ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:one) OR INSUFFICIENT_DATA( two )",
                vec!["one", "two"],
            ),
            (
                r#"AT_LEAST(2, ALARM, (one, "t\"w\"o, (and)")) AND TRUE"#,
                vec!["2", "one", "t\"w\"o, (and)"],
            ),
            ("", vec![]),
            ("ALARM(\"without an end", vec!["without an end"]),
        ] {
            assert_eq!(alarms_in_rule(rule), expected, "{rule}");
        }
    }
}
