//! The question before an event is sent that will be refused, again, or to production: what goes where.
//!
//! Invariant: the keys are visible however little room there is.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::state::{Publish, name_of};
use crate::tui::context::ScreenContext;
use crate::tui::dialog::{COLUMNS, Dialog};
use crate::tui::event_editor::check::Check;
use crate::tui::format::{counted, visible};
use crate::tui::lines::hanging;
use crate::tui::theme::{Theme, Tone};

/// Columns of the names.
const NAME: usize = 9;

/// Draws the question over the lower end of the screen, so that the event stays in sight.
pub(super) fn draw(
    publish: &Publish,
    check: &Check,
    context: &ScreenContext<'_>,
    canvas: &mut Frame<'_>,
    area: Rect,
) {
    let theme = context.theme;
    let environment = context.environment;
    let width = usize::from(area.width.min(COLUMNS)).saturating_sub(2);
    let topic = environment.topic_arn.rsplit(':').next().unwrap_or_default();
    let name = visible(&environment.name);
    let environment_name = if environment.is_production {
        format!("{name} PRODUCTION")
    } else {
        name
    };
    let mut lines = field("event", &name_of(&publish.editor.text()), theme, width);
    lines.extend(field("to topic", &visible(topic), theme, width));
    let size = counted(check.size_bytes as u64, "byte");
    lines.extend(field("size", &size, theme, width));
    match &check.result {
        Ok(_) => lines.extend(hanging(
            Tone::Good,
            if publish.is_duplicate(check) {
                "valid"
            } else {
                "valid: the ingest would store it"
            },
            theme,
            width,
        )),
        Err(failure) => {
            let text = format!(
                "the ingest will reject it: {}: {}",
                failure.code,
                visible(&failure.detail)
            );
            lines.extend(hanging(Tone::Warning, &text, theme, width));
        }
    }
    let sent = check.key().and_then(|key| publish.sent_before(key));
    if let Some(sent) = sent {
        let text = match sent.is_confirmed {
            true => "already sent from here: it may be a duplicate",
            false => "may have been sent from here: then it is a duplicate",
        };
        lines.extend(hanging(Tone::Warning, text, theme, width));
    }
    lines.push(Line::default());
    lines.push(keys(check, theme));
    Dialog {
        title: format!("Send to {environment_name}?"),
        lines,
        is_danger: environment.is_production,
    }
    .draw_low(theme, canvas, area);
}

fn field(name: &str, value: &str, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let room = width.saturating_sub(NAME + 3).max(1);
    let mut label = format!(" {name:<NAME$} ");
    crate::tui::lines::wrapped(value, room)
        .into_iter()
        .map(|part| {
            let label = std::mem::replace(&mut label, " ".repeat(NAME + 2));
            Line::from(vec![
                Span::styled(label, theme.muted()),
                Span::styled(part, theme.strong()),
            ])
        })
        .collect()
}

fn keys(check: &Check, theme: Theme) -> Line<'static> {
    let yes = if check.result.is_ok() {
        " sends it   "
    } else {
        " sends it: it becomes a dead letter   "
    };
    Line::from(vec![
        Span::styled(" y", theme.key()),
        Span::raw(yes),
        Span::styled("esc", theme.key()),
        Span::raw(" sends nothing"),
    ])
}
