//! How areas of the terminal are divided. Invariant: any size works, what has no room is empty.

use ratatui::layout::Rect;

/// Rows of the terminal: header, body, hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Where, whether it is healthy, and the numbers that matter.
    pub(crate) header: Rect,
    pub(crate) body: Rect,
    /// The newest notice, for some seconds. On a low terminal it has the line of the keys.
    pub(crate) notice: Rect,
    /// Screens and keys.
    pub(crate) footer: Rect,
}

/// From this height on, notices have a line of their own. It is there without one too: nothing moves when a
/// notice comes or goes.
const NOTICE_ROWS_MIN: u16 = 12;

/// Divides the terminal; any size works, rows that do not fit are empty.
pub(crate) fn frame(area: Rect) -> Frame {
    let header = Rect {
        height: area.height.min(1),
        ..area
    };
    let footer_height = area.height.saturating_sub(1).min(1);
    let notice_height = u16::from(area.height >= NOTICE_ROWS_MIN);
    let body_height = area.height - header.height - notice_height - footer_height;
    let body = Rect {
        y: area.y + header.height,
        height: body_height,
        ..area
    };
    let footer = Rect {
        y: body.y + body_height + notice_height,
        height: footer_height,
        ..area
    };
    let notice = Rect {
        y: footer.y - notice_height,
        ..footer
    };
    Frame {
        header,
        body,
        notice,
        footer,
    }
}

/// From this width on, the detail stands beside the list.
pub(crate) const WIDE_COLUMNS: u16 = 120;

/// Whether a list has room for its detail beside it.
pub(crate) const fn is_wide(area: Rect) -> bool {
    area.width >= WIDE_COLUMNS
}

/// A rectangle in the middle, at most as large as the area.
pub(crate) fn centered(area: Rect, width: u16, height: u16) -> Rect {
    let width = width.min(area.width);
    let height = height.min(area.height);
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

/// Takes rows from the top of `rest`, as many as there are.
pub(crate) fn take_rows(rest: &mut Rect, rows: u16) -> Rect {
    let height = rows.min(rest.height);
    let taken = Rect { height, ..*rest };
    rest.y += height;
    rest.height -= height;
    taken
}

/// Divides an area into a left part of `width`, a divider of one column and the rest.
pub(crate) fn side_by_side(area: Rect, width: u16) -> [Rect; 3] {
    let width = width.min(area.width.saturating_sub(1));
    let part = |x, width| Rect { x, width, ..area };
    [
        part(area.x, width),
        part(area.x + width, area.width.min(1)),
        part(area.x + width + 1, (area.width - width).saturating_sub(1)),
    ]
}

/// The rows of an area, from the top.
pub(crate) fn area_rows(area: Rect) -> impl Iterator<Item = Rect> {
    let width = area.width;
    (area.y..area.y.saturating_add(area.height))
        .filter(move |_| width > 0)
        .map(move |y| Rect {
            y,
            height: 1,
            ..area
        })
}
