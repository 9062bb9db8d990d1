//! Draws the answer. Invariant: a function of the state; only the rows of the window are made.

use chrono::{DateTime, Utc};
use pipeline::api_call::status_name;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::answer::{Shown, status_tone};
use super::past::Sent;
use super::state::{Api, Calling, Series};
use crate::tui::document::size;
use crate::tui::format::{UNKNOWN, age_secs, clock, counted, fit, latency, span_secs, visible};
use crate::tui::layout::area_rows;
use crate::tui::lines::{fault_lines, hanging, titled, wrapped};
use crate::tui::theme::{Theme, Tone, sign};

/// Columns of what was sent, in a title.
const TITLE_COLUMNS: usize = 36;

pub(super) fn draw(
    api: &Api,
    theme: Theme,
    now: DateTime<Utc>,
    canvas: &mut Frame<'_>,
    (title, area): (Rect, Rect),
) {
    let line = titled("Answer", pieces(api, theme, now), theme, title.width);
    canvas.render_widget(line, title);
    let size = (usize::from(area.width), usize::from(area.height));
    let lines = lines_from(api, api.answer_offset, theme, size);
    for (line, place) in lines.into_iter().zip(area_rows(area)) {
        canvas.render_widget(line, place);
    }
}

/// How far it can be scrolled: not at all where everything is visible.
pub(super) fn offset_max(api: &Api, area: Rect) -> usize {
    let theme = Theme { has_colour: false };
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    if lines_from(api, 0, theme, (width, height + 1)).len() <= height {
        return 0;
    }
    let document = api.shown().map_or(0, |shown| shown.document.len());
    (head(api, theme, width).len() + document).saturating_sub(1)
}

/// `● 200 OK · 12.3 ms · 1 KiB · at 11:06:40 UTC · GET /v1/records?limit=2`
fn pieces(api: &Api, theme: Theme, now: DateTime<Utc>) -> Vec<(String, Style)> {
    let mut pieces = Vec::new();
    if let Some(calling) = &api.calling {
        let waited = span_secs(age_secs(calling.since, now));
        let text = match &api.series {
            Some(series) => {
                let number = series.calls.calls() + 1;
                format!("call {number} of {}, esc cancels", series.wanted)
            }
            None => format!("waiting for {waited}, esc cancels"),
        };
        pieces.push((text, theme.key()));
        pieces.push((title(&calling.sent), theme.muted()));
        return pieces;
    }
    let Some(outcome) = &api.outcome else {
        return pieces;
    };
    match &outcome.result {
        Ok(shown) => {
            let status = shown.answer.status;
            let tone = status_tone(status);
            let text = format!("{} {status} {}", sign(tone), status_name(status));
            pieces.push((text.trim_end().to_owned(), theme.tone(tone)));
            pieces.push((latency(shown.answer.latency), Style::new()));
            pieces.push((size(shown.answer.body.len()), Style::new()));
        }
        Err(_) => pieces.push((
            format!("{} no answer", sign(Tone::Bad)),
            theme.tone(Tone::Bad),
        )),
    }
    pieces.push((format!("at {} UTC", clock(outcome.at)), theme.muted()));
    pieces.push((title(&outcome.sent), theme.muted()));
    pieces
}

/// What was sent, as far as a title has room.
fn title(sent: &Sent) -> String {
    fit(&sent.title(), TITLE_COLUMNS)
}

fn lines_from(
    api: &Api,
    first: usize,
    theme: Theme,
    (width, height): (usize, usize),
) -> Vec<Line<'static>> {
    let head = head(api, theme, width);
    let length = head.len();
    let mut rows: Vec<_> = head.into_iter().skip(first).take(height).collect();
    let left = height.saturating_sub(rows.len());
    if let Some(shown) = api.shown()
        && left > 0
    {
        let offset = first.saturating_sub(length);
        rows.extend(shown.document.lines(theme, offset, left, width));
    }
    rows
}

