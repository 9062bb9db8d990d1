//! All environments at once, the worst first.
//!
//! Invariant: one that does not answer delays no other: each has a time limit, and they are read side by side. It is
//! judged by the rules of the overview, from one look. Nothing is changed, no paused database is woken, and no tunnel
//! is opened where the API answers.

mod look;
mod row;
mod seen;
#[cfg(test)]
mod tests;

use futures::StreamExt as _;

use crate::environment::NamedEnvironment;

pub use row::{FleetDeadLetters, FleetError, FleetQueue, FleetRow, FleetState};

/// Environments that are read at once.
const AT_ONCE_MAX: usize = 16;

/// Reads every environment, and gives one row for each, the worst first.
pub async fn read(environments: Vec<NamedEnvironment>) -> Vec<FleetRow> {
    let rows = futures::stream::iter(environments)
        .map(|named| Box::pin(look::look(named)))
        .buffer_unordered(AT_ONCE_MAX);
    let mut rows: Vec<FleetRow> = rows.collect().await;
    row::sort_worst_first(&mut rows);
    rows
}
