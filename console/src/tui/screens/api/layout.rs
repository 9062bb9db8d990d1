//! Where the parts of the screen are. Pure; invariant: any size works, what has no room is empty.

use ratatui::layout::Rect;

use super::state::Pane;
use crate::tui::layout::{is_wide, side_by_side, take_rows};

/// Share of the operations where the rest is beside them, in hundredths.
const LIST_SHARE: u32 = 36;
/// Rows that explain the selected parameter.
const ABOUT_ROWS: u16 = 3;
/// Rows that the answer keeps below the form.
const ANSWER_ROWS_MIN: u16 = 9;
/// Rows of parameters at least.
const FORM_ROWS_MIN: u16 = 3;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) list_title: Rect,
    pub(super) list: Rect,
    pub(super) divider: Rect,
    pub(super) form_title: Rect,
    pub(super) form: Rect,
    pub(super) about: Rect,
    pub(super) answer_title: Rect,
    pub(super) answer: Rect,
}

/// Divides the screen; a narrow one shows one pane at a time.
pub(super) fn parts(body: Rect, focus: Pane, form_rows: usize) -> Parts {
    let mut parts = Parts::default();
    let wanted = u16::try_from(form_rows.max(1)).unwrap_or(u16::MAX);
    if !is_wide(body) {
        let mut rest = body;
        let title = take_rows(&mut rest, 1);
        match focus {
            Pane::Operations => {
                let rows = rest.height.saturating_sub(ABOUT_ROWS);
                (parts.list_title, parts.list) = (title, take_rows(&mut rest, rows));
                parts.about = rest;
            }
            Pane::Form => {
                let rows = rest.height.saturating_sub(ABOUT_ROWS).min(wanted);
                (parts.form_title, parts.form) = (title, take_rows(&mut rest, rows));
                parts.about = take_rows(&mut rest, ABOUT_ROWS);
                parts.answer_title = take_rows(&mut rest, 1);
                parts.answer = rest;
            }
            Pane::Answer => (parts.answer_title, parts.answer) = (title, rest),
        }
        return parts;
    }
    let width = u32::from(body.width) * LIST_SHARE / 100;
    let width = u16::try_from(width).unwrap_or(body.width);
    let [mut left, divider, mut right] = side_by_side(body, width);
    parts.divider = divider;
    parts.list_title = take_rows(&mut left, 1);
    parts.list = left;
    parts.form_title = take_rows(&mut right, 1);
    let room = right.height.saturating_sub(ABOUT_ROWS + ANSWER_ROWS_MIN);
    parts.form = take_rows(&mut right, wanted.min(room.max(FORM_ROWS_MIN)));
    parts.about = take_rows(&mut right, ABOUT_ROWS);
    parts.answer_title = take_rows(&mut right, 1);
    parts.answer = right;
    parts
}
