//! The events of a file: one JSON document, an array of them, or JSON lines.
//!
//! Invariant: if one event is invalid, none is returned, and each fault is reported with its line. The
//! text of an event changes only by a new `id`, and only where copies are requested.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use event::{EventKey, Failure, FailureCode, parse_event};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// An event and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located<T> {
    /// Line in the file, from 1.
    pub(crate) line: usize,
    pub(crate) value: T,
}

/// Stands for a failure code where nobody knows whether the event was published.
pub(crate) const UNKNOWN_CODE: &str = "unknown";

/// A fault of one event, as `publish` reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct InputFault {
    pub(crate) file: String,
    pub(crate) line: usize,
    /// The failure code of an invalid event, [`UNKNOWN_CODE`], or nothing when the event is right:
    /// the topic did not take it, or another event of the file has its identity.
    pub(crate) code: Option<&'static str>,
    pub(crate) detail: String,
    pub(crate) pointer: Option<String>,
}

impl InputFault {
    pub(crate) fn sentence(&self) -> String {
        let mut text = format!("{}:{}: ", self.file, self.line);
        if let Some(code) = self.code {
            text.push_str(&format!("{code}: "));
        }
        text.push_str(&self.detail);
        if let Some(pointer) = &self.pointer {
            text.push_str(&format!(" (at {pointer})"));
        }
        text
    }
}

/// Reads and validates all events of a file.
pub(crate) fn read(file: &str, text: &str) -> Result<Vec<Located<String>>, Vec<InputFault>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let candidates = split(text).map_err(|fault| vec![fault.of(file)])?;
    let faults: Vec<InputFault> = candidates
        .iter()
        .filter_map(|candidate| {
            let failure = parse_event(candidate.value).err()?;
            let line = candidate.line;
            Some(
                Located {
                    line,
                    value: failure,
                }
                .of(file),
            )
        })
        .collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(candidates
        .into_iter()
        .map(|candidate| Located {
            line: candidate.line,
            value: candidate.value.to_owned(),
        })
        .collect())
}

/// Events that would be lost: one before them has the same identity and another text. Equal ones are
/// copies, of which the ledger stores one.
pub(crate) fn conflicts<'a>(file: &str, events: &'a [Located<String>]) -> Vec<InputFault> {
    let mut first: HashMap<EventKey, &Located<String>> = HashMap::new();
    let mut conflict = |event: &'a Located<String>| {
        let key = parse_event(&event.value).ok()?.key();
        let before = *first.entry(key.clone()).or_insert(event);
        (before.value != event.value).then(|| InputFault {
            file: file.to_owned(),
            line: event.line,
            code: None,
            detail: format!(
                "the event of line {} has the same identity, {} / {}, so this one would be dropped as a \
                 duplicate; give each its own id",
                before.line, key.source, key.id
            ),
            pointer: Some("/id".to_owned()),
        })
    };
    events.iter().filter_map(&mut conflict).collect()
}

impl Located<Failure> {
    fn of(self, file: &str) -> InputFault {
        InputFault {
            file: file.to_owned(),
            line: self.line,
            code: Some(self.value.code.as_str()),
            detail: self.value.detail,
            pointer: self.value.pointer,
        }
    }
}

/// Finds the events without looking into them.
fn split(text: &str) -> Result<Vec<Located<&str>>, Located<Failure>> {
    if text.trim().is_empty() {
        return Err(not_json(1, "there is no event in it"));
    }
    let document = match serde_json::from_str::<&RawValue>(text) {
        Ok(document) => document.get(),
        Err(error) => return lines(text).ok_or_else(|| not_json(error.line(), error)),
    };
    if !document.starts_with('[') {
        return Ok(vec![locate(text, document)]);
    }
    let elements: Vec<&RawValue> =
        serde_json::from_str(document).map_err(|error| not_json(error.line(), error))?;
    if elements.is_empty() {
        return Err(not_json(1, "the array holds no event"));
    }
    Ok(elements
        .into_iter()
        .map(|element| locate(text, element.get()))
        .collect())
}

