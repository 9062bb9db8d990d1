//! The terminal operations console for event pipelines on AWS, and its command line.
//!
//! Invariant: whatever changes the pipeline passes [`pipeline::WritePermit`]; everything else only looks.

pub mod cli;
#[cfg(feature = "demo")]
pub mod demo;
mod fleet_words;
mod kept_lines;
mod pointer;
mod saved_filters;
mod sql_value;
pub mod text;
mod tui;
