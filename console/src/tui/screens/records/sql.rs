//! The answer to a question in SQL, over the list.
//!
//! Invariant: only visible rows are laid out; text of the database is fit for the screen.

use chrono::{DateTime, Utc};
use pipeline::{Cut, SqlAnswer};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Clear;
use serde_json::value::RawValue;
use unicode_width::UnicodeWidthStr as _;

use crate::sql_value::{is_number, shown};
use crate::tui::format::{age_secs, clock, count, counted, fit, span_secs, visible};
use crate::tui::layout::{area_rows, take_rows};
use crate::tui::lines::{hanging, left, right, titled};
use crate::tui::list::ListState;
use crate::tui::remote::Remote;
use crate::tui::request::{Answer, RequestId};
use crate::tui::theme::{Theme, Tone};

/// Widest column.
const COLUMN_MAX: usize = 40;
/// Blanks between columns.
const GAP: usize = 2;
/// Columns of the mark of the selected row.
const MARKER: usize = 2;
/// Rows over the answer: title and question.
const HEAD_ROWS: u16 = 2;

/// A question, and its answer as far as it is there.
#[derive(Debug)]
pub(super) struct SqlPane {
    sql: String,
    request: RequestId,
    is_cancelled: bool,
    answer: Remote<Option<SqlAnswer>>,
    /// Widths of its columns, and whether they have numbers.
    columns: Vec<(usize, bool)>,
    list: ListState,
}

impl SqlPane {
    /// A question that was just asked.
    pub(super) fn new(sql: String, request: RequestId, now: DateTime<Utc>) -> Self {
        let mut answer = Remote::Idle;
        answer.begin(request, now);
        Self {
            sql,
            request,
            is_cancelled: false,
            answer,
            columns: Vec::new(),
            list: ListState::default(),
        }
    }

    /// The question to cancel, once.
    pub(super) fn cancel(&mut self) -> Option<RequestId> {
        if self.is_cancelled || !self.answer.is_loading() {
            return None;
        }
        self.is_cancelled = true;
        Some(self.request)
    }

    pub(super) fn answered(&mut self, answer: Answer<Option<SqlAnswer>>, now: DateTime<Utc>) {
        self.answer.settle(answer, now);
        if let Some(answer) = self.rows() {
            let columns = answer.columns.iter().enumerate();
            self.columns = columns
                .map(|(number, name)| measured(answer, number, name))
                .collect();
        }
    }

