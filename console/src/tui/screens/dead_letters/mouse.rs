//! What the mouse does on the screen.

use ratatui::layout::Position;

use super::state::{DeadLetters, Open, Pane};
use crate::tui::context::UpdateContext;
use crate::tui::keymap::Action;

impl DeadLetters {
    pub(crate) fn click(&mut self, position: Position, context: &mut UpdateContext<'_>) {
        if !matches!(self.open, Open::Nothing) {
            return;
        }
        let parts = self.parts(context.body);
        if parts.groups.contains(position) {
            let line = usize::from(position.y - parts.groups.y);
            self.focus = Pane::Groups;
            if let Some(row) = self.group_list.row_at(line, self.grouping.rows()) {
                if row == self.group_list.selected {
                    self.focus = Pane::Messages;
                }
                self.select_group(row, context.body);
            }
        } else if parts.messages.contains(position) {
            let line = usize::from(position.y - parts.messages.y);
            let had_focus = self.focus == Pane::Messages;
            self.focus = Pane::Messages;
            if let Some(row) = self.message_list.row_at(line, self.listed.len()) {
                if row == self.message_list.selected && had_focus {
                    self.open(context);
                } else {
                    self.select_row(row, context.body);
                }
            }
        }
    }

    pub(crate) fn scroll(
        &mut self,
        position: Position,
        lines: isize,
        context: &mut UpdateContext<'_>,
    ) {
        if !matches!(self.open, Open::Nothing) {
            let action = if lines < 0 { Action::Up } else { Action::Down };
            self.act_on_preview(action, context);
            return;
        }
        let parts = self.parts(context.body);
        if parts.detail.contains(position) {
            self.scroll_detail(lines, context.body);
        } else if parts.groups.contains(position) {
            let row = self.group_list.selected.saturating_add_signed(lines);
            self.select_group(row, context.body);
        } else if parts.messages.contains(position) {
            self.select_row(
                self.message_list.selected.saturating_add_signed(lines),
                context.body,
            );
        }
    }
}
