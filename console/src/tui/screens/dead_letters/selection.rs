//! What is selected, marked and listed.
//!
//! Invariant: the selection stays on the same letter and the same group when others come or go.

use std::collections::HashSet;

use event::Verdict;
use ratatui::layout::Rect;

use super::detail::Detail;
use super::groups::Group;
use super::{DeadLetters, Pane};
use pipeline::model::DeadLetter;

impl DeadLetters {
    /// The selected letter.
    pub(super) fn selected_letter(&self) -> Option<&DeadLetter> {
        self.letter_at(self.letter_list.selected)
    }

    /// The letter in a row of the list.
    pub(super) fn letter_at(&self, row: usize) -> Option<&DeadLetter> {
        self.letters.get(*self.listed.get(row)?)
    }

    /// The group that is listed; `None` for all.
    pub(super) fn listed_group(&self) -> Option<&Group> {
        self.grouping
            .groups
            .get(self.group_list.selected.checked_sub(1)?)
    }

    /// The letters changed.
    pub(super) fn regroup(&mut self, body: Rect) {
        let key = self.listed_group().map(|group| group.key.clone());
        self.grouping = super::groups::Grouping::of(&self.letters, self.taken_at, |letter| {
            self.verdict_of(letter) == Verdict::Ready
        });
        self.held_until = self.letters_at_rest().map(|letter| letter.held_until).min();
        let found = self.search.as_ref().and_then(|search| search.found.value());
        let held = found.map(|found| {
            let is_found = |letter: &&DeadLetter| found.message_ids.contains(&letter.message_id);
            self.letters.iter().filter(is_found).count()
        });
        if let (Some(search), Some(held)) = (&mut self.search, held) {
            search.held = held;
        }
        let ids: HashSet<&str> = self
            .letters
            .iter()
            .map(|letter| letter.message_id.as_str())
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
            // The group is gone; the next key must not mean all letters instead.
            self.focus = Pane::Letters;
        }
        if self.letters.is_empty() {
            self.is_detail_open = false;
        }
        self.select_group(row, body);
    }

    /// Lists the letters of a group; row 0 lists all.
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
                let letter = self.letters.get(*position);
                letter.is_some_and(|letter| self.is_found(letter))
            })
            .collect();
        let row = self
            .selected
            .as_ref()
            .and_then(|id| {
                self.listed.iter().position(|position| {
                    self.letters
                        .get(*position)
                        .is_some_and(|letter| letter.message_id == *id)
                })
            })
            .unwrap_or(self.letter_list.selected);
        self.select_row(row, body);
    }

    /// Selects a row of the letters.
    pub(super) fn select_row(&mut self, row: usize, body: Rect) {
        self.letter_list.selected = row.min(self.listed.len().saturating_sub(1));
        self.reveal(body);
        let Some(letter) = self.selected_letter() else {
            self.selected = None;
            self.detail = None;
            self.detail_offset = 0;
            return;
        };
        if self
            .detail
            .as_ref()
            .is_some_and(|detail| detail.is_of(letter))
        {
            return;
        }
        let (id, detail) = (
            letter.message_id.clone(),
            Detail::of(
                letter,
                letter.body.at_hand().map(str::to_owned),
                self.edit_of(letter),
            ),
        );
        self.selected = Some(id);
        self.detail = Some(detail);
        self.detail_offset = 0;
    }

    /// Brings both selections into their windows.
    pub(super) fn reveal(&mut self, body: Rect) {
        let places = self.places(body);
        self.group_list
            .reveal(self.grouping.rows(), usize::from(places.groups.height));
        self.letter_list
            .reveal(self.listed.len(), usize::from(places.letters.height));
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
            Pane::Letters => {
                self.select_row(self.letter_list.selected.saturating_add_signed(rows), body);
            }
        }
    }

    /// Rows of one page in whatever the keys move in.
    pub(super) fn page(&self, body: Rect) -> isize {
        let places = self.places(body);
        let height = match self.focus {
            _ if self.is_detail_open => places.detail.height,
            Pane::Groups => places.groups.height,
            Pane::Letters => places.letters.height,
        };
        isize::try_from(height.max(1)).unwrap_or(1)
    }

    pub(super) fn scroll_detail(&mut self, lines: isize, body: Rect) {
        let width = usize::from(self.places(body).detail.width);
        let length = match (self.selected_letter(), &self.detail) {
            (Some(letter), Some(detail)) => {
                detail.length(letter, self.notes.get(&letter.message_id), width)
            }
            (_, None) | (None, _) => 0,
        };
        self.detail_offset = self
            .detail_offset
            .saturating_add_signed(lines)
            .min(length.saturating_sub(1));
    }

    /// Marks or unmarks the selected letter and goes on to the next; in the groups, the group.
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
            Pane::Letters => {
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

    /// Marks every letter that is listed.
    pub(super) fn mark_all(&mut self) {
        let ids: Vec<_> = self.listed_ids().map(str::to_owned).collect();
        self.marks.extend(ids);
    }

    fn listed_ids(&self) -> impl Iterator<Item = &str> {
        self.listed
            .iter()
            .filter_map(|position| self.letters.get(*position))
            .map(|letter| letter.message_id.as_str())
    }
}
