//! The terminal console: `update` and `view` are pure, `run` and `sources` touch the world.
//!
//! Invariant: the task that draws never waits for the network, the database or a file.

pub mod document;
pub mod filter;
mod footer;
pub mod health;
pub mod keymap;
pub mod list;
pub mod mending;
pub mod message;
pub mod model;
mod outside;
pub mod palette;
pub mod pipeline;
pub mod redrives;
pub mod remote;
mod run;
pub mod screens;
mod sources;
mod templates;
mod terminal;
pub mod theme;
pub mod turn;
pub mod update;
pub mod view;

pub use crate::text as format;
pub use run::{Ended, run};
