//! What completion knows: names that the pipeline has counted, and values of the rows that are kept.
//!
//! Invariant: bounded, however many rows there are; only what the operator can see anyway.

use std::collections::HashMap;

use event::Record;
use pipeline::RecordNames;

use super::rows::Rows;
use crate::pointer;
use crate::saved_filters::SavedFilter;
use crate::text::fit;
use crate::tui::filter::{Known, Value};
use crate::tui::format::{counted, visible};

/// Rows that are looked through.
const ROWS_MAX: usize = 2_000;
/// Values of one kind.
const VALUES_MAX: usize = 500;
/// Columns of a value of the selected event.
const VALUE_COLUMNS_MAX: usize = 40;

#[derive(Debug, Default)]
pub(super) struct Knowledge {
    pub(super) filter: Known,
    /// Pointers into the selected event.
    pub(super) places: Vec<Value>,
    pub(super) saved: Vec<SavedFilter>,
}

impl Knowledge {
    /// The saved filter that a line names: `@late`.
    pub(super) fn saved_named(&self, line: &str) -> Option<&SavedFilter> {
        let name = line.trim().strip_prefix('@')?;
        self.saved.iter().find(|filter| filter.name == name)
    }
}

/// Gathers what is known now.
pub(super) fn gathered(
    names: Option<&RecordNames>,
    rows: Option<&Rows>,
    selected: Option<&Record>,
    saved: &[SavedFilter],
) -> Knowledge {
    let counts = |of: fn(&RecordNames) -> &[(String, u64)], when: &str| -> Vec<Value> {
        let counts = names.map_or(&[][..], of).iter().take(VALUES_MAX);
        let value = |(name, records): &(String, u64)| Value {
            text: name.clone(),
            about: format!("{}{when}", counted(*records, "record")),
        };
        counts.map(value).collect()
    };
    let types = counts(|names| &names.types, "");
    let sources = counts(|names| &names.sources, " in 7 days");
    let places = selected.map_or_else(Vec::new, |record| places(record.payload.get()));
    Knowledge {
        filter: Known {
            types: with_those_of_rows(types, rows, |record| Some(&record.event_type)),
            sources: with_those_of_rows(sources, rows, |record| Some(&record.source)),
            subjects: with_those_of_rows(Vec::new(), rows, |record| record.subject.as_ref()),
            saved: saved.iter().map(named).collect(),
        },
        places,
        saved: saved.to_vec(),
    }
}

fn named(filter: &SavedFilter) -> Value {
    let mut about = match filter.filter.as_str() {
        "" => "all records".to_owned(),
        text => visible(text),
    };
    if !filter.columns.is_empty() {
        about.push_str(&format!(" · {}", visible(&filter.columns.join(" "))));
    }
    Value {
        text: format!("@{}", filter.name),
        about,
    }
}

/// The values, and behind them those of the rows, the most frequent first.
fn with_those_of_rows(
    mut values: Vec<Value>,
    rows: Option<&Rows>,
    of: impl Fn(&Record) -> Option<&String>,
) -> Vec<Value> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for value in rows
        .into_iter()
        .flat_map(|rows| rows.records().take(ROWS_MAX))
        .filter_map(of)
    {
        *counts.entry(value).or_default() += 1;
    }
    for value in &values {
        counts.remove(value.text.as_str());
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|one, other| (other.1, one.0).cmp(&(one.1, other.0)));
    counts.truncate(VALUES_MAX.saturating_sub(values.len()));
    values.extend(counts.into_iter().map(|(value, number)| Value {
        text: value.to_owned(),
        about: format!("in {} here", counted(number, "row")),
    }));
    values
}

fn places(payload: &str) -> Vec<Value> {
    let suggested = pointer::suggested(payload).into_iter();
    let values = suggested.map(|(text, value)| Value {
        text,
        about: fit(&visible(&value), VALUE_COLUMNS_MAX),
    });
    values.collect()
}
