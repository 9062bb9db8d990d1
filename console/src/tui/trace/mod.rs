//! The time line of one event, over the screen that it was opened from.
//!
//! Invariant: the screen below stays as it is, with what it has received; a fact that is not known is a line too.

mod layout;
mod state;
pub(crate) mod subject;
mod view;

pub(crate) use self::state::TimeLine;

#[cfg(test)]
mod tests;
