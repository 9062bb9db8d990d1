//! Columns of the list. Pure; invariant: a column keeps its widest value, gives way to the ones
//! that matter more, and is dropped before it becomes useless.

use chrono::{DateTime, Utc};
use event::Record;
use strum::VariantArray;
use unicode_width::UnicodeWidthStr as _;

use super::rows::Widths;
use crate::tui::format::{UNKNOWN, latency, short_span_secs, visible};
use crate::tui::lines::{left, right};

/// Blanks between columns.
const GAP: usize = 2;
/// Columns of the mark of the selected row.
pub(super) const MARKER: usize = 2;
/// Columns of a time of today.
const CLOCK: usize = 8;
/// Columns of a time of another day.
const DAY_AND_CLOCK: usize = 19;
/// Columns of the lag.
const LAG: usize = 8;
/// Widest that values are shown: one long name must not push the other columns out.
const NAME_MAX: usize = 26;
const ID_MAX: usize = 40;

/// What a column shows; from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub(super) enum Column {
    Time,
    Type,
    Source,
    Id,
    Subject,
    Lag,
}

impl Column {
    /// From left to right.
    const ALL: &'static [Self] = Self::VARIANTS;

    /// Its place in the order in which columns get room.
    const fn rank(self) -> usize {
        match self {
            Self::Time => 0,
            Self::Type => 1,
            Self::Id => 2,
            Self::Source => 3,
            Self::Lag => 4,
            Self::Subject => 5,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Time => "time UTC",
            Self::Type => "type",
            Self::Source => "source",
            Self::Id => "id",
            Self::Subject => "subject",
            Self::Lag => "delay",
        }
    }

    /// Whether it is aligned by its right end: digits below digits.
    const fn is_number(self) -> bool {
        matches!(self, Self::Time | Self::Lag)
    }

    /// Narrowest and widest that make sense.
    fn bounds(self, widths: Widths, is_today: bool) -> (usize, usize) {
        let value = |width: usize, least: usize, most: usize| {
            let most = width.max(self.title().width()).min(most);
            (most.min(least), most)
        };
        match self {
            Self::Time if is_today => (CLOCK, CLOCK),
            Self::Time => (DAY_AND_CLOCK, DAY_AND_CLOCK),
            Self::Type => value(widths.event_type, 6, NAME_MAX),
            Self::Source => value(widths.source, 10, NAME_MAX),
            Self::Id => value(widths.id, 10, ID_MAX),
            Self::Subject => value(widths.subject, 8, NAME_MAX),
            Self::Lag => (LAG, LAG),
        }
    }
}

/// The columns that have room, from left to right, with their widths.
pub(super) fn columns(width: usize, widths: Widths, is_today: bool) -> Vec<(Column, usize)> {
    let mut left = width.saturating_sub(MARKER);
    let mut chosen: Vec<(Column, usize)> = Vec::new();
    let mut by_rank = Column::ALL.to_vec();
    by_rank.sort_by_key(|column| column.rank());
    for column in by_rank {
        if column == Column::Subject && widths.subject == 0 {
            continue;
        }
        let gap = if chosen.is_empty() { 0 } else { GAP };
        let (least, most) = column.bounds(widths, is_today);
        // The first one is there at any width: it shows that there are rows.
        if left < least + gap && !chosen.is_empty() {
            continue;
        }
        let given = most.min(left.saturating_sub(gap));
        left = left.saturating_sub(given + gap);
        chosen.push((column, given));
    }
    let place = |column: Column| Column::ALL.iter().position(|other| *other == column);
    chosen.sort_by_key(|(column, _)| place(*column));
    chosen
}

/// The line of titles.
pub(super) fn titles(columns: &[(Column, usize)]) -> String {
    joined(columns, |column| column.title().to_owned())
}

/// The line of a record, without its mark.
pub(super) fn cells(columns: &[(Column, usize)], record: &Record, now: DateTime<Utc>) -> String {
    joined(columns, |column| match column {
        Column::Time => time(record.occurred_at, now),
        Column::Type => visible(&record.event_type),
        Column::Source => visible(&record.source),
        Column::Id => visible(&record.id),
        Column::Subject => record
            .subject
            .as_deref()
            .map_or_else(|| UNKNOWN.to_owned(), visible),
        Column::Lag => lag(record),
    })
}

fn time(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if is_same_day(at, now) {
        at.format("%H:%M:%S").to_string()
    } else {
        at.format("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// Whether both are on the same UTC day: then the date need not be shown.
pub(super) fn is_same_day(one: DateTime<Utc>, other: DateTime<Utc>) -> bool {
    one.date_naive() == other.date_naive()
}

/// Time from the event to its record, in eight columns at most. Producers set the event's time, so
/// it may lie behind the record's.
pub(super) fn lag(record: &Record) -> String {
    match (record.ingested_at - record.occurred_at).to_std() {
        Ok(lag) if lag.as_secs() < 60 => format!("+{}", latency(lag)),
        Ok(lag) => format!("+{}", short_span_secs(lag.as_secs())),
        Err(_) => "ahead".to_owned(),
    }
}

fn joined(columns: &[(Column, usize)], text: impl Fn(Column) -> String) -> String {
    let mut line = String::new();
    for (column, width) in columns {
        if !line.is_empty() {
            line.push_str(&" ".repeat(GAP));
        }
        let place = if column.is_number() { right } else { left };
        line.push_str(&place(&text(*column), *width));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTHS: Widths = Widths {
        event_type: 15,
        source: 14,
        id: 36,
        subject: 6,
    };

    fn shown(width: usize) -> Vec<Column> {
        columns(width, WIDTHS, true)
            .into_iter()
            .map(|(column, _)| column)
            .collect()
    }

    #[test]
    fn columns_are_dropped_by_rank_as_the_width_shrinks() {
        use Column::{Id, Lag, Source, Subject, Time, Type};
        assert_eq!(shown(120), [Time, Type, Source, Id, Subject, Lag]);
        assert_eq!(shown(80), [Time, Type, Source, Id]);
        assert_eq!(shown(40), [Time, Type, Id]);
        assert_eq!(shown(20), [Time, Type]);
        assert_eq!(shown(9), [Time]);
        assert_eq!(shown(0), [Time]);
    }

    #[test]
    fn columns_never_take_more_than_there_is() {
        for width in 0..200 {
            let columns = columns(width, WIDTHS, false);
            let taken: usize = columns.iter().map(|(_, width)| width + GAP).sum();
            assert!(
                taken.saturating_sub(GAP) <= width.saturating_sub(MARKER),
                "{width}"
            );
        }
    }
}
