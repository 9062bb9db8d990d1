//! The screens: each owns its state, its update and its view.
//!
//! Invariant: a screen changes only by its own functions, and asks for things only through `UpdateContext`.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use crate::tui::theme::Theme;

pub(super) use self::lines::hanging;

pub mod dead_letters;
mod lines;
pub mod overview;
pub mod publish;
mod question;
pub mod records;
pub mod redrives;

/// Names of the screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ScreenId {
    /// The whole pipeline at a glance.
    #[default]
    Overview,
    /// The dead-letter queue.
    DeadLetters,
    /// Redrives: planned, running, past.
    Redrives,
    /// The topic.
    Publish,
    /// The database.
    Records,
}

impl ScreenId {
    /// Every screen, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Overview,
        Self::DeadLetters,
        Self::Redrives,
        Self::Publish,
        Self::Records,
    ];

    /// Its name.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::DeadLetters => "Dead letters",
            Self::Redrives => "Redrives",
            Self::Publish => "Publish",
            Self::Records => "Records",
        }
    }

    /// The key that shows it.
    #[must_use]
    pub const fn number(self) -> char {
        match self {
            Self::Overview => '1',
            Self::DeadLetters => '2',
            Self::Redrives => '3',
            Self::Publish => '4',
            Self::Records => '5',
        }
    }

    /// The screen so many places further, around the end.
    #[must_use]
    pub fn step(self, places: usize) -> Self {
        let position = Self::ALL
            .iter()
            .position(|screen| *screen == self)
            .unwrap_or(0);
        Self::ALL
            .into_iter()
            .cycle()
            .nth(position + places)
            .unwrap_or(self)
    }
}

/// From this width on, the detail stands beside the list.
pub const WIDE_COLUMNS: u16 = 120;

/// Whether a list has room for its detail beside it.
#[must_use]
pub const fn is_wide(area: Rect) -> bool {
    area.width >= WIDE_COLUMNS
}

/// A title inside a rule: `─ Title ───`. The one frame that panes have: rows are dear.
#[must_use]
pub fn title(theme: Theme, text: &str, width: usize) -> Line<'static> {
    let used = text.width() + 4;
    Line::from(vec![
        Span::styled("─ ", theme.muted()),
        Span::styled(text.to_owned(), theme.strong()),
        Span::styled(
            format!(" {}", "─".repeat(width.saturating_sub(used - 1))),
            theme.muted(),
        ),
    ])
}

/// Takes rows from the top of `rest`, as many as there are.
fn take_rows(rest: &mut Rect, rows: u16) -> Rect {
    let height = rows.min(rest.height);
    let taken = Rect { height, ..*rest };
    rest.y += height;
    rest.height -= height;
    taken
}

/// Divides an area into a left part of `width`, a divider of one column and the rest.
fn side_by_side(area: Rect, width: u16) -> [Rect; 3] {
    let width = width.min(area.width.saturating_sub(1));
    let part = |x, width| Rect { x, width, ..area };
    [
        part(area.x, width),
        part(area.x + width, area.width.min(1)),
        part(area.x + width + 1, (area.width - width).saturating_sub(1)),
    ]
}

/// The rows of an area, from the top.
fn area_rows(area: Rect) -> impl Iterator<Item = Rect> {
    let width = area.width;
    (area.y..area.y.saturating_add(area.height))
        .filter(move |_| width > 0)
        .map(move |y| Rect {
            y,
            height: 1,
            ..area
        })
}

/// Draws a line between two panes that stand side by side.
fn draw_divider(theme: Theme, is_danger: bool, canvas: &mut Frame<'_>, area: Rect) {
    for place in area_rows(area) {
        canvas.render_widget(Span::styled("│", theme.frame(false, is_danger)), place);
    }
}
