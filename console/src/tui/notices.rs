//! What was reported to the operator, to be read again.
//!
//! Invariant: the newest [`KEPT_MAX`], newest first, each with the time of its last report.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use unicode_width::UnicodeWidthStr as _;

use super::format::{clock, visible};
use super::layout::centered;
use super::lines::{whole_words, wrapped};
use super::outbox::Notice;
use super::theme::{Theme, sign};

/// Notices that are kept.
const KEPT_MAX: usize = 50;
/// Columns of the list at most.
const COLUMNS: u16 = 100;
/// Columns of a sign and a time, with the blanks around them.
const HEAD: usize = 14;
/// Where the rest of a notice is that has no room in its line.
const MORE: &str = "  ! shows all";

/// The notices that were shown.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    kept: VecDeque<(DateTime<Utc>, Notice)>,
}

impl Notices {
    /// Keeps a notice; one that is repeated has the time of its repetition.
    pub(crate) fn keep(&mut self, notice: Notice, now: DateTime<Utc>) {
        let is_repeated = |(_, last): &(_, Notice)| last.text == notice.text;
        if self.kept.front().is_some_and(is_repeated) {
            self.kept.pop_front();
        }
        self.kept.push_front((now, notice));
        self.kept.truncate(KEPT_MAX);
    }

    /// Draws the list over the screen, from this line on.
    pub(crate) fn draw(&self, scroll: u16, theme: Theme, canvas: &mut Frame<'_>) {
        let area = canvas.area();
        let width = COLUMNS.min(area.width);
        let columns = usize::from(width).saturating_sub(HEAD + 3);
        let mut lines: Vec<Line<'_>> = Vec::new();
        for (at, notice) in &self.kept {
            let mut head = format!(" {} {} ", sign(notice.tone), clock(*at));
            for part in wrapped(&visible(&notice.text), columns) {
                let head = std::mem::replace(&mut head, " ".repeat(HEAD - 3));
                let head = Span::styled(head, theme.tone(notice.tone));
                lines.push(Line::from(vec![head, Span::raw(" "), Span::raw(part)]));
            }
        }
        if lines.is_empty() {
            lines.push(Line::styled(" nothing was reported yet", theme.muted()));
        }
        let rows = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        let place = centered(area, width, rows.saturating_add(2));
        let hidden = rows.saturating_sub(place.height.saturating_sub(2));
        let title = if hidden > 0 {
            " Notices, UTC · ↑↓ scroll · esc "
        } else {
            " Notices, UTC · esc "
        };
        let block = Block::bordered()
            .title(title)
            .border_style(theme.frame(true, false));
        canvas.render_widget(Clear, place);
        let list = Paragraph::new(lines).scroll((scroll.min(hidden), 0));
        canvas.render_widget(list.block(block), place);
    }
}

/// Draws a notice on its line.
pub(crate) fn draw_notice(notice: &Notice, theme: Theme, canvas: &mut Frame<'_>, line: Rect) {
    let tone = theme.tone(notice.tone);
    let text = format!(" {} {}", sign(notice.tone), visible(&notice.text));
    let room = usize::from(line.width);
    let drawn = if text.width() <= room {
        Line::styled(text, tone)
    } else {
        let text = whole_words(&text, room.saturating_sub(MORE.width()));
        Line::from(vec![
            Span::styled(text, tone),
            Span::styled(MORE, theme.key()),
        ])
    };
    canvas.render_widget(Clear, line);
    canvas.render_widget(drawn, line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::now;
    use crate::tui::theme::Tone;

    #[test]
    fn newest_notices_are_kept_and_repeated_ones_once() {
        let mut notices = Notices::default();
        for number in 0..KEPT_MAX + 7 {
            for repeated in 0..2 {
                let notice = Notice {
                    text: format!("notice {number}"),
                    tone: Tone::Muted,
                    until: now(),
                };
                let at = now() + chrono::Duration::seconds(repeated);
                notices.keep(notice, at);
            }
        }
        assert_eq!(notices.kept.len(), KEPT_MAX);
        let (at, newest) = notices.kept.front().unwrap();
        assert_eq!(newest.text, format!("notice {}", KEPT_MAX + 6));
        assert_eq!(*at, now() + chrono::Duration::seconds(1));
    }
}
