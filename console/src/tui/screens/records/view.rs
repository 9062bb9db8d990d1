//! Draws the records. Invariant: a function of the state; only visible rows are read.

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Paragraph, Wrap};
use unicode_width::UnicodeWidthStr as _;

use super::columns::{cells, columns, is_same_day, titles};
use super::layout::{Parts, list_width};
use super::paging::kept_at_most;
use super::rows::Rows;
use super::state::Records;
use super::typing::Typing;
use crate::tui::context::ScreenContext;
use crate::tui::filter::{self, WORDS};
use crate::tui::format::{age_secs, clock, count, fit, span_secs, visible};
use crate::tui::lines::{
    draw_divider, explained, failed_at, hanging, key_line, titled, whole_words,
};
use crate::tui::remote::Remote;
use crate::tui::theme::{Theme, Tone, toned};

/// Columns from which a title spells everything out.
const TITLE_FULL_COLUMNS: u16 = 90;
/// Columns of a title's name and rules.
const FILTER_MARGIN: usize = 16;
/// A filter that is cut to less is useless.
const FILTER_COLUMNS_MIN: usize = 16;
/// Lines of a fault above the rows at most.
const FAULT_LINES_MAX: usize = 3;

impl Records {
    pub(super) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let area = context.body;
        let parts = self.parts(area);
        let theme = context.theme;
        if let Some(detail) = &self.detail {
            self.detail_title(theme, canvas, parts.detail_title);
            let (height, width) = (parts.detail.height, parts.detail.width);
            let lines = detail.lines(theme, usize::from(height), usize::from(width));
            canvas.render_widget(Text::from(lines), parts.detail);
        }
        if self.is_open {
            return;
        }
        draw_divider(theme, false, canvas, parts.divider);
        self.title(theme, canvas, parts.title);
        if let Some(typing) = &self.typing {
            draw_input(typing, theme, canvas, parts.input);
        }
        canvas.render_widget(Text::from(self.fault_lines(theme, area)), parts.fault);
        match self.rows.value() {
            Some(rows) if rows.len() > 0 => self.draw_rows(rows, context, canvas, parts),
            Some(_) | None => self.draw_nothing(context, canvas, parts),
        }
    }

    /// Place, age, filter, following. The age stays: rows of unknown age are worth little; the
    /// filter is cut before that, and following is left out first.
    fn title(&self, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
        let is_short = area.width < TITLE_FULL_COLUMNS;
        let place = self
            .rows
            .value()
            .map(|rows| (self.position(rows, is_short), theme.strong()));
        let age = self.age(theme, is_short);
        let following = if self.is_following {
            ("following".to_owned(), theme.tone(Tone::Good))
        } else {
            ("not following, f follows".to_owned(), theme.muted())
        };
        let mut pieces: Vec<(String, Style)> = place.into_iter().chain(age).collect();
        if !self.filter.is_empty() {
            let taken: usize = pieces.iter().map(|(text, _)| text.width() + 3).sum();
            let room = usize::from(area.width).saturating_sub(taken + FILTER_MARGIN);
            if room < FILTER_COLUMNS_MIN {
                // What is hidden matters more than how much is shown.
                pieces.clear();
            }
            let room = if pieces.is_empty() {
                usize::from(area.width).saturating_sub(FILTER_MARGIN)
            } else {
                room
            };
            let filter = fit(&visible(&self.filter), room);
            pieces.insert(pieces.len().min(1), (filter, theme.key()));
        }
        pieces.push(following);
        canvas.render_widget(titled("Records", pieces, theme, area.width), area);
    }

    /// When the rows were read.
    fn age(&self, theme: Theme, is_short: bool) -> Option<(String, Style)> {
        let fetched = self.rows.fetched()?;
        let style = if self.fault().is_some() {
            theme.tone(Tone::Warning)
        } else {
            theme.muted()
        };
        let reloading = if self.rows.is_loading() {
            "reloading, "
        } else {
            ""
        };
        let zone = if is_short { "" } else { " UTC" };
        Some((
            format!("{reloading}as of {}{zone}", clock(fetched.fetched_at)),
            style,
        ))
    }

    /// What failed while older rows stay.
    pub(super) fn fault_lines(&self, theme: Theme, area: Rect) -> Vec<Line<'static>> {
        let Some((what, fault, at)) = self.fault().filter(|_| self.len() > 0) else {
            return Vec::new();
        };
        let hint = fault.hint.as_deref().unwrap_or("^r tries again");
        let text = format!("{what}: {} · {}", failed_at(fault, Some(at)), visible(hint));
        let mut lines = hanging(Tone::Bad, &text, theme, usize::from(list_width(area)));
        lines.truncate(FAULT_LINES_MAX);
        lines
    }

    /// `3 / 500 loaded, more below`.
    fn position(&self, rows: &Rows, is_short: bool) -> String {
        if rows.len() == 0 {
            return "none".to_owned();
        }
        let place = format!("{} / {}", self.list.selected + 1, count(rows.len() as u64));
        if self.more.is_loading() {
            format!("{place} loaded, loading more…")
        } else if rows.next_cursor().is_none() {
            place
        } else if rows.is_full() {
            format!(
                "{place}, limit reached ({}): filter to see more",
                kept_at_most()
            )
        } else {
            let loaded = if is_short { "" } else { " loaded" };
            format!("{place}{loaded}, more below")
        }
    }

    fn detail_title(&self, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
        let Some(detail) = &self.detail else { return };
        let name = format!("Record {}", detail.record_id);
        let place = format!("{} / {}", self.list.selected + 1, count(self.len() as u64));
        let keys = if self.is_open {
            "esc list · J K scroll · y copy"
        } else {
            "J K scroll · y copy"
        };
        let pieces = if self.is_open {
            vec![(place, theme.strong()), (keys.to_owned(), theme.muted())]
        } else {
            vec![(keys.to_owned(), theme.muted())]
        };
        canvas.render_widget(titled(&name, pieces, theme, area.width), area);
    }

    fn draw_rows(
        &self,
        rows: &Rows,
        context: &ScreenContext<'_>,
        canvas: &mut Frame<'_>,
        parts: Parts,
    ) {
        let theme = context.theme;
        let width = usize::from(parts.rows.width);
        let is_today = [rows.items().first(), rows.items().last()]
            .into_iter()
            .flatten()
            .all(|record| is_same_day(record.occurred_at, context.now));
        let columns = columns(width, rows.widths(), is_today);
        let heading = fit(&format!("  {}", titles(&columns)), width);
        canvas.render_widget(Line::styled(heading, theme.muted()), parts.columns);
        let lines: Vec<_> = rows
            .items()
            .iter()
            .enumerate()
            .skip(self.list.offset)
            .take(usize::from(parts.rows.height))
            .map(|(row, record)| {
                let is_selected = row == self.list.selected;
                let marker = if is_selected { "▸ " } else { "  " };
                let text = whole_words(
                    &format!("{marker}{}", cells(&columns, record, context.now)),
                    width,
                );
                if is_selected {
                    let rest = width.saturating_sub(text.width());
                    Line::styled(format!("{text}{}", " ".repeat(rest)), theme.selected(true))
                } else {
                    Line::raw(text)
                }
            })
            .collect();
        canvas.render_widget(Text::from(lines), parts.rows);
    }

    /// Why there are no rows, and which key helps.
    fn draw_nothing(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>, parts: Parts) {
        let theme = context.theme;
        let lines = match &self.rows {
            Remote::Idle => Vec::new(),
            Remote::Loading { since, .. } => waiting(*since, context.now, theme),
            Remote::Failed {
                error, failed_at, ..
            } => explained((error, Some(*failed_at)), ("^r", "tries again"), theme),
            Remote::Ready(_) if self.filter.is_empty() => vec![
                Line::raw("The database has no records yet."),
                key_line(theme, "4", "publishes an event"),
                key_line(theme, "f", "follows: shows records as they are stored"),
                key_line(theme, "^r", "tries again"),
            ],
            Remote::Ready(_) => vec![
                Line::from(vec![
                    Span::raw("No record matches "),
                    Span::styled(visible(&self.filter), theme.key()),
                ]),
                Line::raw("All other records are hidden by this filter."),
                key_line(theme, "x", "clears it"),
                key_line(theme, "/", "changes it"),
            ],
        };
        let place = Rect {
            x: parts.rows.x + 2.min(parts.rows.width),
            width: parts.rows.width.saturating_sub(4),
            ..parts.rows
        };
        canvas.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), place);
    }
}

