//! What can stand in the place of the term that is being typed. Pure.
//!
//! Invariant: a candidate that is taken is a term that can be read, but for one that ends with `=`; the number of
//! candidates is bounded.

use std::ops::Range;

use super::term::{quoted, split};
use crate::tui::format::visible;

/// Candidates at most.
const CANDIDATES_MAX: usize = 50;

/// The words that set something, and what they mean.
const NAMES: [(&str, &str); 9] = [
    ("type=", "the type of the event"),
    ("source=", "where it comes from"),
    ("subject=", "what it is about"),
    ("id=", "its id, in full"),
    ("since=", "not before: 2h, today, 2026-11-24"),
    ("until=", "before: 10m, today, 2026-11-24T06:30Z"),
    ("from=", "as since="),
    ("to=", "as until="),
    ("order=", "asc: oldest first"),
];
/// Times that are often meant.
const TIMES: [(&str, &str); 7] = [
    ("-15m", "the last 15 minutes"),
    ("-1h", "the last hour"),
    ("-2h", "the last two hours"),
    ("-24h", "the last 24 hours"),
    ("-7d", "the last 7 days"),
    ("today", "since midnight UTC"),
    ("yesterday", "that day, UTC"),
];
/// The same after a name, where one of them is a time and no span.
const POINTS: [(&str, &str); 7] = [
    ("15m", "15 minutes ago"),
    ("1h", "an hour ago"),
    ("2h", "two hours ago"),
    ("24h", "24 hours ago"),
    ("7d", "7 days ago"),
    ("today", "the last midnight, UTC"),
    ("yesterday", "the midnight before, UTC"),
];
const ORDERS: [(&str, &str); 2] = [("desc", "newest first"), ("asc", "oldest first")];

/// A value that is known, and a few words about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) text: String,
    pub(crate) about: String,
}

/// Values that are known, the most likely first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) types: Vec<Value>,
    pub(crate) sources: Vec<Value>,
    pub(crate) subjects: Vec<Value>,
    /// Filters that were saved: `@name`. One stands alone.
    pub(crate) saved: Vec<Value>,
}

/// A text for the place of what is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) text: String,
    pub(crate) about: String,
}

/// What fits at the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Completion {
    /// The characters that a candidate takes the place of.
    pub(crate) replaced: Range<usize>,
    /// The most likely first.
    pub(crate) candidates: Vec<Candidate>,
}

impl Completion {
    /// The candidates of which one begins with what is typed, or contains it; those that are typed already are none.
    pub(crate) fn of<'a>(
        typed: &str,
        replaced: Range<usize>,
        offered: impl IntoIterator<Item = (String, &'a str)>,
    ) -> Self {
        let typed = typed.to_lowercase();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (text, about) in offered {
            let lower = text.to_lowercase();
            let ranks = match (lower.starts_with(&typed), lower.contains(&typed)) {
                (true, _) => &mut first,
                (false, true) => &mut second,
                (false, false) => continue,
            };
            if lower != typed && ranks.len() < CANDIDATES_MAX {
                let about = about.to_owned();
                ranks.push(Candidate { text, about });
            }
        }
        first.append(&mut second);
        first.truncate(CANDIDATES_MAX);
        Self {
            replaced,
            candidates: first,
        }
    }

    /// The text with a candidate in its place, and where the cursor stands then.
    pub(crate) fn taken(&self, text: &str, candidate: usize) -> Option<(String, usize)> {
        let candidate = &self.candidates.get(candidate)?.text;
        let before: String = text.chars().take(self.replaced.start).collect();
        let after: String = text.chars().skip(self.replaced.end).collect();
        let gap = match candidate.ends_with('=') || after.starts_with(char::is_whitespace) {
            true => "",
            false => " ",
        };
        let head = format!("{before}{candidate}{gap}");
        let cursor = head.chars().count();
        Some((format!("{head}{after}"), cursor))
    }
}

/// What fits at a cursor that stands behind so many characters.
pub(crate) fn complete(text: &str, cursor: usize, known: &Known) -> Completion {
    let head: String = text.chars().take(cursor).collect();
    let terms = split(&head).terms;
    let length = head.chars().count();
    let typed = terms.last().filter(|term| term.span.end == length);
    let replaced = typed.map_or(length..length, |term| term.span.clone());
    let (name, value) = match typed {
        Some(term) => (term.name.as_deref(), term.value.as_str()),
        None => (None, ""),
    };
    let Some(name) = name else {
        let others = split(text).terms;
        let others = others
            .iter()
            .filter(|term| term.span.start != replaced.start);
        let names: Vec<&str> = others.filter_map(|term| term.name.as_deref()).collect();
        let is_alone = split(text).terms.len() <= usize::from(typed.is_some());
        let saved: &[Value] = if is_alone { &known.saved } else { &[] };
        return unnamed(value, &names, replaced, (known, saved));
    };
    let offered: Vec<(String, &str)> = match name {
        "type" => values(&known.types),
        "source" => values(&known.sources),
        "subject" => values(&known.subjects),
        "order" => plain(&ORDERS),
        "since" | "until" | "from" | "to" => plain(&POINTS),
        _ => Vec::new(),
    };
    let mut completion = Completion::of(value, replaced, offered);
    for candidate in &mut completion.candidates {
        candidate.text = format!("{name}={}", quoted(&candidate.text));
    }
    completion
}

