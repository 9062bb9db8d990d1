//! The one-line filter of the records. Pure; invariant: what parses is a valid query, and what does
//! not names the word at fault and how to correct it.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use event::{Order, RecordQuery};

use super::format::visible;

/// Longest filter, in characters.
pub(crate) const FILTER_CHARS_MAX: usize = 2_000;

/// The forms of a point in time, as they are offered to the operator.
pub(crate) const INSTANT_FORMS: &str = "2026-11-24, 2026-11-24T06:30Z or full RFC 3339";

/// The forms of a span of time, as they are offered to the operator.
pub(crate) const SPAN_FORMS: &str = "90s, 30m, 1h30m, 2d or 1w";

/// The words that set something, as they are offered to the operator.
pub(crate) const WORDS: &str = "type, source, subject, id, since, until, from, to, order";

/// Examples of each word and what they mean, for the help.
pub(crate) const EXAMPLES: [(&str, &str); 10] = [
    ("type=flight.delayed", "this type; also without type="),
    ("source=/ops/flights", "this source"),
    ("subject=LA601", "this subject"),
    ("id=5b0cf6c2", "this id, in full"),
    ("since=90s", "occurred within the last 90 s"),
    ("since=1h30m until=2m", "between 1 h 30 min and 2 min ago"),
    ("from=2026-11-24", "from this day on, UTC"),
    ("to=2026-11-24T06:30Z", "before this time"),
    ("order=asc", "oldest first; desc: newest first"),
    ("subject=\"two words\"", "quotes keep blanks together"),
];

/// An example for the word that is being typed last, if it has a name that is known and the error is
/// not about another one.
pub(crate) fn example_of(text: &str, error: Option<&FilterError>) -> Option<String> {
    let word = text.rsplit(' ').next()?;
    let (name, _) = word.split_once('=')?;
    let is_about = |error: &FilterError| error.0.starts_with(&format!("{name}="));
    if !error.is_none_or(is_about) {
        return None;
    }
    let (example, meaning) = EXAMPLES
        .iter()
        .find(|(example, _)| example.split_once('=').is_some_and(|(of, _)| of == name))
        .or_else(|| (name == "until").then(|| EXAMPLES.get(5)).flatten())?;
    Some(format!("{example}: {meaning}"))
}

/// A filter that cannot be used. The text is fit for the screen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct FilterError(String);

/// Reads a filter like `type=flight.delayed since=1h`. `since` and `until` are reckoned back from
/// `now`; a word without `=` is a type; values may stand in quotes. An empty text matches all.
///
/// # Errors
/// The first word that cannot be used, and what would be right.
pub(crate) fn parse(text: &str, now: DateTime<Utc>) -> Result<RecordQuery, FilterError> {
    let mut query = RecordQuery::default();
    let mut seen = Vec::new();
    for word in words(text)? {
        let (name, value) = match word.name {
            Some(name) => (name, word.value),
            None => {
                refuse_colon(&word.value)?;
                ("type".to_owned(), word.value)
            }
        };
        if value.is_empty() {
            return Err(FilterError(format!("{}= has no value", visible(&name))));
        }
        take(&mut query, &name, value, now)?;
        if seen.contains(&name) {
            return Err(FilterError(format!("{name} is given twice; keep one")));
        }
        seen.push(name);
    }
    for (one, other) in [("since", "from"), ("until", "to")] {
        if seen.iter().any(|name| name == one) && seen.iter().any(|name| name == other) {
            return Err(FilterError(format!(
                "{one} and {other} set the same end; keep one"
            )));
        }
    }
    if let (Some(from), Some(to)) = (query.from, query.to)
        && from >= to
    {
        let given = |one: &'static str, other: &'static str| {
            if seen.iter().any(|name| name == one) {
                one
            } else {
                other
            }
        };
        return Err(FilterError(format!(
            "{} and {}: nothing lies between {} and {}; the start must come first",
            given("since", "from"),
            given("until", "to"),
            short(from),
            short(to)
        )));
    }
    Ok(query)
}

/// A word like `type:flight.delayed` would be a type of that name, which hardly exists.
fn refuse_colon(word: &str) -> Result<(), FilterError> {
    match word.split_once(':') {
        Some((name, value)) if WORDS.split(", ").any(|known| known == name) => Err(FilterError(
            format!("write {name}={}, with an equals sign", visible(value)),
        )),
        Some(_) | None => Ok(()),
    }
}

