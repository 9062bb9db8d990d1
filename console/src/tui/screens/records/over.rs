//! What lies over the list: the difference of two records, the command of an export, or an answer in SQL.
//!
//! Invariant: it holds copies, so that rows that come and go change nothing of it.

use event::{Record, RecordId};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Clear;
use similar::ChangeTag;

use super::export_command::ExportCommand;
use super::sql::SqlPane;
use crate::tui::difference::{diff_line, difference, mark};
use crate::tui::format::counted;
use crate::tui::layout::{area_rows, take_rows};
use crate::tui::lines::titled;
use crate::tui::theme::Theme;

#[derive(Debug)]
pub(super) enum Over {
    Difference(Difference),
    Export(ExportCommand),
    Sql(Box<SqlPane>),
}

/// What another record has otherwise.
#[derive(Debug)]
pub(super) struct Difference {
    old: RecordId,
    new: RecordId,
    lines: Vec<(ChangeTag, String)>,
    offset: usize,
}

impl Difference {
    pub(super) fn of(old: &Record, new: &Record) -> Self {
        Self {
            old: old.record_id,
            new: new.record_id,
            lines: difference(old.payload.get(), new.payload.get()),
            offset: 0,
        }
    }

    pub(super) fn scroll(&mut self, lines: isize) {
        let most = self.lines.len().saturating_sub(1);
        self.offset = self.offset.saturating_add_signed(lines).min(most);
    }

    /// As `diff -u` has it, without its head.
    pub(super) fn text(&self) -> String {
        let lines = self.lines.iter();
        let lines = lines.map(|(tag, text)| format!("{}{text}\n", mark(*tag)));
        lines.collect()
    }

    pub(super) fn draw(&self, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
        canvas.render_widget(Clear, area);
        let mut rest = area;
        let changed = self
            .lines
            .iter()
            .filter(|(tag, _)| *tag != ChangeTag::Equal);
        let changed = counted(changed.count() as u64, "line");
        let pieces = vec![
            (format!("- {}  + {}", self.old, self.new), theme.strong()),
            (changed, Style::new()),
            ("j k scroll, y copy, esc back".to_owned(), theme.muted()),
        ];
        let title = titled("Difference", pieces, theme, area.width);
        canvas.render_widget(title, take_rows(&mut rest, 1));
        if self.lines.is_empty() {
            let text = " Both events are the same, but for how they are laid out.";
            canvas.render_widget(Line::raw(text), take_rows(&mut rest, 1));
            return;
        }
        let lines = self.lines.iter().skip(self.offset);
        for (row, (tag, text)) in area_rows(rest).zip(lines) {
            let line = diff_line(*tag, text, theme, usize::from(area.width));
            canvas.render_widget(line, row);
        }
    }
}
