//! Where the parts of the screen are. Pure; invariant: any size works, what has no room is empty.

use ratatui::layout::Rect;

use super::heat::ROWS;
use crate::tui::layout::{is_wide, side_by_side, take_rows};

/// Columns of the percentiles beside the map.
pub(super) const TABLE_COLUMNS: u16 = 48;
/// Rows of the explanation of the selected failure.
const DETAIL_ROWS: u16 = 3;
/// From this height on, the list has room for it.
const DETAIL_FROM: u16 = 8;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) title: Rect,
    /// Rows of failed ones, of latencies, and the times below them.
    pub(super) map: Rect,
    pub(super) divider: Rect,
    pub(super) table_title: Rect,
    pub(super) table: Rect,
    pub(super) list_title: Rect,
    pub(super) list: Rect,
    pub(super) detail: Rect,
}

/// Divides the screen. On a narrow one the table has one row, that of the hop that is shown.
pub(super) fn parts(body: Rect) -> Parts {
    let mut parts = Parts::default();
    // With the failed ones and the times.
    let map_rows = u16::try_from(ROWS + 2).unwrap_or(u16::MAX);
    let mut rest = body;
    if is_wide(body) {
        let upper = take_rows(&mut rest, map_rows + 1);
        let width = upper.width.saturating_sub(TABLE_COLUMNS + 1);
        let mut table;
        let mut map;
        [map, parts.divider, table] = side_by_side(upper, width);
        parts.title = take_rows(&mut map, 1);
        parts.map = map;
        parts.table_title = take_rows(&mut table, 1);
        parts.table = table;
    } else {
        parts.title = take_rows(&mut rest, 1);
        parts.map = take_rows(&mut rest, map_rows);
        parts.table = take_rows(&mut rest, 1);
    }
    parts.list_title = take_rows(&mut rest, 1);
    if rest.height >= DETAIL_FROM {
        let list = rest.height - DETAIL_ROWS;
        parts.list = take_rows(&mut rest, list);
        parts.detail = rest;
    } else {
        parts.list = rest;
    }
    parts
}
