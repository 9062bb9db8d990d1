//! Selection and window of a list.
//!
//! Invariant: the selected row exists and is inside the window whenever the list has rows.

/// Which row is selected and which is the first on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListState {
    /// The selected row.
    pub(crate) selected: usize,
    /// The first row of the window.
    pub(crate) offset: usize,
}

impl ListState {
    /// Moves the selection by `rows`, within a list of `length`.
    pub(crate) fn move_by(&mut self, rows: isize, length: usize, height: usize) {
        self.select(self.selected.saturating_add_signed(rows), length, height);
    }

    /// Selects a row and brings it into a window of `height`.
    pub(crate) fn select(&mut self, row: usize, length: usize, height: usize) {
        self.selected = row.min(length.saturating_sub(1));
        self.reveal(length, height);
    }

    /// Brings the selection back into the window after the list or the screen changed.
    pub(crate) fn reveal(&mut self, length: usize, height: usize) {
        let height = height.max(1);
        self.selected = self.selected.min(length.saturating_sub(1));
        self.offset = self.offset.min(length.saturating_sub(height));
        if self.selected < self.offset {
            self.offset = self.selected;
        } else if self.selected >= self.offset + height {
            self.offset = self.selected + 1 - height;
        }
    }

    /// The row that stands `line` lines below the top of the window.
    pub(crate) fn row_at(&self, line: usize, length: usize) -> Option<usize> {
        Some(self.offset + line).filter(|row| *row < length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn selection_is_always_inside_the_window(
            steps in proptest::collection::vec((-50isize..50, 0usize..60, 0usize..20), 1..40)
        ) {
            let mut list = ListState::default();
            for (rows, length, height) in steps {
                list.move_by(rows, length, height);
                if length > 0 {
                    prop_assert!(list.selected < length);
                    prop_assert!(list.offset <= list.selected);
                    prop_assert!(list.selected < list.offset + height.max(1));
                }
            }
        }
    }
}
