//! One chart: its lines over the columns of a window, limits as lines, and the moment of the cursor.
//!
//! Invariant: the first line is a filled area and the second a line of strokes, so that no colour is needed to tell
//! them apart; a measured zero is drawn, and a gap is empty.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::widgets::Widget as _;

use super::value_axis::Unit;
use super::window::GUTTER;
use crate::tui::format::{UNKNOWN, whole};
use crate::tui::lines::{right, titled};
use crate::tui::theme::{Theme, Tone, sign};

/// Rows of a chart that can be read: its title and two of values.
pub(crate) const PANEL_ROWS_MIN: u16 = 3;
/// Parts of the height of a cell.
const EIGHTHS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// A line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    /// The value of each column, where something was measured.
    pub(crate) columns: Vec<Option<f64>>,
}

impl Series {
    fn value(&self, column: u16) -> Option<f64> {
        self.columns.get(usize::from(column)).copied().flatten()
    }
}

/// A value above which a rule raises attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limit {
    pub(crate) value: f64,
    pub(crate) tone: Tone,
}

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    /// Two at most.
    pub(crate) series: Vec<Series>,
    pub(crate) limits: &'static [Limit],
}

impl Panel {
    fn greatest(&self) -> Option<f64> {
        let values = self.series.iter().flat_map(|series| &series.columns);
        values.copied().flatten().reduce(f64::max)
    }
}

/// Draws a chart. `newest` has what the title shows of each line without a cursor, and `without_values` why it may have
/// no values.
pub(crate) fn draw_panel(
    (panel, newest, without_values): (&Panel, &[String], &str),
    (cursor, is_dimmed, is_selected): (Option<u16>, bool, bool),
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let title_row = Rect {
        height: area.height.min(1),
        ..area
    };
    title(panel, newest, (cursor, is_selected), theme, area.width).render(title_row, buffer);
    let plot = Plot {
        left: area.x + GUTTER,
        top: area.y + 1,
        columns: area.width.saturating_sub(GUTTER),
        rows: area.height.saturating_sub(1),
    };
    if plot.rows == 0 || plot.columns == 0 {
        return;
    }
    let Some(greatest) = panel.greatest() else {
        draw_axis(panel, None, plot, theme, area.x, buffer);
        let text = crate::tui::lines::whole_words(without_values, usize::from(plot.columns));
        let row = plot.top + plot.rows / 2;
        buffer.set_string(plot.left + 1, row, text, theme.muted());
        draw_cursor(cursor, plot, theme, buffer);
        return;
    };
    let end = panel.unit.end(greatest);
    draw_axis(panel, Some(end), plot, theme, area.x, buffer);
    draw_limits(panel.limits, end, plot, theme, buffer);
    let dimmed = |style: Style| {
        if is_dimmed {
            style.add_modifier(Modifier::DIM)
        } else {
            style
        }
    };
    if let Some(series) = panel.series.first() {
        draw_area(series, end, plot, dimmed(theme.series(0)), buffer);
    }
    if let Some(series) = panel.series.get(1) {
        draw_strokes(series, end, plot, dimmed(theme.series(1)), buffer);
    }
    draw_cursor(cursor, plot, theme, buffer);
}

/// Where the values are.
#[derive(Clone, Copy, Debug)]
struct Plot {
    left: u16,
    top: u16,
    columns: u16,
    rows: u16,
}

impl Plot {
    /// The row of the terminal so many rows above the lowest.
    const fn row(self, above: u16) -> u16 {
        self.top + self.rows.saturating_sub(1).saturating_sub(above)
    }

    /// Rows above the lowest in which a value is.
    fn level(self, value: f64, end: f64) -> u16 {
        let level = (value / end * f64::from(self.rows)).floor().max(0.0);
        u16::try_from(whole(level))
            .unwrap_or(u16::MAX)
            .min(self.rows.saturating_sub(1))
    }
}

fn title(
    panel: &Panel,
    newest: &[String],
    (cursor, is_selected): (Option<u16>, bool),
    theme: Theme,
    width: u16,
) -> ratatui::text::Line<'static> {
    let mut pieces: Vec<(String, Style)> = Vec::new();
    for (number, series) in panel.series.iter().enumerate() {
        let stroke = if number == 0 { "▇" } else { "─" };
        let value = match cursor {
            Some(column) => series
                .value(column)
                .map_or_else(|| UNKNOWN.to_owned(), |value| panel.unit.text(value)),
            None => newest.get(number).cloned().unwrap_or_default(),
        };
        let text = format!("{stroke} {} {value}", series.name);
        pieces.push((text.trim_end().to_owned(), theme.series(number)));
    }
    let limits = panel.limits.iter();
    let limits: Vec<_> = limits.map(|limit| panel.unit.text(limit.value)).collect();
    if !limits.is_empty() {
        pieces.push((format!("limits {}", limits.join(", ")), theme.muted()));
    }
    let marker = if is_selected { "▸ " } else { "" };
    titled(&format!("{marker}{}", panel.title), pieces, theme, width)
}

