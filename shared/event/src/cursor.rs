//! Keyset cursor of the list of records.
//!
//! Invariant: a cursor is valid only for the order in which it was made. Its text is in `cursor_text`.

use chrono::{DateTime, Utc};

use crate::order::Order;
use crate::record_id::RecordId;

/// The last row of a page; the next page starts after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Order of the list for which the cursor was made.
    pub order: Order,
    /// First key of the position.
    pub occurred_at: DateTime<Utc>,
    /// Second key of the position.
    pub record_id: RecordId,
}

/// A text that cannot be used as the cursor of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// It is not one, or it was cut or altered.
    #[error("not a cursor of this API; pass `next_cursor` of the previous page unchanged")]
    Altered,
    /// It belongs to a list with other filters.
    #[error(
        "belongs to other filters; repeat source, id, type, subject, from and to of the first page, or \
         start again without the cursor"
    )]
    OtherFilters,
}
