//! Draws the screen. Invariant: a function of the model; texts of the document and of the API cannot control the
//! terminal.

use pipeline::api_call::{ApiAccess, CurlCommand};
use pipeline::api_document::ApiOperation;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;
use unicode_width::UnicodeWidthStr as _;

use super::answer_view;
use super::form::{BODY, Form, rows};
use super::past;
use super::state::{Api, Over, Pane};
use super::typing::{Purpose, Typing};
use crate::tui::context::ScreenContext;
use crate::tui::dialog::{COLUMNS, Dialog};
use crate::tui::format::{age_secs, clock, counted, span_secs, visible};
use crate::tui::layout::{area_rows, take_rows};
use crate::tui::lines::{draw_divider, fault_lines, hanging, left, titled, whole_words, wrapped};
use crate::tui::list::ListState;
use crate::tui::theme::{Theme, Tone, toned};

/// `POST`
const METHOD: usize = 5;
/// Widest path in the list, and widest name in the form.
const PATH_MAX: usize = 27;
const NAME_MAX: usize = 16;
/// Narrowest value.
const VALUE_MIN: usize = 14;
/// The marker and the star of a row.
const MARKS: usize = 4;

impl Api {
    pub(super) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        if let Some(editing) = &self.editing {
            editing.draw(context, canvas);
            return;
        }
        let theme = context.theme;
        let parts = self.parts(context.body);
        self.draw_list(context, canvas, (parts.list_title, parts.list));
        let is_danger = context.environment.is_production;
        draw_divider(theme, is_danger, canvas, parts.divider);
        self.draw_form(context, canvas, (parts.form_title, parts.form));
        self.draw_about(theme, canvas, parts.about);
        let places = (parts.answer_title, parts.answer);
        answer_view::draw(self, theme, context.now, canvas, places);
        match &self.over {
            Some(Over::History(list)) => self.draw_history(*list, theme, canvas, context.body),
            Some(Over::Curl(command)) => {
                curl_dialog(command, theme).draw_low(theme, canvas, context.body);
            }
            None => {}
        }
        if let Some(typing) = self.typing.as_ref()
            && typing.purpose == Purpose::Repeat
        {
            draw_line(typing, theme, canvas, context.body);
        }
    }

    /// How many rows the notes above the operations take.
    pub(super) fn notes_rows(&self, context: &ScreenContext<'_>) -> usize {
        let width = usize::from(self.parts(context.body).list.width);
        self.notes(context, width).len()
    }

    /// Why the document is not that of the deployed API.
    fn notes(&self, context: &ScreenContext<'_>, width: usize) -> Vec<Line<'static>> {
        let theme = context.theme;
        let mut lines = Vec::new();
        if let Some(fault) = self.deployed.error() {
            let failed = (fault, self.deployed.failed_at());
            let retry = ("^r", "reads the document again");
            lines.extend(fault_lines(failed, retry, theme, width));
        }
        let left_out = self.document().left_out;
        if left_out > 0 {
            let operations = counted(left_out as u64, "operation");
            let text =
                format!("{operations} left out: this release does not know that they only read");
            lines.extend(hanging(Tone::Warning, &text, theme, width));
        }
        lines
    }

    /// `12 operations · of the deployed API, as of 11:06:40 UTC`
    fn pieces(&self, context: &ScreenContext<'_>) -> Vec<(String, Style)> {
        let theme = context.theme;
        let operations = self.document().operations.len();
        let mut pieces = Vec::new();
        if let Some(since) = self.deployed.loading_since() {
            let waited = span_secs(age_secs(since, context.now));
            pieces.push((format!("reading its document for {waited}"), theme.muted()));
        } else {
            pieces.push((counted(operations as u64, "operation"), Style::new()));
        }
        let (text, style) = match self.deployed.fetched() {
            Some(fetched) => (
                format!("of the deployed API, {} UTC", clock(fetched.fetched_at)),
                theme.muted(),
            ),
            None => ("of this release".to_owned(), theme.tone(Tone::Warning)),
        };
        pieces.push((text, style));
        pieces
    }

    fn draw_list(
        &self,
        context: &ScreenContext<'_>,
        canvas: &mut Frame<'_>,
        (title, area): (Rect, Rect),
    ) {
        let theme = context.theme;
        let line = titled("API", self.pieces(context), theme, title.width);
        canvas.render_widget(line, title);
        let width = usize::from(area.width);
        let mut lines = self.notes(context, width);
        let height = usize::from(area.height).saturating_sub(lines.len());
        let operations = &self.document().operations;
        let mut list = self.operations;
        list.reveal(operations.len(), height);
        let paths = operations.iter().map(|one| visible(&one.path).width());
        let path = paths.max().unwrap_or(0).min(PATH_MAX);
        let visible_rows = operations.iter().enumerate().skip(list.offset).take(height);
        for (number, operation) in visible_rows {
            let is_selected = number == list.selected;
            let has_focus = self.focus == Pane::Operations;
            let line = operation_row(operation, is_selected, path, theme, width);
            lines.push(match is_selected {
                true => theme.selected_row(line, has_focus),
                false => line,
            });
        }
        draw_lines(lines, canvas, area);
    }

    fn draw_form(
        &self,
        context: &ScreenContext<'_>,
        canvas: &mut Frame<'_>,
        (title, area): (Rect, Rect),
    ) {
        let theme = context.theme;
        let (Some(operation), Some(form)) = (self.operation(), self.form()) else {
            return;
        };
        let names = rows(operation);
        let errors = names
            .iter()
            .filter(|name| form.error(operation, name).is_some());
        let errors = errors.count();
        let mut pieces = vec![(visible(&operation.key()), theme.strong())];
        let access = ApiAccess::of(context.environment);
        pieces.push((access.in_words().to_owned(), theme.muted()));
        if errors > 0 {
            pieces.push((format!("{errors} to mend"), theme.tone(Tone::Bad)));
        } else {
            pieces.push(("s sends it".to_owned(), theme.muted()));
        }
        canvas.render_widget(titled("Call", pieces, theme, title.width), title);
        if names.is_empty() {
            let lines = hanging(
                Tone::Muted,
                "it takes no parameters",
                theme,
                usize::from(area.width),
            );
            draw_lines(lines, canvas, area);
            return;
        }
        let columns = Columns::of(&names, usize::from(area.width));
        let mut list = form.list;
        list.reveal(names.len(), usize::from(area.height));
        let shown = names.iter().enumerate().skip(list.offset);
        for (place, (number, name)) in area_rows(area).zip(shown) {
            let is_selected = number == list.selected && self.focus == Pane::Form;
            let typing = self.typing.as_ref();
            let typing = typing.filter(|typing| is_selected && typing.purpose != Purpose::Repeat);
            let row = form_row(operation, form, name, is_selected, typing, &columns, theme);
            canvas.render_widget(row, place);
            if let Some(typing) = typing {
                draw_field(typing, &columns, canvas, place);
            }
        }
    }

    /// What the selected row, or the selected operation, means.
    fn draw_about(&self, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
        let Some(operation) = self.operation() else {
            return;
        };
        let name = self.row().filter(|_| self.focus == Pane::Form);
        let parameter = name.and_then(|name| operation.parameter(name));
        let text = match (parameter, name) {
            (Some(parameter), _) => {
                let example = parameter.example.as_deref();
                let example = example.map_or_else(String::new, |text| format!(" E.g. {text}"));
                format!("{}{example}", parameter.description)
            }
            (None, Some(BODY)) => "JSON; e edits it here, E in your editor ($EDITOR)".to_owned(),
            (None, _) => format!("{} {}", operation.summary, operation.description),
        };
        let width = usize::from(area.width).saturating_sub(2);
        let text = text.replace('\n', " ");
        let lines = wrapped(&visible(&text), width);
        let height = usize::from(area.height);
        let is_cut = lines.len() > height;
        let lines = lines.into_iter().take(height).enumerate();
        let lines = lines.map(|(number, line)| {
            let is_last = is_cut && number + 1 == height;
            let line = match is_last {
                true => whole_words(&format!("{line} …"), width),
                false => line,
            };
            Line::styled(format!(" {line}"), theme.muted())
        });
        draw_lines(lines.collect(), canvas, area);
    }

    fn draw_history(&self, list: ListState, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
        canvas.render_widget(Clear, area);
        let mut rest = area;
        let pieces = vec![
            (counted(self.history.len() as u64, "call"), theme.strong()),
            ("of this run, the newest first".to_owned(), Style::new()),
            ("⏎ fills it in again, esc back".to_owned(), theme.muted()),
        ];
        let title = titled("History", pieces, theme, area.width);
        canvas.render_widget(title, take_rows(&mut rest, 1));
        let (width, height) = (usize::from(rest.width), usize::from(rest.height));
        let mut list = list;
        list.reveal(self.history.len(), height);
        let shown = self.history.iter().enumerate().skip(list.offset);
        let lines = shown
            .take(height)
            .map(|(number, past)| past::row(past, number == list.selected, theme, width));
        draw_lines(lines.collect(), canvas, rest);
    }
}