/// Labels at the end, in the middle and at zero, and the signs of the limits.
fn draw_axis(
    panel: &Panel,
    end: Option<f64>,
    plot: Plot,
    theme: Theme,
    x: u16,
    buffer: &mut Buffer,
) {
    let axis = plot.left.saturating_sub(1);
    for above in 0..plot.rows {
        buffer.set_string(axis, plot.row(above), "│", theme.muted());
    }
    let Some(end) = end else {
        return;
    };
    let mut label = |above: u16, text: &str, tick: &str, style: Style| {
        let text = right(text, usize::from(GUTTER) - 1);
        buffer.set_string(x, plot.row(above), text, style);
        buffer.set_string(axis, plot.row(above), tick, style);
    };
    let last = plot.rows - 1;
    label(0, &panel.unit.label(0.0), "┤", theme.muted());
    // A half that is not round says less than it takes to read.
    let middle = panel.unit.label(end / 2.0);
    if plot.rows >= 4 && !middle.contains('.') {
        label(plot.rows / 2, &middle, "┤", theme.muted());
    }
    if last > 0 {
        label(last, &panel.unit.label(end), "┤", theme.muted());
    }
    for limit in panel.limits.iter().filter(|limit| limit.value <= end) {
        let text = panel.unit.label(limit.value);
        let level = plot.level(limit.value, end);
        label(level, &text, sign(limit.tone), theme.tone(limit.tone));
    }
}

fn draw_limits(limits: &[Limit], end: f64, plot: Plot, theme: Theme, buffer: &mut Buffer) {
    for limit in limits.iter().filter(|limit| limit.value <= end) {
        let row = plot.row(plot.level(limit.value, end));
        let line = "╌".repeat(usize::from(plot.columns));
        buffer.set_string(plot.left, row, line, theme.tone(limit.tone));
    }
}

fn draw_area(series: &Series, end: f64, plot: Plot, style: Style, buffer: &mut Buffer) {
    for column in 0..plot.columns {
        let Some(value) = series.value(column) else {
            continue;
        };
        let x = plot.left + column;
        let eighths =
            whole(value / end * f64::from(plot.rows) * 8.0).clamp(1, u64::from(plot.rows) * 8);
        let mut left = usize::try_from(eighths).unwrap_or(usize::MAX);
        for above in 0..plot.rows {
            let Some(part) = left
                .min(8)
                .checked_sub(1)
                .and_then(|part| EIGHTHS.get(part))
            else {
                break;
            };
            buffer.set_string(x, plot.row(above), part, style);
            left = left.saturating_sub(8);
        }
    }
}

/// A line of strokes; a gap interrupts it.
fn draw_strokes(series: &Series, end: f64, plot: Plot, style: Style, buffer: &mut Buffer) {
    let mut before: Option<u16> = None;
    for column in 0..plot.columns {
        let level = series.value(column).map(|value| plot.level(value, end));
        let x = plot.left + column;
        let mut stroke = |above: u16, text: &str| {
            buffer.set_string(x, plot.row(above), text, style);
        };
        match (before, level) {
            (Some(from), Some(to)) if from != to => {
                let (low, high) = (from.min(to), from.max(to));
                for above in low + 1..high {
                    stroke(above, "│");
                }
                stroke(from, if from < to { "╯" } else { "╮" });
                stroke(to, if from < to { "╭" } else { "╰" });
            }
            (_, Some(level)) => stroke(level, "─"),
            (_, None) => {}
        }
        before = level;
    }
}

