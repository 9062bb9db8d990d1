//! The screens: each owns its state, its update and its view.
//!
//! Invariant: a screen changes only by its own functions, and asks for things only through `Turn`.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use crate::tui::theme::Theme;

pub mod dead_letters;
mod lines;
pub mod overview;
pub mod publish;
pub mod records;

/// Names of the screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ScreenId {
    /// The whole pipeline at a glance.
    #[default]
    Overview,
    /// The dead-letter queue.
    DeadLetters,
    /// The database.
    Records,
    /// The topic.
    Publish,
}

impl ScreenId {
    /// Every screen, in the order of their numbers.
    pub const ALL: [Self; 4] = [
        Self::Overview,
        Self::DeadLetters,
        Self::Records,
        Self::Publish,
    ];

    /// Its name.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::DeadLetters => "Dead letters",
            Self::Records => "Records",
            Self::Publish => "Publish",
        }
    }

    /// The key that shows it.
    #[must_use]
    pub const fn number(self) -> char {
        match self {
            Self::Overview => '1',
            Self::DeadLetters => '2',
            Self::Records => '3',
            Self::Publish => '4',
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
