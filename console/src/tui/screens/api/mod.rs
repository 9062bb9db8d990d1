//! The explorer of the HTTP API: its operations, a form for what they take, and what they answer.
//!
//! Invariant: only what the document allows is sent, and only by a key; one call at a time, and each ends within a
//! limit. Nothing of it is written to a disk.

mod answer;
mod answer_view;
mod body;
mod form;
mod layout;
mod past;
mod sending;
mod state;
mod typing;
mod update;
mod view;

pub(crate) use self::state::Api;

#[cfg(test)]
mod tests;
