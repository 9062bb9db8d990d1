//! What the mouse does on the screen.

use ratatui::layout::Position;

use super::{DeadLetters, Open, Pane};
use crate::tui::keymap::Action;
use crate::tui::update_context::UpdateContext;

impl DeadLetters {
    /// A click inside the screen.
    pub fn click(&mut self, position: Position, turn: &mut UpdateContext<'_>) {
        if !matches!(self.open, Open::Nothing) {
            return;
        }
        let places = self.places(turn.body);
        if places.groups.contains(position) {
            let line = usize::from(position.y - places.groups.y);
            self.focus = Pane::Groups;
            if let Some(row) = self.group_list.row_at(line, self.grouping.rows()) {
                if row == self.group_list.selected {
                    self.focus = Pane::Messages;
                }
                self.select_group(row, turn.body);
            }
        } else if places.messages.contains(position) {
            let line = usize::from(position.y - places.messages.y);
            let had_focus = self.focus == Pane::Messages;
            self.focus = Pane::Messages;
            if let Some(row) = self.message_list.row_at(line, self.listed.len()) {
                if row == self.message_list.selected && had_focus {
                    self.open(turn);
                } else {
                    self.select_row(row, turn.body);
                }
            }
        }
    }

    /// The wheel inside the screen.
    pub fn scroll(&mut self, position: Position, lines: isize, turn: &mut UpdateContext<'_>) {
        if !matches!(self.open, Open::Nothing) {
            let action = if lines < 0 { Action::Up } else { Action::Down };
            self.act_on_preview(action, turn);
            return;
        }
        let places = self.places(turn.body);
        if places.detail.contains(position) {
            self.scroll_detail(lines, turn.body);
        } else if places.groups.contains(position) {
            let row = self.group_list.selected.saturating_add_signed(lines);
            self.select_group(row, turn.body);
        } else if places.messages.contains(position) {
            self.select_row(
                self.message_list.selected.saturating_add_signed(lines),
                turn.body,
            );
        }
    }
}
