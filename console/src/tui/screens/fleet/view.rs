//! Draws the screen. Invariant: a function of the model; only the rows of the window are made.

use pipeline::fleet::{FleetRow, FleetState};
use ratatui::Frame;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::detail;
use super::rows::{Columns, state, tone};
use super::state::Fleet;
use crate::text::{age_secs, clock, count, counted, span_secs, visible};
use crate::tui::context::ScreenContext;
use crate::tui::layout::{area_rows, take_rows};
use crate::tui::lines::{explained, hanging, titled};
use crate::tui::theme::{Tone, sign};

impl Fleet {
    pub(super) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let theme = context.theme;
        let parts = self.parts(context.body);
        let title = titled("Fleet", self.pieces(context), theme, parts.title.width);
        canvas.render_widget(title, parts.title);
        let width = usize::from(parts.list.width);
        // Nothing was read yet, or the last read failed: that has the room of the detail.
        let notes = self.notes(context, width);
        if let Some(row) = self.selected_row() {
            self.draw_list(context, canvas);
            let name = visible(&row.environment);
            let title = titled(&name, Vec::new(), theme, parts.detail_title.width);
            canvas.render_widget(title, parts.detail_title);
            let width = usize::from(parts.detail.width);
            let lines = detail::lines(row, theme, width).into_iter();
            let lines = notes.into_iter().chain(lines.skip(self.detail_offset));
            for (line, place) in lines.zip(area_rows(parts.detail)) {
                canvas.render_widget(line, place);
            }
        } else {
            let mut body = context.body;
            take_rows(&mut body, 1);
            for (line, place) in notes.into_iter().zip(area_rows(body)) {
                canvas.render_widget(line, place);
            }
        }
    }

    fn draw_list(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let theme = context.theme;
        let area = self.parts(context.body).list;
        let marker = 2;
        let columns = Columns::fitting(self.rows(), usize::from(area.width).saturating_sub(marker));
        let mut lines = vec![Line::styled(
            format!("  {}", columns.header()),
            theme.muted(),
        )];
        let height = usize::from(area.height).saturating_sub(1);
        let mut list = self.list;
        list.reveal(self.rows().len(), height);
        for (number, row) in self
            .rows()
            .iter()
            .enumerate()
            .skip(list.offset)
            .take(height)
        {
            let is_selected = number == list.selected;
            lines.push(self.row(row, &columns, is_selected, context));
        }
        for (line, place) in lines.into_iter().zip(area_rows(area)) {
            canvas.render_widget(line, place);
        }
    }

    fn row(
        &self,
        row: &FleetRow,
        columns: &Columns,
        is_selected: bool,
        context: &ScreenContext<'_>,
    ) -> Line<'static> {
        let theme = context.theme;
        let tone = tone(row);
        let is_shown = row.environment == context.environment.name;
        let marker = match (is_selected, is_shown) {
            (true, _) => "▸ ",
            (false, true) => "• ",
            (false, false) => "  ",
        };
        let line = Line::from(vec![
            Span::raw(marker),
            Span::styled(
                columns.name(row),
                if is_shown {
                    theme.strong()
                } else {
                    Style::new()
                },
            ),
            Span::styled(format!("  {} {}", sign(tone), state(row)), theme.tone(tone)),
            Span::raw(columns.numbers(row)),
            Span::styled(columns.reason(row), theme.muted()),
        ]);
        if is_selected {
            theme.selected_row(line, true)
        } else {
            line
        }
    }

    /// `3 environments · 1 needs attention · as of 12:03:07 UTC`
    fn pieces(&self, context: &ScreenContext<'_>) -> Vec<(String, Style)> {
        let muted = context.theme.muted();
        let mut pieces = Vec::new();
        if let Some(since) = self.rows.loading_since() {
            let waited = span_secs(age_secs(since, context.now));
            pieces.push((format!("reading for {waited}"), muted));
        }
        if let Some(fetched) = self.rows.fetched() {
            let rows = &fetched.value;
            let environments = counted(rows.len() as u64, "environment");
            pieces.push((environments, Style::new()));
            let bad = rows.iter().filter(|row| row.state != FleetState::Ok);
            let bad = count(bad.count() as u64);
            pieces.push((format!("{bad} not ok"), Style::new()));
            pieces.push((format!("as of {} UTC", clock(fetched.fetched_at)), muted));
        }
        pieces
    }

    fn notes(&self, context: &ScreenContext<'_>, width: usize) -> Vec<Line<'static>> {
        let theme = context.theme;
        if let Some(fault) = self.rows.error() {
            let failed = (fault, self.rows.failed_at());
            return explained(failed, ("^r", "reads again"), theme);
        }
        if self.rows.value().is_none() {
            let text =
                "reading every environment, each for at most 10 s; no paused database is woken";
            return hanging(Tone::Muted, text, theme, width);
        }
        Vec::new()
    }
}
