//! The state of the screen.

use chrono::{DateTime, Utc};
use pipeline::Hidden;
use pipeline::queue_peek::{Peek, PeekPrice, PeekedMessage};
use ratatui::layout::Rect;

use super::detail::Detail;
use crate::tui::layout::{is_wide, side_by_side, take_rows};
use crate::tui::list::ListState;
use crate::tui::remote::Remote;

/// Numbers of messages that can be chosen.
const SIZES: [usize; 5] = [1, 5, 10, 20, 50];
/// The one that is chosen at first.
const SIZE_FIRST: usize = 2;

#[derive(Debug)]
pub(crate) struct Queue {
    pub(super) price: Remote<PeekPrice>,
    /// The last peek.
    pub(super) peek: Remote<Peek>,
    /// What may still be hidden from the ingest, and since when that is known.
    pub(super) hidden: Option<(Hidden, DateTime<Utc>)>,
    /// The release that a key or the end of the visit asked for.
    pub(super) release: Remote<()>,
    pub(super) question: Question,
    size: usize,
    /// Messages that the peek under way may receive.
    pub(super) asked_for: usize,
    pub(super) list: ListState,
    pub(super) detail: Option<Detail>,
    /// On a narrow screen, instead of the list.
    pub(super) is_detail_open: bool,
}

/// The question whether to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Closed,
    /// The price of now is asked for.
    Pricing,
    Open,
}

/// Where each part is; a part that is not shown is empty.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts {
    pub(super) title: Rect,
    pub(super) list: Rect,
    pub(super) divider: Rect,
    pub(super) detail_title: Rect,
    pub(super) detail: Rect,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            price: Remote::default(),
            peek: Remote::default(),
            hidden: None,
            release: Remote::default(),
            question: Question::Closed,
            size: SIZE_FIRST,
            asked_for: 0,
            list: ListState::default(),
            detail: None,
            is_detail_open: false,
        }
    }
}

impl Queue {
    /// Messages of the next peek at most.
    pub(super) fn messages_max(&self) -> usize {
        SIZES.get(self.size).copied().unwrap_or(1)
    }

    /// Chooses more or fewer messages; the ends hold.
    pub(super) fn change_size(&mut self, places: isize) {
        let place = self.size.saturating_add_signed(places);
        self.size = place.min(SIZES.len() - 1);
    }

    pub(super) fn messages(&self) -> &[PeekedMessage] {
        self.peek.value().map_or(&[], |peek| &peek.messages)
    }

    pub(super) fn selected(&self) -> Option<&PeekedMessage> {
        self.messages().get(self.list.selected)
    }

    /// Messages that may be hidden from the ingest, with those that are being received.
    pub(crate) fn hidden_messages(&self) -> usize {
        let under_way = match self.peek.is_loading() {
            true => self.asked_for,
            false => 0,
        };
        let left = self.hidden.map_or(0, |(hidden, _)| hidden.messages_max);
        left + under_way
    }

    /// Whether something can be released: a receive without an answer has left no handle.
    pub(super) fn has_handles(&self) -> bool {
        let peek = self.peek.value().filter(|_| self.peek.error().is_none());
        peek.is_none_or(|peek| peek.not_released() > 0)
    }

    pub(super) fn parts(&self, body: Rect) -> Parts {
        let mut parts = Parts::default();
        let mut list = body;
        if self.messages().is_empty() {
            parts.title = take_rows(&mut list, 1);
            parts.list = list;
            return parts;
        }
        if is_wide(body) {
            let mut detail;
            [list, parts.divider, detail] = side_by_side(body, body.width / 2);
            parts.detail_title = take_rows(&mut detail, 1);
            parts.detail = detail;
        } else if self.is_detail_open {
            parts.detail_title = take_rows(&mut list, 1);
            parts.detail = list;
            return parts;
        }
        parts.title = take_rows(&mut list, 1);
        parts.list = list;
        parts
    }
}