/// Columns of the form.
struct Columns {
    name: usize,
    value: usize,
    note: usize,
}

impl Columns {
    fn of(names: &[&str], width: usize) -> Self {
        let widest = names.iter().map(|name| visible(name).width()).max();
        let name = widest.unwrap_or(0).min(NAME_MAX);
        let room = width.saturating_sub(MARKS + name + 2);
        let value = (room * 2 / 5).max(VALUE_MIN).min(room);
        let note = room.saturating_sub(value + 2);
        Self { name, value, note }
    }

    /// Where the value begins.
    const fn value_at(&self) -> usize {
        MARKS + self.name + 1
    }
}

/// `▸   limit      501           ✖ is more than 500`
fn form_row(
    operation: &ApiOperation,
    form: &Form,
    name: &str,
    is_selected: bool,
    typing: Option<&Typing>,
    columns: &Columns,
    theme: Theme,
) -> Line<'static> {
    let parameter = operation.parameter(name);
    let marker = if is_selected { "▸ " } else { "  " };
    let is_required = parameter.is_none_or(|one| one.is_required);
    let star = if is_required { "* " } else { "  " };
    let value = match parameter {
        Some(_) => form.value(name).to_owned(),
        None => form.body.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    let error = match typing {
        Some(typing) => typing.error.clone(),
        None => form.error(operation, name),
    };
    let note = match error {
        Some(error) => {
            let text = whole_words(&visible(&error), columns.note.saturating_sub(2));
            toned(theme, Tone::Bad, &text)
        }
        None => {
            let words = parameter.map_or_else(|| "JSON, required".to_owned(), |one| one.in_words());
            Span::styled(whole_words(&visible(&words), columns.note), theme.muted())
        }
    };
    let (value, style) = match value.is_empty() {
        true => ("not sent".to_owned(), theme.muted()),
        false => (visible(&value), Style::new()),
    };
    let name = left(&visible(name), columns.name);
    let name_style = if is_selected {
        theme.selected(true)
    } else {
        theme.strong()
    };
    Line::from(vec![
        Span::raw(marker),
        Span::styled(star, theme.tone(Tone::Warning)),
        Span::styled(name, name_style),
        Span::raw(" "),
        Span::styled(left(&value, columns.value), style),
        Span::raw("  "),
        note,
    ])
}

