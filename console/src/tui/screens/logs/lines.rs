//! The lines that are kept, and those of them that the filter takes.
//!
//! Invariant: lines are in the order of their times, and of one time in the order in which they came; at most
//! [`LINES_MAX`] lines and [`BYTES_MAX`] bytes are kept, and how many went is counted. Pure.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use pipeline::logs::{LogFilter, LogLine};

/// Lines that are kept at most.
pub(super) const LINES_MAX: usize = 20_000;
/// Bytes of text that are kept at most.
pub(super) const BYTES_MAX: usize = 16 * 1024 * 1024;

/// The place of a line among all that were ever kept: its time, then its number.
pub(super) type Key = (DateTime<Utc>, u64);

#[derive(Debug)]
struct Entry {
    number: u64,
    is_wanted: bool,
    line: LogLine,
}

impl Entry {
    const fn key(&self) -> Key {
        (self.line.at, self.number)
    }
}

#[derive(Debug, Default)]
pub(super) struct Lines {
    entries: VecDeque<Entry>,
    /// Places of the wanted entries, counted from the first line that was ever kept.
    wanted: VecDeque<usize>,
    filter: LogFilter,
    /// Entries that went.
    dropped: usize,
    bytes: usize,
    next_number: u64,
}

impl Lines {
    /// Adds lines, which are in the order of their times; lets the oldest go beyond the limits.
    pub(super) fn add(&mut self, lines: Vec<LogLine>) {
        let mut is_behind = false;
        for line in lines {
            let entry = Entry {
                number: self.next_number,
                is_wanted: self.filter.takes(&line),
                line,
            };
            self.next_number += 1;
            self.bytes += size(&entry.line);
            let is_last = self
                .entries
                .back()
                .is_none_or(|last| last.line.at <= entry.line.at);
            if is_last {
                if entry.is_wanted {
                    self.wanted.push_back(self.dropped + self.entries.len());
                }
                self.entries.push_back(entry);
            } else {
                let at = entry.line.at;
                let place = self.entries.partition_point(|other| other.line.at <= at);
                self.entries.insert(place, entry);
                is_behind = true;
            }
        }
        if is_behind {
            self.list_wanted();
        }
        self.drop_oldest();
    }

    fn drop_oldest(&mut self) {
        while self.entries.len() > LINES_MAX || self.bytes > BYTES_MAX {
            let Some(gone) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= size(&gone.line);
            if self.wanted.front() == Some(&self.dropped) {
                self.wanted.pop_front();
            }
            self.dropped += 1;
        }
    }

    /// Takes another filter. One that takes less looks only at the lines that the last one took.
    pub(super) fn set_filter(&mut self, filter: LogFilter) {
        let is_narrower = narrows(&self.filter, &filter);
        for entry in &mut self.entries {
            entry.is_wanted = (entry.is_wanted || !is_narrower) && filter.takes(&entry.line);
        }
        self.filter = filter;
        self.list_wanted();
    }

    fn list_wanted(&mut self) {
        let first = self.dropped;
        let wanted = self.entries.iter().enumerate();
        let wanted = wanted.filter(|(_, entry)| entry.is_wanted);
        self.wanted = wanted.map(|(place, _)| first + place).collect();
    }

    /// Number of lines that the filter takes.
    pub(super) fn len(&self) -> usize {
        self.wanted.len()
    }

    /// Whether the next line drops the oldest.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= LINES_MAX || self.bytes >= BYTES_MAX
    }

    /// Number of all lines that are kept.
    pub(super) fn kept(&self) -> usize {
        self.entries.len()
    }

    /// Number of lines that went because too many were there.
    pub(super) const fn dropped(&self) -> usize {
        self.dropped
    }

    pub(super) const fn filter(&self) -> &LogFilter {
        &self.filter
    }

    fn entry(&self, row: usize) -> Option<&Entry> {
        let place = self.wanted.get(row)?.checked_sub(self.dropped)?;
        self.entries.get(place)
    }

    /// The line in a row of those that the filter takes.
    pub(super) fn get(&self, row: usize) -> Option<&LogLine> {
        self.entry(row).map(|entry| &entry.line)
    }

    pub(super) fn key(&self, row: usize) -> Option<Key> {
        self.entry(row).map(Entry::key)
    }

    /// The rows from one on.
    pub(super) fn rows(&self, first: usize) -> impl Iterator<Item = &LogLine> {
        (first..self.len()).map_while(|row| self.get(row))
    }

    /// The row of a line, or of the next one that the filter takes.
    pub(super) fn row_of(&self, key: Key) -> usize {
        self.wanted.partition_point(|place| {
            let entry = place
                .checked_sub(self.dropped)
                .and_then(|place| self.entries.get(place));
            entry.is_some_and(|entry| entry.key() < key)
        })
    }

    /// Copies of the lines that belong to a request.
    pub(super) fn of_request(&self, request_id: &str) -> Vec<LogLine> {
        let lines = self.entries.iter().map(|entry| &entry.line);
        let is_of = |line: &&LogLine| line.request_id.as_deref() == Some(request_id);
        lines.filter(is_of).cloned().collect()
    }
}

