//! Draws the screen Publish. Invariant: a function of the state.

use chrono::{DateTime, Utc};
use event::{EVENT_BYTES_MAX, Failure};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Paragraph, Wrap};

use super::layout::parts;
use super::question;
use super::sent::Sent;
use super::state::{Mode, Publish};
use super::timeline::timeline;
use crate::tui::context::ScreenContext;
use crate::tui::format::{age_secs, clock, counted, span_secs, visible};
use crate::tui::lines::{draw_divider, explained, hanging, key_line, titled, wrapped};
use crate::tui::remote::Remote;
use crate::tui::templates::NAMES;
use crate::tui::theme::{Theme, Tone};

pub(super) fn draw(publish: &Publish, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
    let area = context.body;
    let theme = context.theme;
    let parts = parts(area);
    canvas.render_widget(
        titled(
            "Event",
            editor_pieces(publish, theme),
            theme,
            parts.editor_title.width,
        ),
        parts.editor_title,
    );
    draw_editor(publish, context, canvas, parts.editor);
    draw_divider(
        theme,
        context.environment.is_production,
        canvas,
        parts.divider,
    );
    let (title, lines) = verdict(publish, context, usize::from(parts.verdict.width));
    canvas.render_widget(
        title_line(title, theme, parts.verdict_title.width),
        parts.verdict_title,
    );
    canvas.render_widget(Text::from(lines), parts.verdict);
    draw_sent(
        publish.sent.as_ref(),
        context,
        canvas,
        (parts.sent_title, parts.sent),
    );
    if let (Mode::Confirming, Some(check)) = (publish.mode, &publish.check) {
        question::draw(publish, check, context, canvas, area);
    }
}

fn title_line(
    (name, pieces): (&str, Vec<(String, Style)>),
    theme: Theme,
    width: u16,
) -> Line<'static> {
    titled(name, pieces, theme, width)
}

fn editor_pieces(publish: &Publish, theme: Theme) -> Vec<(String, Style)> {
    let mut pieces = Vec::new();
    if publish.editor.is_loaded() {
        let name = NAMES.get(publish.template).copied().unwrap_or_default();
        pieces.push((format!("template {name}"), theme.strong()));
    }
    match publish.mode {
        Mode::Editing => {
            pieces.push(("editing · esc closes · ^u undoes".to_owned(), theme.key()));
        }
        Mode::Looking | Mode::Confirming => {
            if publish.editor.is_edited() {
                pieces.push(("edited".to_owned(), theme.tone(Tone::Warning)));
            }
        }
    }
    if let Some(check) = &publish.check {
        let size = counted(check.size_bytes as u64, "byte");
        let most = EVENT_BYTES_MAX / 1_024;
        pieces.push((format!("{size} of {most} KiB"), theme.muted()));
    }
    pieces
}

fn draw_editor(publish: &Publish, context: &ScreenContext<'_>, canvas: &mut Frame<'_>, area: Rect) {
    let theme = context.theme;
    if publish.editor.is_loaded() || publish.mode == Mode::Editing {
        let marked = publish.check.as_ref().and_then(|check| check.line);
        let size = (usize::from(area.width), usize::from(area.height));
        let lines = publish
            .editor
            .lines(theme, marked, publish.mode == Mode::Editing, size);
        canvas.render_widget(Text::from(lines), area);
        return;
    }
    let lines = match &publish.template_load {
        Remote::Loading { since, .. } => vec![Line::styled(
            format!(" loading a template, {}", waited(*since, context.now)),
            theme.muted(),
        )],
        Remote::Failed {
            error, failed_at, ..
        } => explained(
            (error, Some(*failed_at)),
            ("t", "loads another template"),
            theme,
        ),
        Remote::Idle | Remote::Ready(_) => vec![
            key_line(theme, "t", "loads a template"),
            key_line(theme, "e", "starts with an empty text"),
        ],
    };
    canvas.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), area);
}

fn waited(since: DateTime<Utc>, now: DateTime<Utc>) -> String {
    span_secs(age_secs(since, now))
}

