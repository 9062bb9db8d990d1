//! Formats numbers, ages and times for people. Pure.
//!
//! Invariant: an unknown value is `–`, never zero.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// The text of an unknown value.
pub const UNKNOWN: &str = "–";

/// A number with separated thousands: `1,204,553`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `1,204 rows`. For screens.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {}", count(number), noun_of(number, noun))
}

/// `1 row`, `1204 rows`. For commands: without separated thousands.
#[must_use]
pub fn in_words(number: u64, noun: &str) -> String {
    format!("{number} {}", noun_of(number, noun))
}

/// A noun, in the plural where it is not one; its plural is regular.
#[must_use]
pub fn noun_of(number: u64, noun: &str) -> String {
    if number == 1 {
        return noun.to_owned();
    }
    let is_after_vowel = |stem: &str| stem.ends_with(['a', 'e', 'i', 'o', 'u']);
    match noun.strip_suffix('y') {
        Some(stem) if !is_after_vowel(stem) => format!("{stem}ies"),
        _ if ["s", "x", "ch", "sh"].iter().any(|end| noun.ends_with(end)) => format!("{noun}es"),
        Some(_) | None => format!("{noun}s"),
    }
}

/// The verb of a counted noun.
#[must_use]
pub const fn is_or_are(number: u64) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

/// The same of the past.
#[must_use]
pub const fn was_or_were(number: u64) -> &'static str {
    if number == 1 { "was" } else { "were" }
}

/// `1 message`, `37 messages`. For commands: without separated thousands.
#[must_use]
pub fn messages_in_words(number: u64) -> String {
    in_words(number, "message")
}

/// A count, or [`UNKNOWN`].
#[must_use]
pub fn count_or_unknown(number: Option<u64>) -> String {
    number.map_or_else(|| UNKNOWN.to_owned(), count)
}

/// A rate with one digit below 100: `48.2/s`, `1,204/s`.
#[must_use]
pub fn rate(per_sec: f64) -> String {
    if per_sec < 99.95 {
        format!("{per_sec:.1}/s")
    } else {
        format!("{}/s", count(whole(per_sec)))
    }
}

/// A number, with one decimal if it is below 10 and not whole: `0.4`, `12`, `2,890`.
#[must_use]
pub fn short(number: f64) -> String {
    if number > 0.0 && number < 9.95 && number.fract() > 0.0 {
        format!("{number:.1}")
    } else {
        count(whole(number))
    }
}

/// A rate, or [`UNKNOWN`].
#[must_use]
pub fn rate_or_unknown(per_sec: Option<f64>) -> String {
    per_sec.map_or_else(|| UNKNOWN.to_owned(), rate)
}

/// The nearest whole number; negative numbers and NaN become 0.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` from float to integer saturates, which is right for display"
)]
pub fn whole(number: f64) -> u64 {
    number.round().max(0.0) as u64
}

/// A word as a shell reads it back, also at a prompt, where `!` stands for an earlier command and braces for several
/// words: `shell_words` takes both for plain.
#[must_use]
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let is_plain =
        |character: char| character.is_alphanumeric() || "._-/+@=:,%".contains(character);
    // Some shells take what begins with one of these for a command or a job.
    let is_special = word.is_empty() || word.starts_with(['=', '%']);
    if !is_special && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    match shell_words::quote(word) {
        Cow::Borrowed(plain) => Cow::Owned(format!("'{plain}'")),
        quoted @ Cow::Owned(_) => quoted,
    }
}

/// A duration in its two largest units: `3 s`, `2 min 5 s`, `2 h 10 min`, `13 d 21 h`.
#[must_use]
pub fn span_secs(secs: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{large} {large_unit}")
        } else {
            format!("{large} {large_unit} {small} {small_unit}")
        }
    };
    match secs {
        0..MINUTE => format!("{secs} s"),
        MINUTE..HOUR => two(secs / MINUTE, "min", secs % MINUTE, "s"),
        HOUR..DAY => two(secs / HOUR, "h", secs % HOUR / MINUTE, "min"),
        _ => two(secs / DAY, "d", secs % DAY / HOUR, "h"),
    }
}

/// A duration in its largest unit, for columns: `3 s`, `21 min`, `2 h`, `13 d`.
#[must_use]
pub fn short_span_secs(secs: u64) -> String {
    match secs {
        0..60 => format!("{secs} s"),
        60..3_600 => format!("{} min", secs / 60),
        3_600..86_400 => format!("{} h", secs / 3_600),
        _ => format!("{} d", secs / 86_400),
    }
}

/// Seconds from `then` to `now`; 0 if `then` is later because the clocks differ.
#[must_use]
pub fn age_secs(then: DateTime<Utc>, now: DateTime<Utc>) -> u64 {
    u64::try_from((now - then).num_seconds()).unwrap_or(0)
}

/// A latency: `0.8 ms`, `41 ms`, `1.2 s`.
#[must_use]
pub fn latency(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1_000.0;
    if millis < 9.95 {
        format!("{millis:.1} ms")
    } else if millis < 999.5 {
        format!("{millis:.0} ms")
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// Time of day, UTC: `12:03:07`.
#[must_use]
pub fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S").to_string()
}

/// Date and time to the millisecond, UTC.
#[must_use]
pub fn timestamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// An estimated price: `about $1.20`, `below $0.01`.
#[must_use]
pub fn about_usd(usd: f64) -> String {
    if usd < 0.01 {
        "below $0.01".to_owned()
    } else {
        format!("about ${usd:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_204_553), "1,204,553");
        assert_eq!(messages_in_words(1), "1 message");
        assert_eq!(messages_in_words(0), "0 messages");
        assert_eq!(messages_in_words(1_204), "1204 messages");
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(1_204, "row"), "1,204 rows");
        assert_eq!(in_words(0, "dead letter"), "0 dead letters");
        assert_eq!(in_words(2, "identity"), "2 identities");
        assert_eq!(in_words(2, "batch"), "2 batches");
        assert_eq!(in_words(2, "day"), "2 days");
        assert_eq!(rate(48.23), "48.2/s");
        assert_eq!(rate(1_203.6), "1,204/s");
        assert_eq!(whole(-3.0), 0);
        assert_eq!(latency(Duration::from_micros(800)), "0.8 ms");
        assert_eq!(latency(Duration::from_millis(1_234)), "1.2 s");
    }

    proptest::proptest! {
        #[test]
        fn word_of_a_shell_is_read_back(text in "[ -~日]{0,20}") {
            let line = format!("a {} b", shell_word(&text));
            proptest::prop_assert_eq!(shell_words::split(&line).unwrap(), ["a", &text, "b"]);
        }
    }

    #[test]
    fn word_stays_one_word_of_a_shell() {
        for (word, expected) in [
            ("--env=pilot", "--env=pilot"),
            ("a b", "'a b'"),
            ("a!b", "'a!b'"),
            ("{a,b}", "'{a,b}'"),
            ("=ls", "'=ls'"),
            ("", "''"),
            ("it's", "'it'\\''s'"),
        ] {
            assert_eq!(shell_word(word), expected);
            assert_eq!(shell_words::split(expected).unwrap(), [word]);
        }
    }

    #[test]
    fn spans_show_two_units_at_most() {
        assert_eq!(span_secs(59), "59 s");
        assert_eq!(span_secs(60), "1 min");
        assert_eq!(span_secs(7_805), "2 h 10 min");
        assert_eq!(span_secs(13 * 86_400 + 21 * 3_600 + 59), "13 d 21 h");
    }
}
