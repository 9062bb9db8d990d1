//! One row of a screen as SVG.
//!
//! Invariant: each text has the length of its cells, so that any monospaced font lines up.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar as _;

use super::cells::{Ink, Line, Run, Style};
use super::glyphs::{CELL_HEIGHT, CELL_WIDTH, OVERLAP, Shape, shapes};
use super::style_sheet::StyleSheet;
use super::xml::{escaped, number};

/// Size of the font: a character of the usual monospaced fonts is 0.6 of it wide.
pub(crate) const FONT_SIZE: f64 = 13.3;
/// Where letters stand in their cell.
const BASELINE: f64 = 12.9;

/// A text within a run.
struct Piece {
    column: u16,
    columns: u16,
    text: String,
}

/// The elements of a row, from (0, 0) on.
pub(crate) fn elements(line: &Line, sheet: &mut StyleSheet) -> String {
    let mut out = String::new();
    for run in &line.runs {
        background(&mut out, run, sheet);
    }
    for run in &line.runs {
        let (pieces, drawn) = divided(run);
        draw(&mut out, &drawn, run.style, sheet);
        for piece in pieces {
            write_text(&mut out, &piece, run.style, sheet);
        }
    }
    out
}

fn background(out: &mut String, run: &Run, sheet: &mut StyleSheet) {
    if run.style.fill == Ink::Paper {
        return;
    }
    let class = sheet.fill(run.style.fill, false);
    let x = f64::from(run.column) * CELL_WIDTH;
    let width = f64::from(run.columns) * CELL_WIDTH;
    // A String takes everything, here and below.
    let _ = write!(
        out,
        "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
        number(x),
        number(-OVERLAP),
        number(width),
        number(CELL_HEIGHT + 2.0 * OVERLAP)
    );
}

/// The texts of a run, without the spaces around them, and its shapes from column 0 of the row on.
fn divided(run: &Run) -> (Vec<Piece>, Vec<Shape>) {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut drawn: Vec<Shape> = Vec::new();
    let mut column = run.column;
    let mut is_open = false;
    for character in run.text.chars() {
        // A character without a width belongs to the one before it.
        let width = u16::try_from(character.width().unwrap_or(0)).unwrap_or(0);
        if let Some(shapes) = shapes(character) {
            is_open = false;
            for shape in shapes {
                add(&mut drawn, moved(shape, column));
            }
        } else if is_open && let Some(piece) = pieces.last_mut() {
            piece.text.push(character);
            piece.columns += width;
            if piece.text.ends_with("  ") {
                is_open = false;
            }
        } else if character != ' ' {
            is_open = true;
            pieces.push(Piece {
                column,
                columns: width,
                text: character.to_string(),
            });
        }
        column += width;
    }
    for piece in &mut pieces {
        let trimmed = piece.text.trim_end_matches(' ').to_owned();
        let spaces = piece.text.len() - trimmed.len();
        piece.columns -= u16::try_from(spaces).unwrap_or(0);
        piece.text = trimmed;
    }
    (pieces, drawn)
}

fn moved(shape: Shape, column: u16) -> Shape {
    let by = f64::from(column) * CELL_WIDTH;
    Shape {
        left: shape.left + by,
        right: shape.right + by,
        ..shape
    }
}

/// Adds a shape, or lengthens the one before it.
fn add(drawn: &mut Vec<Shape>, shape: Shape) {
    match drawn.last_mut() {
        Some(last) if joins(last, &shape) => last.right = shape.right,
        Some(_) | None => drawn.push(shape),
    }
}

fn joins(last: &Shape, next: &Shape) -> bool {
    let is_level =
        last.top.total_cmp(&next.top).is_eq() && last.bottom.total_cmp(&next.bottom).is_eq();
    is_level && next.left > last.left && next.left <= last.right
}

fn draw(out: &mut String, drawn: &[Shape], style: Style, sheet: &mut StyleSheet) {
    if drawn.is_empty() {
        return;
    }
    let class = sheet.fill(style.ink, style.is_dim);
    let _ = write!(out, "<path class=\"{class}\" d=\"");
    for shape in drawn {
        let width = number(shape.right - shape.left);
        let height = number(shape.bottom - shape.top);
        let _ = write!(
            out,
            "M{} {}h{width}v{height}h-{width}z",
            number(shape.left),
            number(shape.top)
        );
    }
    out.push_str("\"/>");
}

fn write_text(out: &mut String, piece: &Piece, style: Style, sheet: &mut StyleSheet) {
    let class = sheet.text(style);
    let x = number(f64::from(piece.column) * CELL_WIDTH);
    let _ = write!(out, "<text class=\"{class}\" x=\"{x}\" y=\"{BASELINE}\"");
    if piece.columns > 1 {
        let length = number(f64::from(piece.columns) * CELL_WIDTH);
        let _ = write!(
            out,
            " textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\""
        );
    }
    let _ = write!(out, ">{}</text>", escaped(&piece.text));
}
