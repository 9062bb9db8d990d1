//! Draws the screen. Invariant: a function of the state; only visible lines are read.

use chrono::Utc;
use pipeline::logs::{LineKind, LogLevel, LogLine};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Paragraph, Wrap};

use super::layout::{Parts, list_width};
use super::query::FORMS;
use super::state::Logs;
use super::typing::Typing;
use crate::tui::context::ScreenContext;
use crate::tui::format::{age_secs, clock, count, counted, fit, span_secs, visible};
use crate::tui::lines::{
    draw_divider, explained, failed_at, hanging, key_line, left, titled, whole_words,
};
use crate::tui::remote::Remote;
use crate::tui::theme::{Theme, Tone, sign, toned};

/// `10:03:07.123`, or `11-27 10:03:07` of another day.
const TIME: usize = 14;
/// `migrate`
const FUNCTION: usize = 7;
/// `▲ error`
const LEVEL: usize = 7;
/// Lines above the rows at most.
const NOTES_MAX: usize = 4;
/// Columns that a filter in the title may have.
const FILTER_COLUMNS_MAX: usize = 40;

impl Logs {
    pub(super) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let theme = context.theme;
        let parts = self.parts(context);
        self.draw_detail(theme, canvas, parts);
        let is_danger = context.environment.is_production;
        draw_divider(theme, is_danger, canvas, parts.divider);
        let name = match &self.request {
            Some(of_request) => format!("Request {}", of_request.id),
            None => "Logs".to_owned(),
        };
        let title = titled(&name, self.pieces(context), theme, parts.title.width);
        canvas.render_widget(title, parts.title);
        if let Some(typing) = &self.typing {
            draw_input(typing, theme, canvas, parts.input);
        }
        let notes = self.notes(theme, context, context.body);
        canvas.render_widget(Text::from(notes), parts.notes);
        if self.reading().lines.len() > 0 {
            self.draw_rows(context, canvas, parts.rows);
        } else {
            self.draw_nothing(context, canvas, parts.rows);
        }
    }

    fn draw_detail(&self, theme: Theme, canvas: &mut Frame<'_>, parts: Parts) {
        let keys = "J K scroll · y copy".to_owned();
        let title = titled(
            "Line",
            vec![(keys, theme.muted())],
            theme,
            parts.detail_title.width,
        );
        canvas.render_widget(title, parts.detail_title);
        if let Some(detail) = &self.detail {
            let (height, width) = (parts.detail.height, parts.detail.width);
            let lines = detail.lines(theme, usize::from(height), usize::from(width));
            canvas.render_widget(Text::from(lines), parts.detail);
        }
    }

    /// `3 / 500 lines · following · level=warn`: the last ones go where there is little room.
    fn pieces(&self, context: &ScreenContext<'_>) -> Vec<(String, Style)> {
        let theme = context.theme;
        let reading = self.reading();
        let mut pieces = Vec::new();
        let number = reading.lines.len();
        if number > 0 {
            let place = count(reading.list.selected as u64 + 1);
            let lines = counted(number as u64, "line");
            pieces.push((format!("{place} / {lines}"), theme.strong()));
        }
        if self.request.is_none() {
            let has_failed = reading.read.error().is_some();
            pieces.push(self.following(has_failed, theme));
        }
        if !reading.filter.is_empty() {
            let filter = fit(&visible(&reading.filter), FILTER_COLUMNS_MAX);
            pieces.push((filter, theme.key()));
        }
        if reading.lines.is_judging() {
            pieces.push(("still searching".to_owned(), theme.muted()));
        } else if number < reading.lines.kept() {
            let of = count(reading.lines.kept() as u64);
            pieces.push((format!("of {of} read"), theme.muted()));
        }
        if reading.lines.dropped() > 0 {
            let dropped = count(reading.lines.dropped() as u64);
            pieces.push((format!("{dropped} older ones left out"), theme.muted()));
        }
        pieces
    }

    fn following(&self, has_failed: bool, theme: Theme) -> (String, Style) {
        match self.paused_at {
            None if has_failed => ("not read".to_owned(), theme.tone(Tone::Warning)),
            None => ("following".to_owned(), theme.tone(Tone::Good)),
            Some(at) => {
                let text = format!("paused at {} UTC: f follows, nothing is read", clock(at));
                (text, theme.tone(Tone::Warning))
            }
        }
    }

    /// What is old, could not be read, or is still to be read.
    pub(super) fn notes(
        &self,
        theme: Theme,
        context: &ScreenContext<'_>,
        area: Rect,
    ) -> Vec<Line<'static>> {
        let reading = self.reading();
        let width = usize::from(list_width(area));
        let mut lines = Vec::new();
        let has_lines = reading.lines.len() > 0;
        if let Some(fault) = reading.read.error().filter(|_| has_lines) {
            let hint = fault.hint.as_deref().unwrap_or("^r reads again");
            let text = format!(
                "{} · {}",
                failed_at(fault, reading.read.failed_at()),
                visible(hint)
            );
            lines.extend(hanging(Tone::Bad, &text, theme, width));
        }
        for unread in &reading.unread {
            let what = match unread.is_read_on {
                true => "is read on later",
                false => "is not read",
            };
            let message = visible(&unread.fault.message);
            let text = format!("{} {what}: {message}", unread.function);
            let tone = if unread.fault.is_not_configured {
                Tone::Muted
            } else {
                Tone::Warning
            };
            lines.extend(hanging(tone, &text, theme, width));
        }
        if let Some(since) = self.stale_since(context) {
            let age = span_secs(age_secs(since, context.now));
            let text = format!(
                "no answer for {age}: what is shown is of {} UTC",
                clock(since)
            );
            lines.extend(hanging(Tone::Warning, &text, theme, width));
        } else if reading.is_behind && has_lines {
            let text = match self.follows() || self.request.is_some() {
                true => "more lines are there than were read; reading on",
                false => "more lines are there than were read; f reads on",
            };
            lines.extend(hanging(Tone::Muted, text, theme, width));
        }
        lines.truncate(NOTES_MAX);
        lines
    }

    fn draw_rows(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>, area: Rect) {
        let reading = self.reading();
        let width = usize::from(area.width);
        let rows = reading.lines.rows(reading.list.offset);
        let rows = rows
            .take(usize::from(area.height))
            .zip(reading.list.offset..);
        let lines: Vec<Line<'_>> = rows
            .map(|(line, row)| {
                let is_selected = row == reading.list.selected;
                list_row(line, is_selected, context, width)
            })
            .collect();
        canvas.render_widget(Text::from(lines), area);
    }

    /// Why there are no lines, and which key helps.
    fn draw_nothing(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>, area: Rect) {
        let theme = context.theme;
        let reading = self.reading();
        let kept = reading.lines.kept();
        let lines = match &reading.read {
            _ if reading.lines.is_judging() => vec![Line::from(vec![
                Span::raw(format!("Searching {} for ", counted(kept as u64, "line"))),
                Span::styled(visible(&reading.filter), theme.key()),
            ])],
            _ if kept > 0 => vec![
                Line::from(vec![
                    Span::raw(format!("None of {} matches ", counted(kept as u64, "line"))),
                    Span::styled(visible(&reading.filter), theme.key()),
                ]),
                key_line(theme, "x", "clears the filter"),
                key_line(theme, "/", "changes it"),
            ],
            Remote::Idle => vec![key_line(theme, "f", "reads the logs, and follows them")],
            Remote::Loading {
                since,
                last_error: None,
                ..
            } if reading.read.fetched().is_none() => {
                let waited = span_secs(age_secs(*since, context.now));
                vec![
                    Line::raw("Reading the log groups of the functions from CloudWatch Logs."),
                    Line::styled(
                        format!("requested at {} UTC, {waited} ago", clock(*since)),
                        theme.muted(),
                    ),
                ]
            }
            Remote::Failed { .. }
            | Remote::Loading {
                last_error: Some(_),
                ..
            } => {
                let fault = reading.read.error();
                let at = reading.read.failed_at();
                fault.map_or_else(Vec::new, |fault| {
                    explained((fault, at), ("^r", "reads again"), theme)
                })
            }
            Remote::Ready(_) | Remote::Loading { .. } => self.advice(theme),
        };
        let place = Rect {
            x: area.x + 2.min(area.width),
            width: area.width.saturating_sub(4),
            ..area
        };
        canvas.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), place);
    }

    fn advice(&self, theme: Theme) -> Vec<Line<'static>> {
        let since = self
            .reading()
            .since
            .map_or_else(String::new, |since| format!(" since {} UTC", clock(since)));
        let reading = self.reading();
        if reading.is_behind || !reading.unread.is_empty() {
            let text = if reading.is_behind {
                format!("No line was found so far{since}: there is more to read.")
            } else {
                format!("No line was found{since} in the logs that could be read.")
            };
            return vec![Line::raw(text), key_line(theme, "^r", "reads again")];
        }
        if self.request.is_some() {
            return vec![
                Line::raw(format!("No line of this request was found{since}.")),
                Line::raw("Its log group may have expired, or the id is of another environment."),
                key_line(theme, "esc", "shows all lines"),
            ];
        }
        vec![
            Line::raw(format!("The functions have logged nothing{since}.")),
            key_line(theme, "b", "looks further back"),
            key_line(theme, "4", "publishes an event, which the ingest logs"),
        ]
    }
}

