//! The list of keys.

use ratatui::Frame;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::filter;
use super::keymap::{Action, BINDINGS, KeyContext};
use super::layout::centered;
use super::lines::wrapped;
use super::screen_id::ScreenId;
use super::screens::logs;
use super::theme::Theme;

/// Columns of the list of keys, and of its text.
const COLUMNS: u16 = 60;
const TEXT_COLUMNS: usize = 56;
/// Rows of the longest purpose of a screen, and of what stands around the keys.
const OTHER_ROWS: usize = 13;

/// Where an action scrolls to from a line; `None` where it closes the list.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other action closes the list of keys"
)]
pub(crate) fn scrolled(action: Action, line: u16) -> Option<u16> {
    match action {
        Action::Up => Some(line.saturating_sub(1)),
        Action::Down => Some(line.saturating_add(1).min(lines_max())),
        _ => None,
    }
}

pub(crate) fn draw(
    screen: ScreenId,
    context: KeyContext,
    scroll: u16,
    theme: Theme,
    canvas: &mut Frame<'_>,
) {
    let area = canvas.area();
    let mut lines = Vec::new();
    if matches!(context, KeyContext::Screen(_)) {
        let purpose = wrapped(screen.purpose(), TEXT_COLUMNS).into_iter();
        lines.extend(purpose.map(|row| Line::raw(format!(" {row}"))));
        lines.push(Line::default());
    }
    let mut last_was_local = true;
    for binding in BINDINGS.iter().filter(|binding| binding.works_in(context)) {
        let is_local = !binding.works_in(KeyContext::Screen(ScreenId::Overview))
            || !binding.works_in(KeyContext::Screen(ScreenId::Publish));
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
    if context == KeyContext::Screen(ScreenId::Records) || context == KeyContext::Query {
        lines.extend(filter_lines(theme));
    } else if context == KeyContext::Screen(ScreenId::Logs) {
        lines.extend(log_filter_lines(theme));
    } else if context == KeyContext::Screen(ScreenId::DeadLetters) {
        lines.extend(sign_lines(theme, &LIST_SIGNS));
    } else if context == KeyContext::Screen(ScreenId::Queue) {
        lines.extend(sign_lines(theme, &QUEUE_SIGNS));
    } else if context == KeyContext::Screen(ScreenId::Overview) {
        lines.extend(sign_lines(theme, &CHART_SIGNS));
    } else if context == KeyContext::Screen(ScreenId::Api) {
        lines.extend(sign_lines(theme, &API_SIGNS));
    }
    let height = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .saturating_add(2);
    let place = centered(area, COLUMNS, height.min(area.height));
    let hidden = height.saturating_sub(place.height);
    let name = match context {
        KeyContext::Editor => "Keys of the editor".to_owned(),
        KeyContext::Input | KeyContext::Query => "Keys of the line".to_owned(),
        KeyContext::Plan => "Keys of the plan".to_owned(),
        KeyContext::Patch => "Keys of the preview".to_owned(),
        KeyContext::Trace => "Keys of the time line".to_owned(),
        KeyContext::Confirm | KeyContext::Quit => "Keys of the question".to_owned(),
        KeyContext::Screen(_) | KeyContext::Help | KeyContext::Palette => {
            format!("Keys on {}", screen.title())
        }
    };
    let title = if hidden > 0 {
        format!(" {name} · ↑↓ scroll · esc ")
    } else {
        format!(" {name} · esc ")
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

/// Lines of the longest help.
fn lines_max() -> u16 {
    u16::try_from(BINDINGS.len() + filter::EXAMPLES.len() + OTHER_ROWS).unwrap_or(u16::MAX)
}

/// What the signs of the lists mean.
const LIST_SIGNS: [(&str, &str); 4] = [
    (
        "50 s – 13 s",
        "age of the oldest and of the newest message of a group",
    ),
    ("↑ ↓ =", "more, fewer or as many as in the hour before"),
    ("◆ ~", "marked; edited"),
    ("recv", "how often it was received"),
];
/// What those of the peeked messages mean.
const QUEUE_SIGNS: [(&str, &str); 3] = [
    ("1 of 3", "received once, of maxReceiveCount"),
    ("✖", "at the limit: the next failed receive is the last"),
    ("▲ ●", "the ingest would refuse it; it is valid"),
];
/// What those of the charts mean.
const CHART_SIGNS: [(&str, &str); 5] = [
    (
        "▇ ─",
        "the first line of a chart is filled, the second drawn",
    ),
    ("▁ or empty", "measured, at least zero; not measured"),
    ("▲ ✖ ╌", "from here on a message ages; is late"),
    (
        "R D P F",
        "redrive, deletion, publication; function deployed",
    ),
    (
        "│",
        "the moment whose values the titles show; the mouse too",
    ),
];

/// What those of the API mean.
const API_SIGNS: [(&str, &str); 3] = [
    ("*", "the call needs it"),
    ("● ○ ▲ ✖", "status 2xx; 3xx; 4xx; 5xx or no answer"),
    (
        "of this …",
        "the document is that of this release, not the API's",
    ),
];

fn sign_lines(theme: Theme, signs: &[(&str, &'static str)]) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    lines.extend(signs.iter().map(|(sign, meaning)| {
        Line::from(vec![
            Span::styled(format!(" {sign:>11}  "), theme.key()),
            Span::raw(*meaning),
        ])
    }));
    lines
}

/// How a filter is written.
fn filter_lines(theme: Theme) -> Vec<Line<'static>> {
    example_lines(theme, &filter::EXAMPLES)
}

/// How a filter of log lines is written.
fn log_filter_lines(theme: Theme) -> Vec<Line<'static>> {
    example_lines(theme, &logs::EXAMPLES)
}

fn example_lines(theme: Theme, examples: &[(&'static str, &'static str)]) -> Vec<Line<'static>> {
    let mut lines = vec![
        Line::default(),
        Line::styled("  A filter (/) consists of these terms:", theme.strong()),
    ];
    lines.extend(examples.iter().map(|(example, meaning)| {
        Line::from(vec![
            Span::styled(format!("  {example:<22} "), theme.key()),
            Span::raw(*meaning),
        ])
    }));
    lines
}
