//! Opens, moves and closes what lies over the list.
//!
//! Invariant: keys that mean nothing there close it, and act on the list.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::export_command::export_command;
use super::history::remember;
use super::over::{Difference, Over};
use super::sql::SqlPane;
use super::state::Records;
use super::typing::Purpose;
use crate::tui::context::{ScreenContext, UpdateContext};
use crate::tui::effect::Effect;
use crate::tui::keymap::Action;
use crate::tui::request::{Answer, Reply, Request};
use crate::tui::theme::Tone;
use pipeline::SqlAnswer;

/// Where there is no database to ask.
const NO_DATABASE: &str =
    "SQL needs database_url in the environment's entry, on AWS with a tunnel; / filters by the API";

impl Records {
    /// Compares the selected record with the one that is held, or holds it.
    pub(super) fn compare(&mut self, context: &mut UpdateContext<'_>) {
        let Some(record) = self.selected() else {
            context.notify(Tone::Muted, "no record is selected");
            return;
        };
        match &self.held {
            None => {
                let text = format!(
                    "comparing with {}: d on another record shows the difference, esc ends it",
                    record.record_id
                );
                self.held = Some(record.clone());
                context.notify(Tone::Good, text);
            }
            Some(held) if held.record_id == record.record_id => {
                self.held = None;
                context.notify(Tone::Muted, "comparing ended");
            }
            Some(held) => {
                self.over = Some(Over::Difference(Difference::of(held, record)));
            }
        }
    }

    pub(super) fn show_export(&mut self, context: &UpdateContext<'_>) {
        let command = export_command(&context.environment.name, &self.query);
        self.over = Some(Over::Export(command));
    }

    /// Applies an action to what lies over the list. Whether there is nothing more to do: other actions close it, and
    /// act on the list.
    pub(super) fn act_over(&mut self, action: Action, context: &mut UpdateContext<'_>) -> bool {
        let page = isize::from(i16::try_from(context.body.height).unwrap_or(i16::MAX));
        match (&mut self.over, action) {
            (None, _) => return false,
            (Some(Over::Difference(shown)), action) if scrolled(action, page).is_some() => {
                shown.scroll(scrolled(action, page).unwrap_or_default());
            }
            (Some(Over::Difference(shown)), Action::CopyItem) => {
                let text = shown.text();
                context.outbox.copy("the difference", text);
            }
            (Some(Over::Export(command)), Action::CopyItem) => {
                let text = command.text.clone();
                context.outbox.copy("the command of the export", text);
            }
            (Some(Over::Sql(pane)), action) if scrolled(action, page).is_some() => {
                pane.scroll(
                    scrolled(action, page).unwrap_or_default(),
                    context.body.height,
                );
            }
            (Some(Over::Sql(pane)), Action::CopyItem) => {
                if let Some(text) = pane.copied() {
                    context.outbox.copy("the row", text);
                }
            }
            (Some(Over::Sql(pane)), action) if pane.waiting_since().is_some() => {
                // Nothing but its end leads away from a question: it would go on unseen.
                if action == Action::Back
                    && let Some(request) = pane.cancel()
                {
                    context.outbox.effects.push(Effect::CancelSql(request));
                }
            }
            (Some(_), Action::Back) => self.over = None,
            (Some(_), _) => {
                self.over = None;
                return false;
            }
        }
        true
    }

    /// The wheel over what lies over the list.
    pub(super) fn scroll_over(&mut self, lines: isize, body: Rect) {
        match &mut self.over {
            Some(Over::Difference(shown)) => shown.scroll(lines),
            Some(Over::Sql(pane)) => pane.scroll(lines, body.height),
            Some(Over::Export(_)) | None => {}
        }
    }

    /// Opens the line of a question, where there is a database to ask.
    pub(super) fn type_sql(&mut self, context: &mut UpdateContext<'_>) {
        if context.environment.database_url.is_none() {
            context.notify(Tone::Warning, NO_DATABASE);
            return;
        }
        let text = self.sql_history.last().cloned().unwrap_or_default();
        self.type_line(Purpose::Sql, &text, context);
    }

    pub(super) fn ask_sql(&mut self, sql: String, context: &mut UpdateContext<'_>) {
        remember(&mut self.sql_history, &sql);
        let request = context
            .outbox
            .request(Reply::SqlAnswered, |to| Request::Sql(sql.clone(), to));
        let pane = SqlPane::new(sql, request, context.now);
        self.over = Some(Over::Sql(Box::new(pane)));
    }

    pub(crate) fn sql_answered(
        &mut self,
        answer: Answer<Option<SqlAnswer>>,
        context: &UpdateContext<'_>,
    ) {
        if let Some(Over::Sql(pane)) = &mut self.over {
            pane.answered(answer, context.now);
        }
    }

    pub(super) fn draw_over(&self, context: &ScreenContext<'_>, canvas: &mut Frame<'_>) {
        let (theme, area) = (context.theme, context.body);
        match &self.over {
            Some(Over::Sql(pane)) => pane.draw(theme, context.now, canvas, area),
            Some(Over::Difference(shown)) => shown.draw(theme, canvas, area),
            Some(Over::Export(command)) => command.dialog(theme).draw_low(theme, canvas, area),
            None => {}
        }
    }
}

/// How far an action scrolls.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other actions do not scroll"
)]
fn scrolled(action: Action, page: isize) -> Option<isize> {
    match action {
        Action::Up | Action::DetailUp => Some(-1),
        Action::Down | Action::DetailDown => Some(1),
        Action::PageUp => Some(-page),
        Action::PageDown => Some(page),
        Action::First => Some(isize::MIN),
        Action::Last => Some(isize::MAX),
        _ => None,
    }
}
