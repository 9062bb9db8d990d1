//! Charts of lines over time: values by the moment, folded into the columns of the terminal and drawn. Pure.
//!
//! Invariant: what was not measured is a gap, never a zero and never a line through it; every label is whole or
//! left out.

mod columns;
mod panel;
mod span;
mod time_axis;
mod value_axis;
mod window;

pub(crate) use self::columns::{Fold, folded};
pub(crate) use self::panel::{Limit, PANEL_ROWS_MIN, Panel, Series, draw_panel};
pub(crate) use self::span::{Span, joined, of_periods, of_samples};
pub(crate) use self::time_axis::{Cursor, Mark, draw_time_axis};
pub(crate) use self::value_axis::Unit;
pub(crate) use self::window::Window;
