//! Reads a filter. Pure; invariant: what parses is a valid query, and what does not names the word at fault and how to
//! correct it.

use std::ops::Range;

use chrono::{DateTime, Utc};
use event::{Order, RecordQuery};

use super::moment::{TIME_FORMS, before, day, moment, point, span_secs};
use super::term::{Term, Terms, split};
use crate::tui::format::visible;

/// Longest filter, in characters.
pub(crate) const FILTER_CHARS_MAX: usize = 2_000;

/// The words that set something, as they are offered to the operator.
pub(crate) const WORDS: &str = "type, source, subject, id, since, until, from, to, order";

/// Examples of each word and what they mean, for the help.
pub(crate) const EXAMPLES: [(&str, &str); 13] = [
    ("type=flight.delayed", "this type; also without type="),
    ("source=/ops/flights", "this source"),
    ("subject=LA601", "this subject"),
    ("id=5b0cf6c2", "this id, in full"),
    ("-2h", "the last two hours"),
    ("today", "since midnight UTC"),
    ("yesterday", "that day; also 2026-11-24"),
    ("since=90s", "occurred within the last 90 s"),
    ("since=1h30m until=2m", "between 1 h 30 min and 2 min ago"),
    ("from=2026-11-24", "from this day on, UTC"),
    ("to=2026-11-24T06:30Z", "before this time"),
    ("order=asc", "oldest first; desc: newest first"),
    ("subject=\"two words\"", "quotes keep blanks together"),
];

/// An example for the term that is being typed last, if it has a name that is known and the error is
/// not about another one.
pub(crate) fn example_of(text: &str, error: Option<&FilterError>) -> Option<String> {
    let Terms { terms, .. } = split(text);
    let term = terms.last()?;
    let is_typed = term.span.end == text.chars().count();
    let is_about = |error: &FilterError| error.at.start == term.span.start;
    let name = term.name.as_deref().filter(|_| is_typed)?;
    if !error.is_none_or(is_about) {
        return None;
    }
    let is_of = |example: &str| {
        let mut words = example.split(' ');
        words.any(|word| word.split_once('=').is_some_and(|(of, _)| of == name))
    };
    let (example, meaning) = EXAMPLES.iter().find(|(example, _)| is_of(example))?;
    Some(format!("{example}: {meaning}"))
}

/// A filter that cannot be used. The text is fit for the screen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct FilterError {
    text: String,
    /// The characters of the term at fault.
    pub(crate) at: Range<usize>,
}

/// Reads a filter like `type=flight.delayed -1h`. A term without `=` is a time or a day to begin with, else a type;
/// spans are reckoned back from `now`; values may stand in quotes. An empty text matches all.
///
/// # Errors
/// The first term that cannot be used, and what would be right.
pub(crate) fn parse(text: &str, now: DateTime<Utc>) -> Result<RecordQuery, FilterError> {
    let Terms { terms, open } = split(text);
    if let (Some(open), Some(term)) = (open, terms.last()) {
        return Err(FilterError {
            text: unclosed(open, term),
            at: term.span.clone(),
        });
    }
    let mut reading = Reading {
        now,
        ..Reading::default()
    };
    for term in &terms {
        reading.take(term).map_err(|text| FilterError {
            text,
            at: term.span.clone(),
        })?;
    }
    reading.end()
}

fn unclosed((quote, before): (char, usize), term: &Term) -> String {
    let open = term.value.get(before..).unwrap_or_default();
    let name = term
        .name
        .as_deref()
        .map_or_else(String::new, |name| format!("{}=", visible(name)));
    format!("{name}{quote}{} has no closing {quote}", visible(open))
}

/// One end of the span of time, and the word that set it.
#[derive(Debug)]
struct End {
    word: String,
    at: DateTime<Utc>,
    span: Range<usize>,
}

/// What the terms so far say.
#[derive(Debug, Default)]
struct Reading {
    now: DateTime<Utc>,
    query: RecordQuery,
    seen: Vec<&'static str>,
    from: Option<End>,
    to: Option<End>,
}

impl Reading {
    fn take(&mut self, term: &Term) -> Result<(), String> {
        let Some(name) = &term.name else {
            return self.take_bare(term);
        };
        let value = &term.value;
        if !WORDS.split(", ").any(|word| word == name) {
            return Err(unknown(name));
        }
        if value.is_empty() {
            return Err(format!("{}= has no value", visible(name)));
        }
        match name.as_str() {
            "type" => self.once("type", |query| query.event_type = Some(value.clone())),
            "source" => self.once("source", |query| query.source = Some(value.clone())),
            "subject" => self.once("subject", |query| query.subject = Some(value.clone())),
            "id" => self.once("id", |query| query.id = Some(value.clone())),
            "order" => {
                let order = order(value)?;
                self.once("order", |query| query.order = order)
            }
            "since" | "from" => {
                let at = self.time(name, value)?;
                set(&mut self.from, name, at, term)
            }
            "until" | "to" => {
                let at = self.time(name, value)?;
                set(&mut self.to, name, at, term)
            }
            _ => Err(unknown(name)),
        }
    }

