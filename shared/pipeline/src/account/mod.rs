//! Whether a deployed pipeline lost or doubled events, hop by hop, by its metrics and queues.
//!
//! Invariant: what came to a hop is what left it, what waits there and what is missing. A hop without metrics is
//! unknown and never balanced; every difference has its uncertainty beside it.

mod balance;
mod flow;
mod read;
#[cfg(test)]
mod simulated;

pub use balance::{Account, HopAccount, HopState};
