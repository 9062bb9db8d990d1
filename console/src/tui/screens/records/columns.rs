//! Columns of the list. Pure; invariant: a column keeps its widest value, gives way to the ones
//! that matter more, and is dropped before it becomes useless.

use chrono::{DateTime, Utc};
use event::Record;
use unicode_width::UnicodeWidthStr as _;

use super::rows::{Row, Widths};
use crate::pointer::{Cell, Pointer};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Time,
    Type,
    /// What the pointer with this number points at.
    Pointer(usize),
    Source,
    Id,
    Subject,
    Lag,
}

impl Column {
    /// From left to right.
    fn all(pointers: usize) -> Vec<Self> {
        let mut all = vec![Self::Time, Self::Type];
        all.extend((0..pointers).map(Self::Pointer));
        all.extend([Self::Source, Self::Id, Self::Subject, Self::Lag]);
        all
    }

    /// Its place in the order in which columns get room: what the operator asked for before what is always there.
    const fn rank(self) -> usize {
        match self {
            Self::Time => 0,
            Self::Pointer(_) => 1,
            Self::Type => 2,
            Self::Id => 3,
            Self::Source => 4,
            Self::Lag => 5,
            Self::Subject => 6,
        }
    }

    fn title(self, pointers: &[Pointer]) -> String {
        let title = match self {
            Self::Time => "time UTC",
            Self::Type => "type",
            Self::Source => "source",
            Self::Id => "id",
            Self::Subject => "subject",
            Self::Lag => "delay",
            Self::Pointer(number) => {
                let pointer = pointers.get(number);
                return pointer.map_or_else(String::new, |it| pointer_title(it, pointers));
            }
        };
        title.to_owned()
    }

    /// Narrowest and widest that make sense.
    fn bounds(self, widths: &Widths, pointers: &[Pointer], is_today: bool) -> (usize, usize) {
        let value = |width: usize, least: usize, most: usize| {
            let most = width.max(self.title(pointers).width()).min(most);
            (most.min(least), most)
        };
        match self {
            Self::Time if is_today => (CLOCK, CLOCK),
            Self::Time => (DAY_AND_CLOCK, DAY_AND_CLOCK),
            Self::Type => value(widths.event_type, 6, NAME_MAX),
            Self::Pointer(number) => {
                let width = widths.pointers.get(number).copied().unwrap_or_default();
                value(width, 8, NAME_MAX)
            }
            Self::Source => value(widths.source, 10, NAME_MAX),
            Self::Id => value(widths.id, 10, ID_MAX),
            Self::Subject => value(widths.subject, 8, NAME_MAX),
            Self::Lag => (LAG, LAG),
        }
    }
}

/// The last name, or the whole pointer where another one ends with the same name.
fn pointer_title(pointer: &Pointer, pointers: &[Pointer]) -> String {
    let title = pointer.title();
    let same = pointers.iter().filter(|other| other.title() == title);
    if title.is_empty() || same.count() > 1 {
        visible(&pointer.to_string())
    } else {
        visible(title)
    }
}

/// The columns that have room, from left to right, with their widths.
pub(super) fn columns(
    width: usize,
    widths: &Widths,
    pointers: &[Pointer],
    is_today: bool,
) -> Vec<(Column, usize)> {
    let mut left = width.saturating_sub(MARKER);
    let mut chosen: Vec<(usize, (Column, usize))> = Vec::new();
    let mut by_rank: Vec<_> = Column::all(pointers.len())
        .into_iter()
        .enumerate()
        .collect();
    by_rank.sort_by_key(|(_, column)| column.rank());
    for (place, column) in by_rank {
        if column == Column::Subject && widths.subject == 0 {
            continue;
        }
        let gap = if chosen.is_empty() { 0 } else { GAP };
        let (least, most) = column.bounds(widths, pointers, is_today);
        // The first one is there at any width: it shows that there are rows.
        if left < least + gap && !chosen.is_empty() {
            continue;
        }
        let given = most.min(left.saturating_sub(gap));
        left = left.saturating_sub(given + gap);
        chosen.push((place, (column, given)));
    }
    chosen.sort_by_key(|(place, _)| *place);
    chosen.into_iter().map(|(_, column)| column).collect()
}