/// Names that are not set yet, times, and types that contain what is typed.
fn unnamed(
    typed: &str,
    set: &[&str],
    replaced: Range<usize>,
    (known, saved): (&Known, &[Value]),
) -> Completion {
    let is_set = |name: &str| set.iter().any(|set| name.strip_suffix('=') == Some(set));
    let names = NAMES.iter().filter(|(name, _)| !is_set(name));
    let words = names.chain(&TIMES).filter(|(word, _)| {
        // A name is found by its beginning alone: each contains some letter of most words.
        word.starts_with(&typed.to_lowercase())
    });
    let words = words.map(|(word, about)| ((*word).to_owned(), *about));
    let saved = values(saved).into_iter();
    let saved = saved.filter(|(name, _)| typed.is_empty() || name.starts_with(typed));
    let mut completion = Completion::of(typed, replaced.clone(), saved.chain(words));
    if !typed.is_empty() && !is_set("type=") {
        let types = Completion::of(typed, replaced, values(&known.types));
        let types = types.candidates.into_iter().map(|candidate| Candidate {
            text: format!("type={}", quoted(&candidate.text)),
            ..candidate
        });
        completion.candidates.extend(types);
        completion.candidates.truncate(CANDIDATES_MAX);
    }
    completion
}

/// Those that can be shown as they are: others could not be recognised.
fn values(values: &[Value]) -> Vec<(String, &str)> {
    let shown = values
        .iter()
        .filter(|value| !value.text.is_empty() && visible(&value.text) == value.text);
    shown
        .map(|value| (value.text.clone(), value.about.as_str()))
        .collect()
}

fn plain(values: &'static [(&'static str, &'static str)]) -> Vec<(String, &'static str)> {
    let owned = values.iter();
    owned
        .map(|(text, about)| ((*text).to_owned(), *about))
        .collect()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use proptest::prelude::*;

    use super::super::read::parse;
    use super::*;

    fn known() -> Known {
        let value = |text: &str| Value {
            text: text.into(),
            about: "3 records".into(),
        };
        Known {
            types: [
                "flight.delayed",
                "flight.departed",
                "bag.scanned",
                "a b",
                "x\u{1b}[2J",
            ]
            .map(value)
            .to_vec(),
            sources: ["/ops/flights"].map(value).to_vec(),
            subjects: vec![value("LA601")],
            saved: vec![value("@late")],
        }
    }

    fn offered(text: &str) -> Vec<String> {
        let completion = complete(text, text.chars().count(), &known());
        let candidates = completion.candidates.into_iter();
        candidates.map(|candidate| candidate.text).collect()
    }

    #[test]
    fn term_at_the_cursor_is_completed_by_its_name() {
        assert_eq!(offered("source="), ["source=/ops/flights"]);
        assert_eq!(offered("today type=DEL"), ["type=flight.delayed"]);
        assert_eq!(offered("subject=6"), ["subject=LA601"]);
        assert_eq!(offered("order=a"), ["order=asc"]);
        assert_eq!(offered("since=2"), ["since=2h", "since=24h"]);
        assert_eq!(
            offered("type=a"),
            [
                "type=\"a b\"",
                "type=flight.delayed",
                "type=flight.departed",
                "type=bag.scanned"
            ]
        );
        assert_eq!(offered("nothing="), [""; 0]);
        assert_eq!(offered("id="), [""; 0]);
    }

    #[test]
    fn word_alone_is_completed_to_a_name_a_time_or_a_type() {
        assert_eq!(offered("sou"), ["source="]);
        assert_eq!(offered("-2"), ["-2h", "-24h"]);
        assert_eq!(offered("tod"), ["today"]);
        assert_eq!(offered("scan"), ["type=bag.scanned"]);
        assert_eq!(offered("")[..3], ["@late", "type=", "source="]);
        assert_eq!(offered("@l"), ["@late"]);
        assert_eq!(offered("today @l"), [""; 0], "a saved filter stands alone");
        let second = offered("type=x ");
        assert!(!second.contains(&"type=".to_owned()), "{second:?}");
        assert!(second.contains(&"source=".to_owned()), "{second:?}");
        assert_eq!(offered("type=x scan"), [""; 0]);
    }

    #[test]
    fn what_is_typed_in_full_is_not_offered() {
        assert_eq!(offered("order=desc"), [""; 0]);
        assert_eq!(offered("type=flight.delayed"), [""; 0]);
        assert_eq!(offered("today"), [""; 0]);
    }

    #[test]
    fn taken_candidate_takes_the_place_of_the_term_up_to_the_cursor() {
        let text = "today sou order=asc";
        let completion = complete(text, "today sou".len(), &known());
        let taken = completion.taken(text, 0);
        assert_eq!(taken, Some(("today source= order=asc".to_owned(), 13)));
        let text = "type=dep";
        let completion = complete(text, text.len(), &known());
        let taken = completion.taken(text, 0);
        assert_eq!(taken, Some(("type=flight.departed ".to_owned(), 21)));
        assert_eq!(completion.taken(text, 9), None);
    }

    proptest! {
        #[test]
        fn every_candidate_can_be_read(
            text in "(type=|source=|subject=|since=|order=|)[a-z0-9\" -]{0,3}", value in "[a-z\"' =日-]{1,8}"
        ) {
            let now = DateTime::<Utc>::from_timestamp(1_795_000_000, 0).unwrap();
            let value = Value { text: value, about: String::new() };
            let known = Known {
                types: vec![value.clone()],
                sources: vec![value.clone()],
                subjects: vec![value],
                saved: Vec::new(),
            };
            let completion = complete(&text, text.chars().count(), &known);
            let head: String = text.chars().take(completion.replaced.start).collect();
            for number in 0..completion.candidates.len() {
                let (taken, cursor) = completion.taken(&text, number).unwrap();
                prop_assert_eq!(cursor, taken.chars().count());
                let term = taken.strip_prefix(&head).unwrap();
                prop_assert!(term.ends_with('=') || parse(term, now).is_ok(), "{}", term);
            }
        }
    }
}
