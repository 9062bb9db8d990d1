//! Draws the model. Invariant: a function of the model; every size from 1×1 up is drawn.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use unicode_width::UnicodeWidthStr as _;

use super::filter;
use super::footer;
use super::format::{UNKNOWN, clock, count, count_or_unknown};
use super::health::{Health, health};
use super::keymap::{BINDINGS, Context};
use super::message::Tone;
use super::model::{Model, Overlay, frame};
use super::palette::Palette;
use super::remote::Remote;
use super::screens::ScreenId;
use super::theme::{Theme, sign};

/// Entries of the palette that are visible at once.
pub const PALETTE_ROWS: usize = 12;

/// From this width on, the header names the program and spells everything out.
const HEADER_FULL_COLUMNS: u16 = 100;

/// Draws the whole console.
pub fn view(model: &Model, canvas: &mut Frame<'_>) {
    let parts = frame(canvas.area());
    header(model, canvas, parts.header);
    match model.screen {
        ScreenId::Overview => model.overview.view(model, canvas, parts.body),
        ScreenId::DeadLetters => model.dead_letters.view(model, canvas, parts.body),
        ScreenId::Redrives => model.redrives.view(model, canvas, parts.body),
        ScreenId::Records => model.records.view(model, canvas, parts.body),
        ScreenId::Publish => model.publish.view(model, canvas, parts.body),
    }
    footer::draw(model, canvas, parts.footer);
    if let Some(notice) = &model.notice {
        footer::draw_notice(notice, model.theme, canvas, parts.body);
    }
    match &model.overlay {
        Some(Overlay::Help { scroll }) => help(model, *scroll, canvas, canvas.area()),
        Some(Overlay::Palette(palette)) => draw_palette(model, palette, canvas, canvas.area()),
        None => {}
    }
}

/// The sign and the text of a tone.
#[must_use]
pub fn toned(theme: Theme, tone: Tone, text: &str) -> Span<'static> {
    Span::styled(format!("{} {text}", sign(tone)), theme.tone(tone))
}

fn header(model: &Model, canvas: &mut Frame<'_>, area: Rect) {
    let theme = model.theme;
    let word = health(&model.pipeline, &model.environment, model.now);
    let is_narrow = area.width < HEADER_FULL_COLUMNS;
    let name = if is_narrow { " " } else { " opsconsole " };
    let mut spans = vec![Span::styled(name, theme.strong()), environment_span(model)];
    if model.environment.read_only {
        spans.push(Span::styled(" read-only", theme.muted()));
    }
    spans.push(Span::raw("  "));
    spans.push(toned(theme, word.tone(), word.word()));
    let right = header_right(model, word, is_narrow);
    let mut used: usize = spans.iter().map(Span::width).sum();
    for (text, style) in header_numbers(model, word) {
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

fn environment_span(model: &Model) -> Span<'static> {
    let name = super::format::visible(&model.environment.name);
    if model.environment.is_production {
        let style = model.theme.tone(Tone::Bad).add_modifier(Modifier::REVERSED);
        return Span::styled(format!(" {name} PRODUCTION "), style);
    }
    Span::styled(
        format!(" {name} "),
        model.theme.strong().add_modifier(Modifier::REVERSED),
    )
}

/// When the numbers were read; they are read every few seconds, so this stands still in between.
fn header_right(model: &Model, word: Health, is_narrow: bool) -> Span<'static> {
    let newest = [
        model.pipeline.source_queue.fetched().map(|f| f.fetched_at),
        model.pipeline.totals.fetched().map(|f| f.fetched_at),
    ]
    .into_iter()
    .flatten()
    .max();
    match (newest, word) {
        (Some(at), Health::Unreachable) => Span::styled(
            format!("stale since {} UTC", clock(at)),
            model.theme.tone(Tone::Bad),
        ),
        (Some(at), _) if is_narrow => {
            Span::styled(format!("{} UTC", clock(at)), model.theme.muted())
        }
        (Some(at), _) => Span::styled(format!("as of {} UTC", clock(at)), model.theme.muted()),
        (None, _) => Span::styled("nothing seen yet", model.theme.muted()),
    }
}

/// What a part answered last. Where it does not answer any more its number would stand beside the time of
/// others that do; where nothing answers, the time is that of all.
fn known<T>(remote: &Remote<T>, word: Health) -> Option<&T> {
    let is_of_then = matches!(word, Health::Unreachable | Health::Stale);
    remote
        .value()
        .filter(|_| is_of_then || remote.error().is_none())
}

fn header_numbers(model: &Model, word: Health) -> Vec<(String, ratatui::style::Style)> {
    let pipeline = &model.pipeline;
    let plain = ratatui::style::Style::new();
    let depth = known(&pipeline.source_queue, word).map(|queue| queue.depth.visible);
    let dead = known(&pipeline.dead_letter_queue, word)
        .map(|queue| queue.depth.visible + queue.depth.in_flight + queue.depth.delayed);
    let dead_text = match dead {
        Some(0) => "DLQ 0".to_owned(),
        Some(number) => format!("DLQ {} {}", count(number), sign(Tone::Warning)),
        None => format!("DLQ {UNKNOWN}"),
    };
    let dead_style = if dead.is_some_and(|n| n > 0) {
        model.theme.tone(Tone::Warning)
    } else {
        plain
    };
    let stored = known(&pipeline.totals, word).map(|totals| totals.total);
    vec![
        (format!("depth {}", count_or_unknown(depth)), plain),
        (dead_text, dead_style),
        (format!("stored {}", count_or_unknown(stored)), plain),
    ]
}

