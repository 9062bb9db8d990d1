//! Where the parts of the screen are. Pure; invariant: any size works, what has no room is empty.

use ratatui::layout::Rect;

use crate::tui::layout::{is_wide, side_by_side, take_rows};

/// Share of the editor where the rest is beside it, in hundredths.
const EDITOR_SHARE: u32 = 54;
/// Lines of the verdict, and of the way of the event with its title, below the editor.
const VERDICT_LINES: u16 = 4;
const SENT_LINES: u16 = 6;
/// Lines of the verdict beside the editor.
const VERDICT_LINES_WIDE: u16 = 8;
/// Lines that the editor keeps in any case, with its title.
const EDITOR_LINES_MIN: u16 = 4;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) editor_title: Rect,
    pub(super) editor: Rect,
    pub(super) divider: Rect,
    pub(super) verdict_title: Rect,
    pub(super) verdict: Rect,
    pub(super) sent_title: Rect,
    pub(super) sent: Rect,
}

/// Divides the screen.
pub(super) fn parts(area: Rect) -> Parts {
    let mut parts = Parts::default();
    let mut left = area;
    let mut right;
    let verdict_lines;
    if is_wide(area) {
        let width = u32::from(area.width) * EDITOR_SHARE / 100;
        let width = u16::try_from(width).unwrap_or(area.width);
        [left, parts.divider, right] = side_by_side(area, width);
        verdict_lines = VERDICT_LINES_WIDE;
    } else {
        let below = (VERDICT_LINES + SENT_LINES).min(
            area.height
                .saturating_sub(EDITOR_LINES_MIN.min(area.height)),
        );
        let editor = take_rows(&mut left, area.height - below);
        right = left;
        left = editor;
        verdict_lines = VERDICT_LINES.min(below.div_ceil(2));
    }
    parts.editor_title = take_rows(&mut left, 1);
    parts.editor = left;
    let mut verdict = take_rows(&mut right, verdict_lines);
    parts.verdict_title = take_rows(&mut verdict, 1);
    parts.verdict = verdict;
    parts.sent_title = take_rows(&mut right, 1);
    parts.sent = right;
    parts
}
