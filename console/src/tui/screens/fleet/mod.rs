//! All environments, the worst first, and the way to another one.
//!
//! Invariant: what was not read is not judged; a console shows one environment, and leaves it as when it quits.

mod detail;
mod rows;
mod state;
mod view;

pub(crate) use self::state::Fleet;

#[cfg(test)]
mod tests;
