//! The question whether to quit, or to leave an environment for another, while a redrive or a deletion runs, or what was typed is not kept.
//!
//! Invariant: it is asked exactly where leaving would end or lose something, and names that.

use ratatui::Frame;
use ratatui::text::{Line, Span};

use super::context::ScreenContext;
use super::dialog::{COLUMNS, Dialog};
use super::format::{count, visible};
use super::lines::{message_count, wrapped};
use super::screens::all::Screens;
use redrive::operations::Progress;

/// What leaving would end or lose, a sentence each.
pub(crate) fn losses(screens: &Screens) -> Vec<String> {
    let mut losses = Vec::new();
    if let Some(standing) = screens.redrives.standing() {
        losses.push(if screens.redrives.is_all_moved() {
            format!(
                "{standing}. Leaving ends the look-up of what became of it; r on screen 3 looks again."
            )
        } else {
            format!(
                "{standing}. Leaving ends it after the batches under way; what is not sent stays in \
                 the dead-letter queue, and r on screen 3 resumes it."
            )
        });
    }
    if let Some(Progress { done, total }) = screens.dead_letters.deletion_progress() {
        let (done, total) = (count(done as u64), count(total as u64));
        losses.push(format!(
            "A deletion is running: {done} of {total} done. Leaving ends it after the batches \
             under way; the rest stays in the dead-letter queue."
        ));
    }
    if screens.dead_letters.is_writing() {
        losses.push("The text in the editor of screen 2 is not saved, and is lost.".to_owned());
    }
    if let Some(changed) = screens.dead_letters.previewed_edits() {
        losses.push(format!(
            "The patch of {} is not accepted, and is lost.",
            message_count(changed)
        ));
    }
    if screens.publish.has_unsent_text() {
        losses.push("The text in the editor of screen 4 is not sent, and is lost.".to_owned());
    }
    let edited = screens.dead_letters.unplanned_edits();
    if edited > 0 {
        losses.push(format!(
            "The edits of {} are not sent, and are lost.",
            message_count(edited)
        ));
    }
    losses
}

pub(crate) fn draw(
    losses: &[String],
    switching_to: Option<&str>,
    context: &ScreenContext<'_>,
    canvas: &mut Frame<'_>,
) {
    let theme = context.theme;
    let width = usize::from(COLUMNS.min(context.body.width))
        .saturating_sub(4)
        .max(1);
    let mut lines = Vec::new();
    if losses.is_empty() {
        lines.push(Line::raw(
            " What it asked about has ended: nothing would be lost.",
        ));
    }
    for loss in losses {
        let mut text = loss.clone();
        // A sentence begins with a capital.
        if let Some(first) = text.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        lines.extend(
            wrapped(&text, width)
                .into_iter()
                .map(|row| Line::raw(format!(" {row}"))),
        );
    }
    lines.push(Line::default());
    lines.push(Line::from(vec![
        Span::styled(" y ", theme.key()),
        Span::raw(switching_to.map_or("quits   ", |_| "switches   ")),
        Span::styled("esc ", theme.key()),
        Span::raw("stays"),
    ]));
    Dialog {
        title: switching_to.map_or_else(
            || "Quit?".to_owned(),
            |name| format!("Switch to {}?", visible(name)),
        ),
        lines,
        is_danger: context.environment.is_production,
    }
    .draw_low(theme, canvas, context.body);
}
