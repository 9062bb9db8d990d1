//! A look at messages that wait for the ingest.
//!
//! Invariant: nothing is received before its price was shown and agreed to. All messages are
//! released after the last receive; what could not be released is shown with its end, and is released when the screen
//! is left.

mod detail;
mod question;
mod rows;
mod state;
mod update;
mod view;

pub(crate) use self::state::Queue;

#[cfg(test)]
mod tests;
