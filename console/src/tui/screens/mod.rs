//! The screens: each owns its state, its update and its view.
//!
//! Invariant: a screen sees its own state and a read-only context, never another screen or the
//! model; what it wants goes into the outbox. A new screen is a folder here (and its `mod` line) and an
//! entry in each of three places: its name in `screen_id`; its key in
//! `keymap::bindings`; its field and its arms in `screens::all`. The compiler asks for the names and
//! the arms, a test of the keymap for the key. A screen with data has also its questions in `request`,
//! their work in `sources`, the way of their answers in `update`, and a harness in `testing`; what its
//! list needs explained is in `help`.

pub(crate) mod all;
pub(crate) mod api;
pub(crate) mod dead_letters;
pub(crate) mod fleet;
pub(crate) mod lint;
pub(crate) mod logs;
pub(crate) mod overview;
pub(crate) mod probe;
pub(crate) mod publish;
pub(crate) mod queue;
pub(crate) mod records;
pub(crate) mod redrives;
pub(crate) mod screen;
