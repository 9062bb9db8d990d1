//! What is selected, marked and listed.
//!
//! Invariant: the selection stays on the same message and the same group when others come or go.

use std::collections::HashSet;

use event::Verdict;
use ratatui::layout::Rect;

use super::detail::{Detail, Texts};
use super::groups::{Group, Grouping};
use super::state::{DeadLetters, Pane};
use pipeline::model::DeadLetter;

impl DeadLetters {
    pub(super) fn selected_message(&self) -> Option<&DeadLetter> {
        self.message_at(self.message_list.selected)
    }

    /// The message in a row of the list.
    pub(super) fn message_at(&self, row: usize) -> Option<&DeadLetter> {
        self.messages.get(*self.listed.get(row)?)
    }

    /// The group that is listed; `None` for all.
    pub(super) fn listed_group(&self) -> Option<&Group> {
        self.grouping
            .groups
            .get(self.group_list.selected.checked_sub(1)?)
    }

    /// The messages changed.
    pub(super) fn regroup(&mut self, body: Rect) {
        let key = self.listed_group().map(|group| group.key.clone());
        self.grouping = Grouping::of(
            &self.messages,
            self.received_at,
            |message| self.is_found(message),
            |message| self.verdict_of(message) == Verdict::Ready,
        );
        let found = self.search.as_ref().and_then(|search| search.found.value());
        let received = found.map(|found| {
            let is_found = |message: &&DeadLetter| found.message_ids.contains(&message.message_id);
            self.messages.iter().filter(is_found).count()
        });
        if let (Some(search), Some(received)) = (&mut self.search, received) {
            search.received = received;
        }
        let ids: HashSet<&str> = self
            .messages
            .iter()
            .map(|message| message.message_id.as_str())
            .collect();
        self.marks.retain(|id| ids.contains(id.as_str()));
        self.notes.retain(|id, _| ids.contains(id.as_str()));
        let row = key
            .and_then(|key| {
                self.grouping
                    .groups
                    .iter()
                    .position(|group| group.key == key)
            })
            .map_or(0, |position| position + 1);
        if row == 0 && self.group_list.selected > 0 {
            // The group is gone; the next key must not mean all messages instead.
            self.focus = Pane::Messages;
        }
        if self.messages.is_empty() {
            self.is_detail_open = false;
        }
        self.select_group(row, body);
    }

    /// Lists the messages of a group; row 0 lists all.
    pub(super) fn select_group(&mut self, row: usize, body: Rect) {
        self.group_list.selected = row.min(self.grouping.groups.len());
        let group = self.group_list.selected.checked_sub(1);
        self.listed = self
            .grouping
            .group_of
            .iter()
            .enumerate()
            .filter(|(_, of)| group.is_none_or(|group| group == **of))
            .map(|(position, _)| position)
            .filter(|position| {
                let message = self.messages.get(*position);
                message.is_some_and(|message| self.is_found(message))
            })
            .collect();
        let row = self
            .selected
            .as_ref()
            .and_then(|id| {
                self.listed.iter().position(|position| {
                    self.messages
                        .get(*position)
                        .is_some_and(|message| message.message_id == *id)
                })
            })
            .unwrap_or(self.message_list.selected);
        self.select_row(row, body);
    }

    /// Selects a row of the messages.
    pub(super) fn select_row(&mut self, row: usize, body: Rect) {
        self.message_list.selected = row.min(self.listed.len().saturating_sub(1));
        self.reveal(body);
        let Some(message) = self.selected_message() else {
            self.selected = None;
            self.detail = None;
            self.detail_offset = 0;
            return;
        };
        if self
            .detail
            .as_ref()
            .is_some_and(|detail| detail.is_of(message))
        {
            return;
        }
        let (id, detail) = (
            message.message_id.clone(),
            Detail::of(
                message,
                Texts {
                    own: message.body.at_hand().map(str::to_owned),
                    edited: self.edit_at_hand(message).map(str::to_owned),
                },
                self.edit_of(message),
            ),
        );
        self.selected = Some(id);
        self.detail = Some(detail);
        self.detail_offset = 0;
    }

    /// Brings both selections into their windows.
    pub(super) fn reveal(&mut self, body: Rect) {
        let parts = self.parts(body);
        self.group_list
            .reveal(self.grouping.rows(), usize::from(parts.groups.height));
        self.message_list
            .reveal(self.listed.len(), usize::from(parts.messages.height));
    }

    /// Moves in whatever the keys move in: the open detail, else the pane with the focus.
    pub(super) fn move_by(&mut self, rows: isize, body: Rect) {
        if self.is_detail_open {
            self.scroll_detail(rows, body);
            return;
        }
        match self.focus {
            Pane::Groups => {
                let row = self.group_list.selected.saturating_add_signed(rows);
                self.select_group(row, body);
            }
            Pane::Messages => {
                self.select_row(self.message_list.selected.saturating_add_signed(rows), body);
            }
        }
    }

    /// Rows of one page in whatever the keys move in.
    pub(super) fn page(&self, body: Rect) -> isize {
        let parts = self.parts(body);
        let height = match self.focus {
            _ if self.is_detail_open => parts.detail.height,
            Pane::Groups => parts.groups.height,
            Pane::Messages => parts.messages.height,
        };
        isize::try_from(height.max(1)).unwrap_or(1)
    }

    pub(super) fn scroll_detail(&mut self, lines: isize, body: Rect) {
        let width = usize::from(self.parts(body).detail.width);
        let length = match (self.selected_message(), &self.detail) {
            (Some(message), Some(detail)) => {
                detail.length(message, self.notes.get(&message.message_id), width)
            }
            (_, None) | (None, _) => 0,
        };
        self.detail_offset = self
            .detail_offset
            .saturating_add_signed(lines)
            .min(length.saturating_sub(1));
    }

    /// Marks or unmarks the selected message and selects the next; in the groups, the group.
    pub(super) fn mark(&mut self, body: Rect) {
        match self.focus {
            Pane::Groups => {
                if self.listed_ids().all(|id| self.marks.contains(id)) {
                    let ids: Vec<_> = self.listed_ids().map(str::to_owned).collect();
                    for id in ids {
                        self.marks.remove(&id);
                    }
                } else {
                    self.mark_all();
                }
            }
            Pane::Messages => {
                let Some(id) = self.selected.clone() else {
                    return;
                };
                if !self.marks.remove(&id) {
                    self.marks.insert(id);
                }
                if !self.is_detail_open {
                    self.move_by(1, body);
                }
            }
        }
    }

    /// Marks every message that is listed.
    pub(super) fn mark_all(&mut self) {
        let ids: Vec<_> = self.listed_ids().map(str::to_owned).collect();
        self.marks.extend(ids);
    }

    fn listed_ids(&self) -> impl Iterator<Item = &str> {
        self.listed
            .iter()
            .filter_map(|position| self.messages.get(*position))
            .map(|message| message.message_id.as_str())
    }
}
