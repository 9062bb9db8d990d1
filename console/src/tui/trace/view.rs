//! Draws the time line. Invariant: a function of the state; every text of the pipeline is made visible.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;
use redrive::trace::{EventTrace, Standing, TraceFact, TraceState};
use unicode_width::UnicodeWidthStr as _;

use super::layout::list_area;
use super::state::TimeLine;
use crate::tui::context::ScreenContext;
use crate::tui::format::{age_secs, clock, fit, span_secs, visible};
use crate::tui::layout::{area_rows, take_rows};
use crate::tui::lines::{explained, hanging, key_line, left, titled, whole_words, wrapped};
use crate::tui::theme::{Theme, Tone, sign};

/// From this width on, a fact has its whole date, and the place where it was read a column of its own.
const FULL: usize = 110;
/// `2026-11-18 11:06:40.000`
const DATE: usize = 23;
/// `11-18 11:06:40`
const SHORT_DATE: usize = 14;
/// `published`
const HOP: usize = 9;
/// `dead letters`
const PLACE: usize = 12;
/// Columns of the sign, with the blanks around it.
const SIGN: usize = 3;
/// Columns of the title around the name: `─ Trace  `, and a blank behind it.
const AROUND_NAME: usize = 11;
/// Columns that a name has at least.
const NAME_COLUMNS_MIN: usize = 20;
/// Before what is typed.
const PROMPT: &str = "event ";

impl TimeLine {
    pub(crate) fn draw(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let (theme, body) = (context.theme, context.body);
        canvas.render_widget(Clear, body);
        let mut rest = body;
        let head = take_rows(&mut rest, 1);
        let area = list_area(body);
        let title = titled("Trace", pieces(self, context), theme, head.width);
        canvas.render_widget(title, head);
        if let Some(input) = &self.typing {
            let mut rest = area;
            let mut line = take_rows(&mut rest, 1);
            canvas.render_widget(Span::styled(PROMPT, theme.key()), line);
            let columns = u16::try_from(PROMPT.len()).unwrap_or(0).min(line.width);
            line.x += columns;
            line.width -= columns;
            canvas.render_widget(input, line);
            let lines = typing_lines(self, context, usize::from(rest.width));
            draw_lines(lines, 0, canvas, rest);
        } else if self.is_choosing() {
            draw_lines(choices(self, theme, area), 0, canvas, area);
        } else {
            let lines = self.lines(context, usize::from(area.width));
            draw_lines(lines, self.offset, canvas, area);
        }
    }

    /// All lines of the time line.
    pub(super) fn lines(&self, context: &ScreenContext<'_>, width: usize) -> Vec<Line<'static>> {
        let theme = context.theme;
        let mut lines = Vec::new();
        if let Some(fault) = self.trace.error() {
            let failed = (fault, self.trace.failed_at());
            lines.extend(explained(failed, ("^r", "traces it again"), theme));
        }
        let is_loading = self.trace.is_loading();
        if is_loading && self.is_searching {
            let text = "receiving the dead letters; they are hidden from others until this ends";
            lines.extend(hanging(Tone::Warning, text, theme, width));
        }
        match self.trace.value() {
            Some(traced) => lines.extend(traced_lines(traced, theme, width)),
            None if is_loading && !self.is_searching => {
                let text = reading(context.environment.api_url.is_some());
                lines.extend(hanging(Tone::Muted, &text, theme, width));
            }
            None => {}
        }
        lines
    }
}

fn draw_lines(lines: Vec<Line<'static>>, offset: usize, canvas: &mut Frame<'_>, area: Rect) {
    for (line, place) in lines.into_iter().skip(offset).zip(area_rows(area)) {
        canvas.render_widget(line, place);
    }
}

fn pieces(time_line: &TimeLine, context: &ScreenContext<'_>) -> Vec<(String, Style)> {
    let muted = context.theme.muted();
    let mut times = Vec::new();
    if let Some(since) = time_line.trace.loading_since() {
        let waited = span_secs(age_secs(since, context.now));
        times.push((format!("tracing for {waited}"), muted));
    }
    if let Some(fetched) = time_line.trace.fetched() {
        times.push((format!("as of {} UTC", clock(fetched.fetched_at)), muted));
    }
    let mut pieces = Vec::new();
    if time_line.is_choosing() {
        let (row, length) = (time_line.list.selected + 1, time_line.choices.len());
        pieces.push((format!("{row} / {length}: which event?"), Style::new()));
    }
    if let Some(key) = &time_line.subject {
        let name = format!("{} / {}", visible(&key.source), visible(&key.id));
        // A long name leaves room for the time.
        let used: usize = times.iter().map(|(text, _)| text.width() + 3).sum();
        let room = usize::from(context.body.width).saturating_sub(used + AROUND_NAME);
        let name = fit(&name, room.max(NAME_COLUMNS_MIN));
        pieces.push((name, context.theme.strong()));
    }
    pieces.extend(times);
    pieces
}

fn reading(has_api: bool) -> String {
    let api = if has_api { "the API, " } else { "" };
    format!(
        "reading the ledger, {api}the queues, and the journals and the audit log of this machine; nothing is changed and \
         no message is received"
    )
}

fn typing_lines(
    time_line: &TimeLine,
    context: &ScreenContext<'_>,
    width: usize,
) -> Vec<Line<'static>> {
    let theme = context.theme;
    let mut lines = Vec::new();
    if let Some(fault) = time_line.fault {
        lines.extend(hanging(Tone::Bad, fault, theme, width));
    }
    let by_api = match context.environment.api_url {
        Some(_) => "by the API, ",
        None => "",
    };
    let text = format!(
        "Type the source and the id of the event, such as /apps/crew 5b0cf6c2, or paste the event as JSON. It is looked \
         for in the ledger, {by_api}in the journals and in the audit log of this machine."
    );
    lines.extend(hanging(Tone::Muted, &text, theme, width));
    lines
}