    pub(super) const fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.answer.loading_since()
    }

    fn rows(&self) -> Option<&SqlAnswer> {
        self.answer.value()?.as_ref()
    }

    pub(super) fn scroll(&mut self, lines: isize, height: u16) {
        let length = self.rows().map_or(0, |answer| answer.rows.len());
        let height = usize::from(height.saturating_sub(HEAD_ROWS + 1));
        self.list.move_by(lines, length, height);
    }

    /// The selected row, as a JSON array.
    pub(super) fn copied(&self) -> Option<String> {
        let row = self.rows()?.rows.get(self.list.selected)?;
        let values: Vec<&str> = row.iter().map(|value| value.get()).collect();
        Some(format!("[{}]", values.join(",")))
    }

    pub(super) fn draw(
        &self,
        theme: Theme,
        now: DateTime<Utc>,
        canvas: &mut Frame<'_>,
        area: Rect,
    ) {
        canvas.render_widget(Clear, area);
        let width = usize::from(area.width);
        let mut rest = area;
        let title = titled("SQL", self.pieces(theme, now), theme, area.width);
        canvas.render_widget(title, take_rows(&mut rest, 1));
        let question = fit(&format!(" {}", visible(&self.sql)), width);
        canvas.render_widget(Line::styled(question, theme.key()), take_rows(&mut rest, 1));
        match self.rows() {
            Some(answer) => self.draw_answer(answer, theme, canvas, rest),
            None => {
                let notes = self.notes(theme, width);
                for (row, line) in area_rows(rest).zip(notes) {
                    canvas.render_widget(line, row);
                }
            }
        }
    }

    fn pieces(&self, theme: Theme, now: DateTime<Utc>) -> Vec<(String, Style)> {
        let mut pieces = Vec::new();
        if let Some(answer) = self.rows() {
            let length = answer.rows.len() as u64;
            let place = match length {
                0 => "no rows".to_owned(),
                _ => format!(
                    "{} / {}",
                    count(self.list.selected as u64 + 1),
                    count(length)
                ),
            };
            pieces.push((place, theme.strong()));
            if let Some(fetched) = self.answer.fetched() {
                let at = format!("at {} UTC", clock(fetched.fetched_at));
                pieces.push((at, theme.muted()));
            }
            match answer.cut {
                None => {}
                Some(Cut::Rows) => {
                    let text = format!("the first {}, there are more", counted(length, "row"));
                    pieces.push((text, theme.tone(Tone::Warning)));
                }
                Some(Cut::Bytes) => {
                    pieces.push(("cut at 8 MiB".to_owned(), theme.tone(Tone::Warning)));
                }
            }
        }
        let keys = match self.answer.loading_since() {
            Some(since) => {
                let waited = span_secs(age_secs(since, now));
                pieces.push((format!("asked {waited} ago"), Style::new()));
                "esc cancels it"
            }
            None => "S asks again, y copies the row, esc back",
        };
        pieces.push((keys.to_owned(), theme.muted()));
        pieces
    }

    /// What stands in the place of rows.
    fn notes(&self, theme: Theme, width: usize) -> Vec<Line<'static>> {
        if let Some(fault) = self.answer.error() {
            let mut lines = hanging(Tone::Bad, &visible(&fault.message), theme, width);
            if let Some(hint) = &fault.hint {
                lines.extend(hanging(Tone::Muted, &visible(hint), theme, width));
            }
            return lines;
        }
        let text = match (self.answer.is_loading(), self.is_cancelled) {
            (true, true) => "cancelling: the database is told to end it",
            (true, false) => "the database works on it, read-only, for at most 30 s",
            (false, _) => "cancelled: the database ended it",
        };
        hanging(Tone::Muted, text, theme, width)
    }

    fn draw_answer(&self, answer: &SqlAnswer, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
        let width = usize::from(area.width);
        let mut rest = area;
        let columns = self.fitting(width);
        let hidden = answer.columns.len() - columns.len();
        let mut heading = "  ".to_owned();
        for (number, name) in answer.columns.iter().take(columns.len()).enumerate() {
            push(&mut heading, &columns, number, &visible(name));
        }
        if hidden > 0 {
            heading.push_str(&format!("  …{hidden} more"));
        }
        let heading = fit(&heading, width);
        canvas.render_widget(
            Line::styled(heading, theme.muted()),
            take_rows(&mut rest, 1),
        );
        let mut list = self.list;
        list.reveal(answer.rows.len(), usize::from(rest.height));
        let rows = answer.rows.iter().enumerate().skip(list.offset);
        for (place, (number, row)) in area_rows(rest).zip(rows) {
            let is_selected = number == list.selected;
            let mut text = if is_selected { "▸ " } else { "  " }.to_owned();
            for (column, value) in row.iter().take(columns.len()).enumerate() {
                push(&mut text, &columns, column, &cell(value));
            }
            let line = Line::raw(left(&text, width));
            let line = match is_selected {
                true => theme.selected_row(line, true),
                false => line,
            };
            canvas.render_widget(line, place);
        }
    }

    /// The first columns that have room.
    fn fitting(&self, width: usize) -> Vec<(usize, bool)> {
        let mut room = width.saturating_sub(MARKER);
        let mut fitting = Vec::new();
        for (wanted, is_number) in &self.columns {
            if *wanted > room && !fitting.is_empty() {
                break;
            }
            let given = (*wanted).min(room);
            fitting.push((given, *is_number));
            room = room.saturating_sub(given + GAP);
        }
        fitting
    }
}

fn measured(answer: &SqlAnswer, number: usize, name: &str) -> (usize, bool) {
    let values = || answer.rows.iter().filter_map(|row| row.get(number));
    let widest = values().map(|value| cell(value).width()).max();
    let width = widest.unwrap_or_default().max(visible(name).width());
    (
        width.min(COLUMN_MAX),
        values().all(|value| is_number(value)),
    )
}

/// A value as it is shown, no longer than a column.
fn cell(value: &RawValue) -> String {
    let kept: String = shown(value).chars().take(COLUMN_MAX + 1).collect();
    fit(&visible(&kept), COLUMN_MAX)
}

fn push(line: &mut String, columns: &[(usize, bool)], number: usize, text: &str) {
    let Some((width, is_number)) = columns.get(number) else {
        return;
    };
    if number > 0 {
        line.push_str(&" ".repeat(GAP));
    }
    let placed = if *is_number { right } else { left };
    line.push_str(&placed(text, *width));
}