fn draw_cursor(cursor: Option<u16>, plot: Plot, theme: Theme, buffer: &mut Buffer) {
    let Some(column) = cursor.filter(|column| *column < plot.columns) else {
        return;
    };
    for above in 0..plot.rows {
        let Some(cell) = buffer.cell_mut((plot.left + column, plot.row(above))) else {
            continue;
        };
        let is_filled = cell.symbol() == "█";
        let style = if is_filled {
            cell.style().add_modifier(Modifier::REVERSED)
        } else {
            theme.key()
        };
        cell.reset();
        cell.set_symbol("│").set_style(style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &[Limit] = &[
        Limit {
            value: 60.0,
            tone: Tone::Warning,
        },
        Limit {
            value: 300.0,
            tone: Tone::Bad,
        },
    ];

    fn panel(unit: Unit, series: &[&[Option<f64>]], limits: &'static [Limit]) -> Panel {
        let names = ["one", "other"];
        let series = series.iter().zip(names).map(|(columns, name)| Series {
            name,
            columns: columns.to_vec(),
        });
        Panel {
            title: "Chart",
            unit,
            series: series.collect(),
            limits,
        }
    }

    fn drawn(panel: &Panel, rows: u16, cursor: Option<u16>) -> Vec<String> {
        let columns = panel.series.iter().map(|series| series.columns.len()).max();
        let width = GUTTER + u16::try_from(columns.unwrap_or(0).max(12)).unwrap();
        let area = Rect::new(0, 0, width, rows + 1);
        let mut buffer = Buffer::empty(area);
        let theme = Theme { has_colour: false };
        draw_panel(
            (panel, &[], "no values"),
            (cursor, false, false),
            theme,
            area,
            &mut buffer,
        );
        buffer
            .content
            .chunks(usize::from(width))
            .map(|row| {
                let text: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
                text.trim_end().to_owned()
            })
            .collect()
    }

    #[test]
    fn area_uses_all_rows_zero_is_drawn_and_a_gap_is_empty() {
        let values = [Some(8.0), Some(4.0), Some(1.0), Some(0.0), None, Some(6.0)];
        let rows = drawn(&panel(Unit::Count, &[&values], &[]), 4, None);
        assert_eq!(
            rows[1..],
            [
                "      8┤█",
                "      4┤█    █",
                "       │██   █",
                "      0┤██▄▁ █",
            ]
        );
    }

    #[test]
    fn second_line_is_of_strokes_and_is_interrupted_by_a_gap() {
        let area = [None; 8];
        let line = [
            Some(1.0),
            Some(7.0),
            Some(7.0),
            None,
            Some(7.0),
            Some(0.0),
            Some(0.0),
            Some(3.0),
        ];
        let rows = drawn(&panel(Unit::Count, &[&area, &line], &[]), 4, None);
        assert_eq!(
            rows[1..],
            [
                "      8┤ ╭─ ─╮",
                "      4┤ │   │",
                "       │ │   │ ╭",
                "      0┤─╯   ╰─╯",
            ]
        );
    }

    #[test]
    fn limit_is_a_line_with_its_sign_where_the_axis_reaches_it() {
        let values = [Some(10.0), Some(110.0), None];
        let rows = drawn(&panel(Unit::Secs, &[&values], LIMITS), 4, None);
        assert_eq!(
            rows[1..],
            [
                "  2 min┤ ▅",
                "  1 min▲╌█╌╌╌╌╌╌╌╌╌╌",
                "       │ █",
                "    0 s┤▃█",
            ]
        );
        let low = drawn(&panel(Unit::Secs, &[&[Some(1.0)]], LIMITS), 4, None);
        assert!(!low.join("\n").contains('╌'), "{low:?}");
    }

    #[test]
    fn cursor_reads_every_line_and_a_gap_as_unknown() {
        let one = [Some(8.0), Some(4.0), None, Some(2.0)];
        let other = [Some(1.0), None, Some(3.0), Some(2.0)];
        let panel = panel(Unit::Count, &[&one, &other], &[]);
        let mut wide = panel.clone();
        for series in &mut wide.series {
            series.columns.resize(40, None);
        }
        let titles: Vec<_> = (0..3)
            .map(|column| drawn(&wide, 4, Some(column))[0].clone())
            .collect();
        for (title, shown) in titles.iter().zip([
            "▇ one 8 · ─ other 1",
            "▇ one 4 · ─ other –",
            "▇ one – · ─ other 3",
        ]) {
            assert!(title.contains(shown), "{title}");
        }
        let rows = drawn(&panel, 4, Some(0));
        for row in &rows[1..] {
            assert_eq!(row.chars().nth(usize::from(GUTTER)), Some('│'), "{rows:?}");
        }
    }

    #[test]
    fn chart_without_values_says_why() {
        let rows = drawn(&panel(Unit::Count, &[&[None, None]], &[]), 3, None);
        assert!(rows[2].contains("no values"), "{rows:?}");
    }
}
