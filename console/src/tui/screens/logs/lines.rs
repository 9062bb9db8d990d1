//! The lines that are kept, and those of them that the filter takes.
//!
//! Invariant: lines are in the order of their times, and of one time in the order in which they came; at most
//! [`LINES_MAX`] lines and [`BYTES_MAX`] bytes are kept, and how many went is counted. The filter is applied in parts of
//! [`PART_BYTES`], so that no key waits for all lines. Pure.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use pipeline::logs::{LogFilter, LogLine, LogSearch};

/// Lines that are kept at most.
pub(super) const LINES_MAX: usize = 20_000;
/// Bytes of text that are kept at most.
pub(super) const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of lines that are searched before the next frame: about a millisecond.
pub(super) const PART_BYTES: usize = 1024 * 1024;

/// The place of a line among all that were ever kept: its time, then its number.
pub(super) type Key = (DateTime<Utc>, u64);

#[derive(Debug)]
struct Entry {
    number: u64,
    /// Whether the filter takes it; `None` until that is known.
    is_wanted: Option<bool>,
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
    /// Places of the entries that are known to be wanted, counted from the first line that was ever kept.
    wanted: VecDeque<usize>,
    search: LogSearch,
    /// Entries that the filter has not judged.
    unjudged: usize,
    /// Entries that went.
    dropped: usize,
    bytes: usize,
    next_number: u64,
    /// How often entries were brought into order.
    #[cfg(test)]
    sorted: usize,
}

impl Lines {
    /// Adds lines, which are in the order of their times; lets the oldest go beyond the limits.
    pub(super) fn add(&mut self, lines: Vec<LogLine>) {
        let newest = self.entries.back().map(|last| last.line.at);
        let oldest = lines.first().map(|line| line.at);
        for line in lines {
            self.bytes += size(&line);
            self.entries.push_back(Entry {
                number: self.next_number,
                is_wanted: None,
                line,
            });
            self.next_number += 1;
            self.unjudged += 1;
        }
        if let (Some(newest), Some(oldest)) = (newest, oldest)
            && oldest < newest
        {
            self.sort_from(oldest);
        }
        self.drop_oldest();
        self.judge_part();
    }

    /// Two runs in order become one: a stable sort merges them, and moves each entry a few times at most.
    fn sort_from(&mut self, oldest: DateTime<Utc>) {
        let entries = self.entries.make_contiguous();
        let begin = entries
            .iter()
            .position(|entry| entry.line.at > oldest)
            .unwrap_or(entries.len());
        if let Some(late) = entries.get_mut(begin..) {
            late.sort_by_key(Entry::key);
        }
        #[cfg(test)]
        {
            self.sorted += 1;
        }
    }

    fn drop_oldest(&mut self) {
        while self.entries.len() > LINES_MAX || self.bytes > BYTES_MAX {
            let Some(gone) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= size(&gone.line);
            self.unjudged -= usize::from(gone.is_wanted.is_none());
            self.dropped += 1;
        }
    }

    /// Takes another filter. One that takes less judges only the lines that the last one took, one that takes more
    /// only the others.
    pub(super) fn set_filter(&mut self, filter: LogFilter) {
        let before = self.search.filter();
        let (is_narrower, is_wider) = (narrows(before, &filter), narrows(&filter, before));
        self.unjudged = 0;
        for entry in &mut self.entries {
            let stays = |is_wanted: &bool| if *is_wanted { is_wider } else { is_narrower };
            entry.is_wanted = entry.is_wanted.filter(stays);
            self.unjudged += usize::from(entry.is_wanted.is_none());
        }
        self.search = LogSearch::new(filter);
        self.judge_part();
    }

    /// Whether lines are still to be judged.
    pub(super) const fn is_judging(&self) -> bool {
        self.unjudged > 0
    }

    /// Judges further lines, the newest first.
    pub(super) fn judge_part(&mut self) {
        let has_texts = !self.search.filter().texts.is_empty();
        let mut left = PART_BYTES;
        for entry in self.entries.iter_mut().rev() {
            if self.unjudged == 0 || left == 0 {
                break;
            }
            if entry.is_wanted.is_none() {
                entry.is_wanted = Some(self.search.takes(&entry.line));
                self.unjudged -= 1;
                left = left.saturating_sub(if has_texts { size(&entry.line) } else { 0 });
            }
        }
        let first = self.dropped;
        let wanted = self.entries.iter().enumerate();
        let wanted = wanted.filter(|(_, entry)| entry.is_wanted == Some(true));
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
        self.search.filter()
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
            while lines.is_judging() {
                lines.judge_part();
            }
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

    /// The log of one function was read to its end, and the one of another in parts.
    #[test]
    fn lines_before_many_others_are_brought_into_order_once_a_read() {
        let mut lines = Lines::default();
        let of = |function, secs| {
            let at = DateTime::from_timestamp(secs, 0).unwrap();
            LogLine::parse(function, at, "a line")
        };
        lines.add((0..8_000).map(|secs| of(LogFunction::Api, secs)).collect());
        for read in 0..3 {
            let secs = (read * 1_000)..((read + 1) * 1_000);
            lines.add(secs.map(|secs| of(LogFunction::Ingest, secs)).collect());
        }
        assert_eq!(lines.sorted, 3);
        let all: Vec<_> = lines.rows(0).map(|line| (line.at, line.function)).collect();
        assert_eq!(all.len(), 11_000);
        // Of one time the one that came first.
        assert!(all.is_sorted_by(|one, next| (one.0, next.1) <= (next.0, one.1)));
    }

    #[test]
    fn filter_is_applied_in_parts_the_newest_lines_first_and_keeps_what_it_knows() {
        let mut lines = Lines::default();
        let of = |secs: i64| line(secs, &format!("{}{}", "x".repeat(60_000), secs % 2));
        lines.add((0..10).map(of).collect());
        lines.add((10..60).map(of).collect());
        while lines.is_judging() {
            lines.judge_part();
        }
        assert_eq!(lines.len(), 60, "no filter");
        lines.set_filter(of_text("x1"));
        assert!(lines.is_judging() && lines.len() < 30);
        assert!(lines.rows(0).all(|line| line.text.ends_with("x1")));
        assert_eq!(lines.rows(0).last().unwrap().at, line(59, "").at);
        let mut parts = 0;
        while lines.is_judging() {
            lines.judge_part();
            parts += 1;
        }
        assert_eq!((lines.len(), parts > 1), (30, true));
        // What a narrower filter takes, a wider one takes too.
        lines.set_filter(of_text("x"));
        assert!(lines.is_judging() && lines.len() >= 30);
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
                prop_assert!(!lines.is_judging());
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