fn waiting(since: DateTime<Utc>, now: DateTime<Utc>, theme: Theme) -> Vec<Line<'static>> {
    let waited = span_secs(age_secs(since, now));
    vec![
        Line::raw("Waiting for the first page."),
        Line::styled(
            format!("requested at {} UTC, {waited} ago", clock(since)),
            theme.muted(),
        ),
    ]
}

fn draw_input(typing: &Typing, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
    let [line, below] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1)]).areas(area);
    let [prompt, input] =
        Layout::horizontal([Constraint::Length(3), Constraint::Fill(1)]).areas(line);
    canvas.render_widget(Span::styled(" / ", theme.key()), prompt);
    canvas.render_widget(&typing.input, input);
    let width = usize::from(below.width).saturating_sub(5);
    let example = filter::example_of(&typing.text(), typing.error());
    let text = match (typing.error(), example) {
        (Some(error), Some(example)) => {
            let text = format!("{error} · {example}");
            toned(theme, Tone::Bad, &fit(&text, width))
        }
        (Some(error), None) => toned(theme, Tone::Bad, &fit(&error.to_string(), width)),
        (None, Some(example)) => Span::styled(fit(&example, width), theme.muted()),
        (None, None) => Span::styled(
            fit(&format!("{WORDS} · a word alone: type"), width),
            theme.muted(),
        ),
    };
    canvas.render_widget(Line::from(vec![Span::raw("   "), text]), below);
}
