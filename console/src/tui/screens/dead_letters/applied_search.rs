//! A search that is applied to the list.

use crate::tui::patch::{Found, Query};
use crate::tui::remote::Remote;

#[derive(Debug)]
pub(super) struct Search {
    pub(super) text: String,
    pub(super) query: Query,
    pub(super) found: Remote<Found>,
    /// Messages that it found and that are still received.
    pub(super) received: usize,
    pub(super) is_stale: bool,
}