fn take(
    query: &mut RecordQuery,
    name: &str,
    value: String,
    now: DateTime<Utc>,
) -> Result<(), FilterError> {
    match name {
        "type" => query.event_type = Some(value),
        "source" => query.source = Some(value),
        "subject" => query.subject = Some(value),
        "id" => query.id = Some(value),
        "since" => query.from = Some(back(name, &value, now)?),
        "until" => query.to = Some(back(name, &value, now)?),
        "from" => query.from = Some(instant(name, &value)?),
        "to" => query.to = Some(instant(name, &value)?),
        "order" => {
            query.order = match value.as_str() {
                "asc" => Order::Asc,
                "desc" => Order::Desc,
                _ => {
                    return Err(FilterError(format!(
                        "order={} is neither asc (oldest first) nor desc (newest first)",
                        visible(&value)
                    )));
                }
            };
        }
        _ => {
            return Err(FilterError(format!(
                "{}= is unknown; use one of {WORDS}",
                visible(name)
            )));
        }
    }
    Ok(())
}

/// One word of a filter.
struct Word {
    name: Option<String>,
    value: String,
}

/// Splits at blanks outside quotes; the first `=` outside quotes ends the name.
fn words(text: &str) -> Result<Vec<Word>, FilterError> {
    let mut words = Vec::new();
    let mut characters = text.chars().peekable();
    loop {
        while characters.next_if(|c| c.is_whitespace()).is_some() {}
        if characters.peek().is_none() {
            return Ok(words);
        }
        let mut word = Word {
            name: None,
            value: String::new(),
        };
        while let Some(character) = characters.next_if(|c| !c.is_whitespace()) {
            match character {
                '"' | '\'' => {
                    let start = word.value.len();
                    loop {
                        match characters.next() {
                            Some(end) if end == character => break,
                            Some(inner) => word.value.push(inner),
                            None => {
                                let open = word.value.get(start..).unwrap_or_default();
                                let name = word
                                    .name
                                    .as_deref()
                                    .map_or_else(String::new, |name| format!("{}=", visible(name)));
                                return Err(FilterError(format!(
                                    "{name}{character}{} has no closing {character}",
                                    visible(open)
                                )));
                            }
                        }
                    }
                }
                '=' if word.name.is_none() => {
                    word.name = Some(std::mem::take(&mut word.value).to_lowercase());
                }
                other => word.value.push(other),
            }
        }
        words.push(word);
    }
}

/// The time that `since` and `until` mean.
fn back(name: &str, value: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, FilterError> {
    before(value, now).ok_or_else(|| {
        FilterError(format!(
            "{name}={} is no span of time; write {SPAN_FORMS}",
            visible(value)
        ))
    })
}

/// `now` less a span like `90s`, `30m`, `1h30m`, `2d` or `1w`.
pub(crate) fn before(value: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    span_secs(value)
        .and_then(TimeDelta::try_seconds)
        .and_then(|span| now.checked_sub_signed(span))
}

/// Seconds of a span like `90s`, `30m`, `1h30m`, `2d` or `1w`.
pub(crate) fn span_secs(value: &str) -> Option<i64> {
    let mut total: i64 = 0;
    let mut rest = value;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_end)?;
        let unit_secs = match unit {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(unit_secs)?)?;
        rest = tail;
    }
    (!value.is_empty()).then_some(total)
}

/// The time that `from` and `to` mean.
fn instant(name: &str, value: &str) -> Result<DateTime<Utc>, FilterError> {
    point(value).ok_or_else(|| {
        FilterError(format!(
            "{name}={} is no time; write {INSTANT_FORMS}",
            visible(value)
        ))
    })
}

/// A point in time; UTC where it has no offset.
pub(crate) fn point(value: &str) -> Option<DateTime<Utc>> {
    let local = value.strip_suffix(['Z', 'z']).unwrap_or(value);
    DateTime::parse_from_rfc3339(value)
        .map(|at| at.with_timezone(&Utc))
        .ok()
        .or_else(|| {
            [
                "%Y-%m-%dT%H:%M",
                "%Y-%m-%dT%H:%M:%S%.f",
                "%Y-%m-%d %H:%M",
                "%Y-%m-%d %H:%M:%S%.f",
            ]
            .into_iter()
            .find_map(|pattern| NaiveDateTime::parse_from_str(local, pattern).ok())
            .map(|at| at.and_utc())
        })
        .or_else(|| {
            let day = NaiveDate::parse_from_str(value, "%Y-%m-%d").ok()?;
            Some(day.and_hms_opt(0, 0, 0)?.and_utc())
        })
}

