//! Tables and times for people.
//!
//! Invariant: a row is one line; text from the pipeline is escaped; truncated text ends with `…`, and ids that
//! other commands need are never truncated.
//!
//! Own code, because columns have ranks: on a narrow terminal the least important ones go, and the
//! answer names them. `comfy-table` and `tabled` wrap, truncate or shrink columns to a width; neither
//! chooses what to leave out, and with ranks around them more code than this would be left.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use unicode_width::UnicodeWidthStr as _;

use crate::text::{fit, span_secs};
use pipeline::printable;

/// Space between two columns.
const GAP: &str = "  ";
/// Largest width of a cell that may be truncated, so that one long value does not hide other columns.
const CELL_WIDTH_MAX: usize = 48;
/// A column is never narrower than this.
const COLUMN_WIDTH_MIN: usize = 8;

/// Alignment of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// What happens to a column when the terminal is too narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// It stays complete.
    Always,
    /// It stays and may be truncated.
    Cut,
    /// It is left out, the highest number first; long cells are truncated.
    Drop(u8),
}

/// Rows under headings.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(Cow<'static, str>, Align, Keep)>,
    rows: Vec<Vec<String>>,
}

/// A table as lines, and the headings that were left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) text: String,
    pub(super) left_out: Vec<Cow<'static, str>>,
}

impl Table {
    pub(super) fn new(columns: &[(&'static str, Align, Keep)]) -> Self {
        let columns = columns.iter();
        Self {
            columns: columns
                .map(|(heading, align, keep)| (Cow::Borrowed(*heading), *align, *keep))
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a column behind the others; its heading is escaped.
    pub(super) fn column(&mut self, heading: &str, align: Align, keep: Keep) {
        let heading = Cow::Owned(printable(heading));
        self.columns.push((heading, align, keep));
    }

    /// Adds a row; its cells are escaped.
    pub(super) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.row_of(&cells);
    }

    /// The same, where columns were added.
    pub(super) fn row_of(&mut self, cells: &[&str]) {
        self.rows
            .push(cells.iter().map(|cell| printable(cell)).collect());
    }

    /// Renders the table; `limit` is the width of the terminal.
    pub(super) fn render(&self, limit: Option<usize>) -> Rendered {
        let (widths, left_out) = self.layout(limit);
        let headings: Vec<String> = self
            .columns
            .iter()
            .map(|(heading, _, _)| heading.to_string())
            .collect();
        let mut text = String::new();
        for cells in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), (_, align, _)) in cells.iter().zip(&widths).zip(&self.columns) {
                let Some(width) = *width else { continue };
                if !line.is_empty() {
                    line.push_str(GAP);
                }
                let cell = fit(cell, width);
                let padding = " ".repeat(width.saturating_sub(cell.width()));
                match align {
                    Align::Left => line.extend([cell, padding]),
                    Align::Right => line.extend([padding, cell]),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        Rendered { text, left_out }
    }

    /// Width of each column; `None` for one that is left out. First columns are left out, then the widest of
    /// those that may be truncated shrinks.
    fn layout(&self, limit: Option<usize>) -> (Vec<Option<usize>>, Vec<Cow<'static, str>>) {
        let mut widths: Vec<Option<usize>> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, (heading, _, _))| Some(self.natural_width(index, heading)))
            .collect();
        let Some(limit) = limit else {
            return (widths, Vec::new());
        };
        let mut droppable: Vec<(u8, usize)> = Vec::new();
        for (index, (_, _, keep)) in self.columns.iter().enumerate() {
            if let Keep::Drop(rank) = keep {
                droppable.push((*rank, index));
            }
        }
        droppable.sort_unstable();
        let mut left_out = Vec::new();
        while total(&widths) > limit
            && let Some((_, index)) = droppable.pop()
        {
            if let (Some(width), Some((heading, _, _))) =
                (widths.get_mut(index), self.columns.get(index))
            {
                *width = None;
                left_out.push(heading.clone());
            }
        }
        while total(&widths) > limit {
            let widest = widths
                .iter_mut()
                .zip(&self.columns)
                .filter(|(_, (_, _, keep))| *keep == Keep::Cut)
                .filter_map(|(width, _)| width.as_mut())
                .max();
            match widest {
                Some(widest) if *widest > COLUMN_WIDTH_MIN => *widest -= 1,
                _ => break,
            }
        }
        (widths, left_out)
    }

    fn natural_width(&self, index: usize, heading: &str) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(index));
        let width = cells
            .map(|cell| cell.width())
            .fold(heading.width(), usize::max);
        match self.columns.get(index) {
            Some((_, _, Keep::Cut | Keep::Drop(_))) => width.min(CELL_WIDTH_MAX),
            Some((_, _, Keep::Always)) | None => width,
        }
    }
}

fn total(widths: &[Option<usize>]) -> usize {
    let shown = widths.iter().flatten();
    shown.clone().sum::<usize>() + GAP.len() * shown.count().saturating_sub(1)
}

/// A duration for people; a negative one is `0 s`.
pub(super) fn time_delta(delta: TimeDelta) -> String {
    span_secs(delta.to_std().unwrap_or_default().as_secs())
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
        let mut table = Table::new(&[
            ("NAME", Align::Left, Keep::Cut),
            ("COUNT", Align::Right, Keep::Always),
        ]);
        table.row(["a", "1"]);
        table.row(["über\u{1b}[2J", "1,204"]);
        let expected = "NAME           COUNT\na                  1\nüber\\u001b[2J  1,204\n";
        assert_eq!(table.render(None).text, expected);
    }

    #[test]
    fn narrow_terminal_leaves_out_columns_then_truncates_and_never_an_id() {
        let mut table = Table::new(&[
            ("ID", Align::Left, Keep::Always),
            ("TEXT", Align::Left, Keep::Cut),
            ("SECOND", Align::Left, Keep::Drop(1)),
            ("FIRST", Align::Left, Keep::Drop(2)),
        ]);
        table.row(["0123456789", "a long text that does not fit", "s", "f"]);
        let all = table.render(None);
        assert!(all.text.contains("does not fit") && all.left_out.is_empty());
        assert_eq!(table.render(Some(50)).left_out, ["FIRST"]);
        let narrow = table.render(Some(24));
        assert_eq!(narrow.left_out, ["FIRST", "SECOND"]);
        assert!(
            narrow.text.contains("0123456789  a long text…"),
            "{narrow:?}"
        );
        assert!(narrow.text.lines().all(|line| line.width() <= 24));
    }

    #[test]
    fn long_cell_is_truncated_and_an_id_is_not() {
        let mut table = Table::new(&[
            ("MESSAGE ID", Align::Left, Keep::Always),
            ("ID", Align::Left, Keep::Drop(1)),
        ]);
        let long = "x".repeat(300);
        table.row([&long, &long]);
        let text = table.render(None).text;
        let line = text.lines().nth(1).unwrap();
        assert_eq!(line.width(), 300 + GAP.len() + CELL_WIDTH_MAX);
        assert!(line.starts_with(&long) && line.ends_with('…'), "{line}");
    }

    #[test]
    fn negative_duration_is_zero() {
        assert_eq!(time_delta(TimeDelta::seconds(7_805)), "2 h 10 min");
        assert_eq!(time_delta(TimeDelta::seconds(-5)), "0 s");
    }
}
