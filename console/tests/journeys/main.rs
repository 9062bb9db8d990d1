//! What an operator does, with the real program in a terminal on the real pipeline.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod api;
mod fleet;
mod lint;
mod logs;
mod overview;
mod pipeline;
mod probe;
mod queue;
mod records;
mod redrive;
mod replay;
mod second_console;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
mod trace;
