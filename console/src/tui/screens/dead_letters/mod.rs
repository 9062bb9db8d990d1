//! The dead-letter queue: why messages failed, and their redrive to the source queue.
//!
//! Invariant: what this screen has received stays hidden from others while it is shown and somebody
//! presses keys, and is released when it is left; a message of a redrive or a deletion is released
//! only when that has ended. Receipt handles are with the sources.

mod applied_search;
mod body;
mod columns;
mod delete;
mod detail;
mod edit;
mod editing;
mod edits;
mod groups;
mod layout;
mod lease;
mod line_input;
mod mouse;
mod note;
mod patch;
mod preview;
mod redrive;
mod remarks;
mod search;
mod selection;
mod state;
mod update;
mod view;
mod visibility;

pub(crate) use self::state::DeadLetters;

#[cfg(test)]
pub(in crate::tui) mod tests;
