//! The terminal console: `update` and `view` are pure, `run` and `sources` touch the pipeline.
//!
//! Invariant: the task that draws never waits for the network, the database or a file.

pub mod document;
mod external_editor;
pub mod filter;
mod footer;
pub mod health;
pub mod keymap;
pub mod list;
pub mod message;
pub mod model;
pub mod palette;
pub mod patch;
pub mod pipeline_view;
pub mod redrives;
pub mod remote;
mod run;
pub mod screens;
mod sources;
mod templates;
mod terminal;
pub mod theme;
pub mod update;
pub mod update_context;
pub mod view;

pub use crate::text as format;
pub use run::{Ended, run};
