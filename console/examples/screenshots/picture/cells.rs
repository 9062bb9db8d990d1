//! What a terminal shows, as runs of equal cells.

use vt100::{Cell, Color};

/// Where the colour of a text or of its background comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ink {
    /// The terminal's own colour of texts.
    Text,
    /// The terminal's own background.
    Paper,
    /// One of the terminal's 256 colours.
    Indexed(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

/// How a cell looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Style {
    pub(crate) ink: Ink,
    pub(crate) fill: Ink,
    pub(crate) is_bold: bool,
    pub(crate) is_dim: bool,
    pub(crate) is_italic: bool,
    pub(crate) is_underlined: bool,
}

/// Cells of one style, side by side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) column: u16,
    pub(crate) columns: u16,
    pub(crate) text: String,
    pub(crate) style: Style,
}

/// One row of a screen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Line {
    pub(crate) runs: Vec<Run>,
}

/// All rows of a screen, and its number of columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cells {
    pub(crate) columns: u16,
    pub(crate) lines: Vec<Line>,
}

impl Style {
    fn of(cell: &Cell, is_cursor: bool) -> Self {
        let ink = ink_of(cell.fgcolor(), Ink::Text);
        let fill = ink_of(cell.bgcolor(), Ink::Paper);
        let (ink, fill) = if cell.inverse() ^ is_cursor {
            (fill, ink)
        } else {
            (ink, fill)
        };
        Self {
            ink,
            fill,
            is_bold: cell.bold(),
            is_dim: cell.dim(),
            is_italic: cell.italic(),
            is_underlined: cell.underline(),
        }
    }
}

fn ink_of(colour: Color, default: Ink) -> Ink {
    match colour {
        Color::Default => default,
        Color::Idx(index) => Ink::Indexed(index),
        Color::Rgb(red, green, blue) => Ink::Rgb(red, green, blue),
    }
}

impl Cells {
    /// What `screen` shows, with its cursor where it is visible.
    pub(crate) fn of(screen: &vt100::Screen) -> Self {
        let (rows, columns) = screen.size();
        let cursor = (!screen.hide_cursor()).then(|| screen.cursor_position());
        let lines = (0..rows).map(|row| line(screen, row, columns, cursor));
        Self {
            columns,
            lines: lines.collect(),
        }
    }
}

fn line(screen: &vt100::Screen, row: u16, columns: u16, cursor: Option<(u16, u16)>) -> Line {
    let mut line = Line::default();
    let mut column = 0;
    while column < columns {
        let Some(cell) = screen.cell(row, column) else {
            break;
        };
        let width = if cell.is_wide() { 2 } else { 1 };
        let style = Style::of(cell, cursor == Some((row, column)));
        let text = if cell.has_contents() {
            cell.contents()
        } else {
            " "
        };
        match line.runs.last_mut() {
            Some(run) if run.style == style => {
                run.text.push_str(text);
                run.columns += width;
            }
            Some(_) | None => line.runs.push(Run {
                column,
                columns: width,
                text: text.to_owned(),
                style,
            }),
        }
        column += width;
    }
    line
}
