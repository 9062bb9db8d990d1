//! Terminal screens as SVG: a still picture, or an animation of a recording.
//!
//! Invariant: the same screens give the same text, whatever machine draws it. Nothing in a picture runs or is loaded,
//! and no text of a screen becomes markup.
//!
//! The SVG is written here, because each run of cells must start at its column and have its length whatever font the
//! reader has, and because lines, blocks and dots must join, as in a terminal. `anstyle-svg` places a line of text and
//! leaves the widths to the font; `svg-term`, `freeze` and `agg` are programs of other languages or make bitmaps.

pub(crate) mod animation;
pub(crate) mod cast;
pub(crate) mod cells;
pub(crate) mod frames;
pub(crate) mod glyphs;
pub(crate) mod line;
pub(crate) mod palette;
pub(crate) mod still;
pub(crate) mod style_sheet;
pub(crate) mod window;
pub(crate) mod xml;
