//! The window around a screen: border, title bar, and a foot for the captions of a recording.

use super::cells::Ink;
use super::glyphs::{CELL_HEIGHT, CELL_WIDTH};
use super::line::FONT_SIZE;
use super::palette::{Palette, hex};
use super::xml::{escaped, number};

/// Between the border and the cells.
pub(crate) const MARGIN: f64 = 14.0;
const TITLE_BAR: f64 = 32.0;
const RADIUS: f64 = 9.0;
const FAMILY: &str =
    "ui-monospace,'SF Mono',Menlo,'DejaVu Sans Mono','Liberation Mono',Consolas,monospace";

/// What is around the cells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    /// In the title bar, and the short text for those who do not see the picture.
    pub(crate) title: &'a str,
    /// What the picture shows.
    pub(crate) description: &'a str,
    /// Height of the foot; 0 for none.
    pub(crate) foot: f64,
}

/// Lengths that follow from the size of the screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measures {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// Width of all cells.
    pub(crate) inner_width: f64,
    /// Where the cells begin.
    pub(crate) top: f64,
    /// Where the foot begins.
    pub(crate) foot_top: f64,
}

impl Window<'_> {
    pub(crate) fn measures(&self, columns: u16, rows: usize) -> Measures {
        let inner_width = f64::from(columns) * CELL_WIDTH;
        let rows = f64::from(u16::try_from(rows).unwrap_or(u16::MAX));
        let top = TITLE_BAR + MARGIN / 2.0;
        let foot_top = top + rows * CELL_HEIGHT + MARGIN / 2.0;
        Measures {
            width: inner_width + 2.0 * MARGIN,
            height: foot_top + self.foot.max(MARGIN / 2.0),
            inner_width,
            top,
            foot_top,
        }
    }

    /// Everything before the cells. `rules` are further rules of the style sheet.
    pub(crate) fn head(&self, measures: &Measures, palette: &Palette, rules: &str) -> String {
        let (width, height) = (number(measures.width), number(measures.height));
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"title description\" \
             font-family=\"{FAMILY}\" font-size=\"{FONT_SIZE}\" xml:space=\"preserve\">\
             <title id=\"title\">{}</title><desc id=\"description\">{}</desc>\n<style>{rules}</style>\n",
            escaped(self.title),
            escaped(self.description)
        );
        out.push_str(&self.frame(measures, palette));
        out
    }

    /// The bars are drawn as one shape under the terminal, so that only the window has round corners.
    fn frame(&self, measures: &Measures, palette: &Palette) -> String {
        let (bar, paper, border) = (hex(palette.bar), hex(palette.paper), hex(palette.border));
        let bottom = if self.foot > 0.0 {
            measures.foot_top
        } else {
            measures.height - RADIUS
        };
        let (width, right) = (number(measures.width - 1.0), number(measures.width - 0.5));
        let mut out = format!(
            "<rect x=\".5\" y=\".5\" width=\"{width}\" height=\"{}\" rx=\"{RADIUS}\" fill=\"{}\"/>",
            number(measures.height - 1.0),
            if self.foot > 0.0 { &bar } else { &paper },
        );
        out.push_str(&format!(
            "<path fill=\"{bar}\" d=\"M.5 {TITLE_BAR}V{RADIUS}q0 -8.5 9 -8.5H{}q8.5 0 8.5 8.5V{TITLE_BAR}z\"/>\
             <path fill=\"{paper}\" d=\"M.5 {TITLE_BAR}H{right}V{}H.5z\"/>\
             <path fill=\"{border}\" d=\"M.5 {TITLE_BAR}h{width}v1h-{width}z\"/>",
            number(measures.width - 9.0),
            number(bottom),
        ));
        if self.foot > 0.0 {
            out.push_str(&format!(
                "<path fill=\"{border}\" d=\"M.5 {}h{width}v1h-{width}z\"/>",
                number(bottom)
            ));
        }
        out.push_str(&format!(
            "<rect x=\".5\" y=\".5\" width=\"{width}\" height=\"{}\" rx=\"{RADIUS}\" fill=\"none\" stroke=\"{border}\"/>",
            number(measures.height - 1.0),
        ));
        for place in 0..3_u8 {
            out.push_str(&format!(
                "<circle cx=\"{}\" cy=\"16\" r=\"5\" fill=\"{border}\"/>",
                18 + 18 * u16::from(place)
            ));
        }
        out.push_str(&format!(
            "<text x=\"{}\" y=\"20.5\" text-anchor=\"middle\" fill=\"{}\">{}</text>\n",
            number(measures.width / 2.0),
            hex(palette.colour(Ink::Text, true)),
            escaped(self.title)
        ));
        out
    }
}
