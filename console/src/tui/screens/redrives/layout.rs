//! Where each part of the screen is. Pure: update, view and mouse share it.

use ratatui::layout::Rect;

use super::state::Redrives;
use crate::tui::layout::{is_wide, side_by_side, take_rows};

/// Where each part is; a part that is not shown is empty.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts {
    pub(super) list_title: Rect,
    pub(super) list: Rect,
    pub(super) separator: Rect,
    pub(super) detail_title: Rect,
    pub(super) detail: Rect,
}

impl Redrives {
    pub(super) fn is_detail_shown(&self, body: Rect) -> bool {
        is_wide(body) || self.is_detail_open
    }

    pub(super) fn parts(&self, body: Rect) -> Parts {
        let mut parts = Parts::default();
        let mut list = body;
        if is_wide(body) {
            let width = (body.width * 2 / 5).clamp(48, 64);
            let [left, separator, mut detail] = side_by_side(body, width);
            list = left;
            parts.separator = separator;
            parts.detail_title = take_rows(&mut detail, 1);
            parts.detail = detail;
        } else if self.is_detail_open {
            let mut detail = body;
            parts.detail_title = take_rows(&mut detail, 1);
            parts.detail = detail;
            return parts;
        }
        parts.list_title = take_rows(&mut list, 1);
        parts.list = list;
        parts
    }
}