/// The value while it is typed, in its place.
fn draw_field(typing: &Typing, columns: &Columns, canvas: &mut Frame<'_>, row: Rect) {
    let at = u16::try_from(columns.value_at()).unwrap_or(u16::MAX);
    let at = at.min(row.width);
    let width = u16::try_from(columns.value).unwrap_or(u16::MAX);
    let field = Rect {
        x: row.x + at,
        width: width.min(row.width - at),
        ..row
    };
    canvas.render_widget(Clear, field);
    canvas.render_widget(&typing.input, field);
}

/// How often it is repeated, at the lower end.
fn draw_line(typing: &Typing, theme: Theme, canvas: &mut Frame<'_>, area: Rect) {
    const LABEL: &str = " send it so often: ";
    let height = area.height.min(2);
    let place = Rect {
        y: area.bottom() - height,
        height,
        ..area
    };
    canvas.render_widget(Clear, place);
    let (tone, text) = match &typing.error {
        Some(error) => (Tone::Bad, format!("this {error}")),
        None => (
            Tone::Muted,
            "one after the other; then the percentiles of their latencies are shown".to_owned(),
        ),
    };
    let mut rest = place;
    let advice = hanging(tone, &text, theme, usize::from(area.width));
    let above = take_rows(&mut rest, height.saturating_sub(1));
    draw_lines(advice.into_iter().take(1).collect(), canvas, above);
    canvas.render_widget(Line::styled(LABEL, theme.key()), rest);
    let columns = u16::try_from(LABEL.width()).unwrap_or(0).min(rest.width);
    let field = Rect {
        x: rest.x + columns,
        width: rest.width - columns,
        ..rest
    };
    canvas.render_widget(&typing.input, field);
}

/// `▸ GET  /v1/records    List records.`
fn operation_row(
    operation: &ApiOperation,
    is_selected: bool,
    path: usize,
    theme: Theme,
    width: usize,
) -> Line<'static> {
    let marker = if is_selected { "▸ " } else { "  " };
    let room = width.saturating_sub(2 + METHOD + path + 1);
    Line::from(vec![
        Span::raw(marker),
        Span::styled(left(operation.method.as_str(), METHOD), theme.strong()),
        Span::raw(format!("{} ", left(&visible(&operation.path), path))),
        Span::styled(
            left(&whole_words(&visible(&operation.summary), room), room),
            theme.muted(),
        ),
    ])
}

fn curl_dialog(command: &CurlCommand, theme: Theme) -> Dialog {
    let columns = usize::from(COLUMNS).saturating_sub(4);
    let text = wrapped(&visible(&command.text), columns).into_iter();
    let mut lines: Vec<Line<'static>> = text
        .map(|line| Line::styled(format!(" {line}"), theme.key()))
        .collect();
    if let Some(before) = &command.before {
        lines.push(Line::default());
        let text = format!("no secret is in it; before: {}", visible(before));
        lines.extend(hanging(Tone::Muted, &text, theme, columns));
    }
    lines.push(Line::raw(" copied · y copies it again · esc closes"));
    Dialog {
        title: "The same call by curl".to_owned(),
        lines,
        is_danger: false,
    }
}

fn draw_lines(lines: Vec<Line<'static>>, canvas: &mut Frame<'_>, area: Rect) {
    for (line, place) in lines.into_iter().zip(area_rows(area)) {
        canvas.render_widget(line, place);
    }
}