/// What stands above the body.
fn head(api: &Api, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(series) = &api.series {
        lines.extend(series_lines(series, theme, width));
    }
    let Some(outcome) = &api.outcome else {
        if api.calling.is_none() {
            let text = "nothing was sent yet: s sends the call, r repeats it, c copies it for curl";
            lines.extend(hanging(Tone::Muted, text, theme, width));
        }
        return lines;
    };
    let is_other = |calling: &&Calling| calling.sent.call != outcome.sent.call;
    if api.calling.as_ref().filter(is_other).is_some() {
        let text = format!(
            "until then, the answer of {} UTC to {}",
            clock(outcome.at),
            title(&outcome.sent)
        );
        lines.extend(hanging(Tone::Muted, &text, theme, width));
    }
    match &outcome.result {
        Ok(shown) => lines.extend(shown_lines(shown, api.shows_headers, theme, width)),
        Err(fault) => {
            let failed = (fault, Some(outcome.at));
            lines.extend(fault_lines(failed, ("s", "sends it again"), theme, width));
        }
    }
    lines
}

/// `5 of 5 calls · 200 × 5` and `min 1.0 ms · p50 1.2 ms · …`
fn series_lines(series: &Series, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let summary = series.calls.summary();
    let statuses = summary.statuses.iter();
    let mut parts = vec![format!("{} of {} calls", summary.calls, series.wanted)];
    parts.extend(statuses.map(|(status, count)| format!("{status} × {count}")));
    if summary.unanswered > 0 {
        parts.push(format!("{} without an answer", summary.unanswered));
    }
    if let Some(why) = series.stopped {
        parts.push(format!("ended before: {why}"));
    }
    let worst = summary.statuses.keys().map(|status| status_tone(*status));
    let worst = worst.max().unwrap_or(Tone::Muted);
    let tone = match summary.unanswered {
        0 => worst,
        _ => Tone::Bad,
    };
    let mut lines = hanging(tone, &parts.join(" · "), theme, width);
    let took = [
        ("min", summary.min),
        ("p50", summary.p50),
        ("p95", summary.p95),
        ("p99", summary.p99),
        ("max", summary.max),
    ];
    let took = took.map(|(name, value)| {
        let value = value.map_or_else(|| UNKNOWN.to_owned(), latency);
        format!("{name} {value}")
    });
    let text = wrapped(&took.join(" · "), width.saturating_sub(4).max(1));
    lines.extend(text.into_iter().map(|line| Line::raw(format!("   {line}"))));
    lines
}

fn shown_lines(
    shown: &Shown,
    shows_headers: bool,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(problem) = &shown.problem {
        let text = format!("{}: {}", problem.title, problem.detail);
        let tone = status_tone(shown.answer.status);
        lines.extend(hanging(tone, &visible(&text), theme, width));
    }
    if let Some(step) = &shown.next_step {
        lines.extend(hanging(Tone::Muted, &visible(step), theme, width));
    }
    if shown.answer.is_cut {
        let read = size(shown.answer.body.len());
        let text = format!("the answer is longer: {read} of it were read, and are shown as text");
        lines.extend(hanging(Tone::Warning, &text, theme, width));
    }
    if let Some(next) = &shown.next_page {
        let text = format!("there are more: n sends it with {}", next.parameter);
        lines.extend(hanging(Tone::Muted, &visible(&text), theme, width));
    }
    if shows_headers {
        let room = width.saturating_sub(2).max(1);
        for (name, value) in &shown.answer.headers {
            let name = visible(name);
            let text = wrapped(&format!("{name}: {}", visible(value)), room);
            for (number, part) in text.into_iter().enumerate() {
                let rest = part.strip_prefix(&name).filter(|_| number == 0);
                let line = match rest {
                    Some(rest) => Line::from(vec![
                        Span::raw("  "),
                        Span::styled(name.clone(), theme.muted()),
                        Span::raw(rest.to_owned()),
                    ]),
                    None => Line::raw(format!("  {part}")),
                };
                lines.push(line);
            }
        }
    } else {
        let headers = counted(shown.answer.headers.len() as u64, "header");
        let kind = shown.header("content-type").map(visible);
        let kind = kind.map_or_else(String::new, |kind| format!(" · {kind}"));
        let text = format!("{headers}, H shows them{kind}");
        lines.extend(hanging(Tone::Muted, &text, theme, width));
    }
    if shown.answer.body.is_empty() {
        lines.extend(hanging(Tone::Muted, "it has no body", theme, width));
    }
    lines
}