    fn take_bare(&mut self, term: &Term) -> Result<(), String> {
        let word = &term.value;
        if term.has_quotes {
            return self.take_type(word);
        }
        refuse_colon(word)?;
        if word.starts_with('@') {
            return Err(format!(
                "{}: a saved filter stands alone, and there is none of that name",
                visible(word)
            ));
        }
        if let Some((from, to)) = day(word, self.now) {
            set(&mut self.from, word, from, term)?;
            return to.map_or(Ok(()), |to| set(&mut self.to, word, to, term));
        }
        if let Some(from) = point(word) {
            return set(&mut self.from, word, from, term);
        }
        if let Some(span) = word.strip_prefix('-') {
            let from = before(span, self.now).ok_or_else(|| {
                format!(
                    "{} is no span of time; write -90s, -30m, -1h30m, -2d or -1w",
                    visible(word)
                )
            })?;
            return set(&mut self.from, word, from, term);
        }
        if span_secs(word).is_some() {
            return Err(format!(
                "write -{word} for the time since then, type={word} for a type of that name"
            ));
        }
        self.take_type(word)
    }

    fn take_type(&mut self, word: &str) -> Result<(), String> {
        if word.is_empty() {
            return Err("type= has no value".to_owned());
        }
        self.once("type", |query| query.event_type = Some(word.to_owned()))
    }

    fn once(
        &mut self,
        name: &'static str,
        set: impl FnOnce(&mut RecordQuery),
    ) -> Result<(), String> {
        if self.seen.contains(&name) {
            return Err(format!("{name} is given twice; keep one"));
        }
        self.seen.push(name);
        set(&mut self.query);
        Ok(())
    }

    /// The time that a named term means.
    fn time(&self, name: &str, value: &str) -> Result<DateTime<Utc>, String> {
        moment(value, self.now)
            .ok_or_else(|| format!("{name}={} is no time; write {TIME_FORMS}", visible(value)))
    }

    fn end(mut self) -> Result<RecordQuery, FilterError> {
        if let (Some(from), Some(to)) = (&self.from, &self.to)
            && from.at >= to.at
        {
            return Err(FilterError {
                text: format!(
                    "{} and {}: nothing lies between {} and {}; the start must come first",
                    from.word,
                    to.word,
                    short(from.at),
                    short(to.at)
                ),
                at: from.span.start.max(to.span.start)..from.span.end.max(to.span.end),
            });
        }
        self.query.from = self.from.map(|end| end.at);
        self.query.to = self.to.map(|end| end.at);
        Ok(self.query)
    }
}

fn unknown(name: &str) -> String {
    format!("{}= is unknown; use one of {WORDS}", visible(name))
}

/// Sets one end of the span of time, once.
fn set(end: &mut Option<End>, word: &str, at: DateTime<Utc>, term: &Term) -> Result<(), String> {
    match end {
        Some(set) if set.word == word => Err(format!("{word} is given twice; keep one")),
        Some(set) => Err(format!(
            "{} and {word} set the same end; keep one",
            set.word
        )),
        None => {
            *end = Some(End {
                word: word.to_owned(),
                at,
                span: term.span.clone(),
            });
            Ok(())
        }
    }
}

fn order(value: &str) -> Result<Order, String> {
    match value {
        "asc" => Ok(Order::Asc),
        "desc" => Ok(Order::Desc),
        _ => Err(format!(
            "order={} is neither asc (oldest first) nor desc (newest first)",
            visible(value)
        )),
    }
}

