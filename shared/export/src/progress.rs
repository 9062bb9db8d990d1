//! What the caller hears of an export under way.
//!
//! Invariant: no wait is silent.

use crate::patience::Wait;

/// How far an export is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows that were read by this run.
    pub rows: u64,
    /// Rows that this run will read, if that is known.
    pub total: Option<u64>,
    /// What the run waits for before it asks again; `None` while it goes on.
    pub wait: Option<Wait>,
}

/// Takes the progress of an export, after each page and before each wait.
pub type OnProgress = Box<dyn FnMut(Progress) + Send>;