/// A rectangle in the middle, at most as large as the area.
#[must_use]
pub fn centered(area: Rect, width: u16, height: u16) -> Rect {
    let width = width.min(area.width);
    let height = height.min(area.height);
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

/// Lines of the longest help.
#[must_use]
pub fn help_lines_max() -> u16 {
    u16::try_from(BINDINGS.len() + filter::EXAMPLES.len() + 2).unwrap_or(u16::MAX)
}

/// How a filter is written.
fn filter_lines(theme: Theme) -> Vec<Line<'static>> {
    let mut lines = vec![
        Line::default(),
        Line::styled("  A filter (/) is made of these words:", theme.strong()),
    ];
    lines.extend(filter::EXAMPLES.iter().map(|(example, meaning)| {
        Line::from(vec![
            Span::styled(format!("  {example:<22} "), theme.key()),
            Span::raw(*meaning),
        ])
    }));
    lines
}

fn help(model: &Model, scroll: u16, canvas: &mut Frame<'_>, area: Rect) {
    let theme = model.theme;
    let context = model.screen_context();
    let mut lines = Vec::new();
    let mut last_was_local = true;
    for binding in BINDINGS.iter().filter(|binding| binding.works_in(context)) {
        let is_local = !binding.works_in(Context::Screen(ScreenId::Overview))
            || !binding.works_in(Context::Screen(ScreenId::Publish));
        if last_was_local && !is_local && !lines.is_empty() {
            lines.push(Line::default());
        }
        last_was_local = is_local;
        let keys: Vec<_> = binding.keys.iter().map(|key| key.label()).collect();
        lines.push(Line::from(vec![
            Span::styled(format!(" {:>11}  ", keys.join(" ")), theme.key()),
            Span::raw(binding.label),
        ]));
    }
    if model.screen == ScreenId::Records {
        lines.extend(filter_lines(theme));
    }
    let height = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .saturating_add(2);
    let place = centered(area, 60, height.min(area.height));
    let hidden = height.saturating_sub(place.height);
    let title = if hidden > 0 {
        format!(" Keys on {} · ↑↓ scroll · esc ", model.screen.title())
    } else {
        format!(" Keys on {} · esc ", model.screen.title())
    };
    canvas.render_widget(Clear, place);
    canvas.render_widget(
        Paragraph::new(lines).scroll((scroll.min(hidden), 0)).block(
            Block::bordered()
                .title(title)
                .border_style(theme.frame(true, false)),
        ),
        place,
    );
}

fn draw_palette(model: &Model, palette: &Palette, canvas: &mut Frame<'_>, area: Rect) {
    let theme = model.theme;
    let rows = u16::try_from(PALETTE_ROWS).unwrap_or(u16::MAX);
    let place = centered(area, 60, rows.saturating_add(3));
    let entries = palette.entries();
    let place_in_list = match entries.len() {
        0 => String::new(),
        length => format!(" {} / {length} ", palette.list.selected + 1),
    };
    let block = Block::bordered()
        .title_bottom(Line::from(place_in_list).right_aligned())
        .title(" Do what? · type to find, ⏎ do it, esc ")
        .border_style(theme.frame(true, false));
    let inner = block.inner(place);
    canvas.render_widget(Clear, place);
    canvas.render_widget(block, place);
    let [input, list] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(inner);
    let [prompt, line] =
        Layout::horizontal([Constraint::Length(2), Constraint::Fill(1)]).areas(input);
    canvas.render_widget(Span::styled(": ", theme.key()), prompt);
    canvas.render_widget(&palette.input, line);
    if entries.is_empty() {
        canvas.render_widget(Span::styled("nothing is called that", theme.muted()), list);
        return;
    }
    let height = usize::from(list.height);
    let mut state = palette.list;
    state.reveal(entries.len(), height);
    let width = usize::from(list.width);
    let lines: Vec<_> = entries
        .iter()
        .enumerate()
        .skip(state.offset)
        .take(height)
        .map(|(row, entry)| {
            let marker = if row == state.selected { "▸ " } else { "  " };
            let label = format!("{marker}{}", entry.label);
            let place = entry
                .elsewhere
                .map_or_else(String::new, |screen| format!("on {}  ", screen.title()));
            let taken = label.width() + place.width() + entry.key.width();
            let line = Line::from(vec![
                Span::raw(label),
                Span::raw(" ".repeat(width.saturating_sub(taken))),
                Span::styled(place, theme.muted()),
                Span::styled(entry.key.clone(), theme.key()),
            ]);
            if row == state.selected {
                line.style(theme.selected(true))
            } else {
                line
            }
        })
        .collect();
    canvas.render_widget(Paragraph::new(lines), list);
}
