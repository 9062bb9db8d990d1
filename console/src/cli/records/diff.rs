//! `records diff`: what two records have otherwise.
//!
//! Invariant: values are compared and shown as they are stored, numbers as they are written; the answer is bounded.

use std::collections::BTreeMap;

use event::{Record, RecordId};
use serde::Serialize;
use serde_json::value::RawValue;

use super::read::read;
use crate::cli::Session;
use crate::cli::exit::{CommandError, Exit};
use crate::tui::difference::{difference, mark};
use pipeline::printable;

/// Changes that are listed.
const CHANGES_MAX: usize = 1_000;
/// Levels that are compared member by member; what is deeper is compared as a whole.
const DEPTH_MAX: usize = 64;

#[derive(Serialize)]
struct Report<'a> {
    from: RecordId,
    to: RecordId,
    is_same: bool,
    changes: Vec<Change<'a>>,
    /// Whether there are more changes than are listed.
    is_cut: bool,
}

/// A place where the values differ; null where it is absent.
#[derive(Debug, Serialize)]
struct Change<'a> {
    pointer: String,
    from: Option<&'a RawValue>,
    to: Option<&'a RawValue>,
}

pub(super) async fn run(
    session: &Session,
    from: RecordId,
    to: RecordId,
) -> Result<Exit, CommandError> {
    let (from, to) = tokio::try_join!(read(session, from), read(session, to))?;
    if session.output.is_json() {
        session.output.json(&report(&from, &to))?;
        return Ok(Exit::Done);
    }
    let lines = difference(from.payload.get(), to.payload.get());
    if lines.is_empty() {
        session.output.note("both events are the same");
        return Ok(Exit::Done);
    }
    let mut text = format!("--- {}\n+++ {}\n", from.record_id, to.record_id);
    for (tag, line) in lines {
        text.push_str(&format!("{}{}\n", mark(tag), printable(&line)));
    }
    session.output.text(&text)?;
    Ok(Exit::Done)
}

fn report<'a>(from: &'a Record, to: &'a Record) -> Report<'a> {
    let mut changes = Vec::new();
    compare(
        (Some(&*from.payload), Some(&*to.payload)),
        &mut String::new(),
        0,
        &mut changes,
    );
    let is_cut = changes.len() > CHANGES_MAX;
    changes.truncate(CHANGES_MAX);
    Report {
        from: from.record_id,
        to: to.record_id,
        is_same: changes.is_empty(),
        changes,
        is_cut,
    }
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Collects where the values differ; up to one more than is listed.
fn compare<'a>(
    (from, to): (Option<&'a RawValue>, Option<&'a RawValue>),
    path: &mut String,
    depth: usize,
    changes: &mut Vec<Change<'a>>,
) {
    if changes.len() > CHANGES_MAX || from.map(RawValue::get) == to.map(RawValue::get) {
        return;
    }
    let members = |value: Option<&'a RawValue>| {
        let text = value.filter(|_| depth < DEPTH_MAX)?.get();
        serde_json::from_str::<Members<'a>>(text).ok()
    };
    let (Some(from_members), Some(to_members)) = (members(from), members(to)) else {
        changes.push(Change {
            pointer: path.clone(),
            from,
            to,
        });
        return;
    };
    let added = to_members
        .keys()
        .filter(|name| !from_members.contains_key(*name));
    for name in from_members.keys().chain(added) {
        let length = path.len();
        path.push('/');
        path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        let values = (
            from_members.get(name).copied(),
            to_members.get(name).copied(),
        );
        compare(values, path, depth + 1, changes);
        path.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn changes(from: &str, to: &str) -> Vec<(String, Option<String>, Option<String>)> {
        let (from, to) = (raw(from), raw(to));
        let mut changes = Vec::new();
        let values = (Some(&*from), Some(&*to));
        compare(values, &mut String::new(), 0, &mut changes);
        let text = |value: Option<&RawValue>| value.map(|value| value.get().to_owned());
        let changes = changes.into_iter();
        changes
            .map(|change| (change.pointer, text(change.from), text(change.to)))
            .collect()
    }

    #[test]
    fn changes_are_named_by_their_pointers_with_the_values_as_written() {
        let found = changes(
            r#"{"a/b": {"x": 1.50, "gone": true}, "same": [1, 2], "list": [1]}"#,
            r#"{"a/b": {"x": 1.5, "new": null}, "same": [1, 2], "list": [2]}"#,
        );
        let text = |text: &str| Some(text.to_owned());
        let expected = [
            ("/a~1b/gone".to_owned(), text("true"), None),
            ("/a~1b/x".to_owned(), text("1.50"), text("1.5")),
            ("/a~1b/new".to_owned(), None, text("null")),
            ("/list".to_owned(), text("[1]"), text("[2]")),
        ];
        assert_eq!(found, expected);
        assert!(changes("{}", "{}").is_empty());
        assert_eq!(changes("1", "{}"), [(String::new(), text("1"), text("{}"))]);
    }

    #[test]
    fn number_of_changes_is_bounded() {
        let many = (0..CHANGES_MAX * 2).map(|number| format!("\"{number}\":1"));
        let many = format!("{{{}}}", many.collect::<Vec<_>>().join(","));
        assert_eq!(changes(&many, "{}").len(), CHANGES_MAX + 1);
    }
}