/// The line of titles.
pub(super) fn titles(columns: &[(Column, usize)], pointers: &[Pointer]) -> String {
    joined(columns, |column| {
        let is_number = matches!(column, Column::Time | Column::Lag);
        (column.title(pointers), is_number)
    })
}

/// The line of a record, without its mark. Numbers are aligned by their right ends: digits below digits.
pub(super) fn cells(columns: &[(Column, usize)], row: &Row, now: DateTime<Utc>) -> String {
    let record = &row.record;
    joined(columns, |column| match column {
        Column::Time => (time(record.occurred_at, now), true),
        Column::Type => (visible(&record.event_type), false),
        Column::Source => (visible(&record.source), false),
        Column::Id => (visible(&record.id), false),
        Column::Subject => (
            record
                .subject
                .as_deref()
                .map_or_else(|| UNKNOWN.to_owned(), visible),
            false,
        ),
        Column::Lag => (lag(record), true),
        Column::Pointer(number) => {
            let cells = row.cells.as_deref().unwrap_or_default();
            match cells.get(number) {
                Some(Cell::Number(text)) => (text.clone(), true),
                Some(Cell::Text(text)) => (text.clone(), false),
                Some(Cell::Absent) | None => (UNKNOWN.to_owned(), false),
            }
        }
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

fn joined(columns: &[(Column, usize)], text: impl Fn(Column) -> (String, bool)) -> String {
    let mut line = String::new();
    for (column, width) in columns {
        if !line.is_empty() {
            line.push_str(&" ".repeat(GAP));
        }
        let (text, is_number) = text(*column);
        let place = if is_number { right } else { left };
        line.push_str(&place(&text, *width));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widths() -> Widths {
        Widths {
            event_type: 15,
            source: 14,
            id: 36,
            subject: 6,
            pointers: vec![5, 12],
        }
    }

    fn pointers() -> Vec<Pointer> {
        crate::pointer::parse("/data/price /data/flight").unwrap()
    }

    fn shown(width: usize, pointers: &[Pointer]) -> Vec<Column> {
        columns(width, &widths(), pointers, true)
            .into_iter()
            .map(|(column, _)| column)
            .collect()
    }

    #[test]
    fn columns_are_dropped_by_rank_as_the_width_shrinks() {
        use Column::{Id, Lag, Source, Subject, Time, Type};
        assert_eq!(shown(120, &[]), [Time, Type, Source, Id, Subject, Lag]);
        assert_eq!(shown(80, &[]), [Time, Type, Source, Id]);
        assert_eq!(shown(40, &[]), [Time, Type, Id]);
        assert_eq!(shown(20, &[]), [Time, Type]);
        assert_eq!(shown(9, &[]), [Time]);
        assert_eq!(shown(0, &[]), [Time]);
    }

    #[test]
    fn columns_of_pointers_get_room_before_the_usual_ones() {
        use Column::{Id, Pointer, Source, Time, Type};
        let pointers = pointers();
        assert_eq!(
            shown(100, &pointers),
            [Time, Type, Pointer(0), Pointer(1), Source, Id]
        );
        assert_eq!(shown(32, &pointers), [Time, Pointer(0), Pointer(1)]);
        assert_eq!(shown(9, &pointers), [Time]);
    }

    #[test]
    fn pointer_is_titled_by_its_last_name_unless_another_one_has_the_same() {
        let titles = |text: &str| -> Vec<String> {
            let pointers = crate::pointer::parse(text).unwrap();
            pointers
                .iter()
                .map(|it| pointer_title(it, &pointers))
                .collect()
        };
        assert_eq!(titles("/data/price /data/id"), ["price", "id"]);
        assert_eq!(titles("/id /data/id"), ["/id", "/data/id"]);
        assert_eq!(titles("/"), ["/"]);
    }

    #[test]
    fn columns_never_take_more_than_there_is() {
        let both = [Vec::new(), pointers()];
        for (width, pointers) in (0..200).flat_map(|width| both.iter().map(move |it| (width, it))) {
            let columns = columns(width, &widths(), pointers, false);
            let taken: usize = columns.iter().map(|(_, width)| width + GAP).sum();
            assert!(
                taken.saturating_sub(GAP) <= width.saturating_sub(MARKER),
                "{width}"
            );
        }
    }
}
