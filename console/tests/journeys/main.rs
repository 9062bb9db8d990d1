//! What an operator does, with the real program in a terminal on the real pipeline.

mod redrive;
#[path = "../support/mod.rs"]
mod support;
