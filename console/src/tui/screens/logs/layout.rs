//! Where the parts of the screen are. Pure; invariant: any size works, what has no room is empty.

use ratatui::layout::Rect;

use crate::tui::layout::{is_wide, side_by_side, take_rows};

/// Share of the list where the detail is beside it, in hundredths.
const LIST_SHARE: u32 = 62;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) title: Rect,
    /// The filter that is typed, and what is wrong with it.
    pub(super) input: Rect,
    /// What could not be read.
    pub(super) notes: Rect,
    pub(super) rows: Rect,
    pub(super) divider: Rect,
    pub(super) detail_title: Rect,
    pub(super) detail: Rect,
}

/// Columns of the list.
pub(super) fn list_width(area: Rect) -> u16 {
    if !is_wide(area) {
        return area.width;
    }
    u16::try_from(u32::from(area.width) * LIST_SHARE / 100).unwrap_or(area.width)
}

/// Divides the screen.
pub(super) fn parts(area: Rect, is_typing: bool, notes: u16, is_open: bool) -> Parts {
    let mut left = area;
    if is_open && !is_wide(area) {
        let detail_title = take_rows(&mut left, 1);
        return Parts {
            detail_title,
            detail: left,
            ..Parts::default()
        };
    }
    let mut parts = Parts::default();
    if is_wide(area) {
        let mut right;
        [left, parts.divider, right] = side_by_side(area, list_width(area));
        parts.detail_title = take_rows(&mut right, 1);
        parts.detail = right;
    }
    parts.title = take_rows(&mut left, 1);
    parts.input = take_rows(&mut left, if is_typing { 2 } else { 0 });
    parts.notes = take_rows(&mut left, notes);
    parts.rows = left;
    parts
}