fn size(line: &LogLine) -> usize {
    line.text.len() + line.summary.len() + line.message.len()
}

/// Whether the second filter takes no line that the first one does not take.
fn narrows(wide: &LogFilter, narrow: &LogFilter) -> bool {
    (wide.function.is_none() || wide.function == narrow.function)
        && wide.level <= narrow.level
        && (wide.request_id.is_none() || wide.request_id == narrow.request_id)
        && wide.texts.iter().all(|text| {
            let text = text.to_ascii_lowercase();
            let mut others = narrow.texts.iter();
            others.any(|other| other.to_ascii_lowercase().contains(&text))
        })
}

#[cfg(test)]
mod tests {
    use pipeline::logs::{LogFunction, LogLevel};
    use proptest::prelude::*;

    use super::*;

    fn line(secs: i64, text: &str) -> LogLine {
        let at = DateTime::from_timestamp(secs, 0).unwrap();
        LogLine::parse(LogFunction::Ingest, at, text)
    }

    fn texts(lines: &Lines) -> Vec<&str> {
        lines.rows(0).map(|line| line.text.as_str()).collect()
    }

    fn of_text(text: &str) -> LogFilter {
        LogFilter {
            texts: vec![text.to_owned()],
            ..LogFilter::default()
        }
    }

    #[test]
    fn late_line_stands_at_its_time_behind_those_of_the_same() {
        let mut lines = Lines::default();
        lines.add(vec![line(1, "a"), line(3, "b")]);
        lines.add(vec![line(1, "c"), line(2, "d"), line(4, "e")]);
        assert_eq!(texts(&lines), ["a", "c", "d", "b", "e"]);
    }

    #[test]
    fn oldest_lines_go_and_are_counted() {
        let mut lines = Lines::default();
        lines.set_filter(of_text("even"));
        let most = i64::try_from(LINES_MAX).unwrap();
        for block in 0..3 {
            let block = (block * most / 2)..((block + 1) * most / 2);
            let written = |number: i64| {
                let parity = if number % 2 == 0 { "even" } else { "odd" };
                line(number, &format!("{parity} {number}"))
            };
            lines.add(block.map(written).collect());
        }
        assert_eq!((lines.kept(), lines.dropped()), (LINES_MAX, LINES_MAX / 2));
        assert_eq!(lines.len(), LINES_MAX / 2);
        assert_eq!(lines.get(0).unwrap().text, format!("even {}", most / 2));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut lines = Lines::default();
        let long = "x".repeat(60_000);
        lines.add((0..300).map(|secs| line(secs, &long)).collect());
        assert!(lines.bytes <= BYTES_MAX && lines.dropped() > 0);
        assert!(lines.kept() > 100, "no more than is needed goes");
    }

    #[test]
    fn line_is_found_by_its_key_also_when_others_went_and_else_the_next_one() {
        let mut lines = Lines::default();
        lines.add((0..10).map(|secs| line(secs, &secs.to_string())).collect());
        let key = lines.key(6).unwrap();
        assert_eq!(lines.row_of(key), 6);
        lines.set_filter(of_text("8"));
        assert_eq!((lines.row_of(key), lines.len()), (0, 1));
        lines.set_filter(of_text("1"));
        assert_eq!(lines.row_of(key), 1, "behind the last one");
    }

    #[test]
    fn narrower_filters_are_known() {
        let filter = |text: &str, level| LogFilter {
            level,
            ..of_text(text)
        };
        let (all, warn) = (LogFilter::default(), Some(LogLevel::Warn));
        assert!(narrows(&all, &filter("a", warn)));
        assert!(narrows(&filter("A", None), &filter("ab", warn)));
        assert!(!narrows(&filter("ab", None), &filter("a", None)));
        assert!(!narrows(
            &filter("a", Some(LogLevel::Error)),
            &filter("a", warn)
        ));
    }

    proptest! {
        /// As a list that is sorted, filtered and cut at once.
        #[test]
        fn what_is_listed_is_what_the_filter_takes(
            steps in prop::collection::vec(
                (prop::collection::vec((0_i64..50, "[ab]{1,3}"), 0..6), prop::option::of("[ab]{0,2}")),
                1..20,
            )
        ) {
            let (mut lines, mut model) = (Lines::default(), Vec::new());
            let mut filter = LogFilter::default();
            for (batch, text) in steps {
                let mut batch: Vec<LogLine> =
                    batch.iter().map(|(secs, text)| line(*secs, text)).collect();
                batch.sort_by_key(|line| line.at);
                model.extend(batch.clone());
                model.sort_by_key(|line: &LogLine| line.at);
                lines.add(batch);
                if let Some(text) = text {
                    filter = of_text(&text);
                    lines.set_filter(filter.clone());
                }
                let wanted = model.iter().filter(|line| filter.takes(line));
                let wanted: Vec<_> = wanted.map(|line| line.text.as_str()).collect();
                prop_assert_eq!(texts(&lines), wanted);
                for row in 0..lines.len() {
                    prop_assert_eq!(lines.row_of(lines.key(row).unwrap()), row);
                }
            }
        }
    }
}
