//! The one axis of time below all charts: round times of UTC, known changes, and the moment of the cursor.
//!
//! Invariant: a label is whole or not there; what is rarer wins: the cursor over a change, a change over a time.

use chrono::{DateTime, Duration, NaiveTime, Utc};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr as _;

use super::window::{GUTTER, Window};
use crate::tui::format::{clock, fit};
use crate::tui::theme::Theme;

/// Columns from one label to the next at least.
const LABEL_EVERY: i64 = 13;
const ROUND_STEPS_SECS: [i64; 20] = [
    5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
    172_800, 259_200, 345_600, 604_800,
];
/// Columns between a mark and the cursor within which the cursor is on the mark.
const ON_MARK: u16 = 1;

/// A known change of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) at: DateTime<Utc>,
    /// One letter.
    pub(crate) sign: char,
    pub(crate) text: String,
}

/// A text on the axis, and its first column.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Placed {
    column: u16,
    text: String,
}

impl Placed {
    fn end(&self) -> u16 {
        let width = u16::try_from(self.text.width()).unwrap_or(u16::MAX);
        self.column.saturating_add(width)
    }

    fn touches(&self, other: &Self) -> bool {
        self.column <= other.end() && other.column <= self.end()
    }
}

/// The column that is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    /// Its start.
    pub(crate) at: DateTime<Utc>,
    /// Start and end of the time that its values are of.
    pub(crate) of: (DateTime<Utc>, DateTime<Utc>),
}

impl Cursor {
    /// Of a column, whose values come from the periods of this length that it touches, until now.
    pub(crate) fn of(
        at: DateTime<Utc>,
        column: Duration,
        period: Duration,
        now: DateTime<Utc>,
    ) -> Self {
        let period = period.num_milliseconds().max(1);
        let begin = at.timestamp_millis().div_euclid(period) * period;
        let end = (at + column).timestamp_millis();
        let end = -(-end).div_euclid(period) * period;
        let time = |millis| DateTime::from_timestamp_millis(millis).unwrap_or(at);
        Self {
            at,
            of: (time(begin), time(end).min(now)),
        }
    }
}

/// Draws the axis of time below the charts.
pub(crate) fn draw_time_axis(
    (window, marks): (Window, &[Mark]),
    cursor: Option<Cursor>,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    if area.height == 0 || area.width <= GUTTER {
        return;
    }
    let at = |column: u16| (area.x + GUTTER + column, area.y);
    let rule = "─".repeat(usize::from(window.columns));
    buffer.set_string(area.x, area.y, "   UTC └", theme.muted());
    buffer.set_string(at(0).0, area.y, rule, theme.muted());
    let place = |placed: &Placed, style: Style, buffer: &mut Buffer| {
        let (x, y) = at(placed.column);
        buffer.set_string(x, y, &placed.text, style);
    };
    let moment = cursor.and_then(|cursor| cursor_label(cursor, window, marks));
    let marks = placed_marks(window, marks);
    let is_free = |label: &Placed| {
        !moment.as_ref().is_some_and(|moment| moment.touches(label))
            && !marks.iter().any(|mark| mark.touches(label))
    };
    for label in labels(window).iter().filter(|label| is_free(label)) {
        place(label, theme.muted(), buffer);
    }
    for mark in &marks {
        place(mark, theme.key(), buffer);
    }
    if let Some(moment) = moment {
        place(
            &moment,
            theme.key().add_modifier(Modifier::REVERSED),
            buffer,
        );
    }
}

/// One letter for each column with changes: that of the newest.
fn placed_marks(window: Window, marks: &[Mark]) -> Vec<Placed> {
    let mut placed: Vec<Placed> = Vec::new();
    for mark in marks {
        let Some(column) = window.column_of(mark.at) else {
            continue;
        };
        placed.retain(|other| other.column != column);
        placed.push(Placed {
            column,
            text: mark.sign.to_string(),
        });
    }
    placed
}

/// The time of the cursor, with the changes beside it.
fn cursor_label(cursor: Cursor, window: Window, marks: &[Mark]) -> Option<Placed> {
    let column = window.column_of(cursor.at)?;
    let beside = marks.iter().filter(|mark| {
        let other = window.column_of(mark.at);
        other.is_some_and(|other| other.abs_diff(column) <= ON_MARK)
    });
    let changes: Vec<_> = beside
        .map(|mark| format!("{} {} {}", mark.sign, clock(mark.at), mark.text))
        .collect();
    let time = cursor_time(cursor, window);
    let text = format!(" {} ", [vec![time], changes].concat().join(" · "));
    let text = fit(&text, usize::from(window.columns));
    Some(centred(column, text, window))
}

/// The time that a column stands for: where that is more than a minute, with its end, because a column has the average or
/// the greatest value of all of it.
fn cursor_time(cursor: Cursor, window: Window) -> String {
    let (moment, end) = cursor.of;
    if window.column() <= Duration::minutes(1) {
        return clock(cursor.at);
    }
    let form = if window.until() - window.from > Duration::hours(24) {
        "%b %d %H:%M"
    } else {
        "%H:%M"
    };
    format!("{} to {}", moment.format(form), end.format("%H:%M"))
}

/// A text around a column, moved into the window.
fn centred(column: u16, text: String, window: Window) -> Placed {
    let width = u16::try_from(text.width()).unwrap_or(u16::MAX);
    let last = window.columns.saturating_sub(width);
    Placed {
        column: column.saturating_sub(width / 2).min(last),
        text,
    }
}

