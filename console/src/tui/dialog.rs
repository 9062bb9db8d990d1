//! A question with a frame, over the screen that it is about.
//!
//! Invariant: its first line and its last, the keys, are visible however little room there is.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};

use super::format::fit;
use super::layout::{area_rows, centered};
use super::theme::{Theme, Tone};

/// Columns of a question at most, with its frame.
pub(crate) const COLUMNS: u16 = 76;

/// The question; the last line names the keys.
pub(crate) struct Dialog {
    pub(crate) title: String,
    pub(crate) lines: Vec<Line<'static>>,
    /// Whether production is at stake.
    pub(crate) is_danger: bool,
}

impl Dialog {
    /// Draws it at the lower end.
    pub(crate) fn draw_low(self, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
        let place = centered(area, COLUMNS, self.height());
        let y = area.bottom() - place.height;
        self.draw_at(theme, canvas, Rect { y, ..place });
    }

    fn height(&self) -> u16 {
        u16::try_from(self.lines.len())
            .unwrap_or(u16::MAX)
            .saturating_add(2)
    }

    fn draw_at(self, theme: Theme, canvas: &mut Frame<'_>, place: Rect) {
        let title = fit(
            &format!(" {} ", self.title),
            usize::from(place.width).saturating_sub(2),
        );
        let style = if self.is_danger {
            theme.tone(Tone::Bad).add_modifier(Modifier::REVERSED)
        } else {
            theme.strong()
        };
        let block = Block::bordered()
            .title(Span::styled(title, style))
            .border_style(theme.frame(true, self.is_danger));
        let inner = block.inner(place);
        canvas.render_widget(Clear, place);
        canvas.render_widget(block, place);
        let lines = shortened(self.lines, usize::from(inner.height));
        for (line, row) in lines.into_iter().zip(area_rows(inner)) {
            canvas.render_widget(line, row);
        }
    }
}

/// The first line and the keys stay; blank lines go first, then what is between.
fn shortened(mut lines: Vec<Line<'static>>, height: usize) -> Vec<Line<'static>> {
    if lines.len() > height {
        lines.retain(|line| line.width() > 0);
    }
    while lines.len() > height.max(1) {
        lines.remove(lines.len().saturating_sub(2));
    }
    lines
}
