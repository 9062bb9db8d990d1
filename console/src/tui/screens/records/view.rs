//! Draws the records. Invariant: a function of the state; only visible rows are read.

use chrono::{DateTime, Utc};
use event::Order;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Paragraph, Wrap};
use unicode_width::UnicodeWidthStr as _;

use super::columns::{cells, columns, is_same_day, titles};
use super::layout::{Parts, list_width};
use super::rows::{Row, Rows};
use super::state::Records;
use super::suggestions::{draw_candidates, draw_line};
use super::typing::Purpose;
use crate::tui::context::ScreenContext;
use crate::tui::format::{age_secs, clock, count, fit, span_secs, visible};
use crate::tui::lines::{
    draw_divider, explained, failed_at, hanging, key_line, titled, whole_words,
};
use crate::tui::remote::Remote;
use crate::tui::theme::{Theme, Tone};

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
        self.draw_list(context, canvas);
        self.draw_over(context, canvas);
    }

    fn draw_list(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
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
            draw_line(typing, theme, canvas, parts.input);
        }
        canvas.render_widget(Text::from(self.fault_lines(theme, area)), parts.fault);
        match self.rows.value() {
            Some(rows) if rows.len() > 0 => self.draw_rows(rows, context, canvas, parts),
            Some(_) | None => self.draw_nothing(context, canvas, parts),
        }
        if let Some(typing) = &self.typing {
            let input = parts.input;
            let margin = 3.min(input.width);
            let below = Rect {
                x: input.x + margin,
                y: input.bottom(),
                width: input.width - margin,
                height: parts.rows.bottom().saturating_sub(input.bottom()),
            };
            let missing = self
                .names
                .value()
                .and_then(|names| names.missing.as_deref());
            let fault = self.names.error().map(|fault| fault.message.as_str());
            let unknown = fault
                .or(missing)
                .filter(|_| typing.purpose == Purpose::Filter);
            draw_candidates(typing, unknown, theme, canvas, below);
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
        if let Some(held) = &self.held {
            let text = format!("comparing with {}", held.record_id);
            pieces.push((text, theme.tone(Tone::Good)));
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

    /// `3 / 500 loaded, more below`; rows that were let go count, where their number is known.
    fn position(&self, rows: &Rows, is_short: bool) -> String {
        let (above, below) = (rows.previous_cursor().is_some(), rows.next_cursor());
        if rows.len() == 0 {
            return match (below, self.more.is_loading()) {
                (None, _) => "none".to_owned(),
                (Some(_), true) => "none so far, looking further".to_owned(),
                (Some(_), false) => "none so far, j looks further".to_owned(),
            };
        }
        let place = self.place(rows);
        if self.is_going_to_the_end() {
            return format!("{place}, going to the end…");
        }
        if self.more.is_loading() {
            return format!("{place} loaded, loading more…");
        }
        let more = match (above, below.is_some()) {
            (false, false) => return place,
            (false, true) => "more below",
            (true, false) => "more above",
            (true, true) => "more above and below",
        };
        let loaded = match rows.above() {
            _ if is_short => "",
            None | Some(0) => " loaded",
            Some(_) => " read",
        };
        format!("{place}{loaded}, {more}")
    }

    /// `3 / 500`
    fn place(&self, rows: &Rows) -> String {
        let above = rows.above().unwrap_or_default();
        let selected = (above + self.list.selected + 1) as u64;
        format!(
            "{} / {}",
            count(selected),
            count((above + rows.len()) as u64)
        )
    }

    fn is_held(&self, row: &Row) -> bool {
        let held = self.held.as_ref();
        held.is_some_and(|held| held.record_id == row.record.record_id)
    }

    fn detail_title(&self, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
        let Some(detail) = &self.detail else { return };
        let name = format!("Record {}", detail.record_id);
        let rows = self.rows.value();
        let place = rows.map_or_else(String::new, |rows| self.place(rows));
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
        let is_today = [rows.records().next(), rows.records().next_back()]
            .into_iter()
            .flatten()
            .all(|record| is_same_day(record.occurred_at, context.now));
        let columns = columns(width, rows.widths(), &self.pointers, is_today);
        let heading = fit(&format!("  {}", titles(&columns, &self.pointers)), width);
        canvas.render_widget(Line::styled(heading, theme.muted()), parts.columns);
        let lines: Vec<_> = rows
            .items()
            .iter()
            .enumerate()
            .skip(self.list.offset)
            .take(usize::from(parts.rows.height))
            .map(|(number, row)| {
                let is_selected = number == self.list.selected;
                let marker = match (is_selected, self.is_held(row)) {
                    (true, _) => "▸ ",
                    (false, true) => "◆ ",
                    (false, false) => "  ",
                };
                let text = whole_words(
                    &format!("{marker}{}", cells(&columns, row, context.now)),
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
            Remote::Ready(fetched) if fetched.value.next_cursor().is_some() => {
                self.searched(&fetched.value, theme)
            }
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

    /// How far was searched without a match.
    fn searched(&self, rows: &Rows, theme: Theme) -> Vec<Line<'static>> {
        let reached = rows.next_cursor().map(|cursor| cursor.occurred_at);
        let reached = reached.map_or_else(String::new, |at| {
            format!(" down to {} UTC", at.format("%Y-%m-%d %H:%M"))
        });
        let reached = match self.query.order {
            Order::Desc => reached,
            Order::Asc => reached.replace("down to", "up to"),
        };
        let mut lines = vec![Line::from(vec![
            Span::raw("No record so far matches "),
            Span::styled(visible(&self.filter), theme.key()),
            Span::raw(format!("{reached}.")),
        ])];
        lines.push(match self.more.is_loading() {
            true => Line::styled("Looking further…", theme.muted()),
            false => key_line(theme, "j", "looks further"),
        });
        lines.push(key_line(theme, "/", "changes the filter"));
        lines.push(key_line(theme, "x", "clears it"));
        lines
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
