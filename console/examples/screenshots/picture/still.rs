//! A picture of one screen.

use super::cells::Cells;
use super::glyphs::CELL_HEIGHT;
use super::line::elements;
use super::palette::Theme;
use super::style_sheet::StyleSheet;
use super::window::{MARGIN, Window};
use super::xml::number;

/// The picture of a screen in its window.
pub(crate) fn draw(cells: &Cells, window: &Window<'_>, theme: Theme) -> String {
    let measures = window.measures(cells.columns, cells.lines.len());
    let mut sheet = StyleSheet::default();
    let mut body = String::new();
    let mut y = measures.top;
    for line in &cells.lines {
        let row = elements(line, &mut sheet);
        if !row.is_empty() {
            body.push_str(&format!(
                "<g transform=\"translate({MARGIN} {})\">{row}</g>\n",
                number(y)
            ));
        }
        y += CELL_HEIGHT;
    }
    let palette = theme.palette();
    let mut out = window.head(&measures, palette, &sheet.rules(palette));
    out.push_str(&body);
    out.push_str("</svg>\n");
    out
}
