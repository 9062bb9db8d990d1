//! What the functions log: the newest line at the bottom, followed until somebody reads further up.
//!
//! Invariant: logs are read only while this screen is shown and follows, or when a key asks for it; what is kept is
//! bounded; the selection stays on its line while others come and go.

mod detail;
mod layout;
mod lines;
mod query;
mod reading;
mod state;
mod typing;
mod update;
mod view;

pub(crate) use self::query::EXAMPLES;
pub(crate) use self::state::Logs;

#[cfg(test)]
mod tests;
