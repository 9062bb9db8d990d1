//! The state of the screen.

use chrono::{DateTime, Utc};
use event::{Record, RecordId, RecordQuery};
use pipeline::RecordNames;

use super::detail::Detail;
use super::known::Knowledge;
use super::over::Over;
use super::rows::Rows;
use super::typing::Typing;
use crate::pointer::Pointer;
use crate::saved_filters::SavedFilter;
use crate::tui::fault::Fault;
use crate::tui::list::ListState;
use crate::tui::remote::Remote;

/// Where the page is that is requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    /// Behind the last row.
    #[default]
    Below,
    /// Before the first row.
    Above,
    /// At the end of the list.
    End,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Below => "next page",
            Self::Above => "page above",
            Self::End => "last page",
        }
    }
}

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
    /// Of the last page that was requested.
    pub(super) way: Way,
    /// Pages that were requested since the operator moved.
    pub(super) pages_in_a_row: usize,
    pub(super) is_following: bool,
    pub(super) list: ListState,
    pub(super) detail: Option<Detail>,
    /// Whether the detail replaces the list.
    pub(super) is_open: bool,
    pub(super) typing: Option<Typing>,
    /// Filters that were applied, the newest last.
    pub(super) history: Vec<String>,
    /// Questions in SQL that were asked, the newest last.
    pub(super) sql_history: Vec<String>,
    /// Names for completion.
    pub(super) names: Remote<RecordNames>,
    pub(super) known: Knowledge,
    /// What is shown in columns of its own.
    pub(super) pointers: Vec<Pointer>,
    pub(super) saved: Remote<Vec<SavedFilter>>,
    /// The name under which the filter is being saved.
    pub(super) saving: Option<String>,
    /// The first of two records that are compared.
    pub(super) held: Option<Record>,
    pub(super) over: Option<Over>,
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
            (self.way.name(), self.more.error(), self.more.failed_at()),
            ("following", self.newer.error(), self.newer.failed_at()),
        ]
        .into_iter()
        .filter_map(|(what, fault, at)| Some((what, fault?, at?)))
        .find(|(.., at)| read_at.is_none_or(|read_at| read_at <= *at))
    }

    pub(super) fn len(&self) -> usize {
        self.rows.value().map_or(0, Rows::len)
    }

    /// Whether the first row is the first of the list.
    pub(super) fn has_the_top(&self) -> bool {
        let rows = self.rows.value();
        rows.is_none_or(|rows| rows.previous_cursor().is_none())
    }

    pub(super) fn selected(&self) -> Option<&Record> {
        self.rows.value()?.get(self.list.selected)
    }

    pub(super) fn selected_id(&self) -> Option<RecordId> {
        self.selected().map(|record| record.record_id)
    }
}