fn choices(time_line: &TimeLine, theme: Theme, area: Rect) -> Vec<Line<'static>> {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let mut list = time_line.list;
    list.reveal(time_line.choices.len(), height);
    let rows = time_line.choices.iter().enumerate();
    rows.skip(list.offset)
        .take(height)
        .map(|(row, key)| {
            let is_selected = row == list.selected;
            let marker = if is_selected { "▸ " } else { "  " };
            let name = format!("{} / {}", visible(&key.source), visible(&key.id));
            let room = width.saturating_sub(2);
            let line = Line::raw(format!("{marker}{}", left(&whole_words(&name, room), room)));
            match is_selected {
                true => theme.selected_row(line, true),
                false => line,
            }
        })
        .collect()
}

fn traced_lines(traced: &EventTrace, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let conclusion = &traced.conclusion;
    let tone = state_tone(conclusion.state);
    let mut lines = hanging(tone, &visible(&conclusion.text), theme, width);
    lines.extend(part(
        "next",
        &visible(&conclusion.next_step),
        Style::new(),
        theme,
        width,
    ));
    lines.push(Line::default());
    if traced.facts.is_empty() {
        let text = "nothing of its way is known";
        lines.extend(hanging(Tone::Muted, text, theme, width));
    }
    for fact in &traced.facts {
        lines.extend(fact_lines(fact, theme, width));
    }
    lines.push(Line::default());
    for gap in &traced.unknown {
        let style = match gap.is_failure {
            true => theme.tone(Tone::Warning),
            false => theme.muted(),
        };
        let mark = match gap.is_failure {
            true => "not read",
            false => "unknown",
        };
        let text = format!("{}: {}", gap.place.as_str(), visible(&gap.reason));
        lines.extend(part(mark, &text, style, theme, width));
    }
    for search in &traced.searched {
        let text = format!("{}: {}", search.place.as_str(), visible(&search.extent));
        lines.extend(part("searched", &text, theme.muted(), theme, width));
    }
    if traced.conclusion.state != TraceState::Stored {
        lines.push(key_line(
            theme,
            "d",
            "searches the dead letters: it receives them",
        ));
    }
    lines
}

const fn state_tone(state: TraceState) -> Tone {
    match state {
        TraceState::Stored => Tone::Good,
        TraceState::Dead => Tone::Bad,
        TraceState::Gone | TraceState::Waiting | TraceState::NotStored | TraceState::Unknown => {
            Tone::Warning
        }
        TraceState::NotSeen => Tone::Muted,
    }
}

/// A named text with a hanging indent.
fn part(name: &str, text: &str, style: Style, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let indent = SIGN + HOP + 1;
    let head = Span::styled(format!("{}{name:<HOP$} ", " ".repeat(SIGN)), theme.muted());
    hung(vec![head], indent, text, style, width)
}

/// A text behind `first`, its other lines indented.
fn hung(
    mut first: Vec<Span<'static>>,
    indent: usize,
    text: &str,
    style: Style,
    width: usize,
) -> Vec<Line<'static>> {
    wrapped(text, width.saturating_sub(indent + 1).max(1))
        .into_iter()
        .map(|line| {
            let mut spans = std::mem::replace(&mut first, vec![Span::raw(" ".repeat(indent))]);
            spans.push(Span::styled(line, style));
            Line::from(spans)
        })
        .collect()
}

/// Sign, time, hop, place, text; on a narrow screen the place is behind the text.
fn fact_lines(fact: &TraceFact, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let tone = match fact.standing {
        Standing::Good => Tone::Good,
        Standing::Doubtful => Tone::Warning,
        Standing::Bad => Tone::Bad,
        Standing::Neutral => Tone::Muted,
    };
    let is_full = width >= FULL;
    let (form, columns) = match is_full {
        true => ("%Y-%m-%d %H:%M:%S%.3f", DATE),
        false => ("%m-%d %H:%M:%S", SHORT_DATE),
    };
    let at = fact.at.map(|at| at.format(form).to_string());
    let at = left(at.as_deref().unwrap_or("–"), columns);
    let (hop, place) = (fact.hop.as_str(), fact.read_from.as_str());
    let mut head = format!("{at} {hop:<HOP$} ");
    let mut text = visible(&fact.text);
    if is_full {
        head.push_str(&format!("{place:<PLACE$} "));
    } else {
        text.push_str(&format!(" · {place}"));
    }
    let indent = SIGN + head.chars().count();
    let first = vec![
        Span::styled(format!(" {} ", sign(tone)), theme.tone(tone)),
        Span::styled(head, theme.muted()),
    ];
    hung(first, indent, &text, Style::new(), width)
}
