//! Where the parts are. Pure; invariant: any size works, what has no room is empty.

use ratatui::layout::Rect;

use crate::tui::layout::take_rows;

/// What is below the title.
pub(super) fn list_area(body: Rect) -> Rect {
    let mut rest = body;
    take_rows(&mut rest, 1);
    rest
}