/// What a level looks like.
fn level_tone(level: Option<LogLevel>) -> Option<Tone> {
    match level {
        Some(LogLevel::Error) => Some(Tone::Bad),
        Some(LogLevel::Warn) => Some(Tone::Warning),
        Some(LogLevel::Debug | LogLevel::Trace) => Some(Tone::Muted),
        Some(LogLevel::Info) | None => None,
    }
}

fn list_row(
    line: &LogLine,
    is_selected: bool,
    context: &ScreenContext<'_>,
    width: usize,
) -> Line<'static> {
    let theme = context.theme;
    let marker = if is_selected { "▸ " } else { "  " };
    let at = line.at.with_timezone(&Utc);
    let time = match at.date_naive() == context.now.date_naive() {
        true => at.format("%H:%M:%S%.3f").to_string(),
        false => at.format("%m-%d %H:%M:%S").to_string(),
    };
    let tone = level_tone(line.level);
    let level = line.level.map_or("", LogLevel::as_str);
    let level = format!("{} {level}", tone.map_or(" ", sign));
    let style = tone.map_or(Style::new(), |tone| theme.tone(tone));
    let said = match line.kind {
        LineKind::Platform if tone.is_none() => theme.muted(),
        LineKind::Json | LineKind::Platform | LineKind::Text => Style::new(),
    };
    let room = width.saturating_sub(2 + TIME + 1 + FUNCTION + 1 + LEVEL + 1);
    let summary = whole_words(&visible(&line.summary), room);
    let row = Line::from(vec![
        Span::raw(marker),
        Span::styled(format!("{} ", left(&time, TIME)), theme.muted()),
        Span::styled(
            format!("{} ", left(line.function.as_str(), FUNCTION)),
            theme.muted(),
        ),
        Span::styled(format!("{} ", left(&level, LEVEL)), style),
        Span::styled(left(&summary, room), said),
    ]);
    if is_selected {
        theme.selected_row(row, true)
    } else {
        row
    }
}

fn draw_input(typing: &Typing, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
    let [line, below] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1)]).areas(area);
    let [prompt, input] =
        Layout::horizontal([Constraint::Length(3), Constraint::Fill(1)]).areas(line);
    canvas.render_widget(Span::styled(" / ", theme.key()), prompt);
    canvas.render_widget(&typing.input, input);
    let width = usize::from(below.width).saturating_sub(5);
    let text = match &typing.error {
        Some(error) => toned(theme, Tone::Bad, &fit(error, width)),
        None => Span::styled(fit(FORMS, width), theme.muted()),
    };
    canvas.render_widget(Line::from(vec![Span::raw("   "), text]), below);
}
