//! Where each part of the screen is. Pure: update, view and mouse share it.

use ratatui::layout::Rect;

use super::state::{DeadLetters, Pane};
use crate::tui::layout::{is_wide, side_by_side, take_rows};

/// Below this many rows the two lists are not shown above each other.
const STACKED_ROWS_MIN: u16 = 9;
/// Rows of groups at least, where the lists are above each other.
const GROUP_ROWS_MIN: u16 = 2;

/// Where each part is; a part that is not shown is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) title: Rect,
    pub(super) remarks: Rect,
    pub(super) groups_title: Rect,
    pub(super) groups: Rect,
    pub(super) messages_title: Rect,
    pub(super) messages_head: Rect,
    pub(super) messages: Rect,
    pub(super) separator: Rect,
    pub(super) detail_title: Rect,
    pub(super) detail: Rect,
    /// Everything below title and remarks.
    pub(super) rest: Rect,
}

impl DeadLetters {
    pub(super) fn parts(&self, body: Rect) -> Parts {
        let mut parts = Parts::default();
        let mut rest = body;
        parts.title = take_rows(&mut rest, 1);
        let remarks = u16::try_from(self.remark_rows(body.width).len()).unwrap_or(u16::MAX);
        let remarks = remarks.min(rest.height / 4);
        parts.remarks = take_rows(&mut rest, remarks);
        parts.rest = rest;
        if self.messages.is_empty() {
            return parts;
        }
        if self.is_detail_open && !is_wide(body) {
            parts.detail_title = take_rows(&mut rest, 1);
            parts.detail = rest;
            return parts;
        }
        let lists = if is_wide(body) {
            let width = (rest.width * 2 / 5).clamp(48, 70);
            let [lists, separator, mut detail] = side_by_side(rest, width);
            parts.separator = separator;
            parts.detail_title = take_rows(&mut detail, 1);
            parts.detail = detail;
            lists
        } else {
            rest
        };
        self.divide_lists(lists, &mut parts);
        parts
    }

    fn divide_lists(&self, mut area: Rect, parts: &mut Parts) {
        let is_stacked = area.height >= STACKED_ROWS_MIN;
        if is_stacked || self.focus == Pane::Groups {
            let rows = u16::try_from(self.grouping.rows()).unwrap_or(u16::MAX);
            let rows = if is_stacked {
                rows.min(GROUP_ROWS_MIN.max((area.height - 3) / 3))
            } else {
                area.height
            };
            parts.groups_title = take_rows(&mut area, 1);
            parts.groups = take_rows(&mut area, rows);
        }
        if is_stacked || self.focus == Pane::Messages {
            parts.messages_title = take_rows(&mut area, 1);
            if is_stacked {
                parts.messages_head = take_rows(&mut area, 1);
            }
            parts.messages = area;
        }
    }
}