type Titled<'a> = ((&'a str, Vec<(String, Style)>), Vec<Line<'static>>);

fn verdict<'a>(publish: &Publish, context: &ScreenContext<'_>, width: usize) -> Titled<'a> {
    let theme = context.theme;
    let Some(check) = &publish.check else {
        let line = Line::styled(" no text yet", theme.muted());
        return (("Verdict of the ingest", Vec::new()), vec![line]);
    };
    let mut lines = match &check.result {
        Ok(key) => {
            let sent = publish.sent_before(key);
            let what = format!("valid: {} / {}", visible(&key.source), visible(&key.id));
            let mut lines = hanging(Tone::Good, &what, theme, width);
            let (tone, text) = match sent {
                Some(sent) => (
                    Tone::Warning,
                    format!(
                        "{} at {} UTC: again it may be a duplicate; t makes a new id",
                        if sent.is_confirmed {
                            "sent"
                        } else {
                            "may have been sent"
                        },
                        clock(sent.at)
                    ),
                ),
                None => (
                    Tone::Muted,
                    "would be stored, unless an event of this source and id was before".to_owned(),
                ),
            };
            lines.extend(hanging(tone, &text, theme, width));
            lines
        }
        Err(failure) => failure_lines(failure, check.line, theme, width),
    };
    let mut pieces = Vec::new();
    if let Some(refusal) = context.change_refusal("no sends") {
        lines.extend(hanging(Tone::Warning, &refusal, theme, width));
    } else {
        let name = visible(&context.environment.name);
        let key = match publish.mode {
            Mode::Editing => "^s",
            Mode::Looking | Mode::Confirming => "s",
        };
        let (text, style) = if context.environment.is_production {
            (
                format!("{key} asks, then sends to {name}, PRODUCTION"),
                theme.tone(Tone::Bad),
            )
        } else {
            (format!("{key} sends to {name}"), theme.muted())
        };
        pieces.push((text, style));
    }
    (("Verdict of the ingest", pieces), lines)
}

fn failure_lines(
    failure: &Failure,
    line: Option<usize>,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let place = match (&failure.pointer, line) {
        (Some(pointer), Some(line)) => format!(" · at {}, line {}", visible(pointer), line + 1),
        (Some(pointer), None) => format!(" · at {} (missing)", visible(pointer)),
        (None, Some(line)) => format!(" · line {}", line + 1),
        (None, None) => String::new(),
    };
    let mut lines = hanging(
        Tone::Bad,
        &format!("rejected: {}{place}", failure.code),
        theme,
        width,
    );
    lines.extend(below(&visible(&failure.detail), width));
    lines
}

fn below(text: &str, width: usize) -> impl Iterator<Item = Line<'static>> {
    let room = width.saturating_sub(4).max(1);
    wrapped(text, room)
        .into_iter()
        .map(|part| Line::raw(format!("   {part}")))
}

fn draw_sent(
    sent: Option<&Sent>,
    context: &ScreenContext<'_>,
    canvas: &mut Frame<'_>,
    (title, area): (Rect, Rect),
) {
    let theme = context.theme;
    let (pieces, lines) = match sent {
        None => (
            Vec::new(),
            wrapped(
                "Nothing sent from here yet. A sent event is followed until it is stored or dead-lettered.",
                usize::from(area.width).saturating_sub(2),
            )
            .into_iter()
            .map(|text| Line::styled(format!(" {text}"), theme.muted()))
            .collect(),
        ),
        Some(sent) => {
            let width = usize::from(area.width);
            let mut lines = timeline(sent, context.now, theme, width);
            if context.is_resuming && sent.is_searching() {
                let text = "the dead letters are not searched while a redrive is being resumed";
                lines.extend(hanging(Tone::Muted, text, theme, width));
            }
            (vec![(sent.name.clone(), theme.strong())], lines)
        }
    };
    canvas.render_widget(titled("Sent", pieces, theme, title.width), title);
    canvas.render_widget(Text::from(lines), area);
}
