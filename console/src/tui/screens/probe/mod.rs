//! Probes: marked events through every hop, again and again, as a heat map.
//!
//! Invariant: nothing is published without a key that asks for it, and in production not without an answer to a
//! question; one probe runs at a time, and the last ones are kept.

mod heat;
mod layout;
mod rows;
mod state;
mod update;
mod view;

pub(crate) use self::state::Probes;

#[cfg(test)]
mod tests;
