//! Draws the charts of a page.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::charts::{Charts, places};
use super::lines::Line;
use super::page::Page;
use crate::tui::context::ScreenContext;
use crate::tui::lines::{title, whole_words};
use crate::tui::plot::{draw_panel, draw_time_axis};
use pipeline::environment::Environment;

pub(super) fn draw(
    charts: &Charts,
    page: Page,
    context: &ScreenContext<'_>,
    canvas: &mut Frame<'_>,
    area: Rect,
) {
    let places = places(page, area);
    let Some(prepared) = charts.prepared().filter(|_| !places.panels.is_empty()) else {
        draw_nothing(context, canvas, area);
        return;
    };
    let theme = context.theme;
    let cursor = charts.cursor();
    let is_old = context.pipeline.history.error().is_some()
        || context.pipeline.history_stale_since(context.now).is_some();
    let is_dimmed = is_old || charts.is_of_another_range();
    let buffer = canvas.buffer_mut();
    for (number, ((panel, lines), place)) in prepared.panels.iter().zip(&places.panels).enumerate()
    {
        let is_selected = page != Page::Pipeline && number == charts.selected(page);
        let newest: Vec<_> = lines.iter().map(|line| line.newest(context)).collect();
        let is_waiting = charts.is_waiting(page) && page.needs_details();
        let without_values = match (is_waiting, charts.has_failed()) {
            (true, true) => "was not read from CloudWatch; ^r reads it again".to_owned(),
            (true, false) => "being read from CloudWatch".to_owned(),
            (false, _) => without_values(lines, context.environment),
        };
        draw_panel(
            (panel, &newest, &without_values),
            (cursor.map(|(_, column)| column), is_dimmed, is_selected),
            theme,
            *place,
            buffer,
        );
    }
    draw_time_axis(
        (prepared.window, &charts.marks()),
        charts.read_column(context.now),
        theme,
        places.axis,
        buffer,
    );
}

fn draw_nothing(context: &ScreenContext<'_>, canvas: &mut Frame<'_>, area: Rect) {
    let text = if context.pipeline.history.error().is_some() {
        "the history could not be read; see Attention"
    } else {
        "reading the last hour from CloudWatch"
    };
    let [head, line] = ratatui::layout::Layout::vertical([
        ratatui::layout::Constraint::Length(1),
        ratatui::layout::Constraint::Length(1),
    ])
    .areas(area);
    let width = usize::from(area.width);
    canvas.render_widget(title(context.theme, "Charts", width), head);
    let text = whole_words(&format!("  {text}"), width);
    canvas.render_widget(Span::styled(text, context.theme.muted()), line);
}

/// Why a chart has no values.
fn without_values(lines: &[Line], environment: &Environment) -> String {
    let missing = lines
        .first()
        .and_then(|line| line.missing_setting(environment));
    match missing {
        Some(setting) => format!("{setting} is not set for this environment"),
        None if environment.is_loopback() && lines.iter().all(|line| line.is_measured_by_aws()) => {
            "no values: AWS measures this, the emulator does not".to_owned()
        }
        None => "no values in this time".to_owned(),
    }
}