/// A word like `type:flight.delayed` would be a type of that name, which hardly exists.
fn refuse_colon(word: &str) -> Result<(), String> {
    match word.split_once(':') {
        Some((name, value)) if WORDS.split(", ").any(|known| known == name) => Err(format!(
            "write {name}={}, with an equals sign",
            visible(value)
        )),
        Some(_) | None => Ok(()),
    }
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
    fn word_alone_can_be_a_time_to_begin_with_or_a_day() {
        let ends = |text: &str| {
            let query = parse(text, now()).unwrap();
            assert_eq!(query.event_type, None, "{text}");
            (query.from, query.to)
        };
        let midnight = time("2026-11-24T00:00:00Z");
        assert_eq!(ends("-2h"), (time("2026-11-24T10:00:00Z"), None));
        assert_eq!(ends("today"), (midnight, None));
        let yesterday = (time("2026-11-23T00:00:00Z"), midnight);
        assert_eq!(ends("yesterday"), yesterday);
        assert_eq!(ends("2026-11-23"), yesterday);
        let morning = time("2026-11-24T06:30:00Z");
        assert_eq!(ends("2026-11-24T06:30Z"), (morning, None));
        let query = parse("type=today \"-2h\"", now());
        assert!(query.is_err(), "quotes make a type, which is given twice");
        assert_eq!(
            parse("\"today\"", now()).unwrap().event_type.as_deref(),
            Some("today")
        );
    }

    #[test]
    fn every_end_takes_every_form_of_a_time() {
        for name in ["since", "until", "from", "to"] {
            for value in [
                "2h",
                "-2h",
                "today",
                "yesterday",
                "2026-11-24",
                "2026-11-24T06:30Z",
            ] {
                let text = format!("{name}={value}");
                let query = parse(&text, now()).unwrap();
                let expected = moment(value, now());
                assert_eq!(query.from.or(query.to), expected, "{text}");
            }
        }
    }

    #[test]
    fn error_knows_the_characters_of_the_term_at_fault() {
        let at = |text: &str| parse(text, now()).unwrap_err().at;
        assert_eq!(at("ä since=soon order=asc"), 2..12);
        assert_eq!(at("a \"b c"), 2..6);
        assert_eq!(at("since=1h until=2h a"), 9..17);
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
        assert!(refusal("typ=").starts_with("typ= is unknown"));
        assert_eq!(refusal("type="), "type= has no value");
        assert_eq!(refusal("a type=b"), "type is given twice; keep one");
        assert_eq!(
            refusal("since=1h from=2026-11-24"),
            "since and from set the same end; keep one"
        );
        assert_eq!(
            refusal("since=soon"),
            format!("since=soon is no time; write {TIME_FORMS}")
        );
        assert!(refusal("from=noon").contains("from=noon is no time; write 2h"));
        assert!(refusal("order=up").contains("asc (oldest first)"));
        assert_eq!(refusal("id=\"abc"), "id=\"abc has no closing \"");
        assert!(refusal("since=1h until=2h").starts_with("since and until: nothing lies between"));
        assert!(
            refusal("from=2026-11-24 to=2026-11-23")
                .starts_with("from and to: nothing lies between")
        );
        assert!(refusal("since=99999999999999999999h").contains("no time"));
        assert!(refusal("since=9999999999999h").contains("no time"));
        assert!(refusal("-9999999999999h").contains("no span"));
        assert!(refusal("-2x").starts_with("-2x is no span of time; write -90s"));
        assert_eq!(
            refusal("today -2h"),
            "today and -2h set the same end; keep one"
        );
        assert_eq!(refusal("-2h -2h"), "-2h is given twice; keep one");
        assert_eq!(
            refusal("yesterday until=1h"),
            "yesterday and until set the same end; keep one"
        );
        assert_eq!(
            refusal("2h"),
            "write -2h for the time since then, type=2h for a type of that name"
        );
        assert!(refusal("from=today to=yesterday").starts_with("from and to: nothing lies"));
        assert_eq!(refusal("\"\""), "type= has no value");
        assert!(refusal("@late today").starts_with("@late: a saved filter stands alone"));
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

    /// Terms as somebody might type them, and some that nobody should.
    fn term() -> impl Strategy<Value = String> {
        let names = "(type|source|subject|id|since|until|from|to|order|typ|)";
        let values = "(today|yesterday|-?[0-9]{1,3}[smhdwx]|2026-1[0-9]-[0-3][0-9]|asc|desc|[a-z.\"' ]{0,8})";
        (names, values, "[=:]?").prop_map(|(name, value, sign)| format!("{name}{sign}{value}"))
    }

    proptest! {
        #[test]
        fn what_parses_is_a_valid_query(text in "[a-z =\"'0-9hm:TZ.-]{0,60}") {
            if let Ok(query) = parse(&text, now()) {
                prop_assert_eq!(query.validate(), Ok(()));
            }
        }

        #[test]
        fn terms_make_a_valid_query_or_an_error_inside_the_text(
            terms in proptest::collection::vec(term(), 0..5)
        ) {
            let text = terms.join(" ");
            match parse(&text, now()) {
                Ok(query) => prop_assert_eq!(query.validate(), Ok(())),
                Err(error) => {
                    prop_assert!(!error.to_string().is_empty());
                    prop_assert!(error.at.start < error.at.end);
                    prop_assert!(error.at.end <= text.chars().count(), "{}", error);
                }
            }
        }

        #[test]
        fn order_of_the_terms_does_not_matter(
            (event_type, source) in ("[a-z]{3,8}", "/[a-z]{1,8}"), hours in 1u32..100
        ) {
            let terms = [
                format!("type={event_type}x."),
                format!("source={source}"),
                format!("-{hours}h"),
            ];
            let [one, two, three] = &terms;
            let read = |terms: [&str; 3]| parse(&terms.join(" "), now());
            prop_assert!(read([one, two, three]).is_ok());
            prop_assert_eq!(read([one, two, three]), read([three, one, two]));
        }
    }
}
