//! How the pipeline is set up: what is wrong, why it matters, how it is mended.
//!
//! Invariant: what was not checked is listed with its reason, and never counted as passed.

mod detail;
mod rows;
mod state;
mod view;

pub(crate) use self::state::Lint;

#[cfg(test)]
mod tests;