/// JSON lines, if the first line is a JSON document by itself. A faulty line further down is that
/// line's fault.
fn lines(text: &str) -> Option<Vec<Located<&str>>> {
    let lines: Vec<Located<&str>> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| Located {
            line: index + 1,
            value: line,
        })
        .collect();
    let first = lines.first()?;
    let is_document = serde_json::from_str::<&RawValue>(first.value).is_ok();
    (is_document && lines.len() > 1).then_some(lines)
}

fn locate<'a>(text: &str, part: &'a str) -> Located<&'a str> {
    let offset = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    Located {
        line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
        value: part,
    }
}

fn not_json(line: usize, detail: impl ToString) -> Located<Failure> {
    Located {
        line: line.max(1),
        value: Failure::new(FailureCode::NotJson, detail.to_string()),
    }
}

/// The event with a new `id`. Its other members keep their text, numbers included.
pub(crate) fn with_new_id(event: &str) -> Result<String, serde_json::Error> {
    let mut members: BTreeMap<Cow<'_, str>, Box<RawValue>> = serde_json::from_str(event)?;
    let id = serde_json::value::to_raw_value(&Uuid::now_v7().to_string())?;
    members.insert(Cow::Borrowed("id"), id);
    serde_json::to_string(&members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str) -> String {
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"/a","type":"b","time":"2026-01-31T12:00:00Z","data":1e40}}"#
        )
    }

    fn located(text: &str) -> Vec<(usize, String)> {
        read("f", text)
            .unwrap()
            .into_iter()
            .map(|event| (event.line, event.value))
            .collect()
    }

    #[test]
    fn document_array_and_lines_give_their_events_with_lines() {
        let (a, b) = (event("1"), event("2"));
        assert_eq!(located(&format!("\n{a}\n")), [(2, a.clone())]);
        let pretty = a.replace(',', ",\n");
        assert_eq!(located(&pretty), [(1, pretty.clone())]);
        assert_eq!(
            located(&format!("[\n{a},\n\n{b}]")),
            [(2, a.clone()), (4, b.clone())]
        );
        assert_eq!(located(&format!("{a}\n\n{b}\n")), [(1, a), (3, b)]);
    }

    #[test]
    fn faults_name_file_line_code_and_pointer_and_nothing_is_given_out() {
        let bad = event("2").replace(r#""source":"/a","#, "");
        let faults = read("f", &format!("{}\n{bad}\n{{\n", event("1"))).unwrap_err();
        let sentences: Vec<String> = faults.iter().map(InputFault::sentence).collect();
        assert_eq!(
            sentences[0],
            "f:2: missing-attribute: \"source\" is required (at /source)"
        );
        assert!(sentences[1].starts_with("f:3: not-json: "), "{sentences:?}");
        assert_eq!(sentences.len(), 2);
    }

    #[test]
    fn events_with_one_identity_and_different_texts_are_named_and_copies_are_not() {
        let other = event("1").replace("1e40", "2");
        let text = [event("1"), event("1"), other, event("2")].join("\n");
        let conflicts = conflicts("f", &read("f", &text).unwrap());
        let sentences: Vec<String> = conflicts.iter().map(InputFault::sentence).collect();
        let [sentence] = &sentences[..] else {
            panic!("{sentences:?}");
        };
        let expected = "f:3: the event of line 1 has the same identity, /a / 1, so";
        assert!(sentence.starts_with(expected), "{sentence}");
    }

    #[test]
    fn broken_document_and_empty_input_say_where() {
        let faults = read("f", "{\n \"a\": 1,\n oops\n}").unwrap_err();
        assert_eq!((faults[0].line, faults[0].code), (3, Some("not-json")));
        assert_eq!(
            read("f", " \n").unwrap_err()[0].detail,
            "there is no event in it"
        );
        assert_eq!(
            read("f", "[]").unwrap_err()[0].detail,
            "the array holds no event"
        );
    }

    #[test]
    fn copy_gets_its_own_id_and_keeps_the_rest() {
        let copy = with_new_id(&event("1")).unwrap();
        let key = parse_event(&copy).unwrap().key();
        assert_ne!(key.id, "1");
        assert_eq!(key.source, "/a");
        assert!(copy.contains("1e40"), "{copy}");
    }
}
