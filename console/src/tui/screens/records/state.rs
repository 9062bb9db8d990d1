//! The state of the screen.

use chrono::{DateTime, Utc};
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
    /// What failed and when, unless a later read was answered.
    pub(super) fn fault(&self) -> Option<(&'static str, &Fault, DateTime<Utc>)> {
        let read_at = [
            self.rows.fetched().map(|fetched| fetched.fetched_at),
            self.more.fetched().map(|fetched| fetched.fetched_at),
            self.newer.fetched().map(|fetched| fetched.fetched_at),
        ];
        let read_at = read_at.into_iter().max().flatten();
        [
            ("refresh", self.rows.error(), self.rows.failed_at()),
            ("next page", self.more.error(), self.more.failed_at()),
            ("following", self.newer.error(), self.newer.failed_at()),
        ]
        .into_iter()
        .filter_map(|(what, fault, at)| Some((what, fault?, at?)))
        .find(|(.., at)| read_at.is_none_or(|read_at| read_at <= *at))
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
