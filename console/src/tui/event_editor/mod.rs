//! The text of an event while it is written, and what the validator finds in it.

pub(crate) mod check;
pub(crate) mod editor;
mod locate;