/// Round times, each whole and with a gap before the next one.
fn labels(window: Window) -> Vec<Placed> {
    let span = window.column() * i32::try_from(LABEL_EVERY).unwrap_or(i32::MAX);
    let mut steps = ROUND_STEPS_SECS.into_iter();
    let Some(step) = steps.find(|step| Duration::seconds(*step) >= span) else {
        return Vec::new();
    };
    let first = window.from.timestamp().div_euclid(step) * step;
    let times = (0..=i64::from(window.columns)).map(|number| first + number * step);
    let mut labels: Vec<Placed> = Vec::new();
    for secs in times.take_while(|secs| *secs < window.until().timestamp()) {
        let Some(time) = DateTime::from_timestamp(secs, 0) else {
            continue;
        };
        let Some(column) = window.column_of(time) else {
            continue;
        };
        let label = centred(column, label(time, step), window);
        if labels.last().is_none_or(|before| !before.touches(&label))
            && label.end() <= window.columns
        {
            labels.push(label);
        }
    }
    labels
}

fn label(time: DateTime<Utc>, step: i64) -> String {
    let format = if time.time() == NaiveTime::MIN {
        "%b %d"
    } else if step < 60 {
        "%H:%M:%S"
    } else {
        "%H:%M"
    };
    time.format(format).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// With values of each second.
    fn drawn(window: Window, marks: &[Mark], cursor: Option<DateTime<Utc>>) -> String {
        let cursor =
            cursor.map(|at| Cursor::of(at, window.column(), Duration::seconds(1), window.until()));
        let area = Rect::new(0, 0, window.columns + GUTTER, 1);
        let mut buffer = Buffer::empty(area);
        let theme = Theme { has_colour: false };
        draw_time_axis((window, marks), cursor, theme, area, &mut buffer);
        buffer
            .content
            .iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect()
    }

    fn hour() -> Window {
        Window::ending(at("2026-11-28T11:06:39Z"), Duration::hours(1), 60)
    }

    #[test]
    fn times_are_round_and_at_their_column() {
        assert_eq!(
            drawn(hour(), &[], None),
            "   UTC └──────10:15──────────10:30──────────10:45──────────11:00────"
        );
        let week = Window::ending(at("2026-11-28T11:06:39Z"), Duration::days(7), 56);
        assert_eq!(
            drawn(week, &[], None),
            "   UTC └─────────Nov 23──────────Nov 25──────────Nov 27─────────"
        );
    }

    #[test]
    fn cursor_on_a_column_of_minutes_names_all_of_its_time() {
        let week = Window::ending(at("2026-11-28T11:06:39Z"), Duration::days(7), 150);
        let column = week.start_of(100);
        let axis = drawn(week, &[], Some(column));
        let end = (column + week.column()).format("%H:%M");
        let expected = format!(" {} to {end} ", column.format("%b %d %H:%M"));
        assert!(axis.contains(&expected), "{expected}: {axis}");
        let hour = Window::ending(at("2026-11-28T11:06:39Z"), Duration::hours(1), 100);
        let axis = drawn(hour, &[], Some(hour.start_of(50)));
        assert!(!axis.contains(" to "), "{axis}");
    }

    /// A value of a metric is of all of its period.
    #[test]
    fn column_that_is_read_has_the_time_of_the_periods_that_it_touches() {
        let hour = Duration::hours(1);
        let column = Duration::minutes(67);
        let now = at("2026-11-28T18:24:32Z");
        let of = |text| Cursor::of(at(text), column, hour, now).of;
        let whole = (at("2026-11-28T16:00:00Z"), at("2026-11-28T18:00:00Z"));
        assert_eq!(of("2026-11-28T16:16:00Z"), whole);
        let newest = (at("2026-11-28T18:00:00Z"), now);
        assert_eq!(of("2026-11-28T18:16:00Z"), newest);
    }

    #[test]
    fn changes_have_their_letter_and_the_cursor_tells_them() {
        let mark = Mark {
            at: at("2026-11-28T10:45:20Z"),
            sign: 'R',
            text: "redrive of 29".to_owned(),
        };
        let marks = [mark];
        let axis = drawn(hour(), &marks, None);
        assert!(axis.contains("10:30") && axis.contains("─R─"), "{axis}");
        assert!(!axis.contains("10:45"), "the change has its place: {axis}");
        let axis = drawn(hour(), &marks, Some(at("2026-11-28T10:44:30Z")));
        assert!(
            axis.contains(" 10:44:30 · R 10:45:20 redrive of 29 "),
            "{axis}"
        );
        let axis = drawn(hour(), &marks, Some(at("2026-11-28T10:20:00Z")));
        assert!(axis.contains(" 10:20:00 ") && axis.contains('R'), "{axis}");
    }

    proptest! {
        #[test]
        fn every_label_is_whole_and_round(
            end in 0i64..2_000_000,
            secs in prop::sample::select(vec![300i64, 3_600, 21_600, 86_400, 604_800]),
            columns in 1u16..300,
        ) {
            let end = DateTime::from_timestamp(1_795_000_000 + end, 0).unwrap();
            let window = Window::ending(end, Duration::seconds(secs), columns);
            let labels = labels(window);
            for pair in labels.windows(2) {
                prop_assert!(pair[0].end() < pair[1].column);
            }
            for label in &labels {
                prop_assert!(label.end() <= columns);
            }
            if columns >= 40 {
                prop_assert!(labels.len() >= 2, "{:?}", labels);
            }
            let axis = drawn(window, &[], None);
            let axis = axis.strip_prefix("   UTC └").unwrap();
            let texts: Vec<_> = axis.split('─').filter(|text| !text.is_empty()).collect();
            prop_assert_eq!(texts, labels.iter().map(|label| label.text.as_str()).collect::<Vec<_>>());
        }
    }
}
