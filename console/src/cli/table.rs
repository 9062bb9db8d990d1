//! Tables and number words for people.
//!
//! Invariant: a row is one line; nothing of the world is printed raw; a column is cut only on a
//! terminal, visibly, and never when the output goes to a program.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::world::printable;

/// Space between two columns.
const GAP: &str = "  ";
/// A column is never cut below this width.
const COLUMN_WIDTH_MIN: usize = 8;

/// Side to which a column's cells keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Rows under headings.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; the cells are made printable here.
    pub(super) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows
            .push(cells.iter().map(|cell| printable(cell)).collect());
    }

    /// The table as lines; `width` is that of the terminal, if it is one.
    pub(super) fn render(&self, width: Option<usize>) -> String {
        let widths = self.widths(width);
        let mut text = String::new();
        let headings: Vec<String> = self
            .columns
            .iter()
            .map(|(heading, _)| (*heading).to_owned())
            .collect();
        for cells in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), (_, align)) in cells.iter().zip(&widths).zip(&self.columns) {
                if !line.is_empty() {
                    line.push_str(GAP);
                }
                let cell = fit(cell, *width);
                let padding = " ".repeat(width.saturating_sub(cell.width()));
                match align {
                    Align::Left => line.extend([cell, padding]),
                    Align::Right => line.extend([padding, cell]),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// Natural widths; while they are too wide for the terminal, the widest column shrinks.
    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self
            .columns
            .iter()
            .map(|(heading, _)| heading.width())
            .collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let Some(limit) = limit else { return widths };
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > limit {
            match widths.iter_mut().max() {
                Some(widest) if *widest > COLUMN_WIDTH_MIN => *widest -= 1,
                _ => break,
            }
        }
        widths
    }
}

/// The text, cut with `…` if it is wider.
pub(super) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 0;
    for c in text.chars() {
        let next = c.width().unwrap_or(0);
        if used + next + 1 > width {
            break;
        }
        cut.push(c);
        used += next;
    }
    cut.push('…');
    cut
}

/// `1,204,553`
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `3 s`, `2 min 5 s`, `2 h 10 min`, `13 d 21 h`
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Like [`duration`]; what is over already is `0 s`.
pub(super) fn time_delta(delta: TimeDelta) -> String {
    duration(delta.to_std().unwrap_or_default())
}

/// RFC 3339 in whole seconds, for people.
pub(super) fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_numbers_keep_right() {
        let mut table = Table::new(&[("NAME", Align::Left), ("COUNT", Align::Right)]);
        table.row(["a", "1"]);
        table.row(["über\u{1b}[2J", "1,204"]);
        let expected = "NAME           COUNT\na                  1\nüber\\u001b[2J  1,204\n";
        assert_eq!(table.render(None), expected);
    }

    #[test]
    fn wide_column_is_cut_on_a_terminal_only() {
        let mut table = Table::new(&[("A", Align::Left), ("B", Align::Right)]);
        table.row(["a long text that does not fit", "12"]);
        assert!(table.render(None).contains("does not fit"));
        let narrow = table.render(Some(20));
        assert!(narrow.lines().all(|line| line.width() <= 20), "{narrow}");
        assert!(narrow.contains("…  12"), "{narrow}");
    }

    #[test]
    fn numbers_and_durations_read_well() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_204_553), "1,204,553");
        assert_eq!(duration(Duration::from_secs(59)), "59 s");
        assert_eq!(duration(Duration::from_secs(7_800)), "2 h 10 min");
        assert_eq!(duration(Duration::from_secs(1_198_800)), "13 d 21 h");
        assert_eq!(time_delta(TimeDelta::seconds(-5)), "0 s");
    }
}
