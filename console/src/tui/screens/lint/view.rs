//! Draws the screen. Invariant: a function of the model; only the rows of the window are made.

use ratatui::Frame;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::detail;
use super::rows::Row;
use super::state::{Lint, Parts};
use crate::tui::context::ScreenContext;
use crate::tui::format::{age_secs, clock, count, counted, span_secs, visible};
use crate::tui::layout::area_rows;
use crate::tui::lines::{draw_divider, explained, hanging, left, titled, whole_words};
use crate::tui::theme::{Theme, Tone, sign};

/// `warning`
const LABEL: usize = 8;
/// The longest id.
const ID: usize = 34;

impl Lint {
    pub(super) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let theme = context.theme;
        let parts = self.parts(context.body);
        self.draw_list(context, canvas, parts);
        let is_danger = context.environment.is_production;
        draw_divider(theme, is_danger, canvas, parts.divider);
        let width = parts.detail_title.width;
        canvas.render_widget(
            titled("Check", Vec::new(), theme, width),
            parts.detail_title,
        );
        let Some(row) = self.selected_row() else {
            return;
        };
        let lines = detail::lines(row, theme, usize::from(parts.detail.width));
        let lines = lines.into_iter().skip(self.detail_offset);
        for (line, place) in lines.zip(area_rows(parts.detail)) {
            canvas.render_widget(line, place);
        }
    }

    fn draw_list(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>, parts: Parts) {
        let theme = context.theme;
        let title = titled("Lint", self.pieces(context), theme, parts.title.width);
        canvas.render_widget(title, parts.title);
        let width = usize::from(parts.list.width);
        let rows = self.rows();
        let mut lines = self.notes(context, width);
        let height = usize::from(parts.list.height).saturating_sub(lines.len());
        let mut list = self.list;
        list.reveal(rows.len(), height);
        for (number, row) in rows.iter().enumerate().skip(list.offset).take(height) {
            lines.push(list_row(*row, number == list.selected, theme, width));
        }
        for (line, place) in lines.into_iter().zip(area_rows(parts.list)) {
            canvas.render_widget(line, place);
        }
    }

    /// `3 findings · as of 12:03:07 UTC · 4 not checked · 40 passed`: the last ones go where there is little room, and
    /// what passed is the least.
    fn pieces(&self, context: &ScreenContext<'_>) -> Vec<(String, Style)> {
        let muted = context.theme.muted();
        let mut pieces = Vec::new();
        if let Some(since) = self.report.loading_since() {
            let waited = span_secs(age_secs(since, context.now));
            pieces.push((format!("checking for {waited}"), muted));
        }
        if let Some(fetched) = self.report.fetched() {
            let report = &fetched.value;
            let number = |length: usize| count(length as u64);
            let findings = counted(report.findings.len() as u64, "finding");
            pieces.push((findings, Style::new()));
            pieces.push((format!("as of {} UTC", clock(fetched.fetched_at)), muted));
            let unchecked = report.not_checked.len();
            pieces.push((format!("{} not checked", number(unchecked)), Style::new()));
            pieces.push((
                format!("{} passed", number(report.passed.len())),
                Style::new(),
            ));
        }
        pieces
    }

    /// What stands above the rows: a failure, or that nothing was found.
    pub(super) fn notes(&self, context: &ScreenContext<'_>, width: usize) -> Vec<Line<'static>> {
        let theme = context.theme;
        let mut lines = Vec::new();
        if let Some(fault) = self.report.error() {
            let failed = (fault, self.report.failed_at());
            lines.extend(explained(failed, ("^r", "checks again"), theme));
        }
        match self.report.value() {
            Some(report) if report.findings.is_empty() => {
                let passed = counted(report.passed.len() as u64, "check");
                let text = format!("nothing was found: {passed} passed");
                let tone = if report.is_incomplete() {
                    Tone::Muted
                } else {
                    Tone::Good
                };
                lines.extend(hanging(tone, &text, theme, width));
            }
            None if self.report.is_loading() => {
                let text = "reading how the pipeline is set up; nothing is changed";
                lines.extend(hanging(Tone::Muted, text, theme, width));
            }
            None if self.report.error().is_none() => {
                let text = "^r checks how the pipeline is set up; that wakes a paused database";
                lines.extend(hanging(Tone::Muted, text, theme, width));
            }
            Some(_) | None => {}
        }
        lines
    }
}

fn list_row(row: Row<'_>, is_selected: bool, theme: Theme, width: usize) -> Line<'static> {
    let marker = if is_selected { "▸ " } else { "  " };
    let tone = row.tone();
    let label = format!("{} {}", sign(tone), left(row.label(), LABEL));
    let room = width.saturating_sub(2 + 2 + LABEL + ID + 1);
    let line = Line::from(vec![
        Span::raw(marker),
        Span::styled(label, theme.tone(tone)),
        Span::raw(format!("{} ", left(row.id(), ID))),
        Span::styled(
            left(&whole_words(&visible(row.text()), room), room),
            theme.muted(),
        ),
    ]);
    if is_selected {
        theme.selected_row(line, true)
    } else {
        line
    }
}