fn short(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn time(text: &str) -> Option<DateTime<Utc>> {
        Some(text.parse().unwrap())
    }

    fn refusal(text: &str) -> String {
        parse(text, now()).unwrap_err().to_string()
    }

    #[test]
    fn empty_filter_matches_everything() {
        assert_eq!(parse("  ", now()), Ok(RecordQuery::default()));
    }

    #[test]
    fn colon_in_the_place_of_an_equals_sign_is_refused_with_the_right_form() {
        assert_eq!(
            refusal("type:walk.bad"),
            "write type=walk.bad, with an equals sign"
        );
        assert_eq!(
            refusal("a.b since:1h"),
            "write since=1h, with an equals sign"
        );
        let query = parse("urn:order:placed", now()).unwrap();
        assert_eq!(query.event_type.as_deref(), Some("urn:order:placed"));
    }

    #[test]
    fn every_word_sets_its_part() {
        let query = parse(
            "type=a.b source=/x=y subject=\"two words\" id='it''s' from=2026-11-24 \
             to=2026-11-24T06:30Z order=asc",
            now(),
        )
        .unwrap();
        assert_eq!(query.event_type.as_deref(), Some("a.b"));
        assert_eq!(query.source.as_deref(), Some("/x=y"));
        assert_eq!(query.subject.as_deref(), Some("two words"));
        assert_eq!(query.id.as_deref(), Some("its"));
        assert_eq!(query.from, time("2026-11-24T00:00:00Z"));
        assert_eq!(query.to, time("2026-11-24T06:30:00Z"));
        assert_eq!(query.order, Order::Asc);
    }

    #[test]
    fn bare_word_is_a_type_and_spans_reach_back_from_now() {
        let query = parse("flight.delayed since=1h30m until=90s", now()).unwrap();
        assert_eq!(query.event_type.as_deref(), Some("flight.delayed"));
        assert_eq!(query.from, time("2026-11-24T10:30:00Z"));
        assert_eq!(query.to, time("2026-11-24T11:58:30Z"));
        let quoted = parse("\"a=b\"", now()).unwrap();
        assert_eq!(quoted.event_type.as_deref(), Some("a=b"));
    }

    #[test]
    fn offsets_are_understood() {
        let query = parse("from=2026-11-24T01:00:00.5+01:00", now()).unwrap();
        assert_eq!(query.from, time("2026-11-24T00:00:00.5Z"));
    }

    #[test]
    fn refusals_name_the_word_and_what_would_be_right() {
        assert_eq!(
            refusal("typ=x"),
            format!("typ= is unknown; use one of {WORDS}")
        );
        assert_eq!(refusal("type="), "type= has no value");
        assert_eq!(refusal("a type=b"), "type is given twice; keep one");
        assert_eq!(
            refusal("since=1h from=2026-11-24"),
            "since and from set the same end; keep one"
        );
        assert_eq!(
            refusal("since=soon"),
            "since=soon is no span of time; write 90s, 30m, 1h30m, 2d or 1w"
        );
        assert!(refusal("from=noon").contains("from=noon is no time; write 2026-11-24"));
        assert!(refusal("order=up").contains("asc (oldest first)"));
        assert_eq!(refusal("id=\"abc"), "id=\"abc has no closing \"");
        assert!(refusal("since=1h until=2h").starts_with("since and until: nothing lies between"));
        assert!(
            refusal("from=2026-11-24 to=2026-11-23")
                .starts_with("from and to: nothing lies between")
        );
        assert!(refusal("since=99999999999999999999h").contains("no span"));
        assert!(refusal("since=9999999999999h").contains("no span"));
    }

    #[test]
    fn every_example_can_be_used_and_every_word_has_one() {
        for (example, _) in EXAMPLES {
            assert!(parse(example, now()).is_ok(), "{example}");
        }
        for word in WORDS.split(", ") {
            assert!(example_of(&format!("x {word}="), None).is_some(), "{word}");
        }
        assert_eq!(example_of("x typ=", None), None);
        assert_eq!(example_of("since", None), None);
        let example = |text: &str| example_of(text, parse(text, now()).err().as_ref());
        assert_eq!(example("typ=x since=1h"), None);
        assert!(example("type=x since=soon").is_some());
    }

    #[test]
    fn control_characters_of_a_filter_are_shown_as_pictures() {
        assert!(refusal("\u{1b}[2J=x").starts_with("␛[2j= is unknown"));
    }

    proptest! {
        #[test]
        fn what_parses_is_a_valid_query(text in "[a-z =\"'0-9hm:TZ.-]{0,60}") {
            if let Ok(query) = parse(&text, now()) {
                prop_assert_eq!(query.validate(), Ok(()));
            }
        }
    }
}
