//! The question before messages are received: what that costs.
//!
//! Invariant: the keys are visible however little room there is.

use pipeline::queue_peek::PeekPrice;
use ratatui::Frame;
use ratatui::text::{Line, Span};

use crate::tui::context::ScreenContext;
use crate::tui::dialog::{COLUMNS, Dialog};
use crate::tui::format::visible;
use crate::tui::lines::{message_count, wrapped};

pub(super) fn draw(
    price: &PeekPrice,
    messages_max: usize,
    context: &ScreenContext<'_>,
    canvas: &mut Frame<'_>,
) {
    let theme = context.theme;
    let width = usize::from(context.body.width.min(COLUMNS)).saturating_sub(6);
    let mut lines = Vec::new();
    for sentence in price.sentences(messages_max) {
        let mut mark = " · ";
        for part in wrapped(&visible(&sentence), width.max(1)) {
            lines.push(Line::from(vec![Span::raw(mark), Span::raw(part)]));
            mark = "   ";
        }
    }
    lines.push(Line::default());
    lines.push(Line::from(vec![
        Span::styled(" y", theme.key()),
        Span::raw(" receives and releases them   "),
        Span::styled("esc", theme.key()),
        Span::raw(" receives nothing"),
    ]));
    let name = visible(&context.environment.name);
    let environment = if context.environment.is_production {
        format!("{name} PRODUCTION")
    } else {
        name
    };
    let messages = message_count(messages_max);
    Dialog {
        title: format!("Receive up to {messages} of {environment}?"),
        lines,
        is_danger: context.environment.is_production,
    }
    .draw_low(theme, canvas, context.body);
}
