//! The terminal operations console for event pipelines on AWS, and its command line.
//!
//! Invariant: whatever changes the world passes [`world::WritePermit`]; everything else only looks.

pub mod audit;
pub mod cli;
pub mod demo;
pub mod environment;
pub mod redrive;
pub mod text;
pub mod triage;
pub mod tui;
pub mod world;
