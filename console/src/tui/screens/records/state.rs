//! The state of the screen.

use event::{Record, RecordId, RecordQuery};

use super::detail::Detail;
use super::rows::Rows;
use super::typing::Typing;
use crate::tui::fault::Fault;
use crate::tui::list::ListState;
use crate::tui::remote::Remote;

#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Text of the applied filter; empty for none.
    pub(super) filter: String,
    /// The applied filter, as it was last reckoned.
    pub(super) query: RecordQuery,
    pub(super) rows: Remote<Rows>,
    /// Following; its value is how many rows came.
    pub(super) newer: Remote<usize>,
    /// Paging; its value is how many rows came.
    pub(super) more: Remote<usize>,
    pub(super) is_following: bool,
    pub(super) list: ListState,
    pub(super) detail: Option<Detail>,
    /// Whether the detail replaces the list.
    pub(super) is_open: bool,
    pub(super) typing: Option<Typing>,
    pub(super) is_shown: bool,
}

impl Records {
    /// What failed last, and what it was for.
    pub(super) fn fault(&self) -> Option<(&'static str, &Fault)> {
        self.rows
            .error()
            .map(|fault| ("refresh", fault))
            .or_else(|| self.more.error().map(|fault| ("next page", fault)))
            .or_else(|| self.newer.error().map(|fault| ("following", fault)))
    }

    pub(super) fn len(&self) -> usize {
        self.rows.value().map_or(0, Rows::len)
    }

    pub(super) fn selected(&self) -> Option<&Record> {
        self.rows.value()?.get(self.list.selected)
    }

    pub(super) fn selected_id(&self) -> Option<RecordId> {
        self.selected().map(|record| record.record_id)
    }
}
