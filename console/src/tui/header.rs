//! The top line: where, whether it is healthy, the numbers that matter, and when they were read.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::context::ScreenContext;
use super::format::{UNKNOWN, clock, count, count_or_unknown, visible};
use super::health::{Health, health};
use super::remote::Remote;
use super::theme::{Tone, sign, toned};

/// From this width on, the header names the program and spells everything out.
const HEADER_FULL_COLUMNS: u16 = 100;

pub(crate) fn draw(context: &ScreenContext<'_>, canvas: &mut Frame<'_>, area: Rect) {
    let theme = context.theme;
    let health = health(context.pipeline, context.environment, context.now);
    let is_narrow = area.width < HEADER_FULL_COLUMNS;
    let name = if is_narrow { " " } else { " opsconsole " };
    let mut spans = vec![
        Span::styled(name, theme.strong()),
        environment_span(context),
    ];
    if context.environment.read_only {
        spans.push(Span::styled(" read-only", theme.muted()));
    }
    spans.push(Span::raw("  "));
    spans.push(toned(theme, health.tone(), health.label()));
    let right = header_right(context, health, is_narrow);
    let mut used: usize = spans.iter().map(Span::width).sum();
    for (text, style) in header_numbers(context, health) {
        let width = text.width() + 2;
        if used + width + right.width() + 1 > usize::from(area.width) {
            break;
        }
        used += width;
        spans.push(Span::styled(format!("  {text}"), style));
    }
    let gap = usize::from(area.width).saturating_sub(used + right.width() + 1);
    spans.push(Span::raw(" ".repeat(gap)));
    spans.push(right);
    canvas.render_widget(Line::from(spans), area);
}

fn environment_span(context: &ScreenContext<'_>) -> Span<'static> {
    let name = visible(&context.environment.name);
    if context.environment.is_production {
        let style = context
            .theme
            .tone(Tone::Bad)
            .add_modifier(Modifier::REVERSED);
        return Span::styled(format!(" {name} PRODUCTION "), style);
    }
    Span::styled(
        format!(" {name} "),
        context.theme.strong().add_modifier(Modifier::REVERSED),
    )
}

/// When the numbers were read; they are read every few seconds, so this changes seldom.
fn header_right(context: &ScreenContext<'_>, health: Health, is_narrow: bool) -> Span<'static> {
    let newest = [
        context
            .pipeline
            .source_queue
            .fetched()
            .map(|f| f.fetched_at),
        context.pipeline.totals.fetched().map(|f| f.fetched_at),
    ]
    .into_iter()
    .flatten()
    .max();
    match (newest, health) {
        (Some(at), Health::Unreachable) => Span::styled(
            format!("stale since {} UTC", clock(at)),
            context.theme.tone(Tone::Bad),
        ),
        (Some(at), _) if is_narrow => {
            Span::styled(format!("{} UTC", clock(at)), context.theme.muted())
        }
        (Some(at), _) => Span::styled(format!("as of {} UTC", clock(at)), context.theme.muted()),
        (None, _) => Span::styled("no data yet", context.theme.muted()),
    }
}

/// The last answer of a part. The number of a part that stopped answering would appear beside the time
/// of others that answer; where nothing answers, the time is that of all.
fn known<T>(remote: &Remote<T>, health: Health) -> Option<&T> {
    let is_of_then = matches!(health, Health::Unreachable | Health::Stale);
    remote
        .value()
        .filter(|_| is_of_then || remote.error().is_none())
}

fn header_numbers(context: &ScreenContext<'_>, health: Health) -> Vec<(String, Style)> {
    let pipeline = &context.pipeline;
    let plain = Style::new();
    let depth = known(&pipeline.source_queue, health).map(|queue| queue.depth.visible);
    let dead = known(&pipeline.dead_letter_queue, health)
        .map(|queue| queue.depth.visible + queue.depth.in_flight + queue.depth.delayed);
    let dead_text = match dead {
        Some(0) => "DLQ 0".to_owned(),
        Some(number) => format!("DLQ {} {}", count(number), sign(Tone::Warning)),
        None => format!("DLQ {UNKNOWN}"),
    };
    let dead_style = if dead.is_some_and(|n| n > 0) {
        context.theme.tone(Tone::Warning)
    } else {
        plain
    };
    let stored = known(&pipeline.totals, health).map(|totals| totals.total);
    vec![
        (format!("depth {}", count_or_unknown(depth)), plain),
        (dead_text, dead_style),
        (format!("stored {}", count_or_unknown(stored)), plain),
    ]
}
